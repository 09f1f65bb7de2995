/** Days, by the database's clock in a zone. Pure. */
import type { Survey } from '../../core/source.ts';
import type { RunWindow, StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { backBy, parseCursor, renderCursor } from './cursor-value.ts';
import { marginOf } from './rise.ts';
import { startOfDay, wallClock, zoneOffset } from './zones.ts';

const DATE: LogicalType = { kind: 'date' };
const INSTANT: LogicalType = { kind: 'timestamp', zone: true };

/** The date that clocks of the zone show at an instant. */
export function dateAt(instant: string, zone: string): string {
  const micros = parseCursor(instant, INSTANT);
  return wallClock(micros + zoneOffset(micros, zone), DATE);
}

export function addDays(day: string, days: number): string {
  return renderCursor(parseCursor(day, DATE) + BigInt(days), DATE);
}

export interface DaysRequest {
  stream: StreamConfig;
  window: RunWindow;
  /** Newest day that is loaded. */
  loaded: string | undefined;
  horizon: {
    /** The system's clock. */
    at: string;
    /** Start of the oldest transaction that may still write, or `at`. */
    oldest: string;
    blind: string | undefined;
    blocked: string | undefined;
    /** Of days, unless the stream says otherwise. */
    zone: string;
  };
  type: LogicalType | undefined;
}

/** The days that a dated stream loads now: asked for, or all since the last one, by default yesterday. */
export function daysOf({ stream, window, loaded, horizon, type }: DaysRequest): NonNullable<Survey['days']> {
  const zone = stream.date!.zone ?? horizon.zone;
  const today = dateAt(horizon.at, zone);
  const yesterday = addDays(today, -1);
  const next = loaded === undefined ? undefined : addDays(loaded, 1);
  const since =
    stream.firstRunSeconds === undefined
      ? undefined
      : dateAt(backBy(horizon.at, stream.firstRunSeconds, INSTANT), zone);
  const resumed = next !== undefined && next > yesterday ? yesterday : next;
  const first = window.from ?? resumed ?? since ?? yesterday;
  const end = window.to ?? today;
  const settledUntil = parseCursor(
    backBy(horizon.oldest, marginOf(horizon, stream.overlapSeconds), INSTANT),
    INSTANT,
  );
  const instant = type?.kind === 'timestamp' && type.zone;
  const days: NonNullable<Survey['days']> = [];
  for (let day = addDays(first, 0); day < end; day = addDays(day, 1)) {
    const after = addDays(day, 1);
    const over = startOfDay(after, zone);
    days.push({
      day,
      from: instant ? startOfDay(day, zone) : day,
      to: instant ? over : after,
      settled: parseCursor(over, INSTANT) <= settledUntil && horizon.blocked === undefined,
    });
  }
  return days;
}
