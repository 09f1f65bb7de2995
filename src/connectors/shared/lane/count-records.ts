/** How many records a file of text has, by its bytes alone: whoever wrote it is not asked. */
import { closeSync, openSync, readSync } from 'node:fs';
import { storageError } from '../storage-error.ts';

const CHUNK_BYTES = 256 << 10;
const LINE_FEED = 10;
const QUOTE = 34;

/** Every record ends with a line feed. `quoted`: those between quotes are part of a value. */
export function countRecords(path: string, { quoted }: { quoted: boolean }): number {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const within = { quotes: false };
    for (let records = 0; ;) {
      const read = readSync(file, chunk, 0, CHUNK_BYTES, null);
      if (read === 0) return records;
      const bytes = chunk.subarray(0, read);
      // Hardly any text has a quote, and is looked through three times as fast then.
      const plain = !within.quotes && !(quoted && bytes.includes(QUOTE));
      records += plain ? lineFeeds(bytes) : recordEnds(bytes, within);
    }
  } catch (error) {
    throw storageError(error, `counting the records of "${path}"`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function lineFeeds(bytes: Buffer): number {
  let found = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) found++;
  return found;
}

/** A quote within quotes is written twice, which ends them and begins them again. */
function recordEnds(bytes: Buffer, within: { quotes: boolean }): number {
  let { quotes } = within;
  let found = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) quotes = !quotes;
    else if (byte === LINE_FEED && !quotes) found++;
  }
  within.quotes = quotes;
  return found;
}
