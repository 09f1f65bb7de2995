/** Dates and times of ISO 8601, with a blank in place of the T as well. Each returns 0, or a fault of faults.ts. */
import type { Column } from '../../../core/batch.ts';
import { dayOf, putMicros } from '../wire-values.ts';
import { RANGE, TYPE } from './faults.ts';
import type { TextField } from './records.ts';

/** Two digits; more than 99 when they are none. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 48;
  const ones = bytes[at + 1]! - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 1000;
}

/** Days since 1970 of `YYYY-MM-DD`; NaN when it is none. */
function dayAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d) return NaN;
  const century = two(bytes, at);
  const year = two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  // Year 0 is 1 BC, which not every system writes so.
  if (century > 99 || year > 99 || century + year === 0) return NaN;
  return dayOf(century * 100 + year, month, day);
}

export function parseDate({ bytes, start, end }: TextField, column: Column, row: number): number {
  if (end - start < 10) return TYPE;
  const day = dayAt(bytes, start);
  if (Number.isNaN(day)) return TYPE;
  if (end - start > 10) {
    // A moment at midnight is a date, another one would lose its time.
    const clock = clockAt(bytes, start + 11, end);
    if (!isSeparator(bytes[start + 10]!) || clock < 0 || clockEnd !== end) return TYPE;
    if (clock !== 0 || clockMicros !== 0) return RANGE;
  }
  column.i32[row] = day;
  return 0;
}

function isSeparator(byte: number): boolean {
  return byte === 0x54 || byte === 0x20 || byte === 0x74;
}

// Of the clock that was read last; more results than one would be an object for each.
let clockEnd = 0;
let clockMicros = 0;

/** Seconds of `HH:MM[:SS[.ffffff]]`; negative when it is none. */
function clockAt(bytes: Uint8Array, at: number, end: number): number {
  clockMicros = 0;
  if (end - at < 5 || bytes[at + 2] !== 0x3a) return -1;
  const hour = two(bytes, at);
  const minute = two(bytes, at + 3);
  let second = 0;
  let p = at + 5;
  if (bytes[p] === 0x3a && p + 3 <= end) {
    second = two(bytes, p + 1);
    p += 3;
    if ((bytes[p] === 0x2e || bytes[p] === 0x2c) && p < end) {
      let unit = 100_000;
      const first = ++p;
      for (; p < end; p++) {
        const digit = bytes[p]! - 48;
        if (digit < 0 || digit > 9) break;
        // What is finer than a microsecond would be lost.
        if (unit < 1 && digit > 0) return -1;
        clockMicros += digit * Math.floor(unit);
        unit /= 10;
      }
      if (p === first) return -1;
    }
  }
  if (hour > 24 || minute > 59 || second > 59) return -1;
  const seconds = hour * 3600 + minute * 60 + second;
  if (seconds > 86_400 || (seconds === 86_400 && clockMicros > 0)) return -1;
  clockEnd = p;
  return seconds;
}

/** Seconds east of UTC of `Z`, `+HH`, `+HHMM`, `+HH:MM` or `+HH:MM:SS` up to `end`; NaN when there is something else. */
function zoneAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if ((first === 0x5a || first === 0x7a) && end === at + 1) return 0;
  if (first !== 0x2b && first !== 0x2d) return NaN;
  const length = end - at;
  const colons = bytes[at + 3] === 0x3a && (length === 6 || (length === 9 && bytes[at + 6] === 0x3a));
  if (length !== 3 && length !== 5 && !colons) return NaN;
  const hours = two(bytes, at + 1);
  const minutes = length === 3 ? 0 : two(bytes, at + (colons ? 4 : 3));
  // Times of a place, before there were zones.
  const seconds = length === 9 ? two(bytes, at + 7) : 0;
  if (hours > 15 || minutes > 59 || seconds > 59) return NaN;
  return (first === 0x2d ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
}

export function parseMoment(field: TextField, column: Column, row: number): number {
  return momentAt(field, column, { row, zoned: column.type.kind === 'timestamp' && column.type.zone });
}

/** Dates and times as people write them into scripts, and servers read them: `2009/1/5`, `2009-1-5 7:30`. */
export function parseWritten(field: TextField, column: Column, row: number): number {
  const parse = column.type.kind === 'date' ? parseDate : parseMoment;
  const fault = parse(field, column, row);
  return fault === TYPE ? parse(padded(field), column, row) : fault;
}

/** The same for MySQL, which also has days that there are none of, such as 0000-00-00: see {@link NO_DAY}. */
export function parseMysql(field: TextField, column: Column, row: number): number {
  return orNoDay(parseWritten(field, column, row), field);
}

