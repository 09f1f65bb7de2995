import type { Batch } from './batch.ts';
import type { Comparable } from './compare.ts';
import type { DiagnoseRequest, Diagnosis } from './diagnose.ts';
import type { SluiceError } from './errors.ts';
import type { Aside, KeptRecords } from './quarantine.ts';
import type { Schema } from './schema.ts';
import type { TableStructure } from './structure.ts';
import type { ByteSink } from './byte-ring.ts';
import type { Checkpoint, RunWindow, Slice, SliceRange, StreamConfig } from './stream.ts';

/**
 * A system to read from. The engine opens one per run and closes it at the end, also after errors.
 * Every method throws SluiceErrors only: TransientError makes the engine try again, anything else ends the stream.
 */
export interface Source {
  /** Called by `check` and before a plan: is it reachable, may we read, what should the user know? */
  check(signal: AbortSignal): Promise<SourceFacts>;
  /** Called by `discover`, `init` and `plan`: what is there. Order is stable. */
  discover(signal: AbortSignal): Promise<StreamInfo[]>;
  /** Called once per run or plan, before `open`, with its streams: what several are made of can be fetched once. */
  expect?(streams: readonly StreamConfig[]): void;
  /**
   * Called once per run, and again after the connection that holds the snapshot was lost. `accepts` names the wire forms
   * that the destination takes as they are: {@link BytesReader.direct}.
   */
  open(signal: AbortSignal, accepts?: readonly string[]): Promise<Snapshot>;
  /** Called once; never throws. */
  close(): Promise<void>;
}

export interface SourceFacts {
  /** For people: `PostgreSQL 18.4, 127.0.0.1:5432/shop`. Never holds a password. */
  title: string;
  warnings: { code: string; message: string; remedy?: string | undefined }[];
}

/** One consistent view of the source; everything read through it is of one moment. */
export interface Snapshot {
  /** The database's clock when the snapshot was taken, ISO 8601 with µs and zone. */
  readonly at: string;
  /** Called once per stream before planning: facts only, nothing is decided or written here. */
  survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey>;
  /** Called once per slice and try. Several may run at once. */
  read(stream: StreamConfig, survey: Survey, slice: SliceToRead, signal: AbortSignal): Promise<SliceReader>;
  /**
   * The checkpoint after slices with these facts were loaded: how far the stream is now safely read. Pure. The engine
   * calls it before each commit, with `last` for the commit that completes the window, and never looks into the values.
   */
  advance(loaded: Loaded): Checkpoint;
  /** For `verify`: the rows of a surveyed stream. Absent where rows cannot be hashed in the source. */
  compare?(stream: StreamConfig, survey: Survey): Comparable;
  /** For `check`: rows of a surveyed stream that reading or the target would change or refuse. Absent where none can be counted. */
  diagnose?(
    stream: StreamConfig,
    survey: Survey,
    request: DiagnoseRequest,
    signal: AbortSignal,
  ): Promise<Diagnosis>;
  /** Whether the connection that holds the snapshot still does; without it nothing more can be read. */
  alive(): Promise<boolean>;
  close(): Promise<void>;
}

export interface SliceToRead extends Slice {
  /** Where records go that do not fit; sources whose catalog says what they hold have none. */
  readonly aside?: Aside | undefined;
  /** For a slice of records that are read again. */
  readonly kept?: KeptRecords | undefined;
}

export interface Loaded {
  stream: StreamConfig;
  survey: Survey;
  before: Checkpoint | undefined;
  loads: { slice: Slice; facts: DecodeFacts }[];
  /** Nothing of the planned window is left. */
  last: boolean;
}

