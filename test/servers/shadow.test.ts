/** Shadow runs: tables beside those that readers see are loaded, compared, put in their place, and taken back. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Pair } from '../../guarantees/pair.ts';
import { BucketSide, LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { SqlDestination } from '../../src/connectors/shared/sql/destination.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import { PostgresTarget } from '../../src/connectors/postgres/target.ts';
import type { SluiceError } from '../../src/core/errors.ts';
import { type ProjectInput, quarantine, run, shadow } from '../../src/index.ts';
import { openState } from '../../src/engine/context.ts';
import { compareShadow } from '../../src/engine/shadow-compare.ts';
import { dropShadow, promoteShadow, rollbackShadow } from '../../src/engine/shadow-exchange.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { motoPresent, useMoto } from '../support/moto.ts';
import { openReplica } from '../support/replica.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb({ settings: FAST });
const moto = useMoto();
const SIGNAL = new AbortController().signal;
const PLACE = { name: 'to', directory: '.', memoryBytes: 256 << 20, workers: 1 };
const EQUAL = { lost: [], extra: [], doubled: [] };

const SHOP = `CREATE TABLE customers (id int PRIMARY KEY, name text);
  CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, total numeric(10,2), updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX by_customer ON orders (customer);
  INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 20) i;
  INSERT INTO orders SELECT i, 1 + i % 20, i / 7.0, now() - interval '1 day' FROM generate_series(1, 500) i`;

const STREAMS = {
  'public.customers': { load: 'replace' },
  'public.orders': { load: 'merge', cursor: 'updated_at' },
} as const;

it('shows what a table would become, swaps it in with its checkpoint, and back', async () => {
  await using pair = await openReplica(server(), STREAMS, SHOP);
  const { db } = pair.to;
  const into = 'shadow';
  await pair.run();
  const reader = newName('reader');
  await db.query(
    `CREATE ROLE ${reader}; GRANT SELECT ON orders TO ${reader}; CREATE INDEX own ON orders (total)`,
  );

  await pair.run({ into });
  const equal = await compareShadow(await pair.context(), 'p', {});
  expect(equal.streams.map(({ status, rows }) => [status, rows.shadow])).toEqual([
    ['equal', 20],
    ['equal', 500],
  ]);
  await db.query(`UPDATE public_shadow.orders SET total = 0 WHERE id = 7; DELETE FROM orders WHERE id = 9`);
  pair.streams = {
    ...STREAMS,
    'public.orders': { ...STREAMS['public.orders'], rename: { total: 'amount' } },
  };
  const renamed = await compareShadow(await pair.context(), 'p', { select: ['public.orders'] });
  expect(renamed.streams[0]).toMatchObject({
    status: 'differs',
    changed: 1,
    onlyShadow: 1,
    differences: [
      { kind: 'changed', key: { id: '7' }, columns: ['total'] },
      { kind: 'only-shadow', key: { id: '9' } },
    ],
  });
  const refused = await promoteShadow(await pair.context(), 'p', {});
  expect(refused.status).toBe('refused');

  // The new configuration, from its beginning.
  await pair.run({ into, fullRefresh: true });
  await pair.from.db.query(`UPDATE orders SET total = 1, updated_at = now() WHERE id <= 10`);
  await pair.run({ into });
  const promoted = await promoteShadow(await pair.context(), 'p', { force: true });
  expect(promoted.tables.map(({ was }) => was)).toEqual(['public_former.customers', 'public_former.orders']);
  const again = await promoteShadow(await pair.context(), 'p', {});
  expect(again).toEqual({ ...promoted, already: true });
  const columns = `SELECT string_agg(attname, ' ' ORDER BY attnum) AS names FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0`;
  expect((await db.query(columns)).rows[0]).toEqual({ names: 'id customer amount updated_at' });
  const kept = `SELECT has_table_privilege('${reader}', 'orders', 'SELECT') AS reads, (SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM pg_index WHERE indrelid = 'orders'::regclass) AS indexes,
    (SELECT string_agg(confrelid::regclass::text, ' ') FROM pg_constraint WHERE contype = 'f' AND conrelid = 'orders'::regclass) AS refers`;
  expect((await db.query(kept)).rows[0]).toMatchObject({ reads: true, refers: 'customers' });
  // Goes on from the checkpoint of the shadow table.
  expect((await pair.run({ select: ['public.orders'] })).totals.loaded).toBe(0);
  await pair.from.db.query(`INSERT INTO orders VALUES (1000, 1, 5, now())`);
  expect((await pair.run({ select: ['public.orders'] })).totals.loaded).toBe(1);
  const source = '(SELECT id, customer, total AS amount, updated_at FROM orders) o';
  expect(await pair.compare('orders', source)).toEqual(EQUAL);

  pair.streams = STREAMS;
  await rollbackShadow(await pair.context(), 'p', {});
  expect((await db.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 499 }]);
  await db.query('UPDATE orders SET total = 0 WHERE id = 20');
  expect((await pair.run({ select: ['public.orders'] })).totals.loaded).toBe(11);
  const former = await compareShadow(await pair.context(), 'p', { select: ['public.orders'] });
  expect(former.streams[0]!.changes).toEqual(['+ amount decimal(10,2)', '- total']);

  await dropShadow(await pair.context(), 'p', {});
  const left = `SELECT name FROM _sluice.tables UNION ALL SELECT n.nspname || '.' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public_shadow', 'public_former') ORDER BY 1`;
  expect((await db.query(left)).rows.map(({ name }) => name as string)).toEqual([
    '"public"."customers"',
    '"public"."orders"',
  ]);
  const state = await openState(await pair.context());
  const runs = await state.runs({ pipeline: 'p (shadow)', limit: 10 });
  await state.close();
  expect(runs.map(({ status }) => status)).toEqual([
    'dropped',
    'rolled-back',
    'promoted',
    'succeeded',
    'succeeded',
    'succeeded',
  ]);
});

it('swaps tables of a DuckDB file', async () => {
  const from = await PostgresSide.open(server());
  await from.db.query(SHOP);
  const streams = { 'public.orders': { load: 'append', cursor: 'updated_at' } } as const;
  await using pair = new Pair(from, (folder) => new DuckdbSide(folder), streams);
  await pair.run();
  const later = (id: number): Promise<unknown> =>
    from.db.query(`UPDATE orders SET total = ${id}, updated_at = now() WHERE id = ${id}`);
  await later(1);
  await pair.run();
  await pair.run({ into: 'trial' });
  const compare = async (): Promise<object> => {
    const { streams: found } = await compareShadow(await pair.context(), 'p', { into: 'trial' });
    const { status, rows, compared, changed, onlyPresent, onlyShadow } = found[0]!;
    return { status, rows, compared, changed, onlyPresent, onlyShadow };
  };
  // The newest versions are the same, but the shadow never saw the one before.
  const same = { compared: { present: 500, shadow: 500 }, changed: 0, onlyPresent: 0, onlyShadow: 0 };
  expect(await compare()).toEqual({ status: 'differs', rows: { present: 501, shadow: 500 }, ...same });
  await later(2);
  await pair.run({ into: 'trial' });
  await promoteShadow(await pair.context(), 'p', { into: 'trial', force: true });
  const rows = async (): Promise<unknown> =>
    (await pair.to.ask('SELECT count(*)::INT AS n, max(_sluice_load_id)::INT AS load FROM orders'))[0];
  expect(await rows()).toMatchObject({ n: 501 });
  expect((await pair.run()).totals.loaded).toBe(0);
  await later(3);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect(await pair.compare('orders')).toEqual(EQUAL);
  await rollbackShadow(await pair.context(), 'p', { into: 'trial' });
  expect(await rows()).toMatchObject({ n: 501 });
  expect((await pair.run()).totals.loaded).toBe(2);
  expect(await pair.compare('orders')).toEqual(EQUAL);
  expect(await pair.to.leftovers()).toEqual(['_sluice_trial_orders']);
  await dropShadow(await pair.context(), 'p', { into: 'trial' });
  expect(await pair.to.leftovers()).toEqual([]);
});

it('takes foreign keys along when only some of the tables are promoted', async () => {
  const streams = {
    'public.customers': { load: 'merge', cursor: 'xmin' },
    'public.orders': { load: 'replace' },
  } as const;
  await using pair = await openReplica(server(), streams, SHOP);
  const { db } = pair.to;
  const keys = async (): Promise<unknown> =>
    (
      await db.query(
        `SELECT conrelid::regclass::text AS has, confrelid::regclass::text AS refers FROM pg_constraint WHERE contype = 'f' ORDER BY 1`,
      )
    ).rows;
  await pair.run();
  await pair.run({ into: 'shadow' });
  const all = [
    { has: 'orders', refers: 'customers' },
    { has: 'public_shadow.orders', refers: 'public_shadow.customers' },
  ];
  expect(await keys()).toEqual(all);
  for (const table of ['customers', 'orders']) {
    const some = { select: [`public.${table}`] };
    await promoteShadow(await pair.context(), 'p', some);
    expect(await keys()).toEqual(all.slice(0, 1));
    await rollbackShadow(await pair.context(), 'p', some);
    expect(await keys()).toEqual(all.slice(0, 1));
  }
  await promoteShadow(await pair.context(), 'p', {});
  const former = { has: 'public_former.orders', refers: 'public_former.customers' };
  expect(await keys()).toEqual([all[0], former]);
  await rollbackShadow(await pair.context(), 'p', {});
  expect(await keys()).toEqual(all);
  // A table that is referred to would have no such rows.
  await db.query('TRUNCATE public_shadow.customers, public_shadow.orders');
  await db.query(`UPDATE _sluice.tables SET row_count = 0 WHERE name LIKE '%shadow%'`);
  const promoted = promoteShadow(await pair.context(), 'p', { select: ['public.customers'], force: true });
  await expect(promoted).rejects.toMatchObject({ code: 'shadow.held' });
  expect(await keys()).toEqual(all);
  await dropShadow(await pair.context(), 'p', { select: ['public.customers'] });
  expect(await keys()).toEqual(all.slice(0, 1));
});

/** All that PostgreSQL keeps of views, but the identity of what they look at. */
const VIEWS = `SELECT c.oid::regclass::text AS view, pg_get_userbyid(c.relowner) AS owner, c.reloptions AS options,
    (SELECT json_agg(g ORDER BY g::text) FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g) AS grants,
    obj_description(c.oid) AS comment, pg_get_viewdef(c.oid) AS query,
    (SELECT json_agg(json_build_array(a.attname, a.attacl::text, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) ORDER BY a.attnum)
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid) AS columns
  FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace IN ('public'::regnamespace, to_regnamespace('"Marts"')) ORDER BY 1`;

