/**
 * Rows of the overlap that the last load had before it are not compared again. How many rows a run reads tells whether it
 * knew them; that none is lost or doubled has to be so either way.
 */
import { describe, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { xminSql } from '../../src/connectors/postgres/relation.ts';
import { setWatermark } from '../../src/engine/state-ops.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { Pair } from '../support/pair.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();
/** Made from the same files: its system identifier is the same. */
const twin = useServer();

const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz DEFAULT now());
  INSERT INTO t SELECT g, 'old' FROM generate_series(1, 20) g`;
const INDEX = 'CREATE INDEX ON t (updated_at)';

function open(options: StreamOptions = {}, sql: string = `${TABLE}; ${INDEX}`): Promise<Pair> {
  return Pair.open(server(), { 'public.t': { cursor: 'updated_at', ...options } }, sql);
}

async function expectWhole(pair: Pair): Promise<void> {
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
}

/** Another run has to find all rows of the overlap. */
async function expectComparesAll(pair: Pair, rows: number): Promise<void> {
  expect((await pair.run()).totals).toMatchObject({ rows, loaded: 0 });
  await expectWhole(pair);
}

describe.each([
  ['with an index on the cursor', INDEX],
  ['without an index on the cursor', ''],
])('%s', (_, index) => {
  it('rows that were loaded a moment ago are not read again', async () => {
    await using pair = await open({}, `${TABLE}; ${index}`);
    expect((await pair.run()).totals).toMatchObject({ rows: 20, loaded: 20 });
    expect((await pair.run()).totals).toMatchObject({ rows: 0, loaded: 0 });
    await pair.db.query(
      `INSERT INTO t VALUES (21, 'new'); UPDATE t SET v = 'new', updated_at = now() WHERE id < 3`,
    );
    expect((await pair.run()).totals).toMatchObject({ rows: 3, loaded: 3 });
    await expectWhole(pair);
  });

  it('late commits are found, of savepoints and of prepared transactions too', async () => {
    await using pair = await open({}, `${TABLE}; ${index}`);
    const [slow, prepared, idle] = [await pair.connect(), await pair.connect(), await pair.connect()];
    await idle.query('BEGIN; SELECT now()');
    await slow.query(
      `BEGIN; INSERT INTO t VALUES (100, 'slow'); SAVEPOINT a; INSERT INTO t VALUES (101, 'sub');
       SAVEPOINT b; INSERT INTO t VALUES (102, 'gone'); ROLLBACK TO SAVEPOINT b; UPDATE t SET v = 'sub' WHERE id = 1`,
    );
    await prepared.query(
      `BEGIN; SAVEPOINT a; INSERT INTO t VALUES (103, 'prepared'); PREPARE TRANSACTION 'seen'`,
    );
    await pair.db.query(`INSERT INTO t VALUES (200, 'quick')`);
    expect((await pair.run()).totals.loaded).toBe(21);
    // Numbers above those that are open were given out before.
    expect((await pair.run()).totals.loaded).toBe(0);
    await slow.query('COMMIT');
    expect((await pair.run()).totals.loaded).toBe(3);
    await idle.query(`INSERT INTO t VALUES (104, 'idle'); COMMIT`);
    await prepared.query(`COMMIT PREPARED 'seen'`);
    expect((await pair.run()).totals.loaded).toBe(2);
    expect((await pair.run()).totals).toMatchObject({ rows: 0, loaded: 0 });
    await expectWhole(pair);
  });

  it('a row with an older or equal cursor value is found when it is written later', async () => {
    await using pair = await open({}, `${TABLE}; ${index}`);
    await pair.run();
    await pair.db.query(
      `INSERT INTO t SELECT 100, 'equal', max(updated_at) FROM t;
       INSERT INTO t SELECT 101, 'older', max(updated_at) - interval '10 s' FROM t;
       UPDATE t SET v = 'in place' WHERE id = 1`,
    );
    expect((await pair.run()).totals).toMatchObject({ rows: 3, loaded: 3 });
    await expectWhole(pair);
  });
});

it('a watermark rises past rows that need not be read when they are many', async () => {
  await using pair = await open();
  await pair.run();
  const { version } = (await pair.state('t'))!;
  expect((await pair.run()).status).toBe('nothing-new');
  expect((await pair.state('t'))!.version).toBe(version);
  await pair.db.query(`INSERT INTO t SELECT g, 'many' FROM generate_series(100, 20100) g`);
  await pair.run();
  const before = (await pair.state('t'))!.checkpoint!;
  // While nobody writes anywhere, there is nothing to look at.
  await pair.db.query('SELECT txid_current()');
  expect((await pair.run()).totals.rows).toBe(0);
  const after = (await pair.state('t'))!.checkpoint!;
  expect(after.watermark! > before.watermark!).toBe(true);
  expect(after.high).toBe(before.high);
});

it('rows without a cursor value are read when they are new or have changed', async () => {
  await using pair = await open(
    {},
    `${TABLE}; ${INDEX}; INSERT INTO t SELECT g, 'none', NULL FROM generate_series(50, 60) g`,
  );
  expect((await pair.run()).totals.loaded).toBe(31);
  expect((await pair.run()).totals.rows).toBe(0);
  await pair.db.query(`UPDATE t SET v = 'changed' WHERE id = 50; INSERT INTO t VALUES (61, 'none', NULL)`);
  expect((await pair.run()).totals).toMatchObject({ rows: 2, loaded: 2 });
  await expectWhole(pair);
});

it('rows of the lookback window are read when they have changed', async () => {
  const sql = `CREATE TABLE t (id int PRIMARY KEY, day date DEFAULT current_date, v text, updated_at timestamptz DEFAULT now() - interval '1 hour');
    INSERT INTO t SELECT g FROM generate_series(1, 20) g; ${INDEX}`;
  await using pair = await open({ lookback: { column: 'day', days: 3 } }, sql);
  await pair.run();
  expect((await pair.run()).totals.rows).toBe(0);
  await pair.db.query(`UPDATE t SET v = 'corrected' WHERE id < 4`);
  expect((await pair.run()).totals).toMatchObject({ rows: 3, loaded: 3 });
  await expectWhole(pair);
});

it('rows without a key are counted against all that are loaded', async () => {
  const sql = `CREATE TABLE t (v text, updated_at timestamptz); INSERT INTO t SELECT 'twice', now() FROM generate_series(1, 3); ${INDEX}`;
  await using pair = await open({}, sql);
  await pair.run();
  expect((await pair.run()).totals.rows).toBe(0);
  await pair.db.query(`INSERT INTO t SELECT * FROM t LIMIT 1`);
  expect((await pair.run()).totals).toMatchObject({ rows: 4, loaded: 1 });
  await pair.expectEqual('t');
});

describe('all of the overlap is compared', () => {
  it('of views, and where a condition chooses the rows', async () => {
    await using pair = await open({}, `${TABLE}; CREATE VIEW w AS SELECT * FROM t`);
    pair.streams['public.t']!.where = 'id < 11';
    pair.streams['public.w'] = { cursor: 'updated_at', key: 'id' };
    await pair.run();
    const { streams } = await pair.attempt();
    expect(streams.map(({ totals }) => [totals.rows, totals.loaded])).toEqual([
      [10, 0],
      [20, 0],
    ]);
    // What it left out is new without it.
    delete pair.streams['public.t']!.where;
    expect((await pair.run()).totals).toMatchObject({ rows: 20, loaded: 10 });
    await expectWhole(pair);
  });

  it('when the stream asks for other rows', async () => {
    await using pair = await open(
      { null_cursor: 'skip' },
      `${TABLE}; ${INDEX}; INSERT INTO t VALUES (50, 'none', NULL)`,
    );
    await pair.run();
    pair.streams['public.t']!.null_cursor = 'load';
    expect((await pair.run()).totals).toMatchObject({ rows: 21, loaded: 1 });
    expect((await pair.run()).totals.rows).toBe(0);
    await expectWhole(pair);
  });

  it('when somebody puts the watermark back', async () => {
    await using pair = await open();
    await pair.run();
    await setWatermark(await pair.context(), 'p', 'public.t', '2020-01-01 00:00:00+00');
    await expectComparesAll(pair, 20);
  });

  it('when the table was defined anew', async () => {
    await using pair = await open();
    await pair.run();
    await pair.db.query('GRANT SELECT ON t TO PUBLIC');
    await expectComparesAll(pair, 20);
    expect((await pair.run()).totals.rows).toBe(0);
  });

  it('when rows were hidden from the role', async () => {
    const role = newName('reader');
    const hide = `CREATE ROLE ${role} LOGIN; GRANT pg_read_all_stats TO ${role}; GRANT SELECT ON t TO ${role};
      ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (id < 11)`;
    await using pair = await open({}, `${TABLE}; ${INDEX}; ${hide}`);
    pair.source = { url: pair.from.urlOf(role), row_security: true };
    expect((await pair.run()).totals.loaded).toBe(10);
    await pair.db.query('ALTER TABLE t DISABLE ROW LEVEL SECURITY');
    expect((await pair.run()).totals).toMatchObject({ rows: 20, loaded: 10 });
    await expectWhole(pair);
  });

  it('where a role may read some columns only, of a partitioned table too', async () => {
    const role = newName('columns');
    const sql = `CREATE TABLE t (id int, secret text, updated_at timestamptz DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (100); INSERT INTO t SELECT g FROM generate_series(1, 20) g; ${INDEX};
    CREATE ROLE ${role} LOGIN; GRANT pg_read_all_stats TO ${role}; GRANT SELECT (id, updated_at) ON t TO ${role}`;
    await using pair = await open({ columns: { exclude: ['secret'] } }, sql);
    pair.source = { url: pair.from.urlOf(role) };
    expect((await pair.run()).totals.loaded).toBe(20);
    await expectComparesAll(pair, 20);
  });

  it('when a partition has come, has come back, or was another table before', async () => {
    const sql = `CREATE TABLE t (id int, v text, updated_at timestamptz DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (100);
      CREATE TABLE b (LIKE t INCLUDING ALL); INSERT INTO b SELECT g, 'before' FROM generate_series(101, 105) g;
      INSERT INTO t SELECT g, 'old' FROM generate_series(1, 20) g; ${INDEX}`;
    await using pair = await open({}, sql);
    expect((await pair.run()).totals.loaded).toBe(20);
    expect((await pair.run()).totals.rows).toBe(0);
    const attach = 'ALTER TABLE t ATTACH PARTITION b FOR VALUES FROM (100) TO (200)';
    await pair.db.query(attach);
    expect((await pair.run()).totals).toMatchObject({ rows: 25, loaded: 5 });
    expect((await pair.run()).totals.rows).toBe(0);
    await pair.db.query(`INSERT INTO t VALUES (21, 'new'), (106, 'new')`);
    expect((await pair.run()).totals).toMatchObject({ rows: 2, loaded: 2 });
    await expectWhole(pair);
    await pair.db.query(`ALTER TABLE t DETACH PARTITION b; INSERT INTO b VALUES (107, 'apart')`);
    await pair.run();
    await pair.db.query(attach);
    expect((await pair.run()).totals).toMatchObject({ rows: 28, loaded: 1 });
    await expectWhole(pair);
  });

  it('when another table has become a child', async () => {
    const sql = `${TABLE}; ${INDEX}; CREATE TABLE a () INHERITS (t); INSERT INTO a VALUES (50, 'child');
      CREATE TABLE b (LIKE t INCLUDING ALL); INSERT INTO b VALUES (60, 'before')`;
    await using pair = await open({ key: 'id' }, sql);
    expect((await pair.run()).totals.loaded).toBe(21);
    expect((await pair.run()).totals.rows).toBe(0);
    await pair.db.query('ALTER TABLE b INHERIT t');
    expect((await pair.run()).totals).toMatchObject({ rows: 22, loaded: 1 });
    expect((await pair.run()).totals.rows).toBe(0);
    await expectWhole(pair);
  });

  it('after a crash, which may take back numbers that were given out', async () => {
    await using pair = await open();
    await pair.run();
    const sql = `SELECT pg_postmaster_start_time()::text AS started, pg_stat_get_bgwriter_stat_reset_time()::text AS counted`;
    const [before] = await pair.from.query(sql);
    const victim = await pair.connect();
    const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0]!.pid, 'SIGKILL');
    const after = async (): Promise<unknown> => {
      await pair.from.reconnect().catch(() => undefined);
      const [now] = await pair.from.query(sql).catch(() => [before]);
      return now!['started'] === before!['started'] && now!['counted'] !== before!['counted'];
    };
    await expect.poll(after, { timeout: 30_000, interval: 200 }).toBe(true);
    await expectComparesAll(pair, 20);
  });

  it('after a restart', async () => {
    await using pair = await open();
    await pair.run();
    await server().restart();
    await pair.from.reconnect();
    await expectComparesAll(pair, 20);
    expect((await pair.run()).totals.rows).toBe(0);
  });

  it('on another server, though tables and transactions have the same numbers there', async () => {
    const oid = `SELECT 't'::regclass::oid::int8 AS oid, (SELECT oid FROM pg_database WHERE datname = current_database())::int8 AS database,
      (SELECT system_identifier FROM pg_control_system())::text AS system, txid_current()::int4 AS xid`;
    const sql = `CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz);
      INSERT INTO t SELECT g, 'old', '2026-01-01 00:00:00+00' FROM generate_series(1, 20) g; ${INDEX}`;
    // Until both have given out the same.
    const other = await PostgresSide.open(twin());
    await other.query(sql);
    await using pair = await open({ overlap: 5 * 365 * 86_400 }, sql);
    try {
      const there = (await other.query(oid))[0]!;
      for (let i = 0; i < 200; i++) await pair.db.query('SELECT txid_current()');
      await pair.run();
      expect((await pair.run()).totals.rows).toBe(0);
      await other.query(`INSERT INTO t VALUES (21, 'there', '2025-12-31 23:59:59+00')`);
      const here = (await pair.from.query(oid))[0]!;
      expect(here['system']).toBe(there['system']);
      expect(here['xid']).toBeGreaterThan(Number((await other.query(oid))[0]!['xid']));
      for (let i = 0; i < 400; i++) await other.query('SELECT txid_current()');
      const { checkpoint } = (await pair.state('t'))!;
      // As if table and database had the same, too.
      const seen = checkpoint!.seen!.replace(
        `/${String(here['database'])} `,
        `/${String(there['database'])} `,
      );
      await pair.commitCheckpoint('t', { ...checkpoint!, relation: String(there['oid']), seen });
      pair.source = { url: other.url };
      expect((await pair.run()).totals).toMatchObject({ rows: 21, loaded: 1 });
    } finally {
      await other.close();
    }
  });
});

it('the number of a transaction is never taken for a lesser one, however often numbers began anew', async () => {
  await using pair = await open();
  const shown = async (next: bigint, xmin: bigint): Promise<bigint> => {
    const { rows } = await pair.db.query<{ xid: string }>(
      `SELECT ${xminSql(String(next), 'v')}::text AS xid FROM (SELECT '${xmin % 2n ** 32n}'::xid AS xmin) v`,
    );
    return BigInt(rows[0]!.xid);
  };
  for (const next of [1_000n, 2n ** 31n + 5n, 2n ** 32n + 5n, 2n ** 40n])
    for (const age of [0n, 1n, 500n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 33n + 3n]) {
      if (age > next) continue;
      const xid = await shown(next, next - age);
      expect(xid).toBeLessThanOrEqual(next);
      expect(xid).toBeGreaterThanOrEqual(next - age);
      if (age < 2n ** 32n) expect(xid).toBe(next - age);
    }
});