/** An instant of MySQL that is written without its zone, which is UTC. */
export function parseInstant(field: TextField, column: Column, row: number): number {
  const fault = momentAt(field, column, { row, zoned: false });
  return orNoDay(fault === TYPE ? momentAt(padded(field), column, { row, zoned: false }) : fault, field);
}

/** As JSON Schema has them (RFC 3339): what is without a zone is in UTC, and days and times may say that they are. */
export function parseRfc3339(field: TextField, column: Column, row: number): number {
  const { kind } = column.type;
  const parse = kind === 'date' ? parseDate : kind === 'time' ? parseTime : parseMoment;
  const fault = parse(field, column, row);
  if (fault !== TYPE) return fault;
  if (kind === 'timestamp') return momentAt(field, column, { row, zoned: false });
  const { bytes, start, end } = field;
  const zone = Buffer.from(bytes.subarray(Math.max(start, end - 6), end)).toString('latin1');
  const utc = /(?:Z|z|[+-]00:00)$/.exec(zone)?.[0];
  return utc === undefined ? fault : parse({ bytes, start, end: end - utc.length }, column, row);
}

/** Values without an equal, which become NULL by rule. */
export const NO_DAY = -1;

function orNoDay(fault: number, { bytes, start, end }: TextField): number {
  const text = fault === TYPE ? Buffer.from(bytes.subarray(start, end)).toString('latin1') : '';
  return /^\d{4}-(0\d|1[0-2])-[0-3]\d( ([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?)?$/.test(text) ? NO_DAY : fault;
}

const WRITTEN = /^(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[ T](\d{1,2}):(.*))?$/;

/** The same with two digits for each number; what is written otherwise stays so. */
function padded(field: TextField): TextField {
  const text = Buffer.from(field.bytes.subarray(field.start, field.end)).toString('latin1');
  const match = WRITTEN.exec(text);
  if (!match) return field;
  const [, year, , month, day, hour, rest] = match;
  const clock = hour === undefined ? '' : ` ${hour.padStart(2, '0')}:${rest}`;
  const bytes = Buffer.from(`${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}${clock}`, 'latin1');
  return { bytes, start: 0, end: bytes.length };
}

function momentAt(
  { bytes, start, end }: TextField,
  column: Column,
  { row, zoned }: { row: number; zoned: boolean },
): number {
  if (end - start < 10) return TYPE;
  const day = dayAt(bytes, start);
  if (Number.isNaN(day)) return TYPE;
  let seconds = 0;
  let micros = 0;
  if (end - start > 10) {
    seconds = clockAt(bytes, start + 11, end);
    if (seconds < 0 || seconds === 86_400 || !isSeparator(bytes[start + 10]!)) return TYPE;
    micros = clockMicros;
    const at = bytes[clockEnd] === 0x20 && clockEnd + 1 < end ? clockEnd + 1 : clockEnd;
    // A moment without a zone is none that could be compared; one with a zone is not a time on a wall.
    if (zoned === (clockEnd === end)) return TYPE;
    if (zoned) {
      const offset = zoneAt(bytes, at, end);
      if (Number.isNaN(offset)) return TYPE;
      seconds -= offset;
    }
  } else if (zoned) return TYPE;
  putMicros(column.i32, 2 * row, day * 86_400 + seconds, micros);
  return 0;
}

/** What a text is, if it is a date or a moment without a doubt: as {@link parseMoment} reads it, and no end of a day written as 24:00. */
export function momentKind(
  bytes: Uint8Array,
  start: number,
  end: number,
): 'date' | 'moment' | 'instant' | undefined {
  if (end - start < 10 || Number.isNaN(dayAt(bytes, start))) return undefined;
  if (end - start === 10) return 'date';
  const seconds = clockAt(bytes, start + 11, end);
  if (seconds < 0 || seconds === 86_400 || !isSeparator(bytes[start + 10]!)) return undefined;
  if (clockEnd === end) return 'moment';
  const at = bytes[clockEnd] === 0x20 && clockEnd + 1 < end ? clockEnd + 1 : clockEnd;
  return Number.isNaN(zoneAt(bytes, at, end)) ? undefined : 'instant';
}

export function parseTime({ bytes, start, end }: TextField, column: Column, row: number): number {
  const seconds = clockAt(bytes, start, end);
  if (seconds < 0 || clockEnd !== end) return TYPE;
  putMicros(column.i32, 2 * row, seconds, clockMicros);
  return 0;
}
