/** A program of its own: `node lake-csv.ts <folder> <columns>` writes the rows of all Parquet files below a folder as CSV. */
import { DuckDBInstance } from '@duckdb/node-api';

const [, , folder = '', columns = ''] = process.argv;
const connection = await (await DuckDBInstance.create(':memory:')).connect();
await connection.run(`SET TimeZone = 'UTC'`);
await connection.run(
  `COPY (SELECT ${columns} FROM read_parquet('${folder}/**/*.parquet', hive_partitioning = false)) TO '/dev/stdout' (FORMAT csv, HEADER false)`,
);
