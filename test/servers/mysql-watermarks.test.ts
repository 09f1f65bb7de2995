/** Rows that become visible behind our back, in MariaDB. Everywhere `overlap: 0`: the usual minute would hide what is not seen. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { readIncrement, readNow, SIGNAL, streamOf } from '../../src/testing/source-suite.ts';
import { mariadbPresent, mysqlPair, type MysqlPair, useMariadb } from '../support/mariadb.ts';
import { newName } from '../support/server.ts';

// A zone with summer time: the server tells the start of transactions in it.
const server = useMariadb({ env: { TZ: 'America/New_York' } });

const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, v varchar(20), updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
  INSERT INTO t (v, updated_at) SELECT 'old', UTC_TIMESTAMP() - INTERVAL 1 HOUR FROM seq_1_to_20;`;

const open = (options: StreamOptions = {}, sql: string = TABLE): Promise<MysqlPair> =>
  mysqlPair(server(), { t: { cursor: 'updated_at', overlap: 0, ...options } }, sql);

describe.runIf(mariadbPresent)('watermarks of MariaDB', () => {
  test.each(['updated_at', 'id'])(
    'a row is found that was written before our read and committed after it (cursor %s)',
    async (cursor) => {
      await using pair = await open({ cursor });
      const slow = await pair.from.session();
      await slow.query(`BEGIN; INSERT INTO t (v) VALUES ('slow')`);
      await sleep(1100);
      await pair.from.query(`INSERT INTO t (v) VALUES ('quick')`);
      expect((await pair.run()).totals.loaded).toBe(21);
      await pair.from.query(`INSERT INTO t (v) VALUES ('quick')`);
      await pair.run();
      await slow.query('COMMIT');
      const report = await pair.run();
      expect(report.totals.loaded).toBe(1);
      await pair.expectEqual('t');
      await pair.from.query(`INSERT INTO t (v) VALUES ('after')`);
      expect((await pair.run()).totals.loaded).toBe(1);
      await pair.expectEqual('t');
    },
  );

  test('a row is found whose statement had begun before our read, though nothing of it was in InnoDB yet', async () => {
    await using pair = await open();
    const slow = await pair.from.session();
    const blocker = await pair.from.session();
    // The global lock would wait for the statement, and the snapshot would see its row.
    const options = mysqlOptions.parse({ url: pair.from.url, global_lock: false });
    const context = { name: 'db', directory: '/', memoryBytes: 256 << 20, workers: 1 };
    const source = await mysqlConnector.openSource!(options, context);
    await blocker.query('LOCK TABLES t WRITE');
    const waiting = slow.query(`INSERT INTO t (v) VALUES ('waited')`);
    await sleep(1500);
    await blocker.query(`INSERT INTO t (v) VALUES ('quick')`);
    const snapshot = await source.open(SIGNAL);
    await blocker.query('UNLOCK TABLES');
    await waiting;
    const stream = streamOf(`${pair.from.database}.t`, ['updated_at']);
    const first = await readIncrement(snapshot, stream);
    expect(first.rows.length).toBe(21);
    const second = await readNow(source, stream, first.checkpoint);
    expect(second.rows.map((row) => row[1])).toContain('waited');
    await source.close();
  });

  test('a rising number that was drawn early and committed late is found, in any order', async () => {
    await using pair = await open({ cursor: 'id' });
    const sessions = [await pair.from.session(), await pair.from.session(), await pair.from.session()];
    for (const [i, session] of sessions.entries())
      await session.query(`BEGIN; INSERT INTO t (v) VALUES ('${i}')`);
    for (const i of [2, 0, 1]) {
      await sessions[i]!.query('COMMIT');
      await pair.run();
      await pair.expectEqual('t');
    }
  });

  test('prepared transactions hold the watermark, also after the server was killed', async () => {
    await using pair = await open({ cursor: 'updated_at' });
    const xa = await pair.from.session();
    await xa.query(`XA START 'x1'; INSERT INTO t (v) VALUES ('prepared'); XA END 'x1'; XA PREPARE 'x1'`);
    await sleep(1100);
    await pair.from.query(`INSERT INTO t (v) VALUES ('quick')`);
    await pair.run();
    await server().restart();
    const [first] = (await pair.plan()).streams;
    expect(first).toBeDefined();
    await server().query(`INSERT INTO t (v) VALUES ('after')`, pair.from.database);
    await pair.run();
    expect(pair.events.map((event) => JSON.stringify(event)).join()).toContain('prepared transaction');
    await server().query(`XA COMMIT 'x1'`);
    await pair.run();
    const rows = await server().query('SELECT COUNT(*) AS n FROM t', pair.from.database);
    expect(await pair.to.query('t', 'SELECT count(*)::INT AS n FROM t')).toEqual([{ n: rows[0]!['n'] }]);
  });

  test('an account without PROCESS finds late rows by the overlap, and is told so', async () => {
    await using pair = await open({ overlap: undefined });
    const blind = newName('blind');
    await pair.from.query(`CREATE USER ${blind}; GRANT SELECT ON ${pair.from.database}.* TO ${blind}`);
    const url = new URL(pair.from.url);
    url.username = blind;
    pair.from.connection = { type: 'mysql', url: url.href };
    const slow = await pair.from.session();
    await slow.query(`BEGIN; INSERT INTO t (v) VALUES ('slow')`);
    await sleep(1100);
    await pair.from.query(`INSERT INTO t (v) VALUES ('quick')`);
    await pair.run();
    expect(JSON.stringify(pair.events)).toContain('GRANT PROCESS');
    await slow.query('COMMIT');
    await pair.run();
    await pair.expectEqual('t');
  });

  test('DATETIME cursors of any zone, NULL and zero cursors, equal values at the boundary', async () => {
    const sql = `
      CREATE TABLE t (id int PRIMARY KEY, v varchar(20), at datetime NULL, KEY (at));
      INSERT INTO t VALUES (1, 'a', '2026-01-01 00:00:00'), (2, 'b', NULL), (3, 'c', '0000-00-00 00:00:00'), (4, 'd', '2026-01-01 00:00:00');`;
    await using pair = await open({ cursor: 'at', cursor_timezone: 'America/New_York' }, sql);
    await pair.run();
    await pair.expectEqual('t');
    await pair.from.query(
      `INSERT INTO t VALUES (5, 'e', CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '-05:00')), (6, 'f', NULL), (7, 'g', '0000-00-00'); UPDATE t SET v = 'b2' WHERE id = 2`,
    );
    await pair.run();
    await pair.expectEqual('t');
    // The column has whole seconds: what is written now may show a time before our last look.
    for (let id = 8; id < 14; id++) {
      await pair.from.query(
        `INSERT INTO t VALUES (${id}, 'h', CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '-05:00'))`,
      );
      await pair.run();
      await pair.expectEqual('t');
    }
    expect((await pair.run()).totals.loaded).toBe(0);
  });

  test('two cursors, micro-batches in their order, and a lookback', async () => {
    const sql = `
      CREATE TABLE t (id bigint unsigned PRIMARY KEY, day date, made datetime(6) NOT NULL, changed datetime(6) NULL, KEY (made), KEY (changed));
      INSERT INTO t SELECT seq, '2020-01-01' + INTERVAL seq DAY, '2026-01-01' + INTERVAL seq SECOND, IF(seq % 3 = 0, '2026-02-01' + INTERVAL seq MICROSECOND, NULL) FROM seq_1_to_500;`;
    await using pair = await open({ cursor: ['changed', 'made'], cursor_timezone: 'UTC' }, sql);
    await pair.run();
    await pair.expectEqual('t');
    await pair.from.query(`UPDATE t SET changed = UTC_TIMESTAMP(6) WHERE id IN (7, 9)`);
    await pair.run();
    await pair.expectEqual('t');
    await using small = await open({ cursor: 'id', slice_rows: 100 }, sql);
    expect((await small.plan()).streams[0]!.slices.length).toBeGreaterThan(3);
    await small.run();
    await small.expectEqual('t');
    await small.from.query('INSERT INTO t SELECT id + 500, day, made, changed FROM t');
    await small.run();
    await small.expectEqual('t');
  });

  test('days are replaced one by one', async () => {
    const sql = `
      CREATE TABLE t (id int PRIMARY KEY, v int, at timestamp NOT NULL);
      INSERT INTO t SELECT seq, seq, UTC_DATE() - INTERVAL 5 DAY + INTERVAL seq HOUR FROM seq_0_to_100;`;
    await using pair = await open(
      { cursor: undefined, overlap: undefined, date: { column: 'at', timezone: 'UTC' } },
      sql,
    );
    const day = (back: number): string => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
    await pair.run({ window: { from: day(5), to: day(0) } });
    const count = async (): Promise<unknown> =>
      (await pair.to.query('t', 'SELECT count(*)::INT AS n FROM t'))[0]!['n'];
    expect(await count()).toBe(101);
    await pair.from.query(`DELETE FROM t WHERE id = 30; UPDATE t SET v = -1 WHERE id = 31`);
    await pair.run({ window: { from: day(4), to: day(3) } });
    expect(await count()).toBe(100);
    expect(await pair.to.query('t', 'SELECT v FROM t WHERE id = 31')).toEqual([{ v: -1 }]);
  });

  test('what is no date belongs to no day, whatever lies around it', async () => {
    const sql = `
      SET sql_mode = 'ALLOW_INVALID_DATES';
      CREATE TABLE t (id int PRIMARY KEY, v int, day date NOT NULL);
      INSERT INTO t VALUES (1, 0, '2026-01-31'), (2, 0, '2026-02-00'), (3, 0, '2026-02-01'), (4, 0, '0000-00-00'), (5, 0, '2026-02-30'), (6, 0, '2026-02-28');`;
    await using pair = await open({ cursor: undefined, overlap: undefined, date: 'day' }, sql);
    const window = { from: '2026-01-31', to: '2026-03-02' };
    const ids = async (): Promise<unknown[]> =>
      (await pair.to.query('t', 'SELECT id, v FROM t ORDER BY id, v')).map((row) => [row['id'], row['v']]);
    await pair.run({ window });
    expect(await ids()).toEqual([1, 3, 6].map((id) => [id, 0]));
    await pair.run();
    expect(await ids()).toEqual([1, 2, 3, 4, 5, 6].map((id) => [id, 0]));
    await pair.from.query(`UPDATE t SET v = 1; DELETE FROM t WHERE id = 5`);
    await pair.run({ window });
    await pair.run();
    expect(await ids()).toEqual([1, 2, 3, 4, 6].map((id) => [id, 1]));
  });
});
