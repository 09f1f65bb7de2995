import type { ExportConfig } from './export.ts';
import type { FileLedger, FilePart, FilesConfig } from './ledger.ts';
import type { QuarantineFile } from './quarantine.ts';
import type { SchemaJson } from './schema.ts';

/** What the user wants of one stream, after defaults and wildcards are resolved. Plain data: a fleet worker gets it as JSON. */
import type { AlertThresholds } from './alerts.ts';

export type LoadStrategy = 'append' | 'merge' | 'replace' | 'delete-insert' | 'scd2';

/** What is compared after a load; counts when absent. */
export type LoadCheck = 'off' | 'counts' | 'checksums';

/** `statements`: INSERTs of some rows each; `bulk`: what the system has for many. */
export type LoadMethod = 'statements' | 'bulk';

/** How many days a slice of a dated stream has; day when absent. */
export type DatePart = 'day' | 'week' | 'month' | 'year';

/** What happens when the columns of the source are others than those of the table; see gate/contract.ts. */
export interface SchemaRules {
  policy: 'evolve' | 'freeze' | 'discard';
  /** Values of a type that does not fit go to a column beside, or stop the stream. */
  incompatible: 'side' | 'stop';
}

/** What becomes of rows whose key is gone from the source. */
export interface DeletesConfig {
  how: 'flag' | 'remove';
  /** More in one run are taken for a mistake; undefined: half of the rows of the table. */
  atMost?: { rows?: number | undefined; percent?: number | undefined } | undefined;
}

export interface PartitionBy {
  /** A column of the stream, or `_sluice_loaded_at` for the processing date. */
  column: string;
  by: 'hour' | 'day' | 'month' | 'year' | 'value';
}

/**
 * What rows have to be, and columns that are made of others: SQL expressions of DuckDB over the columns by their names in the
 * destination.
 */
export interface RowRules {
  /** Name → a condition; a row that does not meet it goes to quarantine. NULL is no reason, as with CHECK. */
  readonly checks: Readonly<Record<string, string>>;
  /** Column → its value. */
  readonly compute: Readonly<Record<string, string>>;
}

export interface StreamConfig {
  /** As written in the source: `public.orders`, or a free name when `sql` is given. */
  name: string;
  /** Name of the table in the destination. */
  table: string;
  load: LoadStrategy;
  /** A query to read instead of a table. */
  sql?: string | undefined;
  /** Files to read. */
  files?: FilesConfig | undefined;
  /** Cursor columns, or `['xmin']` for PostgreSQL's system column. Empty: the stream is read in full. */
  cursor: string[];
  /** Zone in which zone-less cursor columns are written. */
  cursorZone?: string | undefined;
  /** Key columns; undefined: those of the catalog. */
  key?: string[] | undefined;
  /** Re-read rows whose business date is this recent. */
  lookback?: { column: string; days: number } | undefined;
  /** Only rows newer than this on the first run, in seconds. */
  firstRunSeconds?: number | undefined;
  /** Read this far behind the watermark again, in seconds (clients with their own clocks, hidden transactions). */
  overlapSeconds?: number | undefined;
  /** What to do with rows whose cursor is NULL. */
  nullCursor: 'load' | 'skip';
  /** A stream loaded day by day by this date/timestamp column: delete-insert windows. */
  date?: { column: string; zone?: string | undefined; by?: DatePart | undefined } | undefined;
  partitionBy?: PartitionBy | undefined;
  columns?: { include?: string[] | undefined; exclude?: string[] | undefined } | undefined;
  /** Source column → destination column. */
  rename: Record<string, string>;
  /** Column → forced type: `text`, `binary`, or a logical type such as `decimal(20,4)`. */
  types: Record<string, string>;
  /** SQL condition put to the source, added with AND. */
  where?: string | undefined;
  /** Columns by whose ranges everything is read in parts; undefined: as lies near for the source. */
  sliceBy?: string[] | undefined;
  /** Most rows of one micro-batch when a backlog is walked in cursor order. */
  sliceRows?: number | undefined;
  verify?: LoadCheck | undefined;
  /** How rows go to destinations with two ways; undefined: by the size of each load. */
  loadMethod?: LoadMethod | undefined;
  /** Rows in databases tell by which load they came; undefined: those of records that were fetched. */
  loadColumns?: boolean | undefined;
  /** Absent: rows stay whose key is gone. */
  deletes?: DeletesConfig | undefined;
  /** Absent: evolve, side. */
  schema?: SchemaRules | undefined;
  /** What the stream says itself. */
  alerts?: AlertThresholds | undefined;
  /** How many records may not fit before the stream fails; undefined: see gate/threshold.ts. */
  maxBad?: MaxBad | undefined;
  /** How the stream is written, by destinations that write files. */
  export?: ExportConfig | undefined;
  /** Absent: rows are loaded as they come. */
  rules?: RowRules | undefined;
}

/** `percent` counts from a number of records on that says something. */
export interface MaxBad {
  rows?: number | undefined;
  percent?: number | undefined;
}

/** Whether rows have to be looked at on their way. */
export function hasRules({ rules }: Pick<StreamConfig, 'rules'>): boolean {
  return rules !== undefined;
}

/** Name in the destination of a column of the source, which may be called like something that every object has. */
export function renamed(stream: Pick<StreamConfig, 'rename'>, column: string): string {
  return Object.hasOwn(stream.rename, column) ? stream.rename[column]! : column;
}

