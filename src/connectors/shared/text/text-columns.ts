/**
 * Fields of text into the columns of a batch: one tight loop per type. A value that is none of its type makes the record a
 * bad one; nothing is rounded, cut or guessed.
 */
import { isUtf8 } from 'node:buffer';
import type { Column } from '../../../core/batch.ts';
import type { LogicalType } from '../../../core/types.ts';
import { writeBig } from '../wire-values.ts';
import { type BadRows, COMPUTED, MISSING, NUL, RANGE, refuse, TYPE, UTF8 } from './faults.ts';
import { fieldBytes } from './field-bytes.ts';
import { bits, hex } from './field-forms.ts';
import { parseFloat64 } from './parse-float.ts';
import {
  NO_DAY,
  parseDate,
  parseInstant,
  parseMoment,
  parseMysql,
  parseRfc3339,
  parseTime,
  parseWritten,
} from './parse-moment.ts';
import {
  ESCAPED,
  ESCAPED_JSON,
  EXPRESSION,
  type FieldForm,
  HEX,
  NESTED,
  NULL,
  PLAIN,
  QUOTED,
  type TextField,
  type TextRun,
  type WrittenForm,
} from './records.ts';
import { rewritten } from './written-forms.ts';

type Reader = (run: TextRun, column: Column, bad: BadRows, mark: number) => void;

/** Reads a column; `index` is its place in the schema. */
export function readColumn(
  run: TextRun,
  column: Column,
  bad: BadRows,
  { index, nullable, form }: { index: number; nullable: boolean; form?: FieldForm | undefined },
): void {
  if (typeof form === 'object') {
    readColumn(rewritten(run, form), column, bad, { index, nullable });
    return;
  }
  const nulls = column.nullCount;
  const reader = form === undefined ? READERS[column.type.kind] : FORMS[form];
  reader(run, column, bad, index << 4);
  if (nullable || column.nullCount === nulls) return;
  for (let r = run.from; r < run.to; r++)
    if (column.isNull(r) && bad[r] === 0) bad[r] = (index << 4) | MISSING;
}

/** Calls the parser of one value for each field; it returns 0 or a fault. */
function each(parse: (field: TextField, column: Column, row: number) => number): Reader {
  return (run, column, bad, mark) => {
    const { bytes, starts, ends, flags, stride } = run;
    const field: TextField = { bytes, start: 0, end: 0 };
    let f = run.first;
    for (let r = run.from; r < run.to; r++, f += stride) {
      if (flags[f] === NULL) {
        column.setNull(r);
        continue;
      }
      field.start = starts[f]!;
      field.end = ends[f]!;
      const flag = flags[f]!;
      const fault = flag < HEX ? parse(field, column, r) : flag === EXPRESSION ? COMPUTED : TYPE;
      if (fault === 0) continue;
      if (fault !== NO_DAY) refuse(column, bad, r, mark | fault);
      else {
        column.setNull(r);
        run.coerced++;
      }
    }
  };
}

/** More digits than these do not fit a number of 53 bits for sure. */
const SAFE_DIGITS = 15;
/** Powers of ten up to that. */
const POWERS = Float64Array.from({ length: SAFE_DIGITS + 1 }, (_, k) => Number(`1e${k}`));

const INT_LIMITS: Readonly<Record<number, bigint>> = { 2: 1n << 15n, 4: 1n << 31n, 8: 1n << 63n };

function integer(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const negative = bytes[start] === 0x2d;
  let p = negative || bytes[start] === 0x2b ? start + 1 : start;
  if (p >= end) return TYPE;
  if (end - p > SAFE_DIGITS) return longInteger(field, column, row);
  let value = 0;
  for (; p < end; p++) {
    const digit = bytes[p]! - 48;
    if (digit < 0 || digit > 9) return TYPE;
    value = value * 10 + digit;
  }
  if (negative) value = -value;
  switch (column.width) {
    case 8: {
      const high = Math.floor(value / 4_294_967_296);
      column.i32[2 * row] = value - high * 4_294_967_296;
      column.i32[2 * row + 1] = high;
      return 0;
    }
    case 4:
      if (value !== (value | 0)) return RANGE;
      column.i32[row] = value;
      return 0;
    default:
      if (value < -32_768 || value > 32_767) return RANGE;
      column.i16[row] = value;
      return 0;
  }
}

function longInteger(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const text = ascii(bytes, start, end);
  if (!/^[+-]?\d+$/.test(text)) return TYPE;
  const value = BigInt(text.replace('+', ''));
  const limit = INT_LIMITS[column.width]!;
  if (value < -limit || value >= limit) return RANGE;
  if (column.width === 2) column.i16[row] = Number(value);
  else writeBig(column.i32, (row * column.width) >> 2, column.width >> 2, value);
  return 0;
}

