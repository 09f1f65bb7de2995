import type { Limit } from './limit.ts';
import type { BenchServer } from './server.ts';
import type { TableShape } from './tables.ts';

/** What every benchmark is given. */
export interface BenchContext {
  server: BenchServer;
  limit: Limit;
  /** Private folder, removed at the end. */
  folder: string;
  quick: boolean;
  pairs: number;
  signal: AbortSignal;
  /** Tells the user what happens now. */
  say: (text: string) => void;
}

/** Of a table that `--quick` fills: what a process takes to start is most of the time then. */
const QUICK_VALUES = 200_000;

/** How many rows of a shape the benchmark makes: those that are measured, or a few. */
export function rowsFor({ quick }: BenchContext, shape: TableShape, rows: number): number {
  return quick ? Math.min(rows, Math.ceil(QUICK_VALUES / shape.columns.length)) : rows;
}

/** One figure against its bound; benchmarks of small tables have none. */
export interface Target {
  name: string;
  value: number;
  bound: number;
  met: boolean;
}

export function atMost(name: string, value: number | undefined, bound: number): Target[] {
  return value === undefined ? [] : [{ name: `${name} ≤ ${bound}`, value, bound, met: value <= bound }];
}

export function atLeast(name: string, value: number, bound: number): Target[] {
  return [{ name: `${name} ≥ ${bound}`, value, bound, met: value >= bound }];
}

/** One object per benchmark: names and units stay, later ones add to them. */
export interface BenchResult {
  bench: string;
  rows: number;
  seconds: number;
  limit_seconds: number;
  /** Median over the pairs, not the quotient of the two above. */
  ratio: number;
  peak_rss_mb: number | null;
  naive_ratio?: number;
  quick: boolean;
  /** Figures of lake and source that were compared and are equal. */
  verified: number;
  targets: Target[];
  [more: string]: unknown;
}

/** A benchmark gives its result, and the same as a text of some lines. */
export interface BenchOutcome {
  result: BenchResult;
  text: string;
}
