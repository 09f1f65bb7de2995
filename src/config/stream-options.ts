/** How the options of one stream go together, and with the defaults of its pipeline. */
import type { StreamOptions } from '../core/project.ts';

type Option = keyof StreamOptions;

/** These say how a cursor is used. */
const CURSOR_OPTIONS = ['cursor_timezone', 'lookback', 'overlap', 'null_cursor', 'slice_rows'] as const;
/** What a stream that is read in full each time has no use for. */
const INCREMENTAL_OPTIONS = ['cursor', 'date', 'first_run', ...CURSOR_OPTIONS] as const;

/**
 * A stream's own options over the defaults. A default that contradicts what the stream says itself gives way, and
 * defaults about cursors do not concern streams without one. `rename`, `types`, `checks` and
 * `compute` are put together, entry by entry.
 */
export function mergeOptions(defaults: StreamOptions | undefined, own: StreamOptions): StreamOptions {
  const kept: StreamOptions = { ...defaults };
  for (const option of givingWay(kept, own)) delete kept[option];
  const merged: StreamOptions = { ...kept };
  for (const [option, value] of Object.entries(own))
    if (value !== undefined) Object.assign(merged, { [option]: value });
  for (const option of ['rename', 'types', 'checks', 'compute'] as const)
    if (kept[option] && own[option]) merged[option] = { ...kept[option], ...own[option] };
  if (merged.cursor === undefined) {
    for (const option of CURSOR_OPTIONS) if (own[option] === undefined) delete merged[option];
    if (merged.date === undefined && own.first_run === undefined) delete merged.first_run;
  }
  if (own.deletes === undefined && !mayDelete(merged)) delete merged.deletes;
  return merged;
}

function givingWay(defaults: StreamOptions, own: StreamOptions): Option[] {
  const options: Option[] = [];
  if (own.load === 'replace') options.push(...INCREMENTAL_OPTIONS);
  if (isByCursor(own)) options.push('date');
  if (own.load === 'delete-insert' || own.date !== undefined) options.push('cursor');
  if (own.cursor !== undefined) options.push('date');
  if (own.cursor !== undefined && !isByCursor(defaults)) options.push('load');
  if (own.date !== undefined && defaults.load !== 'delete-insert') options.push('load');
  return options;
}

/** Rows of these strategies are told apart by a key; what is history stays. */
function mayDelete({ load, deletes }: StreamOptions): boolean {
  const how = typeof deletes === 'object' ? deletes.how : deletes;
  return how === undefined || how === 'keep' || load === 'merge' || (load === 'scd2' && how === 'flag');
}

/** The strategies that a cursor goes with. */
function isByCursor({ load }: StreamOptions): boolean {
  return load === 'append' || load === 'merge' || load === 'scd2';
}

export interface Contradiction {
  option: Option;
  message: string;
}

/** Options written side by side that cannot both be meant. Looks only at which are there, so values may be wrong. */
export function clashes(own: StreamOptions): Contradiction[] {
  const found: Contradiction[] = [];
  if (own.load === 'replace') {
    for (const option of INCREMENTAL_OPTIONS.filter((name) => own[name] !== undefined)) {
      found.push({
        option,
        message: 'means nothing with "load: replace", which reads everything each time; leave one out',
      });
    }
    return found;
  }
  if (own.date !== undefined && own.cursor !== undefined) {
    found.push({ option: 'date', message: 'a stream goes by a cursor or by a date, not by both' });
  } else if (own.date !== undefined && own.load !== undefined && own.load !== 'delete-insert') {
    found.push({
      option: 'load',
      message: `"${own.load}" does not go with "date", which replaces day by day; leave one out`,
    });
  } else if (own.cursor !== undefined && own.load === 'delete-insert') {
    found.push({
      option: 'cursor',
      message: 'means nothing with "load: delete-insert", which goes by "date"',
    });
  }
  return found;
}

/** Options of a stream that need another one, which neither it nor the defaults have. */
export function gaps(own: StreamOptions, merged: StreamOptions): Contradiction[] {
  const found = own.load === 'replace' ? [] : incrementalGaps(own, merged);
  if (own.deletes !== undefined && !mayDelete(merged))
    found.push({
      option: 'deletes',
      message:
        merged.load === 'scd2'
          ? 'versions of rows that are gone end with "flag"; "load: scd2" removes none'
          : 'needs "load: merge", which keeps one row for each key, or "load: scd2"',
    });
  return found;
}

function incrementalGaps(own: StreamOptions, merged: StreamOptions): Contradiction[] {
  const found: Contradiction[] = [];
  if (merged.load === 'delete-insert' && merged.date === undefined && own.cursor === undefined) {
    found.push({
      option: 'load',
      message: '"delete-insert" needs "date", the column by which days are replaced',
    });
  }
  if (merged.cursor !== undefined) return found;
  for (const option of CURSOR_OPTIONS.filter((name) => own[name] !== undefined)) {
    found.push({ option, message: 'needs "cursor"' });
  }
  if (own.first_run !== undefined && merged.date === undefined) {
    found.push({ option: 'first_run', message: 'needs "cursor" or "date"' });
  }
  return found;
}
