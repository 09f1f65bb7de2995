/** Hashes of keys as rows of a slice. */
import { Batch } from '../core/batch.ts';
import { KEY_HASH } from '../core/destination.ts';
import type { Schema } from '../core/schema.ts';
import type { BatchesReader } from '../core/source.ts';

const SCHEMA: Schema = {
  fields: [{ name: KEY_HASH, type: { kind: 'utf8' }, nullable: false, native: undefined }],
  key: [KEY_HASH],
};
/** Of MD5, as bytes and in hexadecimal digits. */
const BYTES = 16;
const DIGITS = 32;

/** Hashes, held as bytes. */
export class HashList {
  size = 0;
  readonly #pieces: Buffer[] = [];

  add(hashes: readonly string[]): void {
    this.#pieces.push(Buffer.from(hashes.join(''), 'hex'));
    this.size += hashes.length;
  }

  reader(): BatchesReader {
    const pieces = this.#pieces;
    const facts = { rows: this.size, bytes: this.size * DIGITS, high: undefined, coerced: {} };
    return {
      format: 'batches',
      schema: SCHEMA,
      async *batches() {
        for (const piece of pieces) yield batchOf(piece);
      },
      facts: () => facts,
      close: async () => {},
    };
  }
}

function batchOf(piece: Buffer): Batch {
  const rows = piece.length / BYTES;
  const batch = new Batch(SCHEMA, rows);
  const column = batch.columns[0]!;
  column.bytes = Buffer.from(piece.toString('hex'), 'latin1');
  for (let i = 0; i <= rows; i++) column.offsets[i] = i * DIGITS;
  batch.rows = rows;
  return batch;
}