/** What a plan needs to know of one stream at the moment of the snapshot. */
export interface Survey {
  schema: Schema;
  estimatedRows: number | undefined;
  estimatedBytes: number | undefined;
  /** Names the physical layout that page ranges refer to; a different value makes them meaningless. */
  layout: string;
  /** Ranges for reading everything in parallel or in parts; empty when only one read makes sense. */
  parts: SliceRange[];
  /**
   * For a checkpoint with an unfinished load: what has to be read beside the parts that are left, so that all of it is as
   * if read now. Undefined when the load cannot be taken up and has to begin again.
   */
  catchUp?: SliceRange[] | undefined;
  /** What the checkpoint says was loaded is all that there is. */
  unchanged?: boolean | undefined;
  cursor?: CursorFacts | undefined;
  /** Indexes, defaults and comments, for tables that have some. */
  structure?: TableStructure | undefined;
  /** Resolved bounds of a dated load, one range per day, ascending; `settled`: no open transaction can still write to it. */
  days?: { day: string; from: string; to: string; settled: boolean }[] | undefined;
  /**
   * The parts are what was found now, cut to be loaded as it is, and all that is to be loaded: files that are new, records that
   * were fetched. What comes later is found by a later survey.
   */
  arrived?: Arrival | undefined;
  /**
   * A slice has the same rows in the same order whenever it is read, without those that its `aside` says were refused. Nobody vouches
   * for them: the target may refuse some.
   */
  repeatable?: true | undefined;
  /** Of streams of files: those that were looked at, by path. */
  files?: ReadonlyMap<string, SurveyedFile> | undefined;
  /**
   * Columns of the key: rows that have the same in them come together, and take the place of all rows of the table that have it.
   * The `groups` of readers say which those are, for some may have no rows any more.
   */
  group?: readonly string[] | undefined;
  /** Rows were fetched, and no table of the source has them: in databases they tell by which load they came, unless the stream says otherwise. */
  fetched?: true | undefined;
  /** Records with values that are not of the types of the schema are put aside, and not loaded. */
  putsAside?: boolean | undefined;
  /**
   * Fields that only what was read before has; `as before`: there is nothing new to tell by. Absent where the schema has no others
   * than the source.
   */
  lacking?: readonly string[] | 'as before' | undefined;
  /** What the parts are, for people, where they are not all. */
  window?: string | undefined;
  /** What the user should know before anything is loaded. */
  notes?: SurveyNote[] | undefined;
  /** Why some of it cannot be read: the stream fails with it after the rest was loaded; a table that is replaced stays. */
  problem?: SluiceError | undefined;
  /** SQL that a slice over everything would run, or whatever says what is read, for `plan`. */
  sql: string;
}

export interface Arrival {
  /** What was loaded before may be among it, and is compared with the table where nothing else would tell. */
  again: boolean;
  /** Nobody knows which part of it was loaded when it is found once more: it counts when all of it is committed. */
  whole: boolean;
  /** There is more to be found once this is loaded. */
  more: boolean;
  /** No two of its rows have the same key: what one slice brings does not take the place of what another one has brought. */
  distinct?: boolean | undefined;
  /** Nor has one of them the key of a row that was loaded before it in this run. */
  apart?: boolean | undefined;
  /** There is nothing to load, and that is worth a commit: all is gone, or what is found later is found from another place on. */
  moved?: boolean | undefined;
}

export interface SurveyedFile {
  /** Also those that do not fit. */
  records: number;
  /** Columns that its name gives. */
  named: Readonly<Record<string, string | null>>;
}

export interface SurveyNote {
  code: string;
  message: string;
  remedy?: string | undefined;
}

export interface CursorFacts {
  /** Lower bound of this run in cursor text; undefined: from the beginning. */
  from: string | undefined;
  /** What could still be written behind the snapshot, for `advance`; plain data, opaque to the engine. */
  horizon: unknown;
  /** How the horizon was found and what holds it back, for `plan`. */
  note: string | undefined;
  /** Whether an index answers range queries on the cursor; without one, the window is read in one pass. */
  indexed: boolean;
  /** Whether any row lies above `high` of the checkpoint; undefined: not known without reading. */
  fresh: boolean | undefined;
  /** Whether rows between watermark and `high`, of the lookback window, or without a cursor value are to be compared. */
  overlap: boolean | undefined;
  /** Of the rows that may have been loaded, only those that this transaction or a later one has written are to be compared. */
  writtenFrom?: string | undefined;
  /** Between watermark and `high` are many rows that need not be compared: when the watermark rises, nobody looks at them again. */
  passed?: boolean | undefined;
  /** Boundaries of micro-batches in cursor order, ascending. */
  boundaries: string[];
  estimatedRows: number | undefined;
  /** Whether there are rows whose cursor columns are all NULL; undefined: not known. */
  nullRows: boolean | undefined;
  /** Start of the lookback window. */
  since?: { column: string; from: string } | undefined;
}

/** An open slice, in one of the forms a source can produce; the destination's writer takes the cheapest it accepts. */
export type SliceReader = BytesReader | BatchesReader;

