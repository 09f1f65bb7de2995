import type { ComparedColumn, ComparedTables } from './compare.ts';
import type { LimitsRequest, TableLimits } from './diagnose.ts';
import type { RefusedRow } from './quarantine.ts';
import type { DecodeFacts, SliceReader } from './source.ts';
import type { SchemaVersion } from './schema-changes.ts';
import type { Schema } from './schema.ts';
import type { SideTables } from './side-tables.ts';
import type { ExportConfig } from './export.ts';
import type { Checkpoint, LoadMethod, PartitionBy, Slice, StreamConfig } from './stream.ts';
import type { TableStructure } from './structure.ts';

/** A system to write to. The engine opens one per run and closes it at the end, also after errors. */
export interface Destination {
  check(signal: AbortSignal): Promise<{ title: string }>;
  /** Called once per stream before planning; undefined when the table does not exist yet. Reads only. */
  describe(table: string, signal: AbortSignal): Promise<TableState | undefined>;
  /** Called once per stream that has something to load, while its lease is held. */
  openTable(spec: TableSpec, signal: AbortSignal): Promise<TableWriter>;
  /**
   * For `verify`: tables as they are now. Absent where rows cannot be hashed there. With `adopts`, for `ledger rebuild`: a table with
   * rows that nobody has loaded is shown as well, in version 0 and with those of these fields that it has.
   */
  compare?(signal: AbortSignal, adopts?: Schema): Promise<ComparedTables>;
  /** For `check`: what the table would not hold after a planned load has made or changed it. Reads only. */
  limits?(load: LimitsRequest, signal: AbortSignal): Promise<TableLimits>;
  /** Called once per run or plan with all streams of the pipeline, also those that are not wanted now: throws one ConfigError with all that it cannot do. */
  accept?(streams: readonly StreamConfig[]): void;
  /** For reports: files of a table that readers see since the destination was opened, where each load makes some. */
  published?(table: string): readonly string[];
  /** Absent where rows are loaded in one way, whatever their number. */
  readonly loadSizes?: LoadSizes | undefined;
  /** Each load stands for itself: what is not there was not lost, and columns may differ from those of the load before. */
  readonly separate?: boolean;
  /** Columns are made as long as those of the source, see `Field.length`. */
  readonly lengths?: boolean;
  /** Value of `Schema.dialect` whose native types are taken as they are. */
  readonly dialect?: string;
  /** Absent where tables cannot take the place of others. */
  readonly beside?: SideTables | undefined;
  /** Absent where tables have no indexes and no foreign keys. */
  readonly parts?: TableParts;
  close(): Promise<void>;
}

/**
 * Indexes and foreign keys that tables are without for a while: a load took them away, or they come when all tables are
 * loaded. What they are is written down in the destination before, so whoever comes next can put them there.
 */
export interface TableParts {
  /** All that is missing, of any table. Reads only. */
  missing(signal: AbortSignal): Promise<MissingPart[]>;
  /**
   * Puts back what is missing of these tables, foreign keys also of those that refer to them. What cannot be put back stays
   * written down, and is told and not thrown; throws when the destination does not answer.
   */
  restore(tables: readonly string[], kind: MissingPart['kind'], signal: AbortSignal): Promise<RestoredPart[]>;
  /** Crosses out what is missing. */
  forget(parts: readonly MissingPart[], signal: AbortSignal): Promise<void>;
}

export interface MissingPart {
  /** As the destination writes it. */
  table: string;
  kind: 'index' | 'foreign key';
  name: string;
  /** The statement that makes it. */
  sql: string;
  /** Tables of projects that it concerns: the one that has it, and the one that it refers to. */
  tables: string[];
}

export interface RestoredPart extends MissingPart {
  /** `waits`: a table that it needs is not loaded to its end yet. `gone`: its table was dropped, and it is crossed out. */
  status: 'restored' | 'waits' | 'gone' | 'failed';
  /** Of failures. */
  reason?: string | undefined;
}

/** What is committed in the destination for one table. */
export interface TableState {
  schema: Schema;
  checkpoint: Checkpoint | undefined;
  /** Which stream the table belongs to. */
  stream: string;
  rows: number;
  bytes: number;
  /** Sequence number of the newest commit; a writer that expects another one conflicts. */
  version: number;
  /** Greatest fence that has committed here. */
  fence: number;
  /** Every version that its columns had, oldest first; absent where none is kept. */
  schemas?: readonly SchemaVersion[] | undefined;
  /** It holds versions: rows of other loads would be taken for some. */
  versions?: boolean | undefined;
  /** How many indexes a large load may take away and make again after it. */
  spareIndexes?: number | undefined;
  /** Tables that its foreign keys refer to, which are loaded before it. */
  refersTo?: readonly string[] | undefined;
}

/** What a destination with both ways goes by: a load that has more of either goes in bulk. */
export interface LoadSizes {
  rows: number;
  /** Of the source's wire. */
  bytes: number;
  /** Why the server takes nothing in bulk, for people; absent where it does. */
  noBulk?: string | undefined;
}

/** Which way the rows of a load have gone; `asked`: the user wanted it so, `server`: it takes nothing else. */
export interface LoadedBy {
  method: LoadMethod;
  why: 'size' | 'asked' | 'server';
}

/**
 * What stays in a table beside the newest rows. `loads`: rows of earlier loads; `versions`: earlier versions of a row, each with
 * the time from which on it was valid and the time up to which it was, none for the one that is valid now.
 */
export type History = 'loads' | 'versions';

