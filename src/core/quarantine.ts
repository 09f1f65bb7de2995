/** Records that did not fit and wait for somebody to look at them. */
import type { ColumnLimits } from './diagnose.ts';

/** Where a reader puts them while a slice is read. */
export interface Aside {
  /** A local file, which does not exist yet: {@link BadForm} and {@link BadLine}, one per line, as JSON. */
  file: string;
  /** What the columns of the target refuse, for those that are listed; it goes aside as well. */
  limits: readonly ColumnLimits[];
  /** Rows that the target has refused, in their order. */
  refused: readonly RefusedRow[];
}

/** A row that the target does not take. */
export interface RefusedRow {
  /** Among those that fit the schema, from 1. */
  row: number;
  /** `row.superseded`: a slice that was tried before this one has its key. */
  code: 'row.refused' | 'row.duplicate' | 'row.superseded';
  /** For people, without values. */
  reason: string;
}

/** A record that did not fit. */
export interface BadRecord {
  /** File, endpoint or table that it is from. */
  document: string;
  /** From 1. */
  line: number;
  column: string | undefined;
  code: string;
  /** For people. */
  reason: string;
  /** The text of the record; `base64` when that is no UTF-8. */
  raw: string;
  base64?: true;
}

/** A line that says how records are read again; it comes before the first of them. */
export interface BadForm {
  /** What such records have as `as`. */
  as: number;
  /** Only the source that has written it knows what it means. */
  form: string;
}

/** A line with a record. */
export type BadLine = BadRecord & Pick<BadForm, 'as'>;

/** Records that are read again. */
export interface KeptRecords {
  readonly documents: readonly KeptDocument[];
  /** The text of each record, document by document, in the order of their lines. */
  raw(): AsyncIterable<Uint8Array>;
}

export interface KeptDocument {
  readonly document: string;
  readonly form: string;
  /** On which each of its records began. */
  readonly lines: Float64Array;
}

/** Records of one load, kept as one Parquet file. A checkpoint names those of its table, and nothing else counts. */
export interface QuarantineFile {
  /** Its key in the storage of all of them. */
  file: string;
  rows: number;
  run: string;
  /** ISO 8601. */
  at: string;
}
