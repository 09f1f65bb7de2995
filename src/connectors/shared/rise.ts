/** How far a watermark may rise, by what is known of transactions that are still open; the same for every database. Pure. */
import type { Loaded } from '../../core/source.ts';
import type { Checkpoint } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { backBy, greaterCursor, lesserCursor } from './cursor-value.ts';

/** What a horizon tells about one cursor. */
export interface RisingCursor {
  horizon: {
    /** The server's clock when the snapshot existed. */
    at: string;
    /** Start of the oldest transaction that may still write, or `at`. */
    oldest: string;
    /** No other transaction was open. */
    quiet: boolean;
    /** Why some transactions cannot be seen. */
    blind: string | undefined;
  };
  kind: {
    type: LogicalType;
    /** Margin for clocks of clients and for the moment between a statement's start and its becoming visible to others. */
    overlapSeconds: number | undefined;
  };
  /** Lower bound from open transactions in cursor text; undefined for numbers, which tell nothing about time. */
  safe: string | undefined;
  blocked: string | undefined;
  /** Rows come later than they were written: by replication, from other servers, with the next refresh. */
  late: boolean;
}

/** Values may be drawn by a client a moment before its transaction is seen; a minute also forgives a clock that is off by less. */
const MARGIN_SECONDS = 60;
/** What is assumed of transactions that cannot be seen. */
const BLIND_SECONDS = 3600;

export interface Bound {
  watermark: string | undefined;
  pending: { high: string; at: string } | undefined;
}

/**
 * How far the watermark may rise when everything up to `high` was read: the value, below which nothing can appear
 * any more. Never lower than `before`. Pure.
 */
export function riseTo(cursor: RisingCursor, high: string | undefined, before: Bound): Bound {
  const { horizon, kind } = cursor;
  if (cursor.blocked !== undefined) return before;
  // Never from `high`: one row with a date in the future would carry the watermark past everything that is written today.
  if (cursor.safe !== undefined && !cursor.late)
    return { watermark: greaterCursor(before.watermark, cursor.safe, kind.type), pending: undefined };
  if (high === undefined) return before;
  if (cursor.safe !== undefined) {
    // How late nobody here knows; but what has not come yet was not committed before what has.
    const behind = backBy(high, marginOf(horizon, kind.overlapSeconds), kind.type);
    const safe = lesserCursor(cursor.safe, behind, kind.type);
    return { watermark: greaterCursor(before.watermark, safe, kind.type), pending: undefined };
  }
  if (horizon.quiet && horizon.blind === undefined && !kind.overlapSeconds) {
    return { watermark: greaterCursor(before.watermark, high, kind.type), pending: undefined };
  }
  return riseLater(cursor, high, before);
}

/** A high number becomes the watermark once all that was open beside it has ended, or the overlap is over. */
function riseLater(cursor: RisingCursor, high: string, before: Bound): Bound {
  const { horizon, kind } = cursor;
  const next = { high, at: horizon.at };
  if (!before.pending) return { watermark: before.watermark, pending: next };
  const instant: LogicalType = { kind: 'timestamp', zone: true };
  const behind = kind.overlapSeconds ?? (horizon.blind === undefined ? 0 : BLIND_SECONDS);
  const ended = lesserCursor(horizon.oldest, backBy(horizon.at, behind, instant), instant);
  if (greaterCursor(before.pending.at, ended, instant) === before.pending.at) return before;
  return { watermark: greaterCursor(before.watermark, before.pending.high, kind.type), pending: next };
}

/** Seconds that the watermark stays behind the oldest transaction. */
export function marginOf(horizon: { blind: string | undefined }, overlapSeconds: number | undefined): number {
  return overlapSeconds ?? (horizon.blind === undefined ? MARGIN_SECONDS : BLIND_SECONDS);
}

/** What a connector knows of the stream beside the loads. */
export interface AdvanceFacts {
  /** Time of the snapshot. */
  at: string;
  /** What tells the table from another one of its name. */
  identity: string | undefined;
  /** Undefined for streams without a cursor. */
  type: LogicalType | undefined;
  /** What the snapshot has before it, for {@link Checkpoint.seen}. */
  seen?: string | undefined;
}

/** The checkpoint after loads, from the survey's {@link RisingCursor}. */
export function advance(loaded: Loaded, { at, identity, type, seen }: AdvanceFacts): Checkpoint {
  const { stream, survey, before: committed, loads, last } = loaded;
  const base: Checkpoint = { cursor: stream.cursor, relation: identity, readAt: at };
  if (!type) return { ...base, day: committed?.day };
  const before = sameTable(committed, identity) ? committed : undefined;
  let high = before?.high;
  for (const { facts } of loads) high = greaterCursor(high, facts.high, type);
  // Where reading began, nothing below is wanted: a first run with a window stays above it, whatever holds it back.
  const held = {
    watermark: before?.watermark ?? survey.cursor!.from,
    pending: before?.pending,
    seen: before?.seen,
  };
  const horizon = survey.cursor!.horizon as RisingCursor;
  if (last) return { ...base, high, ...riseTo(horizon, high, held), seen };
  // A micro-batch in cursor order: everything below its upper end has been read.
  const range = loads.at(-1)?.slice.range;
  if (range?.kind !== 'cursor' || range.to === undefined) return { ...base, ...held, high };
  const risen = riseTo(horizon, range.to, held).watermark;
  const watermark = risen === undefined ? undefined : lesserCursor(risen, range.to, type);
  return { ...base, ...held, high, watermark };
}

/** A cursor value of one table says nothing about another one that took its place: any of its rows may be new. */
export function sameTable(checkpoint: Checkpoint | undefined, identity: string | undefined): boolean {
  const known = checkpoint?.relation;
  return known === undefined || identity === undefined || known === identity;
}
