import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { storageError } from '../shared/storage-error.ts';

const CHUNK_BYTES = 1 << 20;

/** CRC-32 of a local file, 8 hexadecimal digits. Parquet readers notice damage in some bytes only. */
export async function fileChecksum(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      let sum = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES);
        if (bytesRead === 0) return sum.toString(16).padStart(8, '0');
        sum = crc32(buffer.subarray(0, bytesRead), sum);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw storageError(error, `reading "${path}"`);
  }
}
