/**
 * One tight loop per type: batch columns into the fields of a binary COPY. Formats: the `*recv` functions of PostgreSQL's
 * src/backend/utils/adt. Fields of different columns lie between each other, row by row, so each column is written at
 * the place that the ones before it have left in every row.
 */
import type { Column } from '../../core/batch.ts';
import type { LogicalType } from '../../core/types.ts';

/** Where the next field of each row goes. */
interface FieldTarget {
  view: DataView;
  bytes: Uint8Array;
  /** Position in `bytes` by row; moved behind what is written. */
  at: Int32Array;
  rows: number;
}

/** A column as it is sent: NULL where `column` says so, of fixed width or with bytes of its own. */
export interface FieldSource {
  column: Column;
  /** Bytes by row, for fields without fixed width; those of the column unless they had to be made. */
  offsets: Int32Array;
  bytes: Uint8Array;
}

export type WriteFields = (source: FieldSource, target: FieldTarget) => void;

const EPOCH_DAYS = 10_957;
const EPOCH_MICROS = 946_684_800_000_000n;
/** 4713-11-24 BC and 5874898-01-01, in days since 2000. */
const DAYS = { from: -2_451_545, below: 2_145_031_949 };
/** The same day and 294277-01-01, in microseconds since 2000. */
const MICROS = { from: -211_813_488_000_000_000n, below: 9_223_371_331_200_000_000n };

function nulls(column: Column, { view, at, rows }: FieldTarget): void {
  if (column.nullCount === 0) return;
  for (let r = 0; r < rows; r++) {
    if (!column.isNull(r)) continue;
    view.setInt32(at[r]!, -1);
    at[r]! += 4;
  }
}

/** Calls `put` for each value, after its length, at its place. */
function fixed(
  size: number,
  put: (view: DataView, at: number, row: number, column: Column) => void,
): WriteFields {
  return ({ column }, target) => {
    const { view, at, rows } = target;
    const some = column.nullCount > 0;
    for (let r = 0; r < rows; r++) {
      if (some && column.isNull(r)) continue;
      const p = at[r]!;
      view.setInt32(p, size);
      put(view, p + 4, r, column);
      at[r] = p + 4 + size;
    }
    nulls(column, target);
  };
}

const bool = fixed(1, (view, p, r, column) => view.setUint8(p, (column.u8[r >> 3]! >> (r & 7)) & 1));
const two = fixed(2, (view, p, r, column) => view.setInt16(p, column.i16[r]!));
const four = fixed(4, (view, p, r, column) => view.setInt32(p, column.i32[r]!));
const eight = fixed(8, (view, p, r, column) => {
  view.setInt32(p, column.i32[2 * r + 1]!);
  view.setInt32(p + 4, column.i32[2 * r]!);
});
const uuid = fixed(16, (view, p, r, column) => {
  for (let k = 0; k < 4; k++) view.setInt32(p + 4 * k, column.i32[4 * r + k]!, true);
});
const date = fixed(4, (view, p, r, column) => {
  const days = column.i32[r]!;
  // The extremes stand for the infinities, see copy-columns.ts.
  view.setInt32(p, days === 0x7fff_ffff ? days : days === -0x7fff_ffff ? -0x8000_0000 : days - EPOCH_DAYS);
});
const timestamp = fixed(8, (view, p, r, column) => view.setBigInt64(p, toPostgres(column.i64[r]!)));

const INFINITY = 0x7fff_ffff_ffff_ffffn;

/** Microseconds since 1970 as the server counts them. */
export function toPostgres(micros: bigint): bigint {
  if (micros === INFINITY) return micros;
  if (micros === -INFINITY) return -INFINITY - 1n;
  return micros - EPOCH_MICROS;
}

/** Copies the bytes of row `r`; returns how many. In a function of its own: code for loops within loops is thrown away again and again. */
function copyField({ offsets, bytes: from }: FieldSource, r: number, into: Uint8Array, at: number): number {
  const begin = offsets[r]!;
  const length = offsets[r + 1]! - begin;
  // A call costs more than a short loop.
  if (length < 32) for (let k = 0; k < length; k++) into[at + k] = from[begin + k]!;
  else into.set(from.subarray(begin, begin + length), at);
  return length;
}

const bytes: WriteFields = (source, target) => {
  const { column } = source;
  const { view, at, rows, bytes: into } = target;
  const some = column.nullCount > 0;
  for (let r = 0; r < rows; r++) {
    if (some && column.isNull(r)) continue;
    const p = at[r]!;
    const length = copyField(source, r, into, p + 4);
    view.setInt32(p, length);
    at[r] = p + 4 + length;
  }
  nulls(column, target);
};

/** The same bytes into each row: fields with their lengths. */
export function writeSame(from: Uint8Array, { bytes: into, at, rows }: FieldTarget): void {
  const { length } = from;
  for (let r = 0; r < rows && length > 0; r++) {
    const p = at[r]!;
    for (let k = 0; k < length; k++) into[p + k] = from[k]!;
    at[r] = p + length;
  }
}

/** Bytes of each field without its length; undefined: see the offsets of its {@link FieldSource}. */
export function fieldWidth(type: LogicalType): number | undefined {
  switch (type.kind) {
    case 'bool':
      return 1;
    case 'int16':
      return 2;
    case 'int32':
    case 'float32':
    case 'date':
      return 4;
    case 'int64':
    case 'float64':
    case 'time':
    case 'timestamp':
      return 8;
    case 'uuid':
      return 16;
    case 'decimal':
    case 'utf8':
    case 'json':
    case 'binary':
      return undefined;
  }
}

export function fieldWriter(type: LogicalType): WriteFields {
  switch (type.kind) {
    case 'bool':
      return bool;
    case 'int16':
      return two;
    case 'int32':
    case 'float32':
      return four;
    case 'int64':
    case 'float64':
    case 'time':
      return eight;
    case 'uuid':
      return uuid;
    case 'date':
      return date;
    case 'timestamp':
      return timestamp;
    case 'decimal':
    case 'utf8':
    case 'json':
    case 'binary':
      return bytes;
  }
}

/** What the server's calendar has a place for, in days or microseconds since 1970. */
export function calendar(kind: 'date' | 'timestamp'): { from: bigint; below: bigint } {
  if (kind === 'timestamp') return { from: MICROS.from + EPOCH_MICROS, below: MICROS.below + EPOCH_MICROS };
  return { from: BigInt(DAYS.from + EPOCH_DAYS), below: BigInt(DAYS.below + EPOCH_DAYS) };
}

/** Makes values NULL that the server's calendar has no place for; returns how many. */
export function clipCalendar(column: Column, rows: number): number {
  const { kind } = column.type;
  let changed = 0;
  for (let r = 0; r < rows; r++) {
    if (column.isNull(r)) continue;
    if (kind === 'date' ? dayFits(column.i32[r]!) : momentFits(column.i64[r]!)) continue;
    column.setNull(r);
    changed++;
  }
  return changed;
}

function dayFits(days: number): boolean {
  if (days === 0x7fff_ffff || days === -0x7fff_ffff) return true;
  return days - EPOCH_DAYS >= DAYS.from && days - EPOCH_DAYS < DAYS.below;
}

function momentFits(micros: bigint): boolean {
  if (micros === INFINITY || micros === -INFINITY) return true;
  const value = micros - EPOCH_MICROS;
  return value >= MICROS.from && value < MICROS.below;
}
