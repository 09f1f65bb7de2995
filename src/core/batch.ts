import { InternalError } from './errors.ts';
import type { Schema } from './schema.ts';
import { fixedWidth, type LogicalType } from './types.ts';

/**
 * One column of a batch in the Arrow columnar layout (https://arrow.apache.org/docs/format/Columnar.html):
 * a validity bitmap (bit set = value present, least significant bit first) and either fixed-width values,
 * a bitmap (bool), or `offsets` into `bytes` (utf8, json, binary). Decimals are little-endian two's
 * complement integers of 4, 8 or 16 bytes (by precision 9, 18, 38); a uuid is its 16 bytes in text order.
 * All buffers may be longer than `rows` needs: a decoder reuses them from batch to batch.
 */
export class Column {
  readonly type: LogicalType;
  /** Bytes per value, 0 for offsets, -1 for the bool bitmap. */
  readonly width: number;
  /** Fixed-width values or the bool bitmap; empty for types with offsets. */
  readonly data: ArrayBuffer;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u8: Uint8Array;
  /** `rows + 1` byte positions in `bytes`; empty for fixed-width types. */
  readonly offsets: Int32Array;
  /** Grows by replacement, so read it after the batch is complete. */
  bytes: Uint8Array;
  readonly validity: Uint8Array;
  nullCount = 0;
  /** Set for floats when -0 is among the values: what takes it for equal to 0 must know. */
  negativeZero = false;

  constructor(type: LogicalType, capacity: number) {
    this.type = type;
    const width = fixedWidth(type);
    const bool = type.kind === 'bool';
    this.width = bool ? -1 : (width ?? 0);
    // Rounded to 64 rows: validity is handed on in 64-bit words.
    const rows = (capacity + 63) & ~63;
    this.data = new ArrayBuffer(bool ? rows >> 3 : rows * (width ?? 0));
    this.u8 = new Uint8Array(this.data);
    this.i16 = this.width >= 2 ? new Int16Array(this.data) : new Int16Array(0);
    this.i32 = this.width >= 4 ? new Int32Array(this.data) : new Int32Array(0);
    this.i64 = this.width >= 8 ? new BigInt64Array(this.data) : new BigInt64Array(0);
    this.f32 = this.width === 4 ? new Float32Array(this.data) : new Float32Array(0);
    this.f64 = this.width === 8 ? new Float64Array(this.data) : new Float64Array(0);
    this.offsets = this.width === 0 ? new Int32Array(rows + 1) : new Int32Array(0);
    this.bytes = this.width === 0 ? new Uint8Array(1 << 16) : new Uint8Array(0);
    this.validity = new Uint8Array(rows >> 3).fill(255);
  }

  isNull(row: number): boolean {
    return (this.validity[row >> 3]! & (1 << (row & 7))) === 0;
  }

  setNull(row: number): void {
    this.validity[row >> 3]! &= ~(1 << (row & 7));
    this.nullCount++;
  }

  /** Makes room for `more` bytes after the first `used`, keeping those. */
  grow(used: number, more: number): Uint8Array {
    if (used + more <= this.bytes.length) return this.bytes;
    if (used + more > 0x7fff_ffff) {
      throw new InternalError('one column of a batch is larger than 2 GiB', { code: 'batch.too_large' });
    }
    const next = new Uint8Array(Math.max(used + more, Math.min(this.bytes.length * 2, 0x7fff_ffff)));
    next.set(this.bytes.subarray(0, used));
    this.bytes = next;
    return next;
  }

  reset(): void {
    if (this.nullCount > 0) this.validity.fill(255);
    this.nullCount = 0;
    this.negativeZero = false;
    if (this.width === -1) this.u8.fill(0);
    // One huge value must not pin its buffer for the rest of the run.
    if (this.bytes.length > 8 << 20) this.bytes = new Uint8Array(1 << 16);
  }
}

