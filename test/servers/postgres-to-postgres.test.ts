/**
 * From one PostgreSQL to another: rows go as they are, and the tables have the types of the source. A whole database, by merge and
 * by replace, is in foreign-keys.test.ts.
 */
import { expect, it } from 'vitest';
import type { Streams } from '../../guarantees/pair.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { openReplica, type Replica } from '../support/replica.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();
const open = (streams: Streams, sql: string): Promise<Replica> => openReplica(server(), streams, sql);

async function expectEqual(pair: Replica, table: string): Promise<void> {
  const { lost, extra } = await pair.compare(table);
  expect({ table, lost, extra }).toEqual({ table, lost: [], extra: [] });
}

it('keeps types that only PostgreSQL has', async () => {
  await using pair = await open(
    { 'public.kept': { load: 'replace' } },
    `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN email AS varchar(40);
     CREATE TABLE kept (id int PRIMARY KEY, n numeric, d numeric(12,2), a int[], t text[][], i inet, r int4range, iv interval, p point,
       j jsonb, m mood, c pair, e email, b bit(3), tz timetz, ch char(5), ts tsvector, mo money);
     INSERT INTO kept VALUES (1, 'NaN', 12.30, '{1,NULL,3}', '{{a,b},{c,d}}', '10.0.0.0/8', '[1,5)', '1 mon 2 days', '(1,2)',
       '{"a": 1.50}', 'sad', '(1,"x y")', 'a@b.example', '101', '12:00:00+02', 'ab', 'a fat cat', '12.34'), (2)`.replace(
      ', (2)',
      '',
    ),
  );
  await pair.from.db.query('INSERT INTO kept (id) VALUES (2)');
  await pair.run();
  const types = await pair.to.db.query<{ type: string }>(
    `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'kept'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  expect(types.rows.map(({ type }) => type)).toEqual([
    'integer',
    'numeric',
    'numeric(12,2)',
    'integer[]',
    'text[]',
    'inet',
    'int4range',
    'interval',
    'point',
    'jsonb',
    'text',
    'json',
    'character varying(40)',
    'bit(3)',
    'time with time zone',
    'character(5)',
    'tsvector',
    'numeric(23,4)',
  ]);
  const all = 'SELECT row_to_json(k)::text AS row FROM kept k ORDER BY id';
  const source = await pair.from.db.query<{ row: string }>(
    all.replace(
      'row_to_json(k)',
      `row_to_json((SELECT x FROM (SELECT id, n, d, a, t, i, r, iv, p, j, m::text, to_json(c) AS c, e, b, tz, ch, ts, mo::numeric(23,4) AS mo) x))`,
    ),
  );
  const target = await pair.to.db.query<{ row: string }>(all);
  expect(target.rows).toEqual(source.rows);
  await pair.run();
  await expectEqual(pair, 'kept');
});

it('appends versions, and tells them from what is loaded', async () => {
  await using pair = await open(
    { 'public.t': { load: 'append', cursor: 'at', overlap: 3600 } },
    `CREATE TABLE t (id int PRIMARY KEY, v float8, j json, at timestamptz DEFAULT now());
     INSERT INTO t SELECT i, i / 7.0, '{"a":1}' FROM generate_series(1, 5000) i`,
  );
  expect((await pair.run()).totals.loaded).toBe(5000);
  await expectEqual(pair, 't');
  expect((await pair.run()).totals.loaded).toBe(0);
  await pair.from.db.query(
    `UPDATE t SET v = -0.0, at = now() WHERE id = 1; UPDATE t SET v = 0.0, at = now() WHERE id = 2`,
  );
  expect((await pair.run()).totals.loaded).toBe(2);
  await expectEqual(pair, 't');
  expect((await pair.run()).totals.loaded).toBe(0);
  expect(await pair.to.lines('t', 'history')).toHaveLength(5002);
});

it('replaces days, adds columns, widens them, and goes on', async () => {
  await using pair = await open(
    { 'public.d': { load: 'delete-insert', date: 'day' } },
    `CREATE TABLE d (id int, day date, v varchar(5)); INSERT INTO d SELECT i, date '2026-03-01' + i % 5, 'x' FROM generate_series(1, 1000) i`,
  );
  const window = { from: '2026-03-01', to: '2026-03-06' };
  await pair.run({ window });
  await expectEqual(pair, 'd');
  await pair.from.db.query(
    `ALTER TABLE d ALTER id TYPE int8, ALTER v TYPE varchar(10), ADD more text; UPDATE d SET v = 'longer', more = 'm', id = id + 5000000000 WHERE id % 2 = 0; DELETE FROM d WHERE id % 7 = 0`,
  );
  await pair.run({ window });
  await expectEqual(pair, 'd');
  await pair.run({ window: { from: '2026-03-02', to: '2026-03-03' } });
  await expectEqual(pair, 'd');
});

const SHAPE = `
  SELECT pg_get_indexdef(indexrelid) AS what FROM pg_index WHERE indrelid = 's'::regclass
  UNION ALL SELECT attname || ' default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 's'::regclass
  UNION ALL SELECT attname || ' identity ' || attidentity::text FROM pg_attribute WHERE attrelid = 's'::regclass AND attidentity <> ''
  UNION ALL SELECT 'column comment ' || col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 's'::regclass AND col_description(attrelid, attnum) IS NOT NULL
  UNION ALL SELECT 'comment ' || obj_description('s'::regclass, 'pg_class') ORDER BY 1`;

it.each([{ load: 'replace' }, { load: 'merge', cursor: 'at' }] as const)(
  'makes the table as it is in the source ($load), and keeps what its users have added',
  async (options) => {
    await using pair = await open(
      { 'public.s': options },
      `CREATE TABLE s (id serial PRIMARY KEY, name varchar(20) DEFAULT 'it''s', low text, at timestamptz NOT NULL DEFAULT now(), n numeric DEFAULT 1.50);
       CREATE INDEX s_name ON s (name DESC NULLS LAST); CREATE UNIQUE INDEX other ON s (lower(low)) WHERE n > 1; CREATE INDEX s_gin ON s USING gin (to_tsvector('english', low));
       COMMENT ON TABLE s IS 'a "table"'; COMMENT ON COLUMN s.name IS 'its name';
       INSERT INTO s (low) SELECT 'L' || i FROM generate_series(1, 500) i`,
    );
    await pair.run();
    const shape = async (): Promise<string[]> =>
      (await pair.to.db.query<{ what: string }>(SHAPE)).rows.map(({ what }) => what);
    const made = await shape();
    expect(made).toEqual([
      `CREATE INDEX s_gin ON public.s USING gin (to_tsvector('english'::regconfig, low))`,
      'CREATE INDEX s_name ON public.s USING btree (name DESC NULLS LAST)',
      `CREATE UNIQUE INDEX s_other ON public.s USING btree (lower(low)) WHERE (n > (1)::numeric)`,
      'CREATE UNIQUE INDEX s_pkey ON public.s USING btree (id)',
      'at default now()',
      'column comment its name',
      'comment a "table"',
      'id identity d',
      `n default 1.50`,
      `name default 'it''s'::character varying`,
    ]);
    const { rows } = await pair.to.db.query<{ id: number }>(
      `INSERT INTO s (low) VALUES ('own') RETURNING id`,
    );
    expect(rows[0]!.id).toBe(501);
    const reader = newName('reader');
    await pair.to.db.query(
      `DELETE FROM s WHERE low = 'own'; CREATE INDEX mine ON s (at); CREATE ROLE ${reader}; GRANT SELECT ON s TO ${reader}`,
    );
    await pair.from.db.query(`UPDATE s SET low = low || 'x', at = now()`);
    await pair.run();
    await expectEqual(pair, 's');
    expect((await shape()).filter((line) => !made.includes(line))).toEqual([
      expect.stringMatching(/^CREATE INDEX (s_)?mine ON public.s USING btree \(at\)$/),
    ]);
    const granted = await pair.to.db.query<{ may: boolean }>(
      `SELECT has_table_privilege('${reader}', 's', 'SELECT') AS may`,
    );
    expect(granted.rows[0]!.may).toBe(true);
  },
);

it('fills a table anew where views hang on it', async () => {
  await using pair = await open(
    { 'public.v': { load: 'replace' } },
    `CREATE TABLE v (id int); INSERT INTO v VALUES (1), (2)`,
  );
  await pair.run();
  await pair.to.db.query('CREATE VIEW seen AS SELECT * FROM v');
  await pair.from.db.query('DELETE FROM v WHERE id = 1; INSERT INTO v VALUES (3)');
  await pair.run();
  expect((await pair.to.db.query('SELECT id FROM seen ORDER BY id')).rows).toEqual([{ id: 2 }, { id: 3 }]);
});

it('loads months side by side, and goes on after an interruption with those that are left', async () => {
  await using pair = await open(
    { 'public.m': { load: 'delete-insert', date: { column: 'day', by: 'month' } } },
    `CREATE TABLE m (id int PRIMARY KEY, day date NOT NULL); INSERT INTO m SELECT i, date '2025-01-01' + i % 365 FROM generate_series(1, 3650) i`,
  );
  const window = { from: '2025-01-01', to: '2026-01-01' };
  await pair.run({ window });
  await expectEqual(pair, 'm');
  await pair.from.db.query('UPDATE m SET id = id + 10000');
  const stop = new AbortController();
  let commits = 0;
  const onEvent = ({ kind }: { kind: string }): void => {
    if (kind === 'slice-committed' && ++commits === 5) stop.abort();
  };
  const stopped = await pair.attempt({ window, workers: 2, onEvent, signal: stop.signal });
  expect(stopped.status).toBe('stopped');
  expect((await pair.plan({ window })).streams[0]).toMatchObject({ action: 'resume' });
  expect((await pair.plan({ window, restart: true })).streams[0]!.slices).toHaveLength(12);
  const again = await pair.run({ window });
  expect(again.totals.rows).toBeLessThan(2400);
  await expectEqual(pair, 'm');
  // It is finished: all of it is read when it is asked for again.
  expect((await pair.run({ window })).totals.rows).toBe(3650);
});

const PLAIN = `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp()); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 10) i`;

it('keeps apart tables of one name in two schemas', async () => {
  await using pair = await open({ 'public.t': { load: 'merge', cursor: 'at' } }, PLAIN);
  const own = pair.to.connection;
  await pair.run();
  pair.to.connection = { ...own, schema: 'other' };
  await pair.from.db.query(`INSERT INTO t VALUES (11, 'new')`);
  expect((await pair.run()).totals.loaded).toBe(11);
  pair.to.connection = own;
  expect((await pair.run()).totals.loaded).toBe(1);
  await expectEqual(pair, 't');
});

it('loads all of a table again that was renamed or emptied, and gives it its key and indexes', async () => {
  await using pair = await open(
    { 'public.t': { load: 'merge', cursor: 'at' } },
    `${PLAIN}; CREATE INDEX by_at ON t (at); ALTER TABLE t ALTER id ADD GENERATED BY DEFAULT AS IDENTITY`,
  );
  await pair.run();
  for (const sql of ['TRUNCATE t', 'ALTER TABLE t RENAME TO t_old', 'DROP TABLE t']) {
    await pair.to.db.query(sql);
    expect((await pair.run()).totals.loaded, sql).toBe(10);
    await expectEqual(pair, 't');
    const { rows } = await pair.to.db.query(
      `SELECT indisprimary AS key FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1`,
    );
    expect(rows, sql).toEqual([{ key: false }, { key: true }]);
  }
});

it('takes NULLs in a key for equal, and refuses rows that share it in a first load as in any other', async () => {
  await using pair = await open(
    { 'public.t': { load: 'merge', key: 'a', cursor: 'at' } },
    `CREATE TABLE t (a int, v text, at timestamptz DEFAULT clock_timestamp()); INSERT INTO t VALUES (NULL, 'x'), (NULL, 'y'), (1, 'z')`,
  );
  await expect(pair.run()).rejects.toThrow('sql.duplicate_key');
  expect(await pair.to.schema('t')).toBeUndefined();
  await pair.from.db.query(`DELETE FROM t WHERE v = 'y'`);
  await pair.run();
  await pair.from.db.query(`UPDATE t SET v = 'new', at = clock_timestamp() WHERE a IS NULL`);
  await pair.run();
  await expectEqual(pair, 't');
  await pair.from.db.query(`INSERT INTO t VALUES (NULL, 'one'), (NULL, 'other')`);
  await expect(pair.run()).rejects.toThrow('sql.duplicate_key');
});

it('appends to an empty table of the user as to one of its own', async () => {
  await using pair = await open({ 'public.t': { load: 'append', cursor: 'at', overlap: 0 } }, PLAIN);
  await pair.to.db.query('CREATE TABLE t (id int, v text, at timestamptz)');
  for (let run = 0; run < 2; run++) {
    await pair.run();
    await pair.from.db.query(`UPDATE t SET v = 'y', at = clock_timestamp() WHERE id = 1`);
  }
  await pair.run();
  await expectEqual(pair, 't');
  const { rows } = await pair.to.db.query(
    `SELECT count(*)::int AS n, count(_sluice_load_id)::int AS marked FROM t`,
  );
  expect(rows).toEqual([{ n: 12, marked: 12 }]);
});

it('says that a table was dropped while changes of it were on their way', async () => {
  await using pair = await open({ 'public.t': { load: 'merge', cursor: 'at' } }, PLAIN);
  await pair.run();
  await pair.from.db.query(`INSERT INTO t VALUES (11, 'new')`);
  const paused = await pauseAt(pair, 'event:stream-planned:1');
  await pair.to.db.query('DROP TABLE t');
  expect(await paused.goOn()).toEqual([{ status: 'failed', code: 'sql.table_lost' }]);
  await pair.run();
  await expectEqual(pair, 't');
});

it('says who is at work on a table that is locked, without waiting for it', async () => {
  await using pair = await open({ 'public.t': { load: 'replace' } }, PLAIN);
  await pair.run();
  const swapping = await pauseAt(pair, 'after:drop:1');
  pair.to.connection = { ...pair.to.connection, lock_timeout: '1 h' };
  const { streams } = await pair.attempt();
  expect(streams[0]!.error).toMatchObject({ code: 'lease.held' });
  // Whoever waits for its lock gets it when the server has ended the session that stands still.
  const { rows } = await pair.to.db.query(
    `SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND pid <> pg_backend_pid()`,
  );
  expect(rows).not.toEqual([]);
  expect(await swapping.goOn()).toMatchObject([{ status: 'loaded' }]);
  await pair.run();
  await expectEqual(pair, 't');
});

it('neither mixes rows with those of somebody else nor replaces them', async () => {
  for (const load of ['append', 'replace'] as const) {
    await using pair = await open({ 'public.t': { load } }, PLAIN);
    // Books are kept from here on, and nothing is loaded.
    await (await pauseAt(pair, 'after:note:1')).kill();
    await pair.to.db.query(`CREATE TABLE t (id int, v text); INSERT INTO t VALUES (-1, 'mine')`);
    await expect(pair.run(), load).rejects.toThrow('sql.not_ours');
    expect((await pair.to.db.query('SELECT v FROM t')).rows).toEqual([{ v: 'mine' }]);
  }
});

it('keeps what the user has given a table that is replaced, and leaves a NOT NULL in force', async () => {
  await using pair = await open({ 'public.t': { load: 'replace' } }, PLAIN);
  await pair.run();
  await pair.to.db.query(
    `ALTER TABLE t ADD CONSTRAINT plus CHECK (id > 0), ALTER v SET NOT NULL; CREATE PUBLICATION told FOR TABLE t`,
  );
  await pair.run();
  const { rows } = await pair.to.db.query(
    `SELECT (SELECT count(*) FROM pg_constraint WHERE conname = 'plus')::int AS checks, (SELECT count(*) FROM pg_publication_tables)::int AS told`,
  );
  expect(rows).toEqual([{ checks: 1, told: 1 }]);
  await pair.from.db.query(`INSERT INTO t VALUES (11, NULL)`);
  await expect(pair.run()).rejects.toThrow(/postgres.constraint: .*"v"/);
});
