/** What a path says about the files that are made: folder, names, format and packing. Pure. */
import { join } from 'node:path';
import { ConfigError } from '../../core/errors.ts';
import { exportPathMistake, fillPath, placeholdersOf } from '../../core/export.ts';
import { addDays } from '../../core/units.ts';

export type FileFormat = 'csv' | 'json' | 'jsonl' | 'parquet';
export type FilePacking = 'none' | 'gzip' | 'zstd';

export interface FileForm {
  readonly folder: string;
  /** Below the folder, with placeholders. */
  readonly pattern: string;
  readonly format: FileFormat;
  readonly packing: FilePacking;
}

const FORMATS: Readonly<Record<string, FileFormat>> = {
  csv: 'csv',
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
};
const PACKED: Readonly<Record<string, FilePacking>> = { gz: 'gzip', zst: 'zstd' };
const DEFAULT_PATTERN = '{table}_{date}.csv';

/** `./landing/{table}_{date}.csv.gz`, or a folder, for CSV named by table and day. */
export function readFileForm(path: string): FileForm {
  const found = /\.([a-z]+)(?:\.(gz|zst))?$/i.exec(path);
  const format = FORMATS[found?.[1]?.toLowerCase() ?? ''];
  if (!format) {
    if (found && /[{}]|\.(gz|zst)$/.test(path))
      throw wrong(
        path,
        'its ending names no format',
        'end it in .csv, .json, .jsonl or .parquet, and in .gz or .zst to have text packed',
      );
    return { folder: path, pattern: DEFAULT_PATTERN, format: 'csv', packing: 'none' };
  }
  const packing = PACKED[found?.[2]?.toLowerCase() ?? ''] ?? 'none';
  if (format === 'parquet' && packing !== 'none')
    throw wrong(path, 'Parquet is packed inside', 'leave out the last ending');
  const plain = path.slice(0, path.search(/\{|$/));
  const at = plain.lastIndexOf('/');
  const pattern = path.slice(at + 1);
  const mistake = exportPathMistake(pattern);
  if (mistake !== undefined) throw wrong(path, mistake, 'correct the name');
  return { folder: at < 0 ? '.' : at === 0 ? '/' : path.slice(0, at), pattern, format, packing };
}

/** One file for each of several tables or days needs a name for each. */
export function assertNames({ pattern }: FileForm, tables: number, days: number): void {
  const known = placeholdersOf(pattern);
  if (tables > 1 && !known.has('table'))
    throw wrong(
      pattern,
      `${tables} tables would have the same file`,
      'put {table} into the name, or choose one with --table',
    );
  if (days > 1 && !known.has('date') && !known.has('day'))
    throw wrong(pattern, `${days} days would have the same file`, 'put {date} into the name');
}

/** The path of the file of a table on a day, counted from the first. */
export function filePath(
  { folder, pattern }: FileForm,
  table: string,
  { from, day }: { from: string; day: number },
): string {
  const [year, month, date] = addDays(from, day).split('-') as [string, string, string];
  const values = { table, date: `${year}${month}${date}`, time: '000000', year, month, day: date };
  return join(folder, fillPath(pattern, values));
}

function wrong(path: string, found: string, remedy: string): ConfigError {
  return new ConfigError(`making files "${path}": ${found}`, { code: 'generate.path', remedy });
}
