/** Moments in the zone that a column without one is written in. */
import type { LogicalType } from '../../core/types.ts';
import { backBy, parseCursor, renderCursor } from './cursor-value.ts';

const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

/** Microseconds by which clocks of the zone are ahead of UTC at an instant. */
export function zoneOffset(micros: bigint, zone: string): bigint {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const moment = new Date(Number(micros / 1000n));
  const name = parts.formatToParts(moment).find(({ type }) => type === 'timeZoneName')!.value;
  const match = /^GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(name);
  if (!match) return 0n;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return BigInt(match[1] === '-' ? -seconds : seconds) * 1_000_000n;
}

const HOUR = 3_600_000_000n;
/** The zone in which clocks are furthest behind. */
const LEAST_OFFSET = -12n * HOUR;

/**
 * An instant, some seconds back, as a lower bound in the cursor's own type; undefined for numbers. Values without a zone may
 * have been written in any, unless the user said which. A column without microseconds shows an earlier time than it was.
 */
export function boundOf(
  instant: string,
  seconds: number,
  { type, zone, fraction }: { type: LogicalType; zone: string | undefined; fraction: number },
): string | undefined {
  if (type.kind !== 'timestamp' && type.kind !== 'date') return undefined;
  const exact = parseCursor(backBy(instant, seconds, INSTANT), INSTANT);
  const micros = exact - (exact % 10n ** BigInt(6 - fraction));
  if (type.kind === 'timestamp' && type.zone) return renderCursor(micros, type);
  const offset = zone === undefined ? LEAST_OFFSET : leastOffset(micros, zone);
  return wallClock(micros + offset, type);
}

/** Local time goes back when summer ends: of the offsets of the next hours, the least counts. */
function leastOffset(micros: bigint, zone: string): bigint {
  const offsets = [0n, HOUR, 2n * HOUR].map((later) => zoneOffset(micros + later, zone));
  return offsets.reduce((least, offset) => (offset < least ? offset : least));
}

const DAY = 24n * HOUR;

export function wallClock(micros: bigint, type: LogicalType): string {
  if (type.kind !== 'date') return renderCursor(micros, type);
  return renderCursor((micros - (((micros % DAY) + DAY) % DAY)) / DAY, type);
}

/** The instant at which a day begins in a zone. */
export function startOfDay(day: string, zone: string): string {
  const local = parseCursor(day, { kind: 'timestamp', zone: false });
  // The offset before the day is wrong when clocks change in between; that of the first guess is right.
  const guess = local - zoneOffset(local, zone);
  return renderCursor(local - zoneOffset(guess, zone), INSTANT);
}
