/** Parquet files of the rows of a query, as DuckDB writes them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

export async function makeParquet(sql: string, options: string = ''): Promise<Buffer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-parquet-'));
  const duck = await DuckDBInstance.create();
  const connection = await duck.connect();
  try {
    const file = path.join(folder, 'made.parquet');
    await connection.run(`SET TimeZone = 'UTC'`);
    await connection.run(`COPY (${sql}) TO '${file}' (FORMAT parquet${options})`);
    return readFileSync(file);
  } finally {
    connection.closeSync();
    duck.closeSync();
    rmSync(folder, { recursive: true });
  }
}