interface GroupedReader {
  readonly schema: Schema;
  /** Where the survey has a `group`: values of its columns, also of those that have no rows. Read to its end, or not at all. */
  readonly groups?: SliceReader | undefined;
}

export interface BytesReader extends GroupedReader {
  readonly format: 'bytes';
  readonly decoder: DecoderSpec;
  /** Set when the slice is there in a form that the destination has said to take as it is: nobody has to decode bytes. */
  readonly direct?: DirectForm | undefined;
  /** Moves the wire's bytes into `sink` until the end; resolves after the last byte, rejects when the source fails. */
  pump(sink: ByteSink, onBytes: (bytes: number) => void): Promise<void>;
  close(): Promise<void>;
}

export interface BatchesReader extends GroupedReader {
  readonly format: 'batches';
  /** A batch is used up before the next one is asked for. */
  batches(): AsyncIterable<Batch>;
  /** Totals, when all batches were read. */
  facts(): DecodeFacts;
  close(): Promise<void>;
}

export type DirectForm = CopyForm | FilesForm;

/** CopyData messages of a binary COPY of PostgreSQL, whose columns have the native types of the schema. */
export interface CopyForm {
  readonly format: 'postgres-copy';
  /** Totals, when all bytes were read. */
  facts(): DecodeFacts;
}

/** Files on a disk that DuckDB reads to the same rows as the decoder, so that no bytes have to be pumped. */
export interface FilesForm {
  readonly format: 'plain-files';
  readonly scan: FilesScan;
  /** Totals, as they were found when the files were looked at: the destination has to get as many rows. */
  facts(): DecodeFacts;
  /** Called when all rows were read: whether the files are still those that were looked at. */
  unchanged(): Promise<boolean>;
  /** The error for a destination that did not get these rows: from then on the source gives nothing but bytes. */
  refused(): SluiceError;
}

/** Files of text in UTF-8 that are written alike. Plain data. */
export interface FilesScan {
  text: DelimitedText | ObjectsText;
  /** Bytes of the longest record. */
  longest: number;
  /** In the order of their rows. */
  files: readonly { path: string; rows: number; bytes: number }[];
  /** For each field of the schema the field of a record, or a text for each file that all of its rows have. */
  columns: readonly (number | readonly (string | null)[])[];
}

export interface DelimitedText {
  format: 'csv';
  delimiter: string;
  header: boolean;
  /** Of a record. */
  fields: number;
}

/** An object of JSON on each line. */
interface ObjectsText {
  format: 'json';
  /** Members, by number of the field. */
  names: readonly string[];
}

/** Where the consumer's thread finds the codec: `module` exports `name(ring, schema, options): Decoder`. */
export interface DecoderSpec {
  readonly module: string;
  readonly name: string;
  readonly options: unknown;
}

/** What a slice's rows told about themselves while they were decoded. */
export interface DecodeFacts {
  rows: number;
  bytes: number;
  /** Greatest cursor value, as source text. */
  high: string | undefined;
  /** Values changed by rule, by column. */
  coerced: Record<string, number>;
  /** Beside the rows, records that did not fit and went aside. */
  quarantined?: number | undefined;
  /** Beside the rows, records that were left out as a later one of the load takes their place. */
  superseded?: number | undefined;
  /** For the source that named the decoder; plain data that nobody else looks at. */
  own?: unknown;
}

/** One table, view or endpoint as the catalog describes it. */
export interface StreamInfo {
  /** `schema.table`, unquoted; parts with dots or capitals are quoted as in SQL. */
  name: string;
  kind:
    | 'table'
    | 'view'
    | 'materialized view'
    | 'partitioned table'
    | 'foreign table'
    | 'files'
    | 'endpoint'
    | 'array';
  /** Parent of a partition, of an inheriting table, or of what lies in arrays: no wildcard stands for these. */
  parent?: string | undefined;
  schema: Schema;
  estimatedRows: number | undefined;
  bytes: number | undefined;
  /** Columns that could serve as cursor, best first. */
  cursors: { column: string; type: string; indexed: boolean; reason: string }[];
  /** A stream configuration to start from. */
  proposal: {
    load: string;
    cursor?: string[] | undefined;
    partition_by?: { column: string; by: string } | undefined;
    files?: string | undefined;
  };
  notes: string[];
}
