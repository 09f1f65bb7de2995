/** The tables that faults of the source are tried on: one for each way of loading. */
import type { Arena } from '../attack.ts';
import type { AnyPair, Pair, Streams } from '../pair.ts';
import type { OpenOptions } from '../pairs.ts';

export const TABLES: readonly string[] = ['appended', 'merged', 'replaced'];

export const STREAMS: Streams = {
  appended: { load: 'append', cursor: 'updated_at' },
  merged: { load: 'merge', cursor: 'updated_at' },
  replaced: { load: 'replace' },
};

/** Makes the tables with some rows each, wide enough that a first load takes several megabytes of wire. */
export function tablesSql(rows: number, names: readonly string[] = TABLES): string {
  return names
    .map(
      (name) => `
      CREATE TABLE ${name} (id int PRIMARY KEY, note text, n int NOT NULL, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
      CREATE INDEX ON ${name} (updated_at);
      INSERT INTO ${name} SELECT i, repeat(md5(i::text), 8), i FROM generate_series(1, ${rows}) i;
      ANALYZE ${name};`,
    )
    .join('\n');
}

/** New rows everywhere, and changed ones where they can be followed. */
export async function write(pair: AnyPair, rows: number): Promise<void> {
  const names = Object.keys(pair.streams);
  for (const name of names)
    await pair.from.query(
      `INSERT INTO ${name} SELECT i, repeat(md5(i::text), 8), i FROM (SELECT max(id) AS most FROM ${name}) m, generate_series(most + 1, most + ${rows}) i`,
    );
  for (const name of names.filter((each) => each !== 'appended'))
    await pair.from.query(`UPDATE ${name} SET n = n + 1, updated_at = clock_timestamp() WHERE id % 7 = 0`);
}

/** A database with the tables, not yet loaded, whose first loads go in several parts; one table when time is short. */
export async function openTables(arena: Arena, rows: number, options: OpenOptions = {}): Promise<Pair> {
  const streams = arena.brief ? { merged: STREAMS['merged']! } : STREAMS;
  const pair = await arena.open(structuredClone(streams), tablesSql(rows, Object.keys(streams)), options);
  pair.from.connection = { ...pair.from.connection, slice_size: '256 KiB' };
  return pair;
}
