/** What a dump holds and where: plain data that the thread which reads it hands over. */
import type { FileRange } from '../../core/ledger.ts';
import type { SyntaxName } from '../shared/text/sql-syntax.ts';
import type { CatalogTable } from './catalog.ts';

/** Rows of one table that lie next to each other, or a part of them. Bytes are those of the unpacked text. */
export interface DumpRange extends FileRange {
  /** COPY … FROM stdin, or INSERT statements that begin like this. */
  kind: 'copy' | 'insert';
  head: string;
  /** It begins between two tuples of a statement. */
  inside: boolean;
  /** Names of the fields; undefined: those of the table. */
  columns: string[] | undefined;
  fields: number;
  rows: number;
}

export interface DumpTable extends CatalogTable {
  ranges: DumpRange[];
  rows: number;
  bytes: number;
}

export interface DumpIndex {
  syntax: SyntaxName;
  tables: DumpTable[];
  domains: Readonly<Record<string, string>>;
  encoding: string | undefined;
  zone: string | undefined;
  /** Statements that are not understood. */
  unknown: { count: number; line: number; words: string };
  /** Where and in what the dump ends although it should not; undefined: it is whole. */
  cut: { line: number; what: string } | undefined;
  /** Its first comment that names who wrote it. */
  writer: string | undefined;
}
