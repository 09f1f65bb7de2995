import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { DataError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { ByteRange } from '../../core/storage.ts';
import { isMissing, storageError } from './storage-error.ts';

const CHUNK_BYTES = 256 << 10;

/**
 * A part of a local file as `ObjectStorage.read` promises it. The file is opened when the first bytes are asked for.
 */
export async function* readFileRange(
  file: string,
  range: ByteRange = { from: 0 },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (signal !== undefined) throwIfAborted(signal);
  const handle = await openFile(file);
  try {
    const before = await statusOf(handle, file);
    const end = Math.min(range.to ?? Infinity, Number(before.size));
    let at = range.from;
    while (at < end) {
      // What is not read is cut off, so nobody sees what was there before.
      const into = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - at));
      const chunk = await readChunk(handle, file, { into, at });
      if (signal !== undefined) throwIfAborted(signal);
      if (chunk.length === 0) throw changed(file);
      at += chunk.length;
      yield chunk;
    }
    if (!isSame(before, await statusOf(handle, file))) throw changed(file);
  } finally {
    await handle.close();
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw isMissing(error) ? missing(file, error) : storageError(error, `reading "${file}"`);
  }
}

/** Of the open file, which stays the same file when another one takes its name. */
async function statusOf(handle: FileHandle, file: string): Promise<BigIntStats> {
  const status = await handle.stat({ bigint: true });
  if (status.isDirectory()) throw missing(file);
  return status;
}

async function readChunk(
  handle: FileHandle,
  file: string,
  { into, at }: { into: Buffer; at: number },
): Promise<Uint8Array> {
  try {
    const { bytesRead } = await handle.read(into, 0, into.length, at);
    return into.subarray(0, bytesRead);
  } catch (error) {
    throw storageError(error, `reading "${file}"`);
  }
}

function isSame(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs;
}

function missing(file: string, cause?: unknown): DataError {
  return new DataError(`reading "${file}": the file does not exist`, {
    code: 'storage.missing',
    remedy: 'check that nothing else removes files there and that the drive is mounted',
    cause,
  });
}

function changed(file: string): TransientError {
  return new TransientError(`reading "${file}": the file was changed meanwhile`, {
    code: 'storage.changed',
    remedy: 'wait until its writer is done, or have it write under another name and rename the finished file',
  });
}
