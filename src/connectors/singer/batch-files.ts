/** Files that a tap has written in the place of RECORD messages: records of JSON, one a line. */
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DataError, throwIfAborted } from '../../core/errors.ts';
import { type Packing, unpacked, unsound } from '../shared/text/packing.ts';
import type { BatchMessage } from './message-reader.ts';
import type { RecordFiles } from './record-files.ts';

const LF = 10;
const LINE_FEED: Uint8Array = Buffer.from('\n');
const PACKINGS: readonly string[] = ['none', 'gzip', 'zstd'] satisfies Packing[];

/** Throws what is wrong with them. */
export async function readBatch(
  message: BatchMessage,
  target: { files: RecordFiles; signal: AbortSignal },
): Promise<void> {
  for (const file of message.manifest) await readFile(file, message, target);
}

async function readFile(
  written: string,
  { stream, format, compression }: BatchMessage,
  { files, signal }: { files: RecordFiles; signal: AbortSignal },
): Promise<void> {
  const path = pathOf(written);
  if (format.toLowerCase() !== 'jsonl' || !PACKINGS.includes(compression) || path === undefined)
    throw new DataError(
      `reading a batch of ${stream}: its files are ${format}, packed by ${compression}${path === undefined ? ', and not on this machine' : ''}`,
      {
        code: 'singer.batch',
        remedy:
          'let the tap write files of JSON lines in a local folder, plain or packed by gzip, or no batches at all',
      },
    );
  let last = LF;
  const text = unpacked(bytesOf(path), path, compression as Packing);
  try {
    for await (const piece of text) {
      throwIfAborted(signal);
      files.writeLines(piece, linesIn(piece));
      last = piece.at(-1) ?? last;
      if (files.full) await files.flushPart();
    }
  } catch (error) {
    throw unsound(error, path, compression);
  }
  if (last !== LF) files.writeLines(LINE_FEED, 1);
  await files.flush();
}

function pathOf(written: string): string | undefined {
  if (written.startsWith('file://')) return fileURLToPath(written);
  return /^[a-z][\w+.-]+:\/\//i.test(written) ? undefined : written;
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(path)) yield piece as Uint8Array;
  } catch (error) {
    throw new DataError(`reading a batch of a tap: "${path}" cannot be read`, {
      code: 'singer.batch',
      remedy: 'the tap has said that it has written this file',
      cause: error,
    });
  }
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}
