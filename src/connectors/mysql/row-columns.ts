/**
 * One tight loop per binary row format, shared by all columns of that format. Values are little-endian, as batches are
 * (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html).
 */
import { isUtf8 } from 'node:buffer';
import type { Column } from '../../core/batch.ts';
import type { ColumnDecoder, FieldRun } from './field-run.ts';
import { parsed } from './parsed-column.ts';
import { dayOf, putMicros, writeBig } from '../shared/wire-values.ts';

/** Names of the wire formats; chosen from the catalog by types.ts. */
export type WireFormat =
  | 'bool1'
  | 'bit'
  | 'int1'
  | 'uint1'
  | 'int2'
  | 'uint2'
  | 'int4'
  | 'uint4'
  | 'int8'
  | 'uint8'
  | 'float4'
  | 'float8'
  | 'decimal'
  | 'date'
  | 'datetime'
  | 'text'
  | 'unchecked-text'
  | 'bytes'
  | 'parsed';

function bool1(run: FieldRun, column: Column): number {
  const { bytes, fields, stride } = run;
  const bits = column.u8;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else if (bytes[p] !== 0) {
      bits[r >> 3]! |= 1 << (r & 7);
      if (bytes[p] !== 1) changed++;
    }
  }
  return changed;
}

/** Up to eight bytes, the greatest first, whatever the number of bits; into a bool, an int64 or a decimal of 16 bytes. */
function bit(run: FieldRun, column: Column): number {
  const { bytes, fields, lengths, stride } = run;
  const step = column.width >> 2;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const end = p + lengths[at]!;
    let low = 0;
    let high = 0;
    for (let q = p; q < end; q++) {
      high = (high << 8) | (low >>> 24);
      low = (low << 8) | bytes[q]!;
    }
    if (step < 2) {
      if (low !== 0 || high !== 0) column.u8[r >> 3]! |= 1 << (r & 7);
      continue;
    }
    out[step * r] = low;
    out[step * r + 1] = high;
    if (step > 2) out[step * r + 2] = out[step * r + 3] = 0;
  }
  return 0;
}

function int1(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i16;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = view.getInt8(p);
  }
  return 0;
}

function uint1(run: FieldRun, column: Column): number {
  const { bytes, fields, stride } = run;
  const out = column.i16;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = bytes[p]!;
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
    else out[r] = view.getInt16(p, true);
  }
  return 0;
}

function uint2(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = view.getUint16(p, true);
  }
  return 0;
}

function int4(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else out[r] = view.getInt32(p, true);
  }
  return 0;
}

function uint4(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      out[2 * r] = view.getInt32(p, true);
      out[2 * r + 1] = 0;
    }
  }
  return 0;
}

function int8(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      out[2 * r] = view.getInt32(p, true);
      out[2 * r + 1] = view.getInt32(p + 4, true);
    }
  }
  return 0;
}

/** Into a decimal of 16 bytes. */
function uint8(run: FieldRun, column: Column): number {
  const { view, fields, stride } = run;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      out[4 * r] = view.getInt32(p, true);
      out[4 * r + 1] = view.getInt32(p + 4, true);
      out[4 * r + 2] = out[4 * r + 3] = 0;
    }
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
    const bits = view.getInt32(p, true);
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
    const low = view.getInt32(p, true);
    const high = view.getInt32(p + 4, true);
    if (high === -0x8000_0000 && low === 0) column.negativeZero = true;
    out[2 * r] = low;
    out[2 * r + 1] = high;
  }
  return 0;
}

const MINUS = 45;
const POINT = 46;

/** Sent as text with all digits of the scale. */
function decimal(run: FieldRun, column: Column): number {
  if (column.type.kind !== 'decimal') throw new TypeError('a decimal needs a decimal column');
  const { bytes, fields, lengths, stride } = run;
  const scale = column.type.scale;
  const words = column.width >> 2;
  const out = column.i32;
  let at = run.start;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const end = p + lengths[at]!;
    let q = p;
    const negative = bytes[q] === MINUS;
    if (negative) q++;
    if (end - q > 18) {
      writeBig(out, r * words, words, bigDecimal(bytes, p, end, scale));
      continue;
    }
    // Two groups, each of which a double holds: up to nine digits before the last nine.
    let high = 0;
    let low = 0;
    let digits = 0;
    let point = end;
    for (let s = q; s < end; s++) if (bytes[s] === POINT) point = s;
    const count = end - q - (point < end ? 1 : 0) + scale - (point < end ? end - point - 1 : 0);
    for (let s = q; s < end; s++) {
      if (s === point) continue;
      if (count - digits > 9) high = high * 10 + bytes[s]! - 48;
      else low = low * 10 + bytes[s]! - 48;
      digits++;
    }
    // A server prints all digits of the scale; an expression of the user's may print fewer.
    for (; digits < count; digits++) low *= 10;
    put(out, r * words, words, { high, low, negative });
  }
  return 0;
}

