import { crc32 } from 'node:zlib';
import { giveBack } from '../../core/give-back.ts';
import { readFileRange } from './read-file-range.ts';

/** CRC-32 of parts that nobody else needs, 8 hexadecimal digits. Parquet readers notice damage in some bytes only. */
export async function checksum(parts: AsyncIterable<Uint8Array>): Promise<string> {
  let sum = 0;
  for await (const part of parts) {
    sum = crc32(part, sum);
    giveBack(part);
  }
  return crcText(sum);
}

export function crcText(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}

/** Of a local file. */
export function fileChecksum(path: string, signal?: AbortSignal): Promise<string> {
  return checksum(readFileRange(path, undefined, signal));
}
