/**
 * Ranges of some columns with about as many rows each, cut at values of a sample. The system sorts the sample and compares
 * with the cuts by the same rules (collation, blanks, case), so that each row is in one range, whatever those rules are:
 * a bad sample makes uneven ranges, never a wrong one.
 */
import type { Checkpoint, SliceRange, StreamConfig } from '../../core/stream.ts';

const MOST_PARTS = 1000;
/** Rows of the sample for each part: the parts then differ by about a tenth. */
const SAMPLED = 100;

export interface SampledRows {
  /** Body of a FROM clause, with a clause that samples where there is one. */
  from: string;
  /** Conditions of all rows. */
  where: string[];
  /** SQL names of the columns. */
  columns: string[];
  /** A value as text that a condition can be made of. */
  text: (column: string, i: number) => string;
}

/** How many parts to make, and how many rows to look at for it; undefined when one read is enough. */
export function sampleOf(bytes: number, partBytes: number): { parts: number; rows: number } | undefined {
  const parts = Math.min(MOST_PARTS, Math.round(bytes / partBytes));
  return parts < 2 ? undefined : { parts, rows: parts * SAMPLED };
}

/** Gives the cuts in their order, a column for each of `columns`. */
export function cutsSql({ from, where, columns, text }: SampledRows, parts: number): string {
  const list = columns.join(', ');
  const conditions = [...where, ...columns.map((column) => `${column} IS NOT NULL`)].join(' AND ');
  const numbered = `SELECT ${list}, ROW_NUMBER() OVER (ORDER BY ${list}) AS sluice_nth, COUNT(*) OVER () AS sluice_all FROM ${from} WHERE ${conditions}`;
  const part = (nth: string): string => `FLOOR((${nth}) * ${parts}.0 / sluice_all)`;
  return `SELECT ${columns.map((column, i) => text(column, i)).join(', ')} FROM (${numbered}) AS sluice_sample
   WHERE sluice_nth > 1 AND ${part('sluice_nth - 1')} > ${part('sluice_nth - 2')} ORDER BY sluice_nth`;
}

/** Rows with a NULL belong to the first range. */
export function rangesBetween(columns: string[], cuts: readonly (readonly string[])[]): SliceRange[] {
  // What is more than a part of equal values stays together.
  const apart = cuts.filter((cut, i) => i === 0 || cut.some((value, c) => value !== cuts[i - 1]![c]));
  if (apart.length === 0) return [];
  return [undefined, ...apart].map((from, i) => ({
    kind: 'key',
    columns,
    from: from && [...from],
    to: apart[i] && [...apart[i]],
  }));
}

/** Parts are for reading everything: increments have no use for them. */
export function readsAll(stream: StreamConfig, checkpoint: Checkpoint | undefined): boolean {
  if (stream.date) return false;
  return stream.cursor.length === 0 || checkpoint === undefined || checkpoint.unfinished !== undefined;
}

type KeyRange = Extract<SliceRange, { kind: 'key' }>;

export interface KeySql {
  /** SQL names of the columns of the range. */
  columns: string[];
  /** Whether the columns are at least, or below, these values. */
  compare: (operator: '>=' | '<', values: readonly string[]) => string;
}

/** Undefined: all rows. */
export function keyCondition({ columns, compare }: KeySql, { from, to }: KeyRange): string | undefined {
  const missing = columns.map((column) => `${column} IS NULL`).join(' OR ');
  if (from === undefined) return to && `(${compare('<', to)} OR ${missing})`;
  // A row may be greater by its first column while another one is NULL.
  const present = columns.length > 1 ? columns.map((column) => `${column} IS NOT NULL`) : [];
  return [compare('>=', from), ...(to ? [compare('<', to)] : []), ...present].join(' AND ');
}
