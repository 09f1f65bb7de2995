/** DuckDB by itself: reads CSV files and writes a table or a Parquet file. `node duckdb-load.ts <pattern> <target>` */
import { DuckDBInstance } from '@duckdb/node-api';

const [pattern = '', target = ''] = process.argv.slice(2);
const parquet = target.endsWith('.parquet');
const instance = await DuckDBInstance.create(parquet ? ':memory:' : target);
const connection = await instance.connect();
const rows = `SELECT * FROM read_csv('${pattern}', filename = true)`;
await connection.run(
  parquet ? `COPY (${rows}) TO '${target}' (FORMAT parquet, COMPRESSION zstd)` : `CREATE TABLE t AS ${rows}`,
);
connection.closeSync();
instance.closeSync();
