import type { Batch, Column } from '../../core/batch.ts';
import type { Encoder } from '../../core/encoder.ts';
import { DataError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import { COPY_DATA, MESSAGE_HEADER } from './copy-wire.ts';
import {
  clipCalendar,
  type FieldSource,
  fieldWidth,
  fieldWriter,
  type WriteFields,
  writeSame,
} from './encode-columns.ts';
import { NumericFields } from './encode-numeric.ts';
import type { LoadStamp } from './load-stamp.ts';

/** What the server takes in one message. */
const MOST_BYTES = 0x3fff_ffff;
/** U+FFFD, which stands for what text cannot hold. */
const REPLACEMENT = Buffer.from('\uFFFD');

/**
 * Encodes batches as rows of `COPY … FROM STDIN (FORMAT binary)`, each batch one CopyData message; header and trailer are the sender's.
 * `options`: the {@link LoadStamp} that rows end with, if any.
 */
export function createCopyEncoder(schema: Schema, options?: unknown): Encoder {
  return new CopyEncoder(schema, options as LoadStamp | undefined);
}

const NO_STAMP: LoadStamp = { columns: [], bytes: new Uint8Array() };

class CopyEncoder implements Encoder {
  readonly #schema: Schema;
  readonly #writers: WriteFields[];
  readonly #numerics: (NumericFields | undefined)[];
  readonly #changed: number[];
  readonly #stamp: LoadStamp;
  #at = new Int32Array(0);
  #out: Buffer = Buffer.alloc(0);

  constructor(schema: Schema, stamp: LoadStamp = NO_STAMP) {
    this.#schema = schema;
    this.#stamp = stamp;
    this.#writers = schema.fields.map(({ type }) => fieldWriter(type));
    this.#numerics = schema.fields.map(({ type }) =>
      type.kind === 'decimal' ? new NumericFields() : undefined,
    );
    this.#changed = schema.fields.map(() => 0);
  }

  coerced(): Record<string, number> {
    const counts = this.#schema.fields.map(({ name }, i) => [name, this.#changed[i]!] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  encode(batch: Batch): Uint8Array {
    const { rows } = batch;
    const sources = batch.columns.map((column, i) => this.#source(column, i, rows));
    const end = this.#place(sources, rows);
    const out = this.#out;
    const view = new DataView(out.buffer, out.byteOffset, out.length);
    view.setUint8(0, COPY_DATA);
    view.setInt32(1, end - 1);
    const fields = sources.length + this.#stamp.columns.length;
    for (let r = 0; r < rows; r++) {
      view.setInt16(this.#at[r]!, fields);
      this.#at[r]! += 2;
    }
    const target = { view, bytes: out, at: this.#at, rows };
    for (const [i, source] of sources.entries()) this.#writers[i]!(source, target);
    writeSame(this.#stamp.bytes, target);
    return out.subarray(0, end);
  }

  #source(column: Column, index: number, rows: number): FieldSource {
    const { kind } = column.type;
    const numeric = this.#numerics[index];
    if (numeric) {
      numeric.fill(column, rows);
      return { column, offsets: numeric.offsets, bytes: numeric.bytes };
    }
    if (kind === 'date' || kind === 'timestamp') this.#changed[index]! += clipCalendar(column, rows);
    if (kind === 'utf8' || kind === 'json') {
      const text = Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.offsets[rows]);
      if (text.includes(0)) {
        const { offsets, bytes, changed } = withoutZeros(column, rows);
        this.#changed[index]! += changed;
        return { column, offsets, bytes };
      }
    }
    return { column, offsets: column.offsets, bytes: column.bytes };
  }

  /** Finds where each row begins, makes room for all, and returns where they end. */
  #place(sources: readonly FieldSource[], rows: number): number {
    if (this.#at.length < rows) this.#at = new Int32Array(rows);
    const sizes = this.#at.fill(0, 0, rows);
    let common = 2 + this.#stamp.bytes.length;
    for (const source of sources) {
      const width = fieldWidth(source.column.type);
      common += 4 + (width ?? 0);
      if (width === undefined) addLengths(source, sizes, rows);
      else if (source.column.nullCount > 0) takeNulls(source.column, width, sizes, rows);
    }
    let at = MESSAGE_HEADER;
    for (let r = 0; r < rows; r++) {
      const size = sizes[r]! + common;
      sizes[r] = at;
      at += size;
    }
    if (at > MOST_BYTES) {
      throw new DataError(
        `sending rows to PostgreSQL: one message of ${at} bytes is more than the server takes`,
        {
          code: 'data.row_too_large',
          remedy: 'leave the column with the largest values out with `columns: { exclude: […] }`',
        },
      );
    }
    if (this.#out.length < at) this.#out = Buffer.allocUnsafeSlow(Math.ceil(at * 1.25));
    return at;
  }
}

function addLengths({ column, offsets }: FieldSource, sizes: Int32Array, rows: number): void {
  const some = column.nullCount > 0;
  for (let r = 0; r < rows; r++) if (!some || !column.isNull(r)) sizes[r]! += offsets[r + 1]! - offsets[r]!;
}

function takeNulls(column: Column, width: number, sizes: Int32Array, rows: number): void {
  for (let r = 0; r < rows; r++) if (column.isNull(r)) sizes[r]! -= width;
}

/** The server's text has no place for U+0000. */
function withoutZeros(
  column: Column,
  rows: number,
): { offsets: Int32Array; bytes: Uint8Array; changed: number } {
  const parts: Uint8Array[] = [];
  const offsets = new Int32Array(rows + 1);
  let used = 0;
  let changed = 0;
  for (let r = 0; r < rows; r++) {
    offsets[r] = used;
    if (column.isNull(r)) continue;
    let value = column.bytes.slice(column.offsets[r], column.offsets[r + 1]);
    if (value.includes(0)) {
      value = Buffer.from(Buffer.from(value).toString('utf8').replaceAll('\0', REPLACEMENT.toString()));
      changed++;
    }
    parts.push(value);
    used += value.length;
  }
  offsets[rows] = used;
  return { offsets, bytes: Buffer.concat(parts), changed };
}
