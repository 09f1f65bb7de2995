/** The tables that faults of the source are tried on: one for each way of loading. */
import type { Arena } from '../attack.ts';
import type { SqlPair, Pair, Streams } from '../pair.ts';
import type { OpenOptions } from '../pairs.ts';
import type { SourceSql } from '../source-sql.ts';

export const TABLES: readonly string[] = ['appended', 'merged', 'replaced'];

export const STREAMS: Streams = {
  appended: { load: 'append', cursor: 'updated_at' },
  merged: { load: 'merge', cursor: 'updated_at' },
  replaced: { load: 'replace' },
};

/** A text that is wide, and of its own for each number. */
function noteOf(n: string): string {
  return `repeat(md5(CAST(${n} AS char(10))), 8)`;
}

/** Makes the tables with some rows each, wide enough that a first load takes several megabytes of wire. */
export function tablesSql(rows: number, names: readonly string[] = TABLES): (sql: SourceSql) => string {
  return ({ stamp, numbers, analyze }) =>
    names
      .map(
        (name) => `
      CREATE TABLE ${name} (id int PRIMARY KEY, note text, n int NOT NULL, updated_at ${stamp});
      CREATE INDEX ${name}_updated_at ON ${name} (updated_at);
      INSERT INTO ${name} (id, note, n) SELECT g, ${noteOf('g')}, g FROM ${numbers(rows)};
      ${analyze(name)}`,
      )
      .join(';');
}

/** New rows everywhere, and changed ones where they can be followed. */
export async function write(pair: SqlPair, rows: number): Promise<void> {
  const names = Object.keys(pair.streams);
  const { now, numbers } = pair.from.sql;
  for (const name of rows > 0 ? names : [])
    await pair.from.query(
      // By place: attacks rename columns.
      `INSERT INTO ${name} SELECT most + g, ${noteOf('most + g')}, most + g, ${now} FROM (SELECT max(id) AS most FROM ${name}) m, ${numbers(rows)}`,
    );
  for (const name of names.filter((each) => each !== 'appended'))
    await pair.from.query(`UPDATE ${name} SET n = n + 1, updated_at = ${now} WHERE id % 7 = 0`);
}

/** A database with the tables, not yet loaded, whose first loads go in several parts; one table when time is short. */
export async function openTables(arena: Arena, rows: number, options: OpenOptions = {}): Promise<Pair> {
  const streams = arena.brief ? { merged: STREAMS['merged']! } : STREAMS;
  const pair = await arena.open(structuredClone(streams), tablesSql(rows, Object.keys(streams)), options);
  pair.from.connection = { ...pair.from.connection, slice_size: '256 KiB' };
  return pair;
}
