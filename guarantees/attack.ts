/**
 * What an attack is. Each is one object in a file of its part (`race/`, `kill/` …), listed in `attacks.ts`; `run.ts` runs
 * them all, `guarantees.test.ts` a short part of them, and `docs/guarantees.md` is made from what they say and what came of
 * them.
 */
import type { AnyPair, Pair, Streams } from './pair.ts';
import type { OpenOptions } from './pairs.ts';
import type { PromiseName } from './promises.ts';
import type { Random } from './random.ts';
import type { SourceSql } from './source-sql.ts';

export const PARTS = ['race', 'kill', 'faults', 'hostile', 'memory', 'fidelity'] as const;
type Part = (typeof PARTS)[number];

/** Begins the outcome of an attack for which this machine lacks something. */
export const SKIPPED = 'skipped: ';

/** `P` are the pairs that it knows how to attack. */
export interface Attack<P extends AnyPair = Pair> {
  /** Kebab-case, unique within its part, for example `late-commits`. */
  name: string;
  part: Part;
  /** The promise that it attacks. */
  promise: PromiseName;
  /** What is tried, for docs/guarantees.md: one sentence in the present tense, without a full stop. */
  tries: string;
  /** Rounds of a whole run, each with a seed of its own; 1 when nothing in it is random. */
  rounds: number;
  /** The pairs that it is run for; from PostgreSQL to a lake when nothing is said. */
  pairs?: readonly string[];
  /** Part of `npm test` as well: then it takes a few seconds when `arena.brief` is set. */
  brief: boolean;
  /**
   * Returns what happened, for the table and the docs, the same words whenever the same happened: `works`, or
   * `storage.disk_full, then whole`. Throws when the promise was broken, with all that a reader needs to see why.
   */
  run(arena: Arena<P>): Promise<string>;
}

/** Sums over all rounds; an attack raises what it is about. */
export interface Tally {
  /** Processes ended with SIGKILL. */
  kills: number;
  /** Things made to fail: connections cut, disks filled, files damaged, values that do not fit. */
  faults: number;
  /** Rounds in which writers raced with loads. */
  races: number;
  /** Rows of the source that the destination did not have in the end. */
  rowsLost: number;
  /** Versions of rows that the destination had more than once, or that the source never had. */
  rowsDoubled: number;
  /** Rows lost by the usual `updated_at > last` in the same races. */
  naiveRowsLost: number;
}

/** An attack on one of its pairs. */
export interface Planned extends Attack<AnyPair> {
  pair: string;
}

/** What an attack is given. */
export interface Arena<P extends AnyPair = Pair> {
  /** Of this round: the same seed makes the same attack. */
  readonly seed: number;
  readonly random: Random;
  /** True in `npm test`: seconds, not minutes. */
  readonly brief: boolean;
  /** True where many attacks share little time: of parts that stand alone, such as kills, one is enough. */
  readonly few: boolean;
  readonly signal: AbortSignal;
  readonly tally: Tally;
  /** A new database and an empty destination; closed by the arena after the round. */
  open(streams: Streams, sql?: string | ((of: SourceSql) => string), options?: OpenOptions): Promise<P>;
  /** Fails, and counts what is lost or doubled, unless the destination is what the source is. */
  verify(pair: AnyPair, tables: readonly string[]): Promise<void>;
  /** All of these parts, or where few are wanted one that the seed draws. */
  some<T>(parts: readonly T[]): readonly T[];
  /** Tells whoever waits what happens now. */
  say(text: string): void;
}
