/**
 * Rows that become visible behind our back. Everywhere `overlap: 0`: the usual minute of margin would hide whether open
 * transactions are seen at all.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz DEFAULT now());
  INSERT INTO t SELECT g, 'old', now() - interval '1 hour' FROM generate_series(1, 20) g;`;
const INDEX = 'CREATE INDEX ON t (updated_at)';

function open(options: StreamOptions = {}, more: string = INDEX): Promise<Pair> {
  return Pair.open(
    server(),
    { 'public.t': { cursor: 'updated_at', overlap: 0, ...options } },
    `${TABLE}; ${more}`,
  );
}

let forgotten: Pair | undefined;

beforeAll(async () => {
  forgotten = await open();
  const slow = await forgotten.connect();
  await slow.query('BEGIN; SELECT now()');
});

describe.each([
  ['with an index on the cursor', INDEX],
  ['without an index on the cursor', ''],
])('%s', (_, index) => {
  it('a row is found that was written before our read and committed after it', async () => {
    await using pair = await open({}, index);
    const slow = await pair.connect();
    await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'slow')`);
    await pair.db.query(`INSERT INTO t VALUES (101, 'quick')`);
    expect((await pair.run()).totals.loaded).toBe(21);
    await pair.db.query(`INSERT INTO t VALUES (102, 'quick')`);
    await pair.run();
    await slow.query('COMMIT');
    const report = await pair.run();
    expect(report.totals.loaded).toBe(1);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('a row is found whose transaction sat idle through our read and wrote only then', async () => {
    await using pair = await open({}, index);
    const idle = await pair.connect();
    await idle.query('BEGIN; SELECT now()');
    await pair.db.query(`INSERT INTO t VALUES (101, 'quick')`);
    await pair.run();
    await pair.run();
    await idle.query(
      `INSERT INTO t VALUES (100, 'idle'); UPDATE t SET v = 'idle', updated_at = now() WHERE id < 4; COMMIT`,
    );
    expect((await pair.run()).totals.loaded).toBe(4);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('two versions with the same cursor value are told apart, also when a row goes from A to B and back', async () => {
    await using pair = await open({}, index);
    // Keeps the watermark below what follows.
    const holder = await pair.connect();
    await holder.query('BEGIN; SELECT now()');
    await pair.db.query(`INSERT INTO t VALUES (100, 'A'), (101, 'same')`);
    await pair.run();
    for (const [value, loaded] of [
      ['B', 1],
      ['A', 1],
      ['A', 0],
      ['C', 1],
    ] as const) {
      await pair.db.query('UPDATE t SET v = $1 WHERE id = 100', [value]);
      expect((await pair.run()).totals.loaded).toBe(loaded);
      await pair.expectEqual('t');
    }
    const history = await pair.query('t', 'SELECT v FROM t_history WHERE id = 100 ORDER BY _sluice_load_id');
    expect(history.map((row) => row['v'])).toEqual(['A', 'B', 'A', 'C']);
  });

  it('nothing new makes no commit', async () => {
    await using pair = await open({}, index);
    await pair.run();
    const { version } = (await pair.state('t'))!;
    for (let i = 0; i < 2; i++) expect((await pair.run()).status).toBe('nothing-new');
    expect((await pair.state('t'))!.version).toBe(version);
  });
});

it('rows behind savepoints arrive, those that were rolled back do not', async () => {
  await using pair = await open();
  const slow = await pair.connect();
  await slow.query(
    `BEGIN; INSERT INTO t VALUES (100, 'one'); SAVEPOINT a; INSERT INTO t VALUES (101, 'two')`,
  );
  await pair.db.query(`INSERT INTO t VALUES (200, 'quick')`);
  await pair.run();
  await slow.query(
    `ROLLBACK TO SAVEPOINT a; SAVEPOINT b; INSERT INTO t VALUES (102, 'three'); RELEASE SAVEPOINT b; COMMIT`,
  );
  expect((await pair.run()).totals.loaded).toBe(2);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('a transaction that is rolled back leaves nothing and holds nothing up', async () => {
  await using pair = await open();
  const slow = await pair.connect();
  await slow.query(`BEGIN; INSERT INTO t VALUES (100, 'never')`);
  await pair.run();
  const before = (await pair.state('t'))!.checkpoint!.watermark!;
  await slow.query('ROLLBACK');
  await pair.db.query(`INSERT INTO t VALUES (101, 'later')`);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect((await pair.state('t'))!.checkpoint!.watermark! > before).toBe(true);
  await pair.expectEqual('t');
});

it('a prepared transaction is waited for, whenever it is committed', async () => {
  await using pair = await open();
  const other = await pair.connect();
  await other.query(
    `BEGIN; INSERT INTO t VALUES (100, 'prepared'); SAVEPOINT a; INSERT INTO t VALUES (101, 'sub'); PREPARE TRANSACTION 'gift'`,
  );
  await pair.db.query(`INSERT INTO t VALUES (200, 'quick')`);
  expect((await pair.run()).totals.loaded).toBe(21);
  expect((await pair.plan()).streams[0]!.note).toContain('"gift"');
  await pair.db.query(`INSERT INTO t VALUES (201, 'quick')`);
  expect((await pair.run()).totals.loaded).toBe(1);
  await other.query(`COMMIT PREPARED 'gift'`);
  expect((await pair.run()).totals.loaded).toBe(2);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('a row that shares the timestamp of the newest one is found', async () => {
  await using pair = await open();
  const holder = await pair.connect();
  await holder.query('BEGIN; SELECT now()');
  const { rows } = await pair.db.query<{ at: string }>(
    `INSERT INTO t VALUES (100, 'first') RETURNING updated_at::text AS at`,
  );
  await pair.run();
  await pair.db.query(`INSERT INTO t VALUES (101, 'same time', $1)`, [rows[0]!.at]);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect((await pair.run()).totals.loaded).toBe(0);
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('a prepared transaction that wrote elsewhere holds nothing up', async () => {
  await using pair = await open({}, `${INDEX}; CREATE TABLE other (id int)`);
  const other = await pair.connect();
  await other.query(
    `BEGIN; SELECT count(*) FROM t; INSERT INTO other VALUES (1); PREPARE TRANSACTION 'elsewhere'`,
  );
  await pair.run();
  expect((await pair.state('t'))!.checkpoint!.watermark).toBeDefined();
  expect((await pair.plan()).streams[0]!.note).toBeUndefined();
  await other.query(`ROLLBACK PREPARED 'elsewhere'`);
});

it('a prepared transaction is seen on a partition of the table that is loaded', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.p': { cursor: 'updated_at', overlap: 0 } },
    `CREATE TABLE p (id int, updated_at timestamptz DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
     CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)`,
  );
  const other = await pair.connect();
  await other.query(`BEGIN; INSERT INTO p1 VALUES (1); PREPARE TRANSACTION 'leaf'`);
  await pair.db.query('INSERT INTO p VALUES (2)');
  await pair.run();
  await other.query(`COMMIT PREPARED 'leaf'`);
  await pair.run();
  await pair.expectEqual('p');
});

it('a transaction that has been open for a while is named in the plan', async () => {
  await using pair = forgotten!;
  // The tests above took longer than that; run alone, this one waits.
  await pair.db.query(
    `SELECT pg_sleep(greatest(0, 5.1 - extract(epoch FROM now() - min(xact_start)))) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  const [stream] = (await pair.plan()).streams;
  expect(stream!.note).toMatch(/an open transaction since .* keeps the watermark there/);
});

it('a prepared transaction that survived a crash of the server is still waited for', async () => {
  await using pair = await open();
  const other = await pair.connect();
  await other.query(`BEGIN; INSERT INTO t VALUES (100, 'prepared'); PREPARE TRANSACTION 'survivor'`);
  await server().restart('immediate');
  const db = await pair.connect();
  await db.query(`INSERT INTO t VALUES (101, 'quick')`);
  await pair.run();
  await db.query(`COMMIT PREPARED 'survivor'`);
  expect((await pair.run()).totals.loaded).toBe(1);
  expect(await pair.lines('t', 'current', ['id'])).toHaveLength(22);
});
