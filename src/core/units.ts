/**
 * Durations and sizes as people write them, and numbers as people read them. Short forms are for eyes only: whatever
 * is written to files or `--json` keeps the exact number.
 */
import { ConfigError } from './errors.ts';

/** Milliseconds, so that adding up stays exact. */
const UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Longer spellings of the units above. Months and years are absent: they have no fixed length. */
const SPELLINGS: Record<string, string> = {
  millisecond: 'ms',
  milliseconds: 'ms',
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  hr: 'h',
  hrs: 'h',
  hour: 'h',
  hours: 'h',
  day: 'd',
  days: 'd',
  week: 'w',
  weeks: 'w',
};
const BYTES: Record<string, number> = {
  b: 1,
  byte: 1,
  bytes: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** The forms that {@link parseDuration} takes, for messages and documentation. */
const DURATION_FORMS = '"90s", "15 minutes", "1h 30m", "30 days" or a number of seconds';
/** The forms that {@link parseSize} takes. */
const SIZE_FORMS = '"64 KiB", "128 MB", "512 MiB", "2 GB" or a number of bytes';

/** `30 days`, `1h 30m`, `90` or 90 → seconds, which need not be whole. Throws ConfigError for anything else. */
export function parseDuration(written: string | number): number {
  const seconds = typeof written === 'number' ? written : readSeconds(written.trim());
  if (seconds !== undefined && Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new ConfigError(`"${written}" is no duration; write ${DURATION_FORMS}`, { code: 'config.duration' });
}

function readSeconds(text: string): number | undefined {
  if (isNumber(text)) return Number(text);
  const parts = [...text.matchAll(/\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*,?/giy)];
  // The sticky matches have to cover the whole text, or something between them was not understood.
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return undefined;
  let milliseconds = 0;
  for (const [, amount, unit = ''] of parts) {
    // A lone capital is ambiguous ("M" is a month elsewhere), longer spellings are not.
    const name = unit.length === 1 ? unit : unit.toLowerCase();
    const factor = lookUp(UNITS, lookUp(SPELLINGS, name) ?? name);
    if (factor === undefined) return undefined;
    milliseconds += Number(amount) * factor;
  }
  return milliseconds / 1000;
}

/** `128 MB` (decimal), `512 MiB` (binary), `4096` or 4096 → whole bytes. Throws ConfigError for anything else. */
export function parseSize(written: string | number): number {
  const bytes = typeof written === 'number' ? written : readBytes(written.trim());
  if (bytes !== undefined && bytes >= 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new ConfigError(`"${written}" is no size; write ${SIZE_FORMS}`, { code: 'config.size' });
}

/** `1 %`, `0.5%` or 1 → percent. Throws ConfigError for anything else. */
export function parsePercent(written: string | number): number {
  const text = String(written).trim().replace(/\s*%$/, '');
  if (isNumber(text) && Number(text) <= 100) return Number(text);
  throw new ConfigError(`"${written}" is no part of a whole; write "1 %", or a number from 0 to 100`, {
    code: 'config.percent',
  });
}

function readBytes(text: string): number | undefined {
  if (isNumber(text)) return Number(text);
  const parts = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text);
  const factor = lookUp(BYTES, (parts?.[2] ?? '').toLowerCase());
  return factor === undefined ? undefined : Math.round(Number(parts?.[1]) * factor);
}

function isNumber(text: string): boolean {
  return /^\d+(?:\.\d+)?$/.test(text);
}

function lookUp<T>(table: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** One of the parsers above as a step of an options schema, where a mistake is an issue rather than an exception. */
export function inSchema(
  parse: (written: string | number) => number,
): (written: string | number, context: { addIssue(message: string): void }) => number {
  return (written, context) => {
    try {
      return parse(written);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      context.addIssue(error.message);
      return 0;
    }
  };
}

/** 412 → `412`, 38_100 → `38.1K`, 5_000_412 → `5M`. */
export function formatCount(count: number): string {
  return scaled(count, ['', 'K', 'M', 'B', 'T']);
}

/** 41_203 → `41,203`: all digits, where a difference of one matters. */
export function formatExact(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** 212_400_000 → `212 MB`; decimal units, as disks and networks are labelled. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, [' B', ' kB', ' MB', ' GB', ' TB', ' PB']);
}

/** Three digits at most and one after the point: 2.1K, 38.1K, 412K. Small amounts are whole. */
function scaled(amount: number, units: readonly string[]): string {
  if (!Number.isFinite(amount)) return '–';
  if (amount < 0) return `-${scaled(-amount, units)}`;
  let value = Math.round(amount);
  if (value < 1000) return `${value}${units[0]}`;
  let step = 0;
  value = amount;
  // 999.5K would be rounded to 1000K: it moves to the next unit.
  while (value >= 999.5 && step < units.length - 1) {
    value /= 1000;
    step++;
  }
  return `${brief(value, 99.95)}${units[step]}`;
}

/** One digit after the point below `limit`, none above, and never a zero there. */
function brief(value: number, limit: number): string {
  return value < limit ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0);
}

/** 0.0042 → `4 ms`, 1.4 → `1.4 s`, 75 → `1 min 15 s`, 7500 → `2 h 5 min`, 2_592_000 → `30 d`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 0) return `-${formatSeconds(-seconds)}`;
  if (seconds === 0) return '0 s';
  if (seconds < 0.0995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${brief(seconds, 60)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return pair([Math.floor(whole / 60), 'min'], [whole % 60, 's']);
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return pair([Math.floor(minutes / 60), 'h'], [minutes % 60, 'min']);
  const hours = Math.round(seconds / 3600);
  return pair([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

function pair(first: [number, string], second: [number, string]): string {
  return (second[0] === 0 ? [first] : [first, second]).map(([amount, unit]) => `${amount} ${unit}`).join(' ');
}

/** Time left, as clocks show it: 61 → `1:01`, 3_725 → `1:02:05`. */
export function formatClock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}

/** 412_000 rows in 1 s → `412K rows/s`; bytes → `38 MB/s`. Without time there is no rate: `–`. */
export function formatRate(amount: number, seconds: number, unit: 'rows' | 'bytes'): string {
  if (!(seconds > 0)) return '–';
  const rate = amount / seconds;
  if (unit === 'bytes') return `${formatBytes(rate)}/s`;
  return `${rate < 9.95 ? brief(rate, 10) : formatCount(rate)} rows/s`;
}

/** The day so many days after another one, before it when negative; both `YYYY-MM-DD`. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
