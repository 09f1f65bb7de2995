/**
 * How two systems are asked whether they hold the same rows: each computes checksums of its own rows, by buckets, and then
 * shows hashes of the rows in those buckets that differ. Rows stay where they are. What a value's canonical text is, and how
 * it is hashed, is in docs/concepts/verify.md: the same bytes on every system.
 */
import type { TableState } from './destination.ts';
import type { SliceRange } from './stream.ts';
import type { LogicalType } from './types.ts';

/** Rows of one side. Each method may be called more than once and always speaks of the same moment. */
export interface Comparable {
  /** Names of columns that this system cannot turn into their canonical text; they are left out. */
  readonly without?: ReadonlySet<string>;
  /** Called once: rows and checksum of every bucket that has any, in any order. */
  buckets(request: CompareRequest, signal: AbortSignal): Promise<Bucket[]>;
  /**
   * Called when buckets differ: the rows of these buckets, ordered by `key`, a batch at a time. `undefined` stands for all
   * buckets.
   */
  rows(
    request: CompareRequest,
    buckets: readonly number[] | undefined,
    signal: AbortSignal,
  ): AsyncIterable<HashedRows>;
  /** Called for the few rows that are named: their columns, as text. Rows that are not there are left out. */
  values(request: CompareRequest, rows: readonly NamedRow[], signal: AbortSignal): Promise<RowValues[]>;
  /** The least value of a column, as text that both sides understand; undefined without any. */
  least(column: string, signal: AbortSignal): Promise<string | undefined>;
  /** Of a source: the rows with these hashes, which a slice can read. */
  among?(request: CompareRequest, hashes: readonly string[]): SliceRange;
  /** Of a target: how many rows, with all versions of them, have each value of a column, as the system writes it. */
  counts?(column: string, signal: AbortSignal): Promise<ReadonlyMap<string | null, number>>;
  /** All rows, of a target with all versions of them; of a source only those of the range. */
  count(range: SliceRange, signal: AbortSignal): Promise<number>;
}

export interface CompareRequest {
  /** Columns by their names in the destination, with the type that both sides bring them to. */
  readonly columns: readonly ComparedColumn[];
  /** Some of the columns. Empty: rows are told apart by all they hold, and one may be there more than once. */
  readonly key: readonly string[];
  /** How many hexadecimal digits of the hash of its key say which bucket a row is in: 16 to that power buckets. */
  readonly digits: number;
  /** Of a target that keeps all versions of a row: only the newest of each key. */
  readonly current: boolean;
  /** Only rows whose value of this column lies in [from, to), and with `nulls` those without one. */
  readonly within: Within | undefined;
  /** Rows that the next run reads or replaces anyway; names of columns are those of the side that is asked. */
  readonly waiting: SliceRange | undefined;
}

export interface ComparedColumn {
  readonly name: string;
  readonly type: LogicalType;
  /** The name of its type where both sides are of one kind of system and have the same: its own text may stand for a value. */
  readonly native?: string | undefined;
  /** Of the source's side: values are compared as what the target keeps in their place. */
  readonly keeping?: ReadonlySet<KeepingRule> | undefined;
}

/** What a target has no place for, and keeps as something else by rule. */
export type KeepingRule =
  /** NaN and the infinities of floats are NULL. */
  | 'finite'
  /** -0 is 0. */
  | 'unsigned-zero'
  /** Dates and timestamps outside of the years 1 to 9999 are NULL. */
  | 'four-digit-years'
  /** U+0000 in a text is U+FFFD. */
  | 'no-nul';

export interface Within {
  readonly column: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly nulls?: boolean | undefined;
}

export interface Bucket {
  /** The first digits of the hash of the key, as a number. */
  readonly bucket: number;
  readonly rows: number;
  /** Sum over the first 60 bits of the rows' hashes. */
  readonly checksum: string;
}

/** Some rows, in columns. */
export interface HashedRows {
  /** Hash of the key, or of the whole row where there is no key. */
  readonly keys: readonly string[];
  /** Hash of the whole row. */
  readonly rows: readonly string[];
  /** For each key column its values, as the system writes them. */
  readonly names: readonly (readonly (string | null)[])[];
  /** Whether the next run reads the row anyway; undefined: none of them. */
  readonly waiting: readonly boolean[] | undefined;
}

/** A row to be looked up. */
export interface NamedRow {
  /** Hash of its key. */
  readonly key: string;
  /** Its key columns as the source writes them. */
  readonly names: readonly (string | null)[];
}

/** One row for people, in the order of the columns. */
export interface RowValues {
  readonly key: string;
  readonly row: string;
  /** The same text on both sides where the values are the same. */
  readonly canonical: readonly (string | null)[];
  /** As the system writes them. */
  readonly shown: readonly (string | null)[];
}

/** Tables of a destination as they are at one moment, where it can show them so. */
export interface ComparedTables {
  /** Undefined when there is none. */
  table(name: string, signal: AbortSignal): Promise<ComparedTable | undefined>;
  /** After the last table was closed. */
  close(): Promise<void>;
}

/** The target of a stream. */
export interface ComparedTable {
  readonly state: TableState;
  readonly rows: Comparable;
  readonly keeping?: ReadonlySet<KeepingRule> | undefined;
  close(): Promise<void>;
}
