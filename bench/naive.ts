/**
 * A program of its own: `node naive.ts <url> <table> <rows> <file>` is the route that one writes first. A cursor gives rows
 * as objects, a Parquet writer in JavaScript takes them. Numerics become doubles and times lose their microseconds here,
 * as they do in most such programs.
 */
import { fileWriter, parquetWriteRows } from 'hyparquet-writer';
import pg from 'pg';

const FETCH_ROWS = 10_000;
const ROW_GROUP_ROWS = 100_000;
const [INT8, NUMERIC] = [20, 1700];

const [, , url, table = '', limit = '', file = ''] = process.argv;

// Otherwise both arrive as text.
pg.types.setTypeParser(INT8, BigInt);
pg.types.setTypeParser(NUMERIC, Number);

const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('BEGIN READ ONLY');
await client.query(`DECLARE reading NO SCROLL CURSOR FOR SELECT * FROM ${table} LIMIT ${Number(limit)}`);

async function* rows(): AsyncGenerator<Record<string, unknown>> {
  for (;;) {
    const page = await client.query<Record<string, unknown>>(`FETCH ${FETCH_ROWS} FROM reading`);
    yield* page.rows;
    if (page.rows.length < FETCH_ROWS) return;
  }
}

const { fields } = await client.query(`SELECT * FROM ${table} LIMIT 0`);
await parquetWriteRows({
  writer: fileWriter(file),
  columns: fields.map(({ name }) => ({ name })),
  rows: rows(),
  rowGroupSize: ROW_GROUP_ROWS,
});
await client.end();