it('carries views of PostgreSQL over, with all that they have', async () => {
  await using pair = await openReplica(server(), STREAMS, SHOP);
  const { db } = pair.to;
  await pair.run();
  const [analyst, owner] = [newName('analyst'), `"${newName('Mart owner')}"`];
  await db.query(`
    CREATE ROLE ${analyst}; CREATE ROLE ${owner}; CREATE SCHEMA "Marts" AUTHORIZATION ${owner}; GRANT USAGE ON SCHEMA "Marts" TO PUBLIC;
    GRANT SELECT ON customers, orders TO ${owner};
    CREATE VIEW "Marts"."Big ""ones""" ("Number", who) WITH (security_barrier, check_option = local) AS
      SELECT id, customer FROM orders WHERE id > 100;
    CREATE VIEW named AS SELECT b.*, c.name, c FROM "Marts"."Big ""ones""" b JOIN customers c ON c.id = b.who;
    CREATE VIEW counted AS SELECT who, count(*) AS n FROM named GROUP BY who UNION ALL SELECT 0, count(*) FROM orders;
    CREATE VIEW apart AS SELECT 1 AS one;
    ALTER VIEW "Marts"."Big ""ones""" OWNER TO ${owner};
    COMMENT ON VIEW named IS 'it''s named'; COMMENT ON COLUMN named.name IS 'whose';
    ALTER VIEW "Marts"."Big ""ones""" ALTER who SET DEFAULT 7;
    GRANT SELECT ON counted TO PUBLIC; GRANT SELECT ON named TO ${analyst} WITH GRANT OPTION; GRANT SELECT (name), UPDATE (name) ON named TO ${owner};
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${analyst}`);
  const { rows: views } = await db.query(VIEWS);
  expect(views).toHaveLength(4);
  const rows = async (): Promise<unknown[]> => (await db.query('SELECT * FROM counted ORDER BY who')).rows;
  const seen = await rows();

  const select = ['public.orders'];
  pair.streams = {
    ...STREAMS,
    'public.orders': { ...STREAMS['public.orders'], rename: { total: 'amount' } },
  };
  await pair.run({ into: 'shadow', fullRefresh: true });
  await promoteShadow(await pair.context(), 'p', { select, force: true });
  expect((await db.query(VIEWS)).rows).toEqual(views);
  expect(await rows()).toEqual(seen);
  await db.query('DELETE FROM orders WHERE id = 200');
  expect(await rows()).not.toEqual(seen);
  await rollbackShadow(await pair.context(), 'p', { select });
  expect((await db.query(VIEWS)).rows).toEqual(views);
  expect(await rows()).toEqual(seen);
  await promoteShadow(await pair.context(), 'p', { force: true });
  expect((await db.query(VIEWS)).rows).toEqual(views);
  await rollbackShadow(await pair.context(), 'p', {});

  // What cannot be carried over is refused, and nothing is changed.
  for (const [make, drop, found] of [
    [
      'CREATE VIEW money AS SELECT total FROM orders',
      'DROP VIEW money',
      /view "public"."money".*column.*total/,
    ],
    [
      'CREATE MATERIALIZED VIEW kept AS SELECT * FROM counted',
      'DROP MATERIALIZED VIEW kept',
      /materialized view public\.kept/,
    ],
    [
      'CREATE RULE none AS ON INSERT TO named DO INSTEAD NOTHING',
      'DROP RULE none ON named',
      /rule none on view public\.named/,
    ],
    ['CREATE FUNCTION told(counted) RETURNS int RETURN 1', 'DROP FUNCTION told', /function public\.told/],
  ] as const) {
    await db.query(make);
    const { rows: before } = await db.query(VIEWS);
    const refused = promoteShadow(await pair.context(), 'p', { force: true });
    await expect(refused).rejects.toMatchObject({
      code: 'shadow.held',
      message: expect.stringMatching(found) as string,
    });
    expect((await db.query(VIEWS)).rows).toEqual(before);
    expect(await rows()).toEqual(seen);
    await db.query(drop);
  }
});

