/**
 * One tight loop per PostgreSQL binary type, shared by all columns of that type (generated code per table was
 * slower: functions of hundreds of columns are too large to be optimised). Formats: the `*send` functions of
 * PostgreSQL's src/backend/utils/adt; numeric as in numeric_send: int16 digit count, weight, sign, display
 * scale, then base-10000 digits.
 */
import { isUtf8 } from 'node:buffer';
import type { Column } from '../../core/batch.ts';

/** The rows `from..to` of one batch whose fields lie at `fields[start + row × stride]` (-1 = NULL) in `bytes`. */
export interface FieldRun {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly fields: Int32Array;
  /** Index in `fields` of this column's field in row `from`. */
  start: number;
  readonly stride: number;
  readonly from: number;
  readonly to: number;
}

/** Decodes one column of a run and returns how many values were changed by rule (stored as NULL or repaired). */
export type ColumnDecoder = (run: FieldRun, column: Column) => number;

/** Names of the wire formats; chosen from the catalog by types.ts. */
export type WireFormat =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'oid'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'unchecked-text'
  | 'bytea'
  | 'jsonb'
  | 'uuid'
  | 'date'
  | 'time'
  | 'timestamp';

/** Days and microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS_LOW = Number(946_684_800_000_000n & 0xffff_ffffn);
const EPOCH_MICROS_HIGH = Number(946_684_800_000_000n >> 32n);

function bool(run: FieldRun, column: Column): number {
  const { bytes, fields, stride } = run;
  const bits = column.u8;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else if (bytes[p] !== 0) bits[r >> 3]! |= 1 << (r & 7);
  }
  return 0;
}

function int2(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i16;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = view.getInt16(p);
  }
  return 0;
}

/** Four bytes, turned around. */
function int4(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = view.getInt32(p);
  }
  return 0;
}

function float4(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const bits = view.getInt32(p);
    if (bits === -0x8000_0000) column.negativeZero = true;
    out[r] = bits;
  }
  return 0;
}

function float8(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const low = view.getInt32(p + 4);
    const high = view.getInt32(p);
    if (high === -0x8000_0000 && low === 0) column.negativeZero = true;
    out[2 * r] = low;
    out[2 * r + 1] = high;
  }
  return 0;
}

/** int8 and time: eight bytes, turned around as two halves (BigInt costs ten times as much). */
function eight(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      out[2 * r] = view.getInt32(p + 4);
      out[2 * r + 1] = view.getInt32(p);
    }
  }
  return 0;
}

function oid(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      out[2 * r] = view.getInt32(p);
      out[2 * r + 1] = 0;
    }
  }
  return 0;
}

function date(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const days = view.getInt32(p);
    // ±infinity stay the extremes of int32; DuckDB reads -infinity as one above the minimum.
    out[r] = days === 0x7fff_ffff ? days : days === -0x8000_0000 ? -0x7fff_ffff : days + EPOCH_DAYS;
  }
  return 0;
}

/** timestamp and timestamptz: int64 microseconds since 2000. */
function timestamp(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const high = view.getInt32(p);
    const low = view.getUint32(p + 4);
    if (high === 0x7fff_ffff && low === 0xffff_ffff) {
      out[2 * r] = -1;
      out[2 * r + 1] = high;
    } else if (high === -0x8000_0000 && low === 0) {
      out[2 * r] = 1;
      out[2 * r + 1] = high;
    } else {
      const sum = low + EPOCH_MICROS_LOW;
      const carried = high + EPOCH_MICROS_HIGH + (sum > 0xffff_ffff ? 1 : 0);
      if (carried > 0x7fff_ffff || (carried === 0x7fff_ffff && (sum | 0) === -1)) {
        // After 294247-01-10 the microseconds since 1970 no longer fit 64 bits, whose last number is infinity.
        column.setNull(r);
        changed++;
        continue;
      }
      out[2 * r] = sum | 0;
      out[2 * r + 1] = carried;
    }
  }
  return changed;
}

function uuid(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    for (let k = 0; k < 4; k++) out[4 * r + k] = view.getInt32(p + 4 * k, true);
  }
  return 0;
}

