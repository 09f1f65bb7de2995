/** Values of columns as text, the same in every format: only texts are written by the formats themselves. */
import type { Column } from '../core/batch.ts';
import { InternalError } from '../core/errors.ts';
import { renderType } from '../core/types.ts';
import type { ByteSink } from './byte-sink.ts';

/** Writes the value of one row. */
export type WriteValue = (sink: ByteSink, row: number) => void;

const DAY_SECONDS = 86_400;
const WIDE = 0x1_0000_0000;

/** Undefined for types whose values are bytes in the column. */
export function valueWriter(column: Column): WriteValue | undefined {
  const { type, i16, i32, f32, f64, u8 } = column;
  switch (type.kind) {
    case 'int16':
      return (sink, row) => putInteger(sink, i16[row]!);
    case 'int32':
      return (sink, row) => putInteger(sink, i32[row]!);
    case 'int64':
      return (sink, row) => putInteger(sink, wide(i32, row));
    case 'float32':
      return (sink, row) => sink.ascii(String(f32[row]!));
    case 'float64':
      return (sink, row) => sink.ascii(String(f64[row]!));
    case 'decimal':
      if (type.precision > 18) break;
      return type.precision <= 9
        ? (sink, row) => putDecimal(sink, i32[row]!, type.scale)
        : (sink, row) => putDecimal(sink, wide(i32, row), type.scale);
    case 'bool':
      return (sink, row) => sink.ascii((u8[row >> 3]! & (1 << (row & 7))) === 0 ? 'false' : 'true');
    case 'uuid':
      return (sink, row) => putUuid(sink, u8.subarray(16 * row, 16 * row + 16));
    case 'date':
      return (sink, row) => putDay(sink, i32[row]!);
    case 'time':
      return (sink, row) => putClock(sink, wide(i32, row));
    case 'timestamp':
      return (sink, row) => putMoment(sink, wide(i32, row), type.zone);
    case 'utf8':
    case 'json':
      return undefined;
    case 'binary':
      break;
  }
  throw new InternalError(`generated records have no values of type ${renderType(type)}`, {
    code: 'generate.type',
  });
}

/** A number of 8 bytes; generated ones are small enough to be exact. */
function wide(i32: Int32Array, row: number): number {
  return i32[2 * row + 1]! * WIDE + (i32[2 * row]! >>> 0);
}

function putInteger(sink: ByteSink, value: number): void {
  if (value < 0) sink.byte(0x2d);
  sink.digits(Math.abs(value));
}

function putDecimal(sink: ByteSink, unscaled: number, scale: number): void {
  if (unscaled < 0) sink.byte(0x2d);
  const value = Math.abs(unscaled);
  if (scale === 0) return sink.digits(value);
  const unit = 10 ** scale;
  const whole = Math.floor(value / unit);
  sink.digits(whole);
  sink.byte(0x2e);
  sink.digits(value - whole * unit, scale);
}

const HEX = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

function putUuid(sink: ByteSink, bytes: Uint8Array): void {
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) sink.byte(0x2d);
    sink.byte(HEX[bytes[i]! >> 4]!);
    sink.byte(HEX[bytes[i]! & 15]!);
  }
}

/** Days since 1970 as year, month and day: Howard Hinnant, https://howardhinnant.github.io/date_algorithms.html. */
function putDay(sink: ByteSink, days: number): void {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const years = ((ofEra - ((ofEra / 1460) | 0) + ((ofEra / 36_524) | 0) - ((ofEra / 146_096) | 0)) / 365) | 0;
  const ofYear = ofEra - (365 * years + (years >> 2) - ((years / 100) | 0));
  const month = ((5 * ofYear + 2) / 153) | 0;
  sink.digits(years + era * 400 + (month >= 10 ? 1 : 0), 4);
  sink.byte(0x2d);
  sink.digits(month < 10 ? month + 3 : month - 9, 2);
  sink.byte(0x2d);
  sink.digits(ofYear - (((153 * month + 2) / 5) | 0) + 1, 2);
}

function putClock(sink: ByteSink, micros: number): void {
  const seconds = Math.floor(micros / 1e6);
  sink.digits((seconds / 3600) | 0, 2);
  sink.byte(0x3a);
  sink.digits(((seconds / 60) | 0) % 60, 2);
  sink.byte(0x3a);
  sink.digits(seconds % 60, 2);
  sink.byte(0x2e);
  sink.digits(micros - seconds * 1e6, 6);
}

function putMoment(sink: ByteSink, micros: number, zone: boolean): void {
  const days = Math.floor(micros / (DAY_SECONDS * 1e6));
  putDay(sink, days);
  sink.byte(0x54);
  putClock(sink, micros - days * DAY_SECONDS * 1e6);
  if (zone) sink.byte(0x5a);
}