it('carries over views of its own role, and leaves those of others where they are', async () => {
  await using pair = await openReplica(server(), { 'public.customers': { load: 'replace' } }, SHOP);
  const { db } = pair.to;
  const loader = newName('loader');
  const asking = newName('asking');
  await db.query(
    `CREATE ROLE ${loader} LOGIN; GRANT ALL ON SCHEMA public TO ${loader};
     DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO ${loader}', current_database()); END $$`,
  );
  pair.to.connection = { ...pair.to.connection, url: pair.to.urlOf(loader) };
  await pair.run();
  await db.query(
    `SET ROLE ${loader}; CREATE VIEW own AS SELECT name FROM customers; RESET ROLE; CREATE ROLE ${asking}; GRANT SELECT ON own TO ${asking}`,
  );
  await pair.run({ into: 'shadow' });
  const promote = async (): Promise<unknown> => promoteShadow(await pair.context(), 'p', {});
  expect(await promote()).toMatchObject({ status: 'promoted' });
  const { rows } =
    await db.query(`SELECT viewowner, has_table_privilege('${asking}', 'own', 'SELECT') AS granted,
    (SELECT count(*)::int FROM own) AS n FROM pg_views WHERE viewname = 'own'`);
  expect(rows).toEqual([{ viewowner: loader, granted: true, n: 20 }]);
  await db.query('CREATE VIEW foreign_to_us AS SELECT name FROM own');
  await pair.run({ into: 'shadow' });
  await expect(promote()).rejects.toThrow('view public.foreign_to_us');
});

