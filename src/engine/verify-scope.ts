/**
 * Which rows of a stream can be compared now. In: what the stream promises, how far it is loaded, what the next run reads.
 * Out: bounds for both sides, and the rows that may differ because they are read again anyway. Asks only for days.
 */
import type { Comparable, CompareRequest, Within } from '../core/compare.ts';
import type { Snapshot, Survey } from '../core/source.ts';
import { addDays } from '../core/units.ts';
import {
  type Checkpoint,
  renamed,
  type RunWindow,
  type SliceRange,
  type StreamConfig,
} from '../core/stream.ts';

export interface ScopeRequest {
  stream: StreamConfig;
  snapshot: Snapshot;
  survey: Survey;
  checkpoint: Checkpoint | undefined;
  target: Comparable;
  key: readonly string[];
  window: RunWindow;
  signal: AbortSignal;
}

export interface Scope {
  within: Within | undefined;
  /** By the names of the source, and of the target. */
  waiting: { source: SliceRange | undefined; target: SliceRange | undefined };
}

/** A reason in place of a scope: the stream cannot be compared. */
export async function scopeOf(request: ScopeRequest): Promise<Scope | string> {
  const { stream, checkpoint, key, window } = request;
  const windowed = window.from !== undefined || window.to !== undefined;
  if (checkpoint?.unfinished) return 'its first load has not finished; run it to the end first';
  if (stream.date) return dayScope(request, checkpoint?.day);
  if (windowed) return '--from, --to and --date are for streams that are loaded by date';
  if (stream.cursor.length > 0) return cursorScope(request);
  if (stream.load === 'append' && key.length === 0)
    return 'every run appends a whole copy of it, and without a key the copies cannot be told apart';
  return { within: undefined, waiting: { source: undefined, target: undefined } };
}

/** Rows from the watermark on, without a cursor value or of the lookback are read by every run. */
async function cursorScope(request: ScopeRequest): Promise<Scope | string> {
  const { stream, survey, target, signal } = request;
  const { from, since } = survey.cursor!;
  const source: SliceRange = { kind: 'cursor', from, nulls: stream.nullCursor === 'load', since };
  const scope: Scope = { within: undefined, waiting: { source, target: undefined } };
  if (stream.firstRunSeconds === undefined) return scope;
  // Where the first run began is known by what it brought only.
  const column = renamed(stream, stream.cursor[0]!);
  const held = survey.schema.fields.some(({ name }) => name === column);
  if (stream.lookback || stream.cursor.length > 1 || !held)
    return 'it was first loaded from `first_run` on, and with a lookback or this cursor nothing tells where that was';
  const least = await target.least(column, signal);
  return { ...scope, within: { column, from: least, to: undefined } };
}

/** Days that are loaded: from the first one that the table holds up to the last one that is done; and rows of no day. */
async function dayScope(request: ScopeRequest, last: string | undefined): Promise<Scope | string> {
  const { stream, snapshot, survey, checkpoint, target, window, signal } = request;
  if (last === undefined) return 'no day of it is loaded for good yet';
  const column = renamed(stream, stream.date!.column);
  const least = await target.least(column, signal);
  if (least === undefined) return 'its table has no rows with a date';
  const end = window.to !== undefined && window.to <= last ? window.to : addDays(last, 1);
  const begin = addDays(least.slice(0, 10), -1);
  const start = window.from !== undefined && window.from > begin ? window.from : begin;
  const { days = [] } = await snapshot.survey(stream, checkpoint, { from: start, to: end }, signal);
  // The day that the least value is in; the one before is there for zones that are behind.
  const loaded = days.filter(({ to }) => to > least);
  if (loaded.length === 0) return 'none of these days is loaded';
  // Rows without a date are read by every run.
  const nulls = window.from === undefined && window.to === undefined;
  const within: Within = { column, from: loaded[0]!.from, to: loaded.at(-1)!.to, nulls };
  const again = survey.days?.[0]?.from;
  const waiting = (name: string): CompareRequest['waiting'] =>
    again === undefined ? undefined : { kind: 'column', column: name, from: again, nulls };
  return { within, waiting: { source: waiting(stream.date!.column), target: waiting(column) } };
}
