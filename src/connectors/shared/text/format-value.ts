import type { Column } from '../../../core/batch.ts';

const DAY_MS = 86_400_000n;
/** What a Date holds on either side of 1970. */
const MOST_MS = 8_640_000_000_000_000n;

/** A value as text, with all that it holds: times as ISO 8601 has them, bytes as `\x` and hexadecimal digits. */
export function formatValue(column: Column, row: number): string {
  const { type } = column;
  switch (type.kind) {
    case 'bool':
      return String((column.u8[row >> 3]! & (1 << (row & 7))) !== 0);
    case 'float32':
      return float(column.f32[row]!);
    case 'float64':
      return float(column.f64[row]!);
    case 'int16':
    case 'int32':
    case 'int64':
      return whole(column, row).toString();
    case 'decimal':
      return pointed(whole(column, row), type.scale);
    case 'date':
      return day(whole(column, row) * DAY_MS);
    case 'time':
      return clock(whole(column, row));
    case 'timestamp':
      return moment(whole(column, row), type.zone);
    case 'uuid':
      return Buffer.from(column.u8.subarray(row * 16, row * 16 + 16))
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'binary':
      return `\\x${bytesOf(column, row).toString('hex')}`;
    case 'utf8':
    case 'json':
      return bytesOf(column, row).toString('utf8');
  }
}

function float(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function bytesOf({ bytes, offsets }: Column, row: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offsets[row]!, offsets[row + 1]! - offsets[row]!);
}

/** Two's complement of the column's width, in the byte order of the machine. */
function whole({ i16, i32, i64, width }: Column, row: number): bigint {
  switch (width) {
    case 2:
      return BigInt(i16[row]!);
    case 4:
      return BigInt(i32[row]!);
    case 8:
      return i64[row]!;
    default:
      return (i64[2 * row + 1]! << 64n) | BigInt.asUintN(64, i64[2 * row]!);
  }
}

function pointed(value: bigint, scale: number): string {
  const text = value.toString();
  if (scale === 0) return text;
  const sign = text.startsWith('-') ? '-' : '';
  const digits = text.slice(sign.length).padStart(scale + 1, '0');
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function day(ms: bigint): string {
  if (ms > MOST_MS || ms < -MOST_MS) return `${ms / DAY_MS} days since 1970-01-01`;
  return new Date(Number(ms)).toISOString().split('T')[0]!;
}

function clock(micros: bigint): string {
  const seconds = micros / 1_000_000n;
  const two = (value: bigint): string => value.toString().padStart(2, '0');
  const rest = micros % 1_000_000n;
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(6, '0')}`;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction}`;
}

function moment(micros: bigint, zone: boolean): string {
  const dayMicros = DAY_MS * 1000n;
  // Before 1970 the time of the day counts from the midnight before.
  const rest = ((micros % dayMicros) + dayMicros) % dayMicros;
  return `${day((micros - rest) / 1000n)} ${clock(rest)}${zone ? '+00:00' : ''}`;
}