it('refuses what it cannot do without a loss, and leaves everything as it is', async () => {
  const streams = { 'public.customers': { load: 'replace' } } as const;
  await using pair = await openReplica(server(), streams, SHOP);
  const { db } = pair.to;
  const code = async (): Promise<string> =>
    promoteShadow(await pair.context(), 'p', {}).then(
      ({ status }) => status,
      (error: unknown) => (error as SluiceError).code,
    );
  await pair.run();
  expect(await code()).toBe('shadow.absent');
  await pair.run({ into: 'shadow' });
  await db.query('CREATE MATERIALIZED VIEW names AS SELECT name FROM customers');
  expect(await code()).toBe('shadow.held');
  await db.query('DROP MATERIALIZED VIEW names; ALTER TABLE customers ADD own int');
  expect(await code()).toBe('shadow.held');
  await db.query('ALTER TABLE customers DROP own');
  const state = await openState(await pair.context());
  const other = { run: 'other', host: 'elsewhere', pid: 1 };
  const lease = await state.acquire('to/customers', other, 60_000, 0);
  expect(await code()).toBe('lease.held');
  await state.release(lease);
  await state.close();
  // Somebody of another project, whose leases are elsewhere, commits meanwhile.
  const beside = new SqlDestination(new PostgresTarget(postgresOptions.parse({ url: pair.to.url }), PLACE))
    .beside!;
  const versions = { from: 1, readers: 7 };
  const tables = [{ table: 'customers', fence: 99, versions }];
  const exchange = { tables, from: 'shadow', to: 'former', run: 'r' };
  await expect(beside.exchange(exchange, SIGNAL)).rejects.toMatchObject({ code: 'sql.conflict' });
  const where = `SELECT nspname AS schema, count(*)::int AS n FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'customers' GROUP BY 1 ORDER BY 1`;
  expect((await db.query(where)).rows).toEqual([
    { schema: 'public', n: 1 },
    { schema: 'public_shadow', n: 1 },
  ]);
  expect(await code()).toBe('promoted');
});

