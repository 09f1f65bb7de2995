/** The same rows as files of text and of Parquet: what becomes of them has to be the same. */
import type { FileLake } from './file-lake.ts';
import { makeParquet } from './make-parquet.ts';

/** By the types that columns have in Parquet; all of them may be NULL. */
type RowColumns = Readonly<Record<string, string>>;
export type FileRow = readonly (string | number | null)[];

export interface RowFormat {
  ending: 'csv' | 'parquet';
  /** `name` has no ending. */
  write(pair: FileLake, name: string, columns: RowColumns, rows: readonly FileRow[]): Promise<void>;
  /** On which line row `number` is, from 1; `high`: the lines of each row. */
  line(number: number, high?: number): number;
}

const csv: RowFormat = {
  ending: 'csv',
  write: async (pair, name, columns, rows) => {
    const field = (value: FileRow[number]): string =>
      typeof value === 'string' ? `"${value.replaceAll('"', '""')}"` : String(value ?? '');
    const lines = [Object.keys(columns), ...rows.map((row) => row.map(field))];
    pair.write(`${name}.csv`, lines.map((line) => `${line.join(',')}\n`).join(''));
  },
  line: (number, high = 1) => 2 + (number - 1) * high,
};

const parquet: RowFormat = {
  ending: 'parquet',
  write: async (pair, name, columns, rows) => {
    const types = Object.values(columns);
    const value = (each: FileRow[number], i: number): string =>
      `${each === null ? 'NULL' : `'${String(each).replaceAll("'", "''")}'`}::${types[i]}`;
    const values = rows.map((row) => `(${row.map(value).join(', ')})`).join(', ');
    const sql = `SELECT * FROM (VALUES ${values}) v(${Object.keys(columns).join(', ')})`;
    pair.write(`${name}.parquet`, await makeParquet(sql));
  },
  line: (number) => number,
};

export const ROW_FORMATS: readonly RowFormat[] = [csv, parquet];
