import type { DuckDBConnection } from '@duckdb/node-api';
import { withFiles } from '../connectors/shared/local-files.ts';
import { pathSql } from '../connectors/lake/records-sql.ts';
import type { ObjectStorage } from '../core/storage.ts';

export interface Footer {
  rows: number;
  /** Column → DuckDB type, in the order of the file; only of columns that are no groups. */
  columns: Map<string, string>;
}

/** What the ends of Parquet files say; for a file that cannot be read, why. Data pages are not read. */
export async function readFooters(
  connection: DuckDBConnection,
  storage: ObjectStorage,
  keys: readonly string[],
): Promise<Map<string, Footer | Error>> {
  const found = new Map<string, Footer | Error>();
  const keyOf = new Map(keys.map((key) => [storage.localPath(key), key]));
  const query = (some: readonly string[]): Promise<(Footer & { path: string })[]> =>
    withFiles({ storage, files: some.map((key) => ({ key })) }, () =>
      queryFooters(
        connection,
        some.map((key) => pathSql(storage, key)),
      ),
    );
  const read = async (some: readonly string[]): Promise<void> => {
    try {
      for (const footer of await query(some)) {
        const key = keyOf.get(footer.path);
        if (key !== undefined) found.set(key, footer);
      }
      for (const key of some)
        if (!found.has(key)) found.set(key, new Error('DuckDB names the file differently'));
    } catch (error) {
      // DuckDB gives up on the whole list; halving it finds the files at fault.
      if (some.length === 1) found.set(some[0]!, error instanceof Error ? error : new Error(String(error)));
      else
        for (const half of [some.slice(0, some.length >> 1), some.slice(some.length >> 1)]) await read(half);
    }
  };
  for (let i = 0; i < keys.length; i += FILES_AT_ONCE) await read(keys.slice(i, i + FILES_AT_ONCE));
  return found;
}

const FILES_AT_ONCE = 256;

async function queryFooters(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<(Footer & { path: string })[]> {
  const list = `[${paths.join(', ')}]`;
  const counts = await connection.runAndReadAll(
    `SELECT file_name, num_rows::DOUBLE FROM parquet_file_metadata(${list})`,
  );
  const schemas = await connection.runAndReadAll(
    // The API drops a byte order mark that begins a text, so that none may begin one.
    `SELECT file_name, '=' || name, duckdb_type FROM parquet_schema(${list}) WHERE num_children IS NULL`,
  );
  const columns = new Map<string, Map<string, string>>();
  for (const [path, name, type] of schemas.getRowsJson() as [string, string, string | null][]) {
    const own = columns.get(path) ?? new Map<string, string>();
    columns.set(path, own.set(name.slice(1), type ?? 'unknown'));
  }
  const rows = counts.getRowsJson() as [string, number][];
  return rows.map(([path, count]) => ({
    path,
    rows: count,
    columns: columns.get(path) ?? new Map<string, string>(),
  }));
}