async function swapsLake(lake: (folder: string) => LakeSide | BucketSide): Promise<void> {
  const streams = {
    'public.orders': {
      load: 'merge',
      cursor: 'updated_at',
      partition_by: { column: 'updated_at', by: 'day' },
    },
  } as const;
  const from = await PostgresSide.open(server());
  await from.db.query(SHOP);
  await using pair = new Pair(from, lake, streams);
  const { db } = from;
  const change = (id: number, total: number): Promise<unknown> =>
    db.query(`UPDATE orders SET total = ${total}, updated_at = now() WHERE id = ${id}`);
  await pair.run();
  pair.streams = { 'public.orders': { load: 'append', cursor: 'updated_at', key: 'id' } };
  await pair.run({ into: 'shadow' });
  await pair.run({ into: 'shadow' });
  // More leases than the table of readers has had, and versions of a row.
  await change(1, 1);
  await pair.run({ into: 'shadow' });
  const found = (await compareShadow(await pair.context(), 'p', {})).streams[0]!;
  expect(found).toMatchObject({ status: 'differs', changed: 1, rows: { present: 500, shadow: 501 } });
  expect(await pair.to.query('orders', 'SELECT count(*)::INT AS n FROM orders')).toEqual([{ n: 500 }]);
  await promoteShadow(await pair.context(), 'p', { force: true });
  expect(await pair.to.query('orders', 'SELECT count(*)::INT AS n FROM orders_history')).toEqual([
    { n: 501 },
  ]);
  expect((await pair.run()).totals.loaded).toBe(0);
  await change(1, 2);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect(await pair.compare('orders')).toMatchObject({ lost: [], extra: [] });

  pair.streams = streams;
  await rollbackShadow(await pair.context(), 'p', {});
  expect(await pair.to.query('orders', 'SELECT count(*)::INT AS n FROM orders')).toEqual([{ n: 500 }]);
  await pair.run();
  expect(await pair.compare('orders')).toMatchObject({ lost: [], extra: [] });
  await dropShadow(await pair.context(), 'p', {});
  const objects = await (await pair.to.storage()).list('_sluice/aside/');
  expect(objects).toEqual([]);
}

it('swaps tables of a lake', () => swapsLake((folder) => new LakeSide(folder)));

it('has pipelines that read the lake read a promoted table anew', async () => {
  const from = await PostgresSide.open(server());
  await from.db.query(SHOP);
  const streams = { 'public.orders': { load: 'merge', cursor: 'updated_at' } } as const;
  await using pair = new Pair(from, (folder) => new LakeSide(folder), streams);
  const onward: ProjectInput<'on'> = {
    connections: { lake: { type: 'lake', path: 'lake' }, wh: { type: 'duckdb', path: 'warehouse.duckdb' } },
    pipelines: {
      on: { from: 'lake', to: 'wh', streams: { orders: { load: 'merge', cursor: 'updated_at' } } },
    },
  };
  const at = { directory: pair.folder };
  const total = async (): Promise<unknown> => {
    expect((await run(onward, 'on', at)).status).toBe('succeeded');
    const side = new DuckdbSide(pair.folder);
    return (await side.ask('SELECT total::VARCHAR AS total FROM orders WHERE id = 5'))[0]!['total'];
  };
  await pair.run();
  expect(await total()).toBe('0.71');
  // Nobody who goes by the cursor sees it.
  await from.db.query('UPDATE orders SET total = 999 WHERE id = 5');
  await pair.run({ into: 'shadow' });
  await promoteShadow(await pair.context(), 'p', { force: true });
  expect(await total()).toBe('999.00');
});

it.runIf(motoPresent)('swaps tables of a lake in a bucket', () =>
  swapsLake((folder) => new BucketSide(folder, moto().endpoint)),
);

