/** Many readers of a table that is replaced again and again: each sees one load, whole, and never an error. */
import type { Attack } from '../attack.ts';
import type { PostgresReplica as Replica } from '../faults/target-ground.ts';
import { POSTGRES_TO_POSTGRES } from '../pairs.ts';

const READERS = 12;
const LOADS = 25;
const ROWS = 500;
const LOOK = 'SELECT count(*)::int AS n, count(DISTINCT gen)::int AS gens FROM r';

/** Plain, prepared by name, in a transaction, by a cursor, and through a function that keeps its plan. */
const WAYS: readonly ((client: Awaited<ReturnType<Replica['to']['connect']>>) => Promise<unknown>)[] = [
  async (client) => (await client.query(LOOK)).rows[0],
  async (client) =>
    (await client.query({ name: 'look', text: `${LOOK} WHERE id > $1`, values: [0] })).rows[0],
  async (client) => {
    await client.query('BEGIN');
    const first = await client.query(LOOK);
    const second = await client.query(LOOK);
    await client.query('COMMIT');
    return [first.rows[0], second.rows[0]];
  },
  async (client) => {
    await client.query(`BEGIN; DECLARE c CURSOR FOR ${LOOK}`);
    const { rows } = await client.query('FETCH ALL FROM c');
    await client.query('COMMIT');
    return rows[0];
  },
  async (client) => (await client.query('SELECT * FROM looked()')).rows[0],
];

export const MANY_READERS: Attack<Replica> = {
  name: 'many-readers',
  part: 'kill',
  promise: 'whole-or-not',
  tries: `${READERS} sessions read a table in a loop, plainly, prepared, by cursors and functions, while it is replaced ${LOADS} times`,
  rounds: 3,
  pairs: POSTGRES_TO_POSTGRES,
  brief: true,
  async run(arena) {
    const pair = await arena.open(
      { 'public.r': { load: 'replace' } },
      `CREATE TABLE r (id int PRIMARY KEY, gen int); INSERT INTO r SELECT g, 0 FROM generate_series(1, ${ROWS}) g`,
    );
    await pair.run();
    await pair.to.db.query(
      `CREATE FUNCTION looked() RETURNS TABLE (n int, gens int) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT count(*)::int, count(DISTINCT gen)::int FROM r; END $$`,
    );
    let going = true;
    let reads = 0;
    const wrong: string[] = [];
    const readers = Array.from({ length: READERS }, async (_, i) => {
      const client = await pair.to.connect();
      for (; going; reads++) {
        const seen = await WAYS[i % WAYS.length]!(client).catch(async (error: Error) => {
          await client.query('ROLLBACK');
          return error.message;
        });
        for (const each of Array.isArray(seen) ? (seen as unknown[]) : [seen])
          if (JSON.stringify(each) !== JSON.stringify({ n: ROWS, gens: 1 }))
            wrong.push(`reader ${i % WAYS.length}: ${JSON.stringify(each)}`);
      }
      await client.end();
    });
    try {
      for (let load = 0; load < (arena.brief ? 5 : LOADS); load++) {
        await pair.from.query('UPDATE r SET gen = gen + 1');
        await pair.run();
      }
    } finally {
      going = false;
      await Promise.all(readers);
    }
    if (wrong.length > 0)
      throw new Error(`${wrong.length} of ${reads} reads were wrong:\n${wrong.slice(0, 10).join('\n')}`);
    if (reads < READERS) throw new Error(`there were only ${reads} reads`);
    await arena.verify(pair, ['r']);
    return 'works';
  },
};
