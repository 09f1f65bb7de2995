/**
 * One tight loop per type: the values of a batch column as text, one after the other, with the row's place in `offsets`.
 * What MySQL has no equal for was made NULL before, see clip-values.ts.
 */
import type { Column } from '../../core/batch.ts';
import type { LogicalType } from '../../core/types.ts';
import { putDay, putInteger, putPadded } from './put-digits.ts';

/** Texts of a column by row. A NULL has none. */
export interface Texts {
  offsets: Int32Array;
  bytes: Uint8Array;
}

/** Room for the texts of one column, used from batch to batch. */
export class TextRoom implements Texts {
  offsets: Int32Array = new Int32Array(0);
  bytes: Buffer = Buffer.alloc(0);

  reserve(rows: number, bytes: number): void {
    if (this.offsets.length <= rows) this.offsets = new Int32Array(rows + 1);
    this.bytes = roomFor(this.bytes, bytes);
  }
}

const LARGE = 8 << 20;

/** The buffer, or another one: one huge value must not pin its memory for the rest of the run. */
export function roomFor(buffer: Buffer, bytes: number): Buffer {
  if (buffer.length >= bytes && (buffer.length <= LARGE || bytes > LARGE)) return buffer;
  return Buffer.allocUnsafeSlow(bytes > LARGE ? bytes : Math.ceil(bytes * 1.25));
}

type PutValue = (out: Buffer, at: number, column: Column, row: number) => number;

/** Writes each value with `put`, which takes at most `most` bytes. */
function each(most: number, put: PutValue): (column: Column, rows: number, room: TextRoom) => Texts {
  return (column, rows, room) => {
    room.reserve(rows, rows * most);
    const { offsets, bytes } = room;
    const some = column.nullCount > 0;
    let at = 0;
    for (let r = 0; r < rows; r++) {
      offsets[r] = at;
      if (some && column.isNull(r)) continue;
      at = put(bytes, at, column, r);
    }
    offsets[rows] = at;
    return room;
  };
}

const TWO_32 = 4_294_967_296;

/** The value of 64 bits when 53 hold it. */
function small(column: Column, row: number): number | undefined {
  const high = column.i32[2 * row + 1]!;
  if (high < -0x20_0000 || high >= 0x20_0000) return undefined;
  return high * TWO_32 + (column.i32[2 * row]! >>> 0);
}

const bool = each(1, (out, at, column, r) => {
  out[at] = 48 + ((column.u8[r >> 3]! >> (r & 7)) & 1);
  return at + 1;
});
const int16 = each(6, (out, at, column, r) => putInteger(out, at, column.i16[r]!));
const int32 = each(11, (out, at, column, r) => putInteger(out, at, column.i32[r]!));
const int64 = each(20, (out, at, column, r) => {
  const value = small(column, r);
  return value === undefined ? putText(out, at, column.i64[r]!.toString()) : putInteger(out, at, value);
});

function putText(out: Buffer, at: number, text: string): number {
  return at + out.write(text, at, 'latin1');
}

/** The shortest text that gives the same double; a float32 is one of those. */
function putFloat(out: Buffer, at: number, value: number): number {
  if (Number.isInteger(value) && Math.abs(value) < 1e15 && value !== 0) return putInteger(out, at, value);
  return putText(out, at, Object.is(value, -0) ? '-0' : String(value));
}

const float32 = each(26, (out, at, column, r) => putFloat(out, at, column.f32[r]!));
const float64 = each(26, (out, at, column, r) => putFloat(out, at, column.f64[r]!));

const date = each(10, (out, at, column, r) => putDay(out, at, column.i32[r]!));

const DAY_SECONDS = 86_400;

/** `hh:mm:ss.ffffff` */
function putClock(out: Buffer, at: number, seconds: number, micros: number): number {
  let p = putPadded(out, at, Math.floor(seconds / 3600), 2);
  out[p] = 58;
  p = putPadded(out, p + 1, Math.floor(seconds / 60) % 60, 2);
  out[p] = 58;
  p = putPadded(out, p + 1, seconds % 60, 2);
  out[p] = 46;
  return putPadded(out, p + 1, micros, 6);
}

const time = each(15, (out, at, column, r) => {
  const value = column.i32[2 * r + 1]! * TWO_32 + (column.i32[2 * r]! >>> 0);
  return putClock(out, at, Math.floor(value / 1e6), value % 1e6);
});

const timestamp = each(26, (out, at, column, r) => {
  const value = small(column, r);
  let seconds: number;
  let micros: number;
  if (value === undefined) {
    const exact = column.i64[r]!;
    micros = Number(((exact % 1_000_000n) + 1_000_000n) % 1_000_000n);
    seconds = Number((exact - BigInt(micros)) / 1_000_000n);
  } else {
    seconds = Math.floor(value / 1e6);
    micros = value - seconds * 1e6;
  }
  const day = Math.floor(seconds / DAY_SECONDS);
  const p = putDay(out, at, day);
  out[p] = 32;
  return putClock(out, p + 1, seconds - day * DAY_SECONDS, micros);
});

const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

const uuid = each(36, (out, at, column, r) => {
  let p = at;
  for (let k = 0; k < 16; k++) {
    if (k === 4 || k === 6 || k === 8 || k === 10) out[p++] = 45;
    const byte = column.u8[16 * r + k]!;
    out[p++] = HEX[byte >> 4]!;
    out[p++] = HEX[byte & 15]!;
  }
  return p;
});

/** Sign, 38 digits, a point, and a zero before it. */
const DECIMAL_BYTES = 42;

function decimal(scale: number): (column: Column, rows: number, room: TextRoom) => Texts {
  const unit = 10 ** scale;
  return each(DECIMAL_BYTES, (out, at, column, r) => {
    const value =
      column.width === 4 ? column.i32[r]! : column.width === 8 ? small(column, r) : smallWide(column, r);
    if (value === undefined || scale > 15) return putText(out, at, pointed(bigValue(column, r), scale));
    if (scale === 0) return putInteger(out, at, value);
    let p = at;
    if (value < 0) out[p++] = 45;
    const positive = Math.abs(value);
    const whole = Math.floor(positive / unit);
    p = putInteger(out, p, whole);
    out[p] = 46;
    return putPadded(out, p + 1, positive - whole * unit, scale);
  });
}

function smallWide(column: Column, row: number): number | undefined {
  const sign = column.i32[4 * row + 1]! >> 31;
  if (column.i32[4 * row + 2] !== sign || column.i32[4 * row + 3] !== sign) return undefined;
  return small(column, 2 * row);
}

function bigValue(column: Column, row: number): bigint {
  if (column.width === 4) return BigInt(column.i32[row]!);
  if (column.width === 8) return column.i64[row]!;
  return (column.i64[2 * row + 1]! << 64n) | BigInt.asUintN(64, column.i64[2 * row]!);
}

function pointed(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The writer for types without offsets. */
export function textWriter(type: LogicalType): (column: Column, rows: number, room: TextRoom) => Texts {
  switch (type.kind) {
    case 'bool':
      return bool;
    case 'int16':
      return int16;
    case 'int32':
      return int32;
    case 'int64':
      return int64;
    case 'float32':
      return float32;
    case 'float64':
      return float64;
    case 'decimal':
      return decimal(type.scale);
    case 'date':
      return date;
    case 'time':
      return time;
    case 'timestamp':
      return timestamp;
    case 'uuid':
      return uuid;
    case 'utf8':
    case 'json':
    case 'binary':
      throw new TypeError(`${type.kind} has bytes of its own`);
  }
}
