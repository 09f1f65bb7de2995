/**
 * A program of its own: `node insert-records.ts <api> <database> <rows per statement> <records>` fetches pages and inserts their
 * records as programs do that are written in an afternoon: a statement for each, or for some hundred, each committed by itself.
 */
import pg from 'pg';
import { COLUMNS, HEADER } from './tenant-files.ts';

const [, , api = '', database = '', perStatement = '1', wanted = ''] = process.argv;
const names = HEADER.split(',');
const size = Number(perStatement);
const most = Number(wanted);

function insert(rows: number): string {
  const tuple = (r: number): string => `(${names.map((_, c) => `$${r * names.length + c + 1}`).join(', ')})`;
  return `INSERT INTO ladder (${names.join(', ')}) VALUES ${Array.from({ length: rows }, (_, r) => tuple(r)).join(', ')}`;
}

const client = new pg.Client({ connectionString: database });
await client.connect();
await client.query(`DROP TABLE IF EXISTS ladder; CREATE TABLE ladder (${COLUMNS}, PRIMARY KEY (id))`);
let done = 0;
for (let page = 1; done < most; page++) {
  const response = await fetch(`${api}&page=${page}`);
  const { data } = (await response.json()) as { data: Record<string, unknown>[] };
  if (data.length === 0) break;
  for (let at = 0; at < data.length && done < most; at += size) {
    const some = data.slice(at, Math.min(at + size, at + most - done));
    const values = some.flatMap((record) => names.map((name) => record[name] ?? null));
    await client.query({ name: `insert-${some.length}`, text: insert(some.length), values });
    done += some.length;
  }
}
await client.end();
console.log(done);