it.runIf(mariadbPresent)('swaps tables of MariaDB', async () => {
  const from = await PostgresSide.open(server());
  await from.db.query(SHOP);
  const to = await MysqlTargetSide.open(mariadb());
  await using pair = new Pair(from, () => to, STREAMS);
  to.connection = { ...to.connection, foreign_keys: false };
  await pair.run();
  pair.streams = {
    ...STREAMS,
    'public.orders': { load: 'merge', cursor: 'updated_at', types: { id: 'int64' } },
  };
  await pair.run({ into: 'shadow' });
  const found = await compareShadow(await pair.context(), 'p', {});
  expect(found.streams.map(({ status, changes }) => [status, changes])).toEqual([
    ['equal', []],
    ['differs', ['id int32 → int64']],
  ]);
  await promoteShadow(await pair.context(), 'p', { force: true });
  const type = async (): Promise<unknown> =>
    (
      await to.query(
        `SELECT DATA_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_NAME = 'orders' AND COLUMN_NAME = 'id' AND TABLE_SCHEMA = DATABASE()`,
      )
    )[0]!['type'];
  expect(await type()).toBe('bigint');
  const select = ['public.orders'];
  expect((await pair.run({ select })).totals.loaded).toBe(0);
  await from.db.query('UPDATE orders SET total = 1, updated_at = now() WHERE id = 1');
  expect((await pair.run({ select })).totals.loaded).toBe(1);
  expect(await pair.compare('orders')).toEqual(EQUAL);
  const indexes = await to.query(
    `SELECT DISTINCT INDEX_NAME AS name FROM information_schema.STATISTICS WHERE TABLE_NAME = 'orders' AND TABLE_SCHEMA = DATABASE() ORDER BY 1`,
  );
  expect(indexes.map(({ name }) => name)).toEqual(['by_customer', 'PRIMARY']);
  pair.streams = STREAMS;
  await rollbackShadow(await pair.context(), 'p', {});
  expect(await type()).toBe('int');
  await pair.run();
  expect(await pair.compare('orders')).toEqual(EQUAL);
  await dropShadow(await pair.context(), 'p', {});
  expect(await to.leftovers()).toEqual([]);
});

it.each(['shadow', 'trial'])('moves what is in quarantine with its table: %s', async (into) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-shadow-'));
  const csv = (name: string, rows: string): void => writeFileSync(path.join(folder, name), `id,v\n${rows}`);
  const project = (load: 'append' | 'merge'): ProjectInput<'p'> => ({
    connections: { files: { type: 'files', path: folder }, wh: { type: 'duckdb', path: 'wh.duckdb' } },
    pipelines: {
      p: {
        from: 'files',
        to: 'wh',
        streams: { t: { files: '*.csv', load, key: 'id', types: { id: 'int64' } } },
      },
    },
  });
  const at = { directory: folder };
  const aside = { ...at, into };
  const kept = async (): Promise<string[]> => {
    const raw: string[] = [];
    for await (const each of quarantine.read(project('merge'), 'p', at)) raw.push(each.raw);
    return raw;
  };
  const files = (): number =>
    readdirSync(path.join(folder, '.sluice', 'quarantine'), { recursive: true }).filter((name) =>
      String(name).endsWith('.parquet'),
    ).length;
  csv('a.csv', '1,x\nbad,y\n');
  await run(project('append'), 'p', at);
  await shadow.run(project('merge'), 'p', aside);
  expect([await kept(), files()]).toEqual([['bad,y'], 2]);
  expect((await shadow.promote(project('merge'), 'p', { ...aside, force: true })).status).toBe('promoted');
  // Loads sweep what no checkpoint names.
  csv('b.csv', '2,x\nworse,y\n');
  await run(project('merge'), 'p', at);
  expect([await kept(), files()]).toEqual([['bad,y', 'worse,y'], 3]);
  await shadow.rollback(project('append'), 'p', aside);
  csv('c.csv', '3,x\n');
  await run(project('append'), 'p', at);
  expect([await kept(), files()]).toEqual([['bad,y', 'worse,y'], 4]);
  await shadow.promote(project('merge'), 'p', { ...aside, force: true });
  expect(await kept()).toEqual(['bad,y', 'worse,y']);
  await shadow.rollback(project('append'), 'p', aside);
  await shadow.run(project('merge'), 'p', { ...aside, fullRefresh: true });
  expect(await kept()).toEqual(['bad,y', 'worse,y']);
  await shadow.drop(project('append'), 'p', aside);
  csv('d.csv', '4,x\n');
  await run(project('append'), 'p', at);
  expect([await kept(), files()]).toEqual([['bad,y', 'worse,y'], 2]);
  rmSync(folder, { recursive: true });
});