function copyBytes(run: FieldRun, column: Column, skip: number): number {
  const { bytes, view, fields, stride } = run;
  const offsets = column.offsets;
  let out = column.bytes;
  let used = offsets[run.from]!;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      offsets[r + 1] = used;
      continue;
    }
    const length = view.getInt32(p - 4) - skip;
    const begin = p + skip;
    if (used + length > out.length) out = column.grow(used, length);
    // A call costs more than a short loop.
    if (length < 32) for (let k = 0; k < length; k++) out[used + k] = bytes[begin + k]!;
    else out.set(bytes.subarray(begin, begin + length), used);
    used += length;
    offsets[r + 1] = used;
  }
  return 0;
}

const text: ColumnDecoder = (run, column) => copyBytes(run, column, 0);
/** jsonb_send puts a version byte before the text. */
const jsonb: ColumnDecoder = (run, column) => copyBytes(run, column, 1);

/** Text of a SQL_ASCII database, where the server vouches for no encoding: bytes that are not UTF-8 become U+FFFD. */
function uncheckedText(run: FieldRun, column: Column): number {
  const { bytes, view, fields, stride } = run;
  const offsets = column.offsets;
  let used = offsets[run.from]!;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      // A copy: text functions do not take shared memory.
      let value = bytes.slice(p, p + view.getInt32(p - 4));
      if (!isUtf8(value)) {
        value = new TextEncoder().encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(value));
        changed++;
      }
      column.grow(used, value.length).set(value, used);
      used += value.length;
    }
    offsets[r + 1] = used;
  }
  return changed;
}

const POWERS_OF_TEN: readonly number[] = Array.from({ length: 23 }, (_, k) => 10 ** k);
const NUMERIC_NEGATIVE = 0x4000;
const NUMERIC_SPECIAL = 0x8000;

function numeric(run: FieldRun, column: Column): number {
  if (column.type.kind !== 'decimal') throw new TypeError('numeric needs a decimal column');
  const { view, fields, stride } = run;
  const scale = column.type.scale;
  const groups = Math.ceil(scale / 4);
  const divisor = POWERS_OF_TEN[groups * 4 - scale]!;
  const wide = column.width === 16;
  const out = column.i32;
  const step = column.width >> 2;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const count = view.getInt16(p);
    const weight = view.getInt16(p + 2);
    const sign = view.getUint16(p + 4);
    // NaN and the infinities have no decimal.
    if ((sign & NUMERIC_SPECIAL) !== 0) {
      column.setNull(r);
      changed++;
      continue;
    }
    // Digits of 10,000 that the scaled integer has; up to three always fit 53 bits.
    const missing = weight + 1 + groups - count;
    if (weight + 1 + groups > 3 || missing < 0) {
      writeBig(out, r * step, step, bigNumeric(view, p, groups, divisor));
      continue;
    }
    let value = 0;
    for (let k = 0, q = p + 8; k < count; k++, q += 2) value = value * 10_000 + view.getUint16(q);
    if (missing > 0) value *= POWERS_OF_TEN[missing * 4]!;
    if (divisor !== 1) value /= divisor;
    if (sign === NUMERIC_NEGATIVE) value = -value;
    out[r * step] = value;
    if (step > 1) {
      const high = Math.floor(value / 4_294_967_296);
      out[r * step] = (value - high * 4_294_967_296) | 0;
      out[r * step + 1] = high;
      if (wide) out[r * step + 2] = out[r * step + 3] = high < 0 ? -1 : 0;
    }
  }
  return changed;
}

function bigNumeric(view: DataView, p: number, groups: number, divisor: number): bigint {
  const count = view.getInt16(p);
  const weight = view.getInt16(p + 2);
  let value = 0n;
  for (let k = 0; k < count; k++) {
    // Digits beyond the column's scale cannot be: the server has rounded to it.
    if (weight - k >= -groups) value = value * 10_000n + BigInt(view.getUint16(p + 8 + 2 * k));
  }
  const missing = weight + 1 + groups - count;
  if (missing > 0) value *= 10_000n ** BigInt(missing);
  value /= BigInt(divisor);
  return view.getUint16(p + 4) === NUMERIC_NEGATIVE ? -value : value;
}

function writeBig(out: Int32Array, at: number, words: number, value: bigint): void {
  for (let k = 0; k < words; k++) out[at + k] = Number(BigInt.asIntN(32, value >> BigInt(32 * k)));
}

export const COLUMN_DECODERS: Readonly<Record<WireFormat, ColumnDecoder>> = {
  bool,
  int2,
  int4,
  int8: eight,
  oid,
  float4,
  float8,
  numeric,
  text,
  'unchecked-text': uncheckedText,
  bytea: text,
  jsonb,
  uuid,
  date,
  time: eight,
  timestamp,
};