export interface TableSpec {
  table: string;
  stream: string;
  /** Schema after this run; the destination adds and widens columns as needed, it never drops or narrows. */
  schema: Schema;
  partitionBy: PartitionBy | undefined;
  /** The run and its lease, written into every commit. */
  run: string;
  fence: number;
  /** Commit version that the plan was made from. */
  expectedVersion: number;
  /** Database time of the snapshot, value of `_sluice_loaded_at`; versions begin and end at it. */
  loadedAt: string;
  operation: 'snapshot' | 'upsert';
  history: History | undefined;
  /** Rows are told apart by a key that no catalog vouches for: a first load has to look whether some of them share it. */
  givenKey?: boolean | undefined;
  /** For a table that is made by this load. */
  structure: TableStructure | undefined;
  /** Of the two ways of loading; by the size of each load when absent. */
  loadMethod?: LoadMethod | undefined;
  /** Its rows tell by which load they came, and when, whether or not it has a history. */
  loadColumns?: boolean | undefined;
  /** For destinations that write files. */
  export?: ExportConfig | undefined;
  /** Rows of a table that is there, and that nobody has loaded: the first commit, which has no loads, takes them for ours, and leaves them as they are. */
  adopts?: number | undefined;
  /** Spare indexes are taken away before the first rows come; `TableParts.restore` makes them again. */
  indexesOff?: boolean | undefined;
}

/** What one slice wrote, not visible to readers until commit. */
export interface Load {
  slice: Slice;
  facts: DecodeFacts;
  /** Rows written after the overlap was removed. */
  rows: number;
  bytes: number;
  /** Absent where the destination has but one way. */
  by?: LoadedBy | undefined;
  /** Seconds of the steps of its staging, in order; undefined: there is but one. */
  timing?: Readonly<Record<string, number>> | undefined;
  /** Private to the destination. */
  parts: unknown;
}

/** Which committed rows the new loads take the place of. */
export type Supersede =
  | { kind: 'nothing' }
  | { kind: 'everything' }
  /** Rows with a key that a load brings. */
  | { kind: 'key'; key: string[] }
  /** Rows with values in these columns of the key that a load names, see {@link SliceReader} `groups`; it may have no rows of them. */
  | { kind: 'groups'; columns: string[] }
  /** Rows whose `column` lies in [from, to). */
  | { kind: 'window'; column: string; from: string; to: string }
  /** Rows whose `column`, a text, has this value; null: that have none in a column of any type. */
  | { kind: 'value'; column: string; value: string | null }
  /**
   * Versions that are valid now, of keys that a load brings with other values: they end, and those of the load begin. Rows that
   * equal theirs change nothing. `gone`: the loads are all that the source has, so versions of keys that are not among them end too.
   */
  | { kind: 'versions'; key: string[]; gone: boolean }
  /** Rows that are there and whose key is gone from the source. */
  | GoneRows;

/**
 * A load of this kind has one column, {@link KEY_HASH}: hashes of keys, made of `columns` as compare.ts says, of rows that are
 * neither flagged nor ended yet. They are deleted, or flagged in the column {@link DELETED_AT} by the moment of the load, or
 * their versions end at it.
 */
export interface GoneRows {
  kind: 'gone';
  how: 'remove' | 'flag' | 'end';
  columns: readonly ComparedColumn[];
}

export const KEY_HASH = '_sluice_key';
/** When the source was first seen without a row that the table still has; of tables whose deleted rows are flagged. */
export const DELETED_AT = '_sluice_deleted_at';

export interface Committed {
  version: number;
  /** Of the table. */
  rows: number;
  bytes: number;
  /** How many keys have other versions now, or how many rows were gone, where they were counted. */
  changed?: number | undefined;
}

export interface StageOptions {
  /** Drop incoming rows that equal the newest committed version (by key) or a committed row (without key). */
  distinct: { key: string[]; cursor: string[]; from: string | undefined } | undefined;
  /** What the commit of this load will ask for, as far as it is known now. */
  supersede: Supersede;
  /** It is committed together with others, at the end of all. */
  together: boolean;
  /** Place among the slices that are committed together; undefined: none matters. */
  order?: number | undefined;
  onRows: (rows: number, bytes: number) => void;
}

export interface TriedSlices {
  /** More than one is tried, for one commit. */
  several: boolean;
  signal: AbortSignal;
}

/** Rows meet the table as those of a load would, load after load, and nothing of it stays. */
export interface RowTrial {
  /** Those of a slice that the table refuses. */
  refused(reader: SliceReader): Promise<RefusedRow[]>;
  /** Never throws. */
  close(): Promise<void>;
}

export interface TableWriter {
  /** Reads the slice to its end and writes it out of readers' sight. A failed stage leaves nothing that a retry trips over. */
  stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load>;
  /**
   * Makes loads visible, removes what they supersede and stores the checkpoint, all in one atomic step. Without loads
   * and checkpoint it only shuts out holders of older fences.
   * Throws ConflictError when somebody else has committed since; then nothing has changed.
   */
  commit(loads: Load[], supersede: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed>;
  /** Forgets loads that will not be committed; never throws. */
  abort(loads: Load[]): Promise<void>;
  /**
   * Called for sources whose rows can be left out, when loads or their commit have failed with `error` and are aborted: begins
   * to look for the rows at fault. Undefined when it is no error of rows; absent where nothing but the schema decides what fits.
   */
  tryRows?(how: Supersede, error: unknown, tried: TriedSlices): Promise<RowTrial | undefined>;
  close(): Promise<void>;
}
