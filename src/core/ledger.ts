/** Which files a stream has loaded. It is part of the checkpoint, so it is where the rows are and changes together with them. */
import type { SchemaJson } from './schema.ts';

/** Column for the file that a row is from, unless it is given another name. */
export const FILE_COLUMN = '_sluice_file';

/** How a stream of files is read, after defaults are filled in. */
export interface FilesConfig {
  /** Below the folder or prefix of the connection, with `*`, `**`, `?`, `[…]` and `{…,…}`. */
  path: string;
  /** Regular expression over the path; its named groups become columns. Undefined: a date in each name, if there is one. */
  name?: string | undefined;
  /** Undefined: by the ending of the names. */
  format?: FileFormat | undefined;
  compression?: FileCompression | undefined;
  /** As the Encoding Standard names it; undefined: found out from the bytes. */
  encoding?: string | undefined;
  /** Whether the first record has the names of the columns; undefined: as it looks. */
  header?: boolean | undefined;
  delimiter?: string | undefined;
  /** False: quotes are characters like others. */
  quote?: string | false | undefined;
  escape?: string | undefined;
  /** Texts without quotes that stand for NULL; undefined: nothing at all does. */
  nulls?: string[] | undefined;
  /** How numbers of pinned columns are written; undefined: with a point, and nothing between their digits. */
  decimal?: ',' | '.' | undefined;
  thousands?: string | undefined;
  /** How dates of pinned columns are written, such as `DD.MM.YYYY`; undefined: as in ISO 8601. */
  date?: string | undefined;
  /** How many levels of objects within objects become columns of their own; undefined: none, they stay JSON. */
  flatten?: number | undefined;
  /** Lines before the header that are no records. */
  skip?: number | undefined;
  /** Column with the path of the file that a row is from; false: none. */
  fileColumn: string | false;
  /** What happens to a file that has changed since it was loaded. */
  changed: 'report' | 'reload';
}

export type FileFormat = 'csv' | 'json' | 'parquet';
export type FileCompression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'zip';

export interface FileLedger {
  /** What the files hold, before columns are renamed. */
  contract: SchemaJson;
  /** By path below the connection's folder or prefix. */
  files: Record<string, FileMark>;
}

/** A file as it was when it was loaded. */
export interface FileMark {
  size: number;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
  etag?: string | undefined;
  /** CRC-32 of the bytes, in hexadecimal. */
  crc32?: string | undefined;
  rows: number;
  /** Of the rows, those that went to quarantine. */
  bad: number;
  /** The user wants it again: the next run replaces its rows. */
  again?: boolean | undefined;
  /** Ranges that are not loaded yet, of files that are loaded in parts. */
  left?: FileRange[] | undefined;
}

/** Bytes `[from, to)` of a file, and the line on which they begin; of a file of Parquet, rows. */
export interface FileRange {
  from: number;
  to: number;
  line: number;
}

/** A file, or a part of one, that a slice reads. */
export interface FilePart {
  path: string;
  size: number;
  modifiedAt: number;
  etag?: string | undefined;
  crc32?: string | undefined;
  range?: FileRange | undefined;
}
