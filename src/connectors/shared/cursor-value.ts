/** Cursor values as exact integers: digits, days since 1970, or microseconds since 1970. Text is PostgreSQL's ISO form in UTC. */
import type { LogicalType } from '../../core/types.ts';
import { ConfigError } from '../../core/errors.ts';

const DAY_MICROS = 86_400_000_000n;
const INFINITE_MICROS = 0x7fff_ffff_ffff_ffffn;
const INFINITE_DAYS = 0x7fff_ffffn;

export function renderCursor(value: bigint, type: LogicalType): string {
  if (type.kind !== 'date' && type.kind !== 'timestamp') return value.toString();
  const infinite = type.kind === 'date' ? INFINITE_DAYS : INFINITE_MICROS;
  if (value === infinite) return 'infinity';
  if (value === -infinite) return '-infinity';
  if (type.kind === 'date') {
    const { text, era } = civil(Number(value));
    return text + era;
  }
  const inDay = ((value % DAY_MICROS) + DAY_MICROS) % DAY_MICROS;
  const { text, era } = civil(Number((value - inDay) / DAY_MICROS));
  const pad = (n: bigint, width: number): string => n.toString().padStart(width, '0');
  const seconds = inDay / 1_000_000n;
  const clock = `${pad(seconds / 3600n, 2)}:${pad((seconds / 60n) % 60n, 2)}:${pad(seconds % 60n, 2)}`;
  return `${text} ${clock}.${pad(inDay % 1_000_000n, 6)}${type.zone ? '+00' : ''}${era}`;
}

const TIMESTAMP =
  /^(\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(?:Z|\+00(?::?00)?)?( BC)?$/;

/** Inverse of {@link renderCursor}; throws ConfigError, since values also come from `state set`. */
export function parseCursor(text: string, type: LogicalType): bigint {
  if (type.kind !== 'date' && type.kind !== 'timestamp') {
    if (/^-?\d+$/.test(text)) return BigInt(text);
    throw invalid(text, 'a whole number');
  }
  const infinite = type.kind === 'date' ? INFINITE_DAYS : INFINITE_MICROS;
  if (text === 'infinity') return infinite;
  if (text === '-infinity') return -infinite;
  const match = TIMESTAMP.exec(text);
  if (!match) throw invalid(text, 'YYYY-MM-DD or YYYY-MM-DD HH:MM:SS.ffffff+00');
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match;
  const days = dayNumber(match[8] ? 1 - Number(year) : Number(year), Number(month), Number(day));
  // There is no 30 February, no year 0 and no 25 o'clock; PostgreSQL would refuse them in the middle of a run.
  const shown = civil(days);
  const exists =
    shown.text === `${year!.replace(/^0+(?=\d{4})/, '')}-${month}-${day}` && shown.era === (match[8] ?? '');
  if (!exists || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    throw invalid(text, 'a date or time that exists');
  if (type.kind === 'date') return BigInt(days);
  const seconds = BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second));
  return BigInt(days) * DAY_MICROS + seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

function invalid(text: string, form: string): ConfigError {
  return new ConfigError(`reading a cursor value: "${text}" is not ${form}`, { code: 'stream.bad_cursor' });
}

/** The greater of two values, either of which may be missing. */
export function greaterCursor(
  a: string | undefined,
  b: string | undefined,
  type: LogicalType,
): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return parseCursor(a, type) >= parseCursor(b, type) ? a : b;
}

export function lesserCursor(a: string, b: string, type: LogicalType): string {
  return parseCursor(a, type) <= parseCursor(b, type) ? a : b;
}

/** Goes back by a time span, rounded up to whole days for dates; infinities and integers stay. */
export function backBy(text: string, seconds: number, type: LogicalType): string {
  const value = parseCursor(text, type);
  if (text.endsWith('infinity')) return text;
  if (type.kind === 'date') return renderCursor(value - BigInt(Math.ceil(seconds / 86_400)), type);
  if (type.kind === 'timestamp') return renderCursor(value - BigInt(Math.ceil(seconds * 1e6)), type);
  return text;
}

/** Proleptic Gregorian day numbers (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yoe = y - era * 400;
  const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy - 719_468;
}

function civil(days: number): { text: string; era: string } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor(
    (doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365,
  );
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  const two = (n: number): string => String(n).padStart(2, '0');
  // PostgreSQL counts 1 BC where astronomers count year 0.
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return {
    text: `${shown}-${two(month)}-${two(doy - Math.floor((153 * mp + 2) / 5) + 1)}`,
    era: year > 0 ? '' : ' BC',
  };
}
