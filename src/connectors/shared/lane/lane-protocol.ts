/** Messages between a lane (main thread) and its worker (DuckDB). Plain data only. */
import type { RingMemory } from '../../../core/byte-ring.ts';
import type { SchemaJson } from '../../../core/schema.ts';
import type { DecodeFacts, DecoderSpec } from '../../../core/source.ts';
import type { SessionOptions } from '../../../duckdb/session.ts';
import type { ThreadReply } from '../task-thread.ts';

export type WorkerOptions = SessionOptions;

/**
 * What tells which incoming rows are not committed yet. `signed` is for floats with -0 among them, which DuckDB takes for equal
 * to 0, and its operators may give back as 0: there they are text from where they are read.
 */
export interface Minus {
  /** Of a row; rows that are compared with each other have the same. */
  hash: string;
  /** Committed rows that incoming ones may repeat. */
  committed: string;
  /** The new ones among the rows of `sluice_incoming`, given those of `sluice_committed`. */
  plain: string;
  signed: string;
}

/** Text in place of Parquet: one file, with rows or without. */
export interface TextFormat {
  /** Of DuckDB's CSV writer, which also writes lines that are made elsewhere. */
  options: string;
  header: boolean;
  /** What DuckDB packs itself is among the options. */
  gzip: boolean;
  /** What ends a record, by which they are counted when they are written; undefined: DuckDB packs them, or bytes do not tell. */
  records: 'line' | 'line outside of quotes' | undefined;
}

/** How files are written. */
export interface FileOptions {
  /** Folder that receives the files, made by the worker, emptied first. */
  directory: string;
  compression: string;
  /** Undefined: Parquet. */
  text?: TextFormat | undefined;
  /** A file of Parquet without rows is one. */
  empty?: boolean | undefined;
  /** Rows of a row group; undefined: as many as fit `rowGroupBytes`. */
  rowGroupRows: number | undefined;
  /** A file is closed once it is this large. */
  fileBytes: number;
  /** Partition levels that come from columns; values are SQL text expressions over the written columns. */
  partitions: { name: string; sql: string }[];
}

/** Reads a ring to its end and writes what it decodes. */
export interface StageTask {
  kind: 'stage';
  id: number;
  ring: RingMemory;
  /** For errors about its rows. */
  stream: string;
  schema: SchemaJson;
  decoder: DecoderSpec;
  /** Expressions of the data columns over the source's (`c0`, `c1`, …), named as in the table. */
  data: string;
  /** Expressions of the columns that the destination adds. */
  meta: string | undefined;
  /** Rows to drop, compared as a multiset. */
  minus: Minus | undefined;
  files: FileOptions;
}

/** Writes rows that DuckDB reads by itself, without a decoder: several queries at a time, each into a folder of its own. */
export interface ReadTask {
  kind: 'read';
  id: number;
  queries: readonly string[];
  /** Memory that one row is expected to take. */
  rowBytes: number;
  files: FileOptions;
}

/** Ends what is being read. */
interface InterruptTask {
  kind: 'interrupt';
  id: number;
}

/** Runs a query over files and writes its result. */
export interface CopyTask {
  kind: 'copy';
  id: number;
  query: string;
  files: FileOptions;
}

/** Columns with the number of a row's file, and the row's place in it, from 0 on. */
export const FILE_NUMBER = '_sluice_file_number';
export const ROW_NUMBER = '_sluice_row';

/** Finds rows of the table that have the keys of new ones. */
export interface MatchTask {
  kind: 'match';
  id: number;
  /** The keys of the new rows, and how many rows that are. */
  keys: string;
  rows: number;
  /** Columns of the keys: of new rows that agree in them only the one with the least {@link ROW_NUMBER} counts. */
  first?: string;
  /** Keys of the table's rows, with where these are; undefined: it has none. */
  table: string | undefined;
  /** Of a key; the same for keys that are equal. */
  hash: string;
  /** That a row `old` of the table has the key `new`. */
  met: string;
  /** For what is found. */
  files: FileOptions;
}

/** Runs a query with a small result. */
interface QueryTask {
  kind: 'query';
  id: number;
  sql: string;
}

export type Task = StageTask | ReadTask | InterruptTask | CopyTask | MatchTask | QueryTask;

export interface StagedFile {
  path: string;
  /** Of text that DuckDB does not pack, as its bytes say. */
  rows: number;
  bytes: number;
  /** Of Parquet files. */
  crc32: string;
  /** Values of the partition levels, in order. */
  partition: (string | null)[];
  /** Least and greatest value of each column, as DuckDB prints them. */
  stats: Record<string, { min: string | undefined; max: string | undefined }>;
}

/** What a {@link MatchTask} has found. */
export interface Matched {
  /** Different keys of the new rows. */
  distinct: number;
  /** Files with the places of rows that have one of them. */
  places: string[];
}

export type Done =
  | ({ kind: 'matched'; id: number } & Matched)
  | { kind: 'staged'; id: number; facts: DecodeFacts; files: StagedFile[] }
  | { kind: 'rows'; id: number; rows: Record<string, unknown>[] };

export type Reply = ThreadReply | Done;