function decimal(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const { precision, scale } = column.type as Extract<LogicalType, { kind: 'decimal' }>;
  const negative = bytes[start] === 0x2d;
  const first = negative || bytes[start] === 0x2b ? start + 1 : start;
  if (precision > SAFE_DIGITS || end - first > SAFE_DIGITS) return longDecimal(field, column, row);
  let value = 0;
  let digits = 0;
  let point = -1;
  for (let p = first; p < end; p++) {
    const digit = bytes[p]! - 48;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits++;
    } else if (digit === -2 && point < 0) point = p;
    else return TYPE;
  }
  if (digits === 0) return TYPE;
  const fraction = point < 0 ? 0 : end - point - 1;
  if (fraction > scale || digits - fraction + scale > SAFE_DIGITS) return longDecimal(field, column, row);
  if (fraction < scale) value *= POWERS[scale - fraction]!;
  if (value >= POWERS[precision]!) return RANGE;
  if (negative) value = -value;
  const step = column.width >> 2;
  const out = column.i32;
  const at = row * step;
  if (step === 1) {
    out[at] = value;
    return 0;
  }
  const high = Math.floor(value / 4_294_967_296);
  out[at] = value - high * 4_294_967_296;
  out[at + 1] = high;
  if (step === 4) out[at + 2] = out[at + 3] = value < 0 ? -1 : 0;
  return 0;
}

function longDecimal(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const { precision, scale } = column.type as Extract<LogicalType, { kind: 'decimal' }>;
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(ascii(bytes, start, end));
  if (!match || (match[2] === '' && (match[3] ?? '') === '')) return TYPE;
  let fraction = match[3] ?? '';
  // Zeros behind the last digit say nothing.
  if (fraction.length > scale) fraction = fraction.replace(/0+$/, '');
  if (fraction.length > scale) return RANGE;
  const digits = BigInt(match[2]! + fraction.padEnd(scale, '0') || '0');
  if (digits >= 10n ** BigInt(precision)) return RANGE;
  const value = match[1] === '-' ? -digits : digits;
  writeBig(column.i32, (row * column.width) >> 2, column.width >> 2, value);
  return 0;
}

function hasDigits(last: number): boolean {
  return last === 0x2e || (last >= 0x30 && last <= 0x39);
}

function float(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const value = parseFloat64(bytes, start, end);
  if (value === undefined) return TYPE;
  // Infinities have names; what has digits is too large.
  if (!Number.isFinite(column.width === 4 ? Math.fround(value) : value) && hasDigits(bytes[end - 1]!))
    return RANGE;
  if (column.width === 4) {
    column.f32[row] = value;
  } else column.f64[row] = value;
  if (value === 0 && Object.is(value, -0)) column.negativeZero = true;
  return 0;
}

const TRUE: ReadonlySet<string> = new Set(['true', 't', 'yes', 'y', '1', 'on']);
const FALSE: ReadonlySet<string> = new Set(['false', 'f', 'no', 'n', '0', 'off']);
const TRUE_BYTES: Uint8Array = Buffer.from('true');
const FALSE_BYTES: Uint8Array = Buffer.from('false');

function isWritten(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let k = 0; k < word.length; k++) if (bytes[start + k] !== word[k]) return false;
  return true;
}

function bool(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  // As nearly all are written: without a string for each.
  if (isWritten(bytes, start, end, TRUE_BYTES)) {
    column.u8[row >> 3]! |= 1 << (row & 7);
    return 0;
  }
  if (isWritten(bytes, start, end, FALSE_BYTES)) return 0;
  const text = end - start > 5 ? '' : ascii(bytes, start, end).toLowerCase();
  if (TRUE.has(text)) column.u8[row >> 3]! |= 1 << (row & 7);
  else if (!FALSE.has(text)) return TYPE;
  return 0;
}

function uuid(field: TextField, column: Column, row: number): number {
  const { bytes, start, end } = field;
  const hex = ascii(bytes, start, end);
  if (!/^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(hex)) return TYPE;
  column.u8.set(Buffer.from(hex.replaceAll('-', ''), 'hex'), row * 16);
  return 0;
}

