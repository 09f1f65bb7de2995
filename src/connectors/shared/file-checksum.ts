import { crc32 } from 'node:zlib';
import { readFileRange } from './read-file-range.ts';

/** CRC-32 of some bytes, 8 hexadecimal digits. Parquet readers notice damage in some bytes only. */
export async function checksum(parts: AsyncIterable<Uint8Array>): Promise<string> {
  let sum = 0;
  for await (const part of parts) sum = crc32(part, sum);
  return sum.toString(16).padStart(8, '0');
}

/** Of a local file. */
export function fileChecksum(path: string): Promise<string> {
  return checksum(readFileRange(path));
}
