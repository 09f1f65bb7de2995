import { CopyScanner } from './copy-scanner.ts';
import { type CsvDialect, CsvScanner } from './csv-scanner.ts';
import { COPY_ESCAPES, type Escapes, escapedBy } from './escapes.ts';
import { type InsertForm, InsertScanner } from './insert-scanner.ts';
import { type JsonDialect, JsonScanner } from './json-scanner.ts';
import type { Records, RecordScanner, ScanLimits } from './records.ts';
import { SQL_SYNTAX } from './sql-syntax.ts';

/** How a document is taken apart; plain data. */
export type Dialect =
  | CsvDialect
  | JsonDialect
  /** Lines of COPY … FROM stdin, without what ends them. */
  | { format: 'copy' }
  | ({ format: 'insert' } & InsertForm);

export function openScanner(dialect: Dialect, records: Records, limits: ScanLimits): RecordScanner {
  switch (dialect.format) {
    case 'csv':
      return new CsvScanner(dialect, records, limits);
    case 'json':
      return new JsonScanner(dialect, records, limits);
    case 'copy':
      return new CopyScanner(records, limits);
    case 'insert':
      return new InsertScanner(dialect, records, limits);
  }
}

/** Of JSON there are none here: its strings have a flag of their own. */
export function escapesOf(dialect: Dialect): Escapes {
  switch (dialect.format) {
    case 'csv':
      return escapedBy(dialect.escape ?? dialect.quote);
    case 'json':
      return escapedBy(undefined);
    case 'copy':
      return COPY_ESCAPES;
    case 'insert':
      return SQL_SYNTAX[dialect.syntax].escapes;
  }
}
