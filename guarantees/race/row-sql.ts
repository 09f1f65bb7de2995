/** The writers' INSERT and UPDATE; what differs between systems is how a few values are written. */
import { SHARED_ROWS } from './script.ts';
import type { RaceTable } from './tables.ts';
import type { Values } from './transaction.ts';

export interface RowDialect {
  /** A version of a row that no other row has. */
  version: string;
  cursor(table: RaceTable, values: Values): string;
  day(values: Values): string;
}

const SETTLED: Values = { stamp: 'now', empty: false, still: false, daysAgo: 0, skew: 0 };

/** Rows that several writers change. */
export function sharedRows(dialect: RowDialect, table: RaceTable): string[] {
  return Array.from({ length: table.insertOnly ? 0 : SHARED_ROWS }, (_, row) =>
    insertSql(dialect, table, { row: row + 1, values: SETTLED }),
  );
}

export function insertSql(
  dialect: RowDialect,
  table: RaceTable,
  { row, values }: { row: number; values: Values },
): string {
  const at = dialect.cursor(table, values);
  const into = (columns: string, expressions: string): string =>
    `INSERT INTO ${table.name} (id${columns}) VALUES (${row}${expressions})`;
  switch (table.cursor) {
    case 'number':
      return into('', '');
    case 'business':
      // A late date with a cursor of long ago is found by the date alone.
      return into(', day, at', `, ${dialect.day(values)}, ${values.still ? `'2020-01-01'` : at}`);
    case 'greatest':
      return into(', made, at', `, ${at}, ${values.empty ? 'NULL' : at}`);
    default:
      return into(', at', `, ${at}`);
  }
}

export function updateSql(
  dialect: RowDialect,
  table: RaceTable,
  { row, values }: { row: number; values: Values },
): string {
  const at = dialect.cursor(table, values);
  const set = (more: string): string =>
    `UPDATE ${table.name} SET ver = ${dialect.version}${more} WHERE id = ${row}`;
  switch (table.cursor) {
    case 'business':
      return set(`, day = ${dialect.day(values)}${values.still ? '' : `, at = ${at}`}`);
    case 'greatest':
      return set(`, at = ${at}${values.empty ? ', made = NULL' : ''}`);
    default:
      return set(`, at = ${at}`);
  }
}
