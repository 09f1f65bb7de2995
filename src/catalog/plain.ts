/** Folders of Parquet files that others wrote: no log says what is in them, so the files do. */
import { pathSql } from '../connectors/lake/records-sql.ts';
import { NULL_PARTITION } from '../connectors/lake/layout.ts';
import type { ObjectStorage, StoredObject } from '../core/storage.ts';
import { duckName, duckText } from '../duckdb/types.ts';

export interface PlainTable {
  name: string;
  files: PlainFile[];
}

export interface PlainFile extends StoredObject {
  /** From the folder names. */
  partition: Record<string, string | null>;
}

const LEVEL = /^([^=]+)=(.*)$/;
/** Folders such as `2026/01` divide a table, they do not name one. */
const NUMBERS = /^[\d_-]+$/;

/**
 * Tables by folder: the path down to the first partition is the name, with dots. A file at the top is a table of its
 * own, called like the file. What begins with `_` or `.` is private to its writer and left out, as all engines do.
 */
export function findPlainTables(objects: readonly StoredObject[], rootName: string): PlainTable[] {
  const tables = new Map<string, PlainTable>();
  for (const object of objects) {
    const parts = object.key.split('/');
    if (!/\.parquet$/i.test(object.key) || parts.some((part) => /^[._]/.test(part))) continue;
    const folders = parts.slice(0, -1);
    const end = folders.findIndex((part) => LEVEL.test(part) || NUMBERS.test(part));
    const named = end < 0 ? folders : folders.slice(0, end);
    const own = folders.length === 0 ? parts[0]!.replace(/\.parquet$/i, '') : rootName;
    const name = named.length > 0 ? named.join('.') : own;
    const table = tables.get(name) ?? { name, files: [] };
    table.files.push({ ...object, partition: partitionIn(folders) });
    tables.set(name, table);
  }
  return [...tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function partitionIn(folders: readonly string[]): Record<string, string | null> {
  const levels = folders.map((part) => LEVEL.exec(part)).filter((match) => match !== null);
  return Object.fromEntries(
    levels.map(([, level, value]) => [decode(level!), value === NULL_PARTITION ? null : decode(value!)]),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `columns`: those of the files, in lower case. A partition that is also a real column does not hide it. */
export function plainViewSql(
  storage: ObjectStorage,
  table: PlainTable,
  columns: ReadonlySet<string>,
): string {
  const levels = Object.keys(table.files[0]!.partition);
  const free = levels.filter((level) => !columns.has(level.toLowerCase()));
  const list = `[${table.files.map((file) => pathSql(storage, file.key)).join(', ')}]`;
  const scan = (options: string): string => `read_parquet(${list}, union_by_name = true, ${options})`;
  if (free.length === levels.length)
    return `SELECT * FROM ${scan(`hive_partitioning = ${levels.length > 0}`)}`;
  if (free.length === 0) return `SELECT * FROM ${scan('hive_partitioning = false')}`;
  // DuckDB takes all folder columns or none.
  const added = free.map((level) => {
    const text = `regexp_extract(_sluice_path, ${duckText(`/${level.replaceAll(/[^A-Za-z0-9_]/g, '.')}=([^/]*)/`)}, 1)`;
    return `url_decode(nullif(${text}, ${duckText(NULL_PARTITION)})) AS ${duckName(level)}`;
  });
  return `SELECT * EXCLUDE (_sluice_path), ${added.join(', ')} FROM ${scan(`hive_partitioning = false, filename = '_sluice_path'`)}`;
}