/** What this run asks for beyond the configuration. */
export interface RunWindow {
  /** Inclusive, as the user wrote it: `2026-07-01` or a timestamp with zone. */
  from?: string | undefined;
  /** Exclusive. */
  to?: string | undefined;
  /** Nothing new: records in quarantine are read again, of one run or of all. */
  replay?: { run?: string | undefined } | undefined;
  /** Nothing is going to be loaded: a look at what there is is enough where finding all of it costs as much as reading it. */
  preview?: boolean | undefined;
  /** All of it is committed at once, whatever the stream says. */
  atOnce?: boolean | undefined;
  /** Told a few times a second, where records have to be fetched before they can be loaded. */
  onFetching?: ((fetching: Fetching) => void) | undefined;
}

/** How far the fetching of a stream is. */
export interface Fetching {
  /** Answers of an API; undefined: the records come in no pages. */
  pages: number | undefined;
  records: number;
  bytes: number;
  /** How many records there will be, where the source says so. */
  of: number | undefined;
  seconds: number;
  /** The last one of these, also of a fetch that has failed. */
  done: boolean;
}

/**
 * Which part of a stream a slice reads. Values are the source's own text with all digits, compared in the
 * source; `from` is inclusive, `to` exclusive, absent = unbounded.
 */
export type SliceRange =
  | { kind: 'all' }
  /** Physical pages of a table; with `since` only rows that this transaction or a later one has written. */
  | { kind: 'pages'; from: number; to?: number | undefined; since?: string | undefined }
  /**
   * By the values of some columns, compared one after the other, for example those of the key. Rows with a NULL among them
   * belong to the range without `from`. With `since` only rows that were changed since then, as the source tells it.
   */
  | {
      kind: 'key';
      columns: string[];
      from?: string[] | undefined;
      to?: string[] | undefined;
      since?: string | undefined;
    }
  /** By value of one column; `nulls` adds rows without a value. */
  | {
      kind: 'column';
      column: string;
      from?: string | undefined;
      to?: string | undefined;
      nulls?: boolean | undefined;
    }
  /** Whole files, or a part of one. With `again` the rows that the file has brought before are replaced. */
  | { kind: 'files'; files: FilePart[]; again?: boolean | undefined }
  /** Rows that meet a condition of the source's own making, see `Comparable.among`. */
  | { kind: 'condition'; sql: string }
  /** Records in quarantine: those of the named files, which this slice takes the place of. */
  | { kind: 'quarantine'; files: QuarantineFile[] }
  /** Rows without a value of the column. What becomes NULL by rule, such as a date 0000-00-00, is none, here and above. */
  | { kind: 'missing'; column: string }
  /**
   * By cursor (the greatest of several columns, NULLs ignored). `above` is exclusive and stands for "newer than
   * everything ever loaded". `nulls` adds rows without any cursor value, `since` rows of the lookback window.
   */
  | {
      kind: 'cursor';
      from?: string | undefined;
      to?: string | undefined;
      above?: string | undefined;
      nulls?: boolean | undefined;
      since?: { column: string; from: string } | undefined;
      /** Only rows not newer than this; with it the slice is the overlap. */
      upTo?: string | undefined;
      /** Only rows that this transaction or a later one has written: the source knows that the others are loaded. */
      writtenFrom?: string | undefined;
    };

export interface Slice {
  /** Derived from what the slice is, so that doing it twice is recognisable; safe in file names. */
  readonly id: string;
  readonly range: SliceRange;
  /** Rows of this slice may already be loaded and are compared with what is there. */
  readonly overlap: boolean;
  readonly estimatedRows?: number | undefined;
}

/** How far a stream is safely read; stored with the data it describes. */
export interface Checkpoint {
  /** Cursor columns that the values belong to; empty for streams that are read in full or by day. */
  cursor: string[];
  /** Which table of the source the values come from, where the source can tell it from another one of the same name. */
  relation?: string | undefined;
  /** Everything below this was final when it was read: the next run reads from here, inclusive. */
  watermark?: string | undefined;
  /** Greatest cursor value loaded; rows between watermark and this are compared before they are loaded again. */
  high?: string | undefined;
  /**
   * What the last load that was completed had before it, so that its rows need not be compared again; only the source
   * knows how to read it.
   */
  seen?: string | undefined;
  /** How far the source's own log was read, where it has one that tells what is new; only the source knows how to read it. */
  position?: string | undefined;
  /** Of what is loaded in rounds, while more is to come: the round that this is the checkpoint of. */
  round?: string | undefined;
  /** Database time of the snapshot that was read. */
  readAt?: string | undefined;
  /** A value that may become the watermark once every transaction that was open at `at` has ended. */
  pending?: { high: string; at: string } | undefined;
  /** A load in several parts that has not finished: its parts, and which are done. */
  unfinished?: { layout: string; slices: Slice[]; done: string[]; horizon: unknown } | undefined;
  /** The user wants everything again: the next load replaces the table in one step. */
  reload?: boolean | undefined;
  /** Newest day of a dated stream, `YYYY-MM-DD`. */
  day?: string | undefined;
  /** Of streams of files. */
  ledger?: FileLedger | undefined;
  /** Columns of the source that the user has accepted as they were then, for a load that would stop at them. */
  accepted?: SchemaJson | undefined;
  /** Records that did not fit and were neither loaded since nor dropped. */
  quarantine?: readonly QuarantineFile[] | undefined;
}