/** `high` × 10⁹ + `low`: 10⁹ is 1,953,125 × 2⁹, and the first factor times nine digits fits 53 bits. */
function put(
  out: Int32Array,
  at: number,
  words: number,
  { high, low, negative }: { high: number; low: number; negative: boolean },
): void {
  const scaled = high * 1_953_125;
  let upper = Math.floor(scaled / 8_388_608);
  let lower = (scaled - upper * 8_388_608) * 512 + low;
  if (lower >= 4_294_967_296) {
    lower -= 4_294_967_296;
    upper++;
  }
  if (negative) {
    lower = lower === 0 ? 0 : 4_294_967_296 - lower;
    upper = -upper - (lower === 0 ? 0 : 1);
  }
  out[at] = lower | 0;
  if (words > 1) out[at + 1] = upper;
  if (words > 2) out[at + 2] = out[at + 3] = upper < 0 ? -1 : 0;
}

function bigDecimal(bytes: Uint8Array, from: number, to: number, scale: number): bigint {
  // A copy: text functions do not take shared memory.
  const text = new TextDecoder('latin1').decode(bytes.slice(from, to));
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole! + fraction.slice(0, scale).padEnd(scale, '0'));
}

function date(run: FieldRun, column: Column): number {
  const { bytes, fields, lengths, stride } = run;
  const out = column.i32;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    // Without bytes it is 0000-00-00.
    const days =
      lengths[at]! < 4 ? NaN : dayOf(bytes[p]! | (bytes[p + 1]! << 8), bytes[p + 2]!, bytes[p + 3]!);
    if (Number.isNaN(days)) {
      column.setNull(r);
      changed++;
    } else out[r] = days;
  }
  return changed;
}

function datetime(run: FieldRun, column: Column): number {
  const { bytes, view, fields, lengths, stride } = run;
  const out = column.i32;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) {
      column.setNull(r);
      continue;
    }
    const length = lengths[at]!;
    const days = length < 4 ? NaN : dayOf(bytes[p]! | (bytes[p + 1]! << 8), bytes[p + 2]!, bytes[p + 3]!);
    if (Number.isNaN(days)) {
      column.setNull(r);
      changed++;
      continue;
    }
    let seconds = days * 86_400;
    if (length > 4) seconds += bytes[p + 4]! * 3600 + bytes[p + 5]! * 60 + bytes[p + 6]!;
    putMicros(out, 2 * r, seconds, length > 7 ? view.getUint32(p + 7, true) : 0);
  }
  return changed;
}

function bytesOf(run: FieldRun, column: Column): number {
  const { bytes, fields, lengths, stride } = run;
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
    const length = lengths[at]!;
    if (used + length > out.length) out = column.grow(used, length);
    // A call costs more than a short loop.
    if (length < 32) for (let k = 0; k < length; k++) out[used + k] = bytes[p + k]!;
    else out.set(bytes.subarray(p, p + length), used);
    used += length;
    offsets[r + 1] = used;
  }
  return 0;
}

/** Bytes that the user calls text: those that are not UTF-8 become U+FFFD. */
function uncheckedText(run: FieldRun, column: Column): number {
  const { bytes, fields, lengths, stride } = run;
  const offsets = column.offsets;
  let used = offsets[run.from]!;
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    else {
      let value = bytes.slice(p, p + lengths[at]!);
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

/** Bytes of one value on the wire; 0: a length stands before it; -1: one byte with the length of a date or time. */
export const WIDTHS: Readonly<Record<WireFormat, number>> = {
  bool1: 1,
  bit: 0,
  int1: 1,
  uint1: 1,
  int2: 2,
  uint2: 2,
  int4: 4,
  uint4: 4,
  int8: 8,
  uint8: 8,
  float4: 4,
  float8: 8,
  decimal: 0,
  date: -1,
  datetime: -1,
  text: 0,
  'unchecked-text': 0,
  bytes: 0,
  parsed: 0,
};

export const COLUMN_DECODERS: Readonly<Record<WireFormat, ColumnDecoder>> = {
  bool1,
  bit,
  int1,
  uint1,
  int2,
  uint2,
  int4,
  uint4,
  int8,
  uint8,
  float4,
  float8,
  decimal,
  date,
  datetime,
  text: bytesOf,
  'unchecked-text': uncheckedText,
  bytes: bytesOf,
  parsed,
};
