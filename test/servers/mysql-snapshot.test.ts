/** One moment for all readers, large rows and tables, and everything that can go wrong in the midst of reading MariaDB. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { mysqlConnector } from '../../src/connectors/mysql/index.ts';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import type { Source } from '../../src/core/source.ts';
import { labels, readIncrement, streamOf } from '../../src/testing/source-suite.ts';
import { mariadbPresent, mysqlPair, type MysqlPair, useMariadb } from '../support/mariadb.ts';
import { newName } from '../support/server.ts';

const server = useMariadb({ settings: ['--max-allowed-packet=64M'] });
const logging = useMariadb({ settings: ['--log-bin=bin', '--server-id=1'] });
const SIGNAL = new AbortController().signal;

async function source(pair: MysqlPair, workers: number, more: object = {}): Promise<Source> {
  const options = mysqlOptions.parse({ url: pair.from.url, ...more });
  return mysqlConnector.openSource!(options, { name: 'db', directory: '/', memoryBytes: 256 << 20, workers });
}

const KEYED = `
  CREATE TABLE t (id bigint PRIMARY KEY, v varchar(200), updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
  INSERT INTO t (id, v) SELECT seq * IF(seq > 30000, 1000000, 1), REPEAT('x', 100) FROM seq_1_to_40000; ANALYZE TABLE t;`;

describe.runIf(mariadbPresent)('snapshots of MariaDB', () => {
  // The sum never changes: every transaction moves an amount from one account of one table to one of another.
  test.each([
    ['by the binary log', logging, { global_lock: false }, 3],
    ['by a lock of a moment', server, {}, 3],
    ['by one connection', server, { global_lock: false }, 1],
  ])('all readers see one moment while others write (%s)', async (_, of, more, connections) => {
    await using pair = await mysqlPair(
      of(),
      { a: {}, b: {} },
      `CREATE TABLE a (id int PRIMARY KEY, n bigint); INSERT INTO a SELECT seq, 1000 FROM seq_1_to_50;
       CREATE TABLE b LIKE a; INSERT INTO b SELECT * FROM a;`,
    );
    const stop = new AbortController();
    const writers = [0, 1].map(async () => {
      const writer = await pair.from.session();
      while (!stop.signal.aborted) {
        const [from, to] = [1 + Math.trunc(Math.random() * 50), 1 + Math.trunc(Math.random() * 50)];
        await writer.query(
          `BEGIN; UPDATE a SET n = n - 7 WHERE id = ${from}; UPDATE b SET n = n + 7 WHERE id = ${to}; COMMIT`,
        );
        // Without a pause there is no moment at which nobody commits, on a machine that is busy.
        await sleep(3);
      }
    });
    const opened = await source(pair, 2, more);
    for (let round = 0; round < 8; round++) {
      const snapshot = await opened.open(SIGNAL);
      const streams = ['a', 'b'].map((name) => streamOf(`${pair.from.database}.${name}`, []));
      const reads = await Promise.all(streams.map((stream) => readIncrement(snapshot, stream)));
      const again = await readIncrement(snapshot, streams[0]!);
      const [open] = await pair.from.query(
        `SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = DATABASE()`,
      );
      // Beside those of this test.
      expect(Number(open!['n']) - 3).toBe(connections);
      const sum = (rows: unknown[][]): number => rows.reduce((total, row) => total + Number(row[1]), 0);
      expect(sum(reads[0]!.rows) + sum(reads[1]!.rows)).toBe(100_000);
      expect(labels(again.rows)).toEqual(labels(reads[0]!.rows));
      await snapshot.close();
    }
    stop.abort();
    await Promise.all(writers);
    await opened.close();
  });

  test('a first load is cut into ranges of the key, about even in spite of gaps, and goes on after it was stopped', async () => {
    await using pair = await mysqlPair(server(), { t: { cursor: 'updated_at' } }, KEYED);
    pair.from.connection = { ...pair.from.connection, slice_size: '500 KB' };
    const [planned] = (await pair.plan()).streams;
    expect(planned!.slices.length).toBeGreaterThan(4);
    expect(planned!.slices.every(({ range }) => range.kind === 'key')).toBe(true);
    const sizes = await Promise.all(
      planned!.slices.map(async ({ range }) => {
        const { from, to } = range as { from?: string[]; to?: string[] };
        const [row] = await pair.from.query(
          `SELECT COUNT(*) AS n FROM t WHERE id >= ${from?.[0] ?? '-1'} AND id < ${to?.[0] ?? '1e15'}`,
        );
        return Number(row!['n']);
      }),
    );
    expect(sizes.reduce((a, b) => a + b)).toBe(40_000);
    expect(Math.max(...sizes)).toBeLessThan((40_000 / sizes.length) * 3);
    const stop = new AbortController();
    let commits = 0;
    await pair.attempt({
      workers: 1,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-committed' && ++commits === 2) stop.abort();
      },
    });
    await pair.from.query(
      `UPDATE t SET v = 'changed' WHERE id % 5000 = 0; INSERT INTO t (id, v) VALUES (-5, 'new'), (123456789, 'new')`,
    );
    const [resumed] = (await pair.plan()).streams;
    expect(resumed!.action).toBe('resume');
    await pair.run();
    await pair.expectEqual('t');
  });

  test('rows of more than 16 MiB, and a hundred columns', async () => {
    await using pair = await mysqlPair(
      server(),
      { big: {}, wide: {} },
      `CREATE TABLE big (id int PRIMARY KEY, b longblob);
       INSERT INTO big VALUES (1, REPEAT('a', 17000000)), (2, 'small'), (3, REPEAT('b', 16777200)), (4, NULL);
       CREATE TABLE wide (${Array.from({ length: 100 }, (_, i) => `c${i} int`).join(', ')});
       INSERT INTO wide (c0, c50, c99) SELECT seq, seq, seq FROM seq_1_to_3000;`,
    );
    await pair.run();
    expect(
      await pair.to.query('big', 'SELECT id, octet_length(b)::INT AS n, md5(b) AS m FROM big ORDER BY id'),
    ).toEqual(
      (await pair.from.query('SELECT id, LENGTH(b) AS n, MD5(b) AS m FROM big ORDER BY id')).map((row) => ({
        ...row,
        n: row['n'] === null ? null : Number(row['n']),
      })),
    );
    expect(
      await pair.to.query(
        'wide',
        'SELECT sum(c0 + c50 + c99)::BIGINT::VARCHAR AS s, count(c1)::INT AS n FROM wide',
      ),
    ).toEqual([{ s: String(3 * 4_501_500), n: 0 }]);
  });

  test('connections that are killed in the midst of reading, and tables that change', async () => {
    await using pair = await mysqlPair(server(), { t: { cursor: 'updated_at' } }, KEYED);
    pair.from.connection = { ...pair.from.connection, slice_size: '500 KB' };
    let kills = 0;
    const run = pair.run({
      onEvent: (event) => {
        if (event.kind !== 'slice-committed' || kills++ > 0) return;
        void server()
          .query(
            `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = '${pair.from.database}' AND COMMAND <> 'Sleep'`,
          )
          .then(async (rows) => {
            for (const { id } of rows)
              await server()
                .query(`KILL ${String(id)}`)
                .catch(() => undefined);
            await server().query(`ALTER TABLE t ADD COLUMN extra int DEFAULT 7`, pair.from.database);
          });
      },
    });
    await run;
    await sleep(500);
    await pair.run({ fullRefresh: true });
    await pair.expectEqual('t');
  });

  test('an ALTER TABLE waits for one slice, not for the run', async () => {
    await using pair = await mysqlPair(server(), { t: {} }, KEYED);
    const opened = await source(pair, 1);
    const snapshot = await opened.open(SIGNAL);
    const stream = streamOf(`${pair.from.database}.t`, []);
    await readIncrement(snapshot, stream);
    await pair.from.query('ALTER TABLE t FORCE');
    await expect(readIncrement(snapshot, stream)).rejects.toMatchObject({
      code: 'engine.old_snapshot',
      recovery: 'transient',
    });
    await snapshot.close();
    await pair.from.query('CREATE TABLE u LIKE t; INSERT INTO u SELECT * FROM t');
    const second = await opened.open(SIGNAL);
    await pair.from.query('TRUNCATE TABLE u');
    await expect(readIncrement(second, streamOf(`${pair.from.database}.u`, []))).rejects.toMatchObject({
      recovery: 'transient',
    });
    await opened.close();
  });

  test('says what is wrong: locks, rights, names, SQL, limits', async () => {
    await using pair = await mysqlPair(server(), { t: {} }, KEYED);
    const name = `${pair.from.database}.t`;
    const expectCode = async (options: object, stream: object, code: string): Promise<void> => {
      const opened = await source(pair, 1, options);
      const work = opened
        .open(SIGNAL)
        .then((snapshot) => readIncrement(snapshot, { ...streamOf(name, []), ...stream }));
      await expect(work, code).rejects.toMatchObject({ code });
      await opened.close();
    };
    const locker = await pair.from.session();
    await locker.query('LOCK TABLES t WRITE');
    await expectCode({ lock_timeout: 1 }, {}, 'mysql.locked');
    await locker.query('UNLOCK TABLES');
    await expectCode({ url: pair.from.url.replace('root', 'nobody') }, {}, 'mysql.login_refused');
    await expectCode({ database: 'nowhere' }, {}, 'mysql.no_database');
    await expectCode({}, { where: 'nope = 1' }, 'mysql.no_column');
    await expectCode({}, { where: 'id = = 1' }, 'mysql.bad_sql');
    await expectCode({}, { sql: 'SELECT 1 FROM nowhere' }, 'mysql.no_table');
    await expectCode({ statement_timeout: 1 }, { where: 'SLEEP(0.01) = 0' }, 'mysql.query_cancelled');
    await expectCode({ tls: 'require' }, {}, 'mysql.no_tls');
    const few = newName('few');
    await server().query(`CREATE USER ${few}; GRANT SELECT (id) ON ${name} TO ${few}`);
    // Columns that are not granted do not exist for the account.
    const opened = await source(pair, 1, { url: pair.from.url.replace('root', few) });
    const snapshot = await opened.open(SIGNAL);
    const some = await readIncrement(snapshot, {
      ...streamOf(name, []),
      where: 'id < 10',
    });
    expect(some.rows.length).toBe(9);
    await opened.close();
  });
});
