/**
 * Reads values that the server sent as text, for types that the user pinned and for uuid. What does not fit becomes NULL and
 * is counted: nothing is rounded, cut or guessed.
 */
import type { Column } from '../../core/batch.ts';
import type { FieldRun } from './field-run.ts';
import { dayOf, putMicros, writeBig } from '../shared/wire-values.ts';

/** Writes the value of one row; false when the text is none of the type. */
type Parse = (text: string, column: Column, row: number) => boolean;

export function parsed(run: FieldRun, column: Column): number {
  const { bytes, fields, lengths, stride } = run;
  const parse = PARSERS[column.type.kind];
  if (!parse) throw new TypeError(`${column.type.kind} is not read from text`);
  const decoder = new TextDecoder('utf-8');
  let at = run.start;
  let changed = 0;
  for (let r = run.from; r < run.to; r++, at += stride) {
    const p = fields[at]!;
    if (p < 0) column.setNull(r);
    // A copy: text functions do not take shared memory.
    else if (!parse(decoder.decode(bytes.slice(p, p + lengths[at]!)).trim(), column, r)) {
      column.setNull(r);
      changed++;
    }
  }
  return changed;
}

function bool(text: string, column: Column, row: number): boolean {
  if (!/^(0|1|true|false)$/i.test(text)) return false;
  if (text === '1' || /^true$/i.test(text)) column.u8[row >> 3]! |= 1 << (row & 7);
  return true;
}

/** Exact numbers, as integers of the column's scale. */
function exact(text: string, column: Column, row: number): boolean {
  const { type } = column;
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || (match[2] === '' && (match[3] ?? '') === '')) return false;
  const scale = type.kind === 'decimal' ? type.scale : 0;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  if (fraction.length > scale) return false;
  const digits = BigInt(match[2]! + fraction.padEnd(scale, '0') || '0');
  const value = match[1] === '-' ? -digits : digits;
  if (type.kind === 'decimal') {
    if (digits >= 10n ** BigInt(type.precision)) return false;
  } else if (BigInt.asIntN(column.width * 8, value) !== value) return false;
  if (column.width === 2) column.i16[row] = Number(value);
  else writeBig(column.i32, (row * column.width) >> 2, column.width >> 2, value);
  return true;
}

function float(text: string, column: Column, row: number): boolean {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return false;
  const value = Number(text);
  const view = new DataView(column.data);
  if (column.width === 4) {
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) return false;
    view.setFloat32(row * 4, value, true);
  } else view.setFloat64(row * 8, value, true);
  if (Object.is(value, -0)) column.negativeZero = true;
  return Number.isFinite(value);
}

function uuid(text: string, column: Column, row: number): boolean {
  const hex = text.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) return false;
  for (let k = 0; k < 16; k++) column.u8[row * 16 + k] = Number.parseInt(hex.slice(2 * k, 2 * k + 2), 16);
  return true;
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})0*)?)?$/;

function date(text: string, column: Column, row: number): boolean {
  const match = MOMENT.exec(text);
  const days = match ? dayOf(Number(match[1]), Number(match[2]), Number(match[3])) : NaN;
  const midnight = /^0*$/.test([match?.[4], match?.[5], match?.[6], match?.[7]].join(''));
  if (Number.isNaN(days) || !midnight) return false;
  column.i32[row] = days;
  return true;
}

function timestamp(text: string, column: Column, row: number): boolean {
  const match = MOMENT.exec(text);
  const days = match ? dayOf(Number(match[1]), Number(match[2]), Number(match[3])) : NaN;
  const second = match && secondOf(match.slice(4, 7));
  if (Number.isNaN(days) || !match || second === undefined || second === null || second >= 86_400)
    return false;
  putMicros(column.i32, 2 * row, days * 86_400 + second, Number((match[7] ?? '').padEnd(6, '0')));
  return true;
}

function secondOf([hour = '0', minute = '0', second = '0']: string[]): number | undefined {
  if (Number(minute) > 59 || Number(second) > 59) return undefined;
  return Number(hour) * 3600 + Number(minute) * 60 + Number(second);
}

/** A time of day; spans that are negative or longer than a day are none. */
function time(text: string, column: Column, row: number): boolean {
  const match = /^(\d{2,3}):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text);
  const second = match && secondOf(match.slice(1, 4));
  if (!match || second === undefined || second === null) return false;
  const micros = Number((match[4] ?? '').padEnd(6, '0'));
  if (second * 1e6 + micros > 86_400e6) return false;
  putMicros(column.i32, 2 * row, second, micros);
  return true;
}

const PARSERS: Readonly<Record<string, Parse | undefined>> = {
  bool,
  int16: exact,
  int32: exact,
  int64: exact,
  decimal: exact,
  float32: float,
  float64: float,
  uuid,
  date,
  time,
  timestamp,
};