/** Copies the bytes of each field; escapes are undone. */
function text(run: TextRun, column: Column, bad: BadRows, mark: number): void {
  const { bytes, starts, ends, flags, stride } = run;
  const { offsets } = column;
  const checked = column.type.kind !== 'binary';
  let at = run.from === 0 ? 0 : offsets[run.from]!;
  offsets[run.from] = at;
  let wide = false;
  let f = run.first;
  for (let r = run.from; r < run.to; r++, f += stride) {
    const flag = flags[f]!;
    if (flag === NULL) {
      column.setNull(r);
      offsets[r + 1] = at;
      continue;
    }
    const start = starts[f]!;
    const length = ends[f]! - start;
    const out = column.grow(at, length);
    const begin = at;
    let low = 255;
    let high = 0;
    if (flag === ESCAPED || (flag >= HEX && flag !== NESTED)) {
      const decoded = fieldBytes(run, f, { out, at });
      if (decoded < 0) {
        offsets[r + 1] = at;
        refuse(column, bad, r, mark | -decoded);
        continue;
      }
      at = decoded;
      for (let p = begin; p < at; p++) {
        if (out[p]! < low) low = out[p]!;
        high |= out[p]!;
      }
    } else if (length > 64) {
      out.set(bytes.subarray(start, start + length), at);
      at += length;
      for (let p = begin; p < at; p++) {
        const byte = out[p]!;
        if (byte < low) low = byte;
        high |= byte;
      }
    } else {
      for (let p = start, end = start + length; p < end; p++) {
        const byte = bytes[p]!;
        if (byte < low) low = byte;
        high |= byte;
        out[at++] = byte;
      }
    }
    offsets[r + 1] = at;
    if (!checked) continue;
    if (low === 0) refuse(column, bad, r, mark | NUL);
    wide ||= high > 127;
  }
  if (checked && wide) checkUtf8(run, column, bad, mark);
}

/** All at once: a view for each value would be more garbage than all else that is read. */
function checkUtf8({ from, to }: TextRun, column: Column, bad: BadRows, mark: number): void {
  const { offsets, bytes } = column;
  // What is whole together is whole by itself, unless one of them begins within a character.
  let apart = true;
  for (let r = from; r < to && apart; r++)
    apart = offsets[r] === offsets[r + 1] || (bytes[offsets[r]!]! & 0xc0) !== 0x80;
  if (apart && isUtf8(bytes.subarray(offsets[from], offsets[to]))) return;
  for (let r = from; r < to; r++)
    if (!column.isNull(r) && !isUtf8(bytes.subarray(offsets[r], offsets[r + 1])))
      refuse(column, bad, r, mark | UTF8);
}

/** Geometries are kept with a number of four bytes before them. */
const SRID_BYTES = 4;

function geometry(run: TextRun, column: Column, bad: BadRows, mark: number): void {
  text(run, column, bad, mark);
  const { offsets, bytes } = column;
  let at = offsets[run.from]!;
  let start = at;
  for (let r = run.from; r < run.to; r++) {
    const end = offsets[r + 1]!;
    const from = Math.min(start + SRID_BYTES, end);
    bytes.copyWithin(at, from, end);
    at += end - from;
    start = end;
    offsets[r + 1] = at;
  }
}

function json(run: TextRun, column: Column, bad: BadRows, mark: number): void {
  text(run.json === true ? withQuotes(run) : run, column, bad, mark);
  const decoder = new TextDecoder();
  for (let r = run.from; r < run.to; r++) {
    if (column.isNull(r)) continue;
    try {
      JSON.parse(decoder.decode(column.bytes.subarray(column.offsets[r], column.offsets[r + 1])));
    } catch {
      refuse(column, bad, r, mark | TYPE);
    }
  }
}

/** Strings as JSON writes them. */
function withQuotes(run: TextRun): TextRun {
  const [starts, ends, flags] = [run.starts.slice(), run.ends.slice(), run.flags.slice()];
  for (let r = run.from, f = run.first; r < run.to; r++, f += run.stride) {
    if (flags[f] !== QUOTED && flags[f] !== ESCAPED_JSON) continue;
    starts[f]!--;
    ends[f]!++;
    flags[f] = PLAIN;
  }
  return { ...run, starts, ends, flags };
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let found = '';
  for (let p = start; p < end; p++) found += String.fromCharCode(bytes[p]!);
  return found;
}

const READERS: Readonly<Record<LogicalType['kind'], Reader>> = {
  bool: each(bool),
  int16: each(integer),
  int32: each(integer),
  int64: each(integer),
  decimal: each(decimal),
  float32: each(float),
  float64: each(float),
  utf8: text,
  json,
  binary: text,
  uuid: each(uuid),
  date: each(parseDate),
  time: each(parseTime),
  timestamp: each(parseMoment),
};

const FORMS: Readonly<Record<Exclude<FieldForm, WrittenForm>, Reader>> = {
  written: each(parseWritten),
  mysql: each(parseMysql),
  utc: each(parseInstant),
  rfc3339: each(parseRfc3339),
  hex,
  bits,
  geometry,
  text,
};
