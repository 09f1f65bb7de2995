/** Rows that appear later than they were written: what was open then and there cannot be seen, so a minute is not enough. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT now())';

/** Another database of the server stands for the other server: sessions see only the transactions of their own. */
async function openOther(pair: Pair): Promise<{ name: string; db: pg.Client }> {
  const name = `other_${pair.url.split('_').at(-1)}`;
  const db = await pair.connect(await server().createDatabase(name));
  await db.query(
    `${TABLE}; INSERT INTO t SELECT g, 'old', now() - interval '2 hours' FROM generate_series(1, 20) g`,
  );
  return { name, db };
}

it.each<[string, string, StreamOptions]>([
  ['a foreign table', 'public.t', {}],
  ['a view over one', 'public.seen', {}],
  ['a table with a foreign partition', 'public.parts', {}],
  ['a query', 'query', { sql: 'SELECT * FROM public.t WHERE id > 0' }],
])('a late commit on the server behind %s is found within an hour', async (_, stream, options) => {
  await using pair = await Pair.open(server(), { [stream]: { ...options, key: 'id', cursor: 'updated_at' } });
  const other = await openOther(pair);
  await pair.db.query(`
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${server().port}', dbname '${other.name}');
    CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'postgres', password_required 'false');
    CREATE FOREIGN TABLE t (id int NOT NULL, v text, updated_at timestamptz NOT NULL) SERVER far;
    CREATE VIEW seen AS SELECT * FROM t;
    CREATE TABLE parts (id int NOT NULL, v text, updated_at timestamptz NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE near PARTITION OF parts FOR VALUES FROM (1000) TO (2000);
    CREATE FOREIGN TABLE far_part PARTITION OF parts FOR VALUES FROM (0) TO (1000) SERVER far OPTIONS (table_name 't')`);
  const slow = other.db;
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'late', now() - interval '30 minutes')`);
  await pair.run();
  expect((await pair.plan()).streams[0]!.note).toMatch(/foreign table.*last 60 minutes/);
  await slow.query('COMMIT');
  expect((await pair.run()).totals.loaded).toBe(1);
  const table = stream.split('.').at(-1)!;
  await pair.expectEqual(table, 'public.t');
  await pair.expectNoRepeats(table);
});

it('rows that a subscription brings late, with the times of their publisher, are found within an hour', async () => {
  await using pair = await Pair.open(server(), { 'public.t': { cursor: 'updated_at' } }, TABLE);
  const { name, db } = await openOther(pair);
  await db.query(`CREATE PUBLICATION p FOR TABLE t`);
  await db.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  await pair.db.query(
    `CREATE SUBSCRIPTION ${name} CONNECTION 'host=127.0.0.1 port=${server().port} dbname=${name} user=postgres'
       PUBLICATION p WITH (create_slot = false, slot_name = '${name}')`,
  );
  const arrived = async (rows: number): Promise<void> => {
    for (;;) {
      const { rowCount } = await pair.db.query('SELECT FROM t');
      if (rowCount === rows) return;
      await sleep(20);
    }
  };
  try {
    await arrived(20);
    await pair.run();
    expect((await pair.plan()).streams[0]!.note).toMatch(/filled by logical replication.*last 60 minutes/);
    await db.query(`INSERT INTO t VALUES (100, 'late', now() - interval '30 minutes')`);
    await arrived(21);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  } finally {
    // Neither database can be dropped before, nor the server stop soon.
    await pair.db.query(`DROP SUBSCRIPTION ${name}`);
  }
});

it.each(['public.m', 'public.over'])(
  'rows that the refresh of a materialized view brings are found (%s)',
  async (stream) => {
    await using pair = await Pair.open(
      server(),
      { [stream]: { key: 'id', cursor: 'updated_at' } },
      `${TABLE}; INSERT INTO t SELECT g, 'old', now() - interval '5 days' - g * interval '1 minute' FROM generate_series(1, 20) g;
     CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE VIEW over AS SELECT * FROM m WHERE id > 0`,
    );
    await pair.run();
    expect((await pair.plan()).streams[0]!.note).toMatch(/materialized view.*last 60 minutes/);
    // Written since the refresh of five days ago, and older than any overlap.
    await pair.db.query(
      `INSERT INTO t SELECT g, 'late', now() - interval '5 days' + (g - 130) * interval '1 minute' FROM generate_series(100, 199) g;
     REFRESH MATERIALIZED VIEW m`,
    );
    expect((await pair.run()).totals.loaded).toBe(100);
    const table = stream.split('.').at(-1)!;
    await pair.expectEqual(table, stream);
    await pair.expectNoRepeats(table);
  },
);