/** Rows of one stream in columns. Valid until its producer makes the next one, unless said otherwise. */
export class Batch {
  readonly schema: Schema;
  readonly columns: readonly Column[];
  /** Most rows that fit. */
  readonly capacity: number;
  rows = 0;

  /** `columns`: some that are there already, for so many rows. */
  constructor(schema: Schema, capacity: number, columns?: readonly Column[]) {
    this.schema = schema;
    this.capacity = capacity;
    this.columns = columns ?? schema.fields.map((field) => new Column(field.type, capacity));
  }

  reset(): void {
    this.rows = 0;
    for (const column of this.columns) column.reset();
  }

  /** The same rows in memory of their own, which a producer does not use again. */
  copy(): Batch {
    const { schema, rows } = this;
    const copied = new Batch(schema, rows);
    copied.rows = rows;
    for (const [i, column] of this.columns.entries()) copyRows(column, copied.columns[i]!, rows);
    return copied;
  }

  /** Takes out the rows that are marked with something else than 0; the others close up. */
  drop(marks: Int32Array): void {
    let kept = 0;
    while (kept < this.rows && marks[kept] === 0) kept++;
    if (kept === this.rows) return;
    for (const column of this.columns) dropRows(column, marks, { from: kept, to: this.rows });
    for (let r = kept; r < this.rows; r++) if (marks[r] === 0) kept++;
    this.rows = kept;
  }

  get negativeZero(): boolean {
    return this.columns.some((column) => column.negativeZero);
  }

  /** Bytes of values held, without validity bitmaps. */
  byteLength(): number {
    let sum = 0;
    for (const c of this.columns) {
      sum +=
        c.width > 0
          ? c.width * this.rows
          : c.width < 0
            ? this.rows >> 3
            : 4 * this.rows + c.offsets[this.rows]!;
    }
    return sum;
  }
}

function copyRows(from: Column, to: Column, rows: number): void {
  to.nullCount = from.nullCount;
  to.negativeZero = from.negativeZero;
  if (from.nullCount > 0) to.validity.set(from.validity.subarray(0, (rows + 7) >> 3));
  if (from.width !== 0) {
    to.u8.set(from.u8.subarray(0, from.width < 0 ? (rows + 7) >> 3 : from.width * rows));
    return;
  }
  to.offsets.set(from.offsets.subarray(0, rows + 1));
  to.bytes = from.bytes.slice(0, from.offsets[rows]);
}

/** Moves each row of `from..to` without a mark to the place behind the one before it. */
function dropRows(column: Column, marks: Int32Array, { from, to }: { from: number; to: number }): void {
  const { width, validity, u8, offsets, bytes } = column;
  const nulls = column.nullCount > 0;
  let at = from;
  let end = width === 0 ? offsets[from]! : 0;
  let gone = 0;
  for (let r = from; r < to; r++) {
    const present = !nulls || (validity[r >> 3]! & (1 << (r & 7))) !== 0;
    if (marks[r] !== 0) {
      if (!present) gone++;
      continue;
    }
    if (width > 0) u8.copyWithin(at * width, r * width, (r + 1) * width);
    else if (width < 0) putBit(u8, at, (u8[r >> 3]! & (1 << (r & 7))) !== 0);
    else {
      const start = offsets[r]!;
      const length = offsets[r + 1]! - start;
      bytes.copyWithin(end, start, start + length);
      end += length;
      offsets[at + 1] = end;
    }
    if (nulls) putBit(validity, at, present);
    at++;
  }
  // Behind the last row bits are as in an empty column.
  for (let r = at; r < to; r++) {
    if (width < 0) putBit(u8, r, false);
    if (nulls) putBit(validity, r, true);
  }
  column.nullCount -= gone;
}

function putBit(bits: Uint8Array, row: number, set: boolean): void {
  if (set) bits[row >> 3]! |= 1 << (row & 7);
  else bits[row >> 3]! &= ~(1 << (row & 7));
}

/** Pulls batches one at a time; blocks its thread until one is there. Undefined at the end. */
export interface BatchReader {
  next(): Batch | undefined;
}
