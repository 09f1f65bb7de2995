/** From PostgreSQL to MariaDB: what has an equal there arrives exactly, by every strategy. */
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { agree, found } from '../support/diagnosis.ts';
import { CHINOOK } from '../support/chinook.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();
type Crossing = Pair<PostgresSide, MysqlTargetSide>;

async function open(streams: Streams, sql: string): Promise<Crossing> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const to = await MysqlTargetSide.open(mariadb());
  return new Pair(from, () => to, streams);
}

async function expectEqual(pair: Crossing, table: string): Promise<void> {
  const { lost, extra } = await pair.compare(table);
  expect({ table, lost, extra }).toEqual({ table, lost: [], extra: [] });
}

describe.runIf(mariadbPresent)('PostgreSQL to MariaDB', () => {
  // By merge and replace: foreign-keys.test.ts.
  it.skipIf(CHINOOK === undefined)(
    'Chinook by append: all tables arrive, then what changed, and both sides agree',
    async () => {
      await using pair = await open({ 'public.*': { load: 'append', cursor: 'xmin' } }, CHINOOK!);
      const first = await pair.attempt();
      expect(first.streams.map(({ error }) => error)).toEqual(first.streams.map(() => undefined));
      expect(first.streams).toHaveLength(11);
      const tables = first.streams.map(({ table }) => table);
      for (const table of tables) await expectEqual(pair, table);
      await pair.from.db.query(
        `UPDATE track SET name = name || ' (live)' WHERE track_id % 10 = 3; INSERT INTO artist VALUES (10001, 'Мумий Тролль')`,
      );
      expect((await pair.attempt()).status).toBe('succeeded');
      for (const table of tables) await expectEqual(pair, table);
      expect(await pair.to.leftovers()).toEqual([]);
    },
  );

  it('appends to an empty table of the user as to one of its own', async () => {
    await using pair = await open(
      { 'public.t': { load: 'append', cursor: 'at', overlap: 0 } },
      `CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp()); INSERT INTO t SELECT i FROM generate_series(1, 10) i`,
    );
    await pair.to.query('CREATE TABLE t (id int, at datetime(6))');
    await pair.run();
    await pair.from.db.query('UPDATE t SET at = clock_timestamp() WHERE id = 1');
    await pair.run();
    await expectEqual(pair, 't');
    const [row] = await pair.to.query('SELECT count(*) AS n, count(_sluice_load_id) AS marked FROM t');
    expect(Object.values(row!).map(Number)).toEqual([11, 11]);
  });

  it('carries values of every kind, and counts what has no equal', async () => {
    await using pair = await open(
      { 'public.v': { load: 'replace' } },
      `CREATE TABLE v (id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric(38,12), t text, j json,
         x bytea, u uuid, d date, ti time, ts timestamp, tz timestamptz);
       INSERT INTO v VALUES (1, true, -1, 9007199254740993, 0.1, 1e-7, -12345678901234567890123456.123456789012, E'a\\tb\\n\\\\N ''x'' ', '{"b": 1.50,  "a":1}',
           '\\x00090a5c27ff', '00010203-0405-0607-0809-0a0b0c0d0e0f', '0001-01-01', '24:00:00', '9999-12-31 23:59:59.999999', '1883-11-18 12:00:00.000001+00'),
         (2, false, 32767, -9223372036854775808, 3.4028235e38, 1.7976931348623157e308, 0, '', 'null', '', NULL, '9999-12-31', '00:00:00.5', '0001-01-01', '2300-01-01 00:00:00.123456Z');
       INSERT INTO v SELECT i, i % 2 = 0, i, i::int8 * 1000003, i / 3.0, i / 7.0, i / 8.0, repeat('ä', i % 50), NULL, decode(md5(i::text), 'hex'), md5(i::text)::uuid,
         date '1900-01-01' + i, time '00:00' + i * interval '1 s', timestamp '1970-01-01' + i * interval '1 hour 1 us', now() FROM generate_series(3, 3000) i`,
    );
    await pair.run();
    await expectEqual(pair, 'v');
    await pair.from.db.query(
      `INSERT INTO v (id, f4, f8, d, ts, tz) VALUES (5001, 'NaN', '-Infinity', '10000-01-01', 'infinity', '0001-01-01 BC')`,
    );
    const { coerced } = (await pair.run()).totals;
    expect(coerced).toEqual({ f4: 1, f8: 1, d: 1, ts: 1, tz: 1 });
    const [row] = await pair.to.query('SELECT f4, f8, d, ts, tz FROM v WHERE id = 5001');
    expect(Object.values(row!)).toEqual([null, null, null, null, null]);
  });

  it('appends versions, and tells them from what is loaded', async () => {
    await using pair = await open(
      { 'public.t': { load: 'append', cursor: 'at', overlap: 3600 } },
      `CREATE TABLE t (id int PRIMARY KEY, v float8, w float4, j json, at timestamptz DEFAULT now());
       INSERT INTO t SELECT i, i / 7.0, i / 3.0, '{"a":1}', now() FROM generate_series(1, 5000) i`,
    );
    expect((await pair.run()).totals.loaded).toBe(5000);
    await expectEqual(pair, 't');
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.from.db.query(
      `UPDATE t SET v = 0.1, at = now() WHERE id = 1; UPDATE t SET j = '{"a": 1}', at = now() WHERE id = 2`,
    );
    expect((await pair.run()).totals.loaded).toBe(2);
    await expectEqual(pair, 't');
    expect((await pair.run()).totals.loaded).toBe(0);
    expect(await pair.to.lines('t', 'history')).toHaveLength(5002);
    const loads = await pair.to.query(
      'SELECT COUNT(*) AS n FROM t GROUP BY _sluice_load_id, _sluice_loaded_at',
    );
    expect(loads.map(({ n }) => Number(n)).sort((a, b) => a - b)).toEqual([2, 5000]);
  });

  it('compares rows without a key as often as they occur', async () => {
    await using pair = await open(
      { 'public.k': { load: 'append', cursor: 'at', overlap: 3600 } },
      `CREATE TABLE k (v text, at timestamptz DEFAULT now()); INSERT INTO k SELECT 'same' FROM generate_series(1, 3);
       INSERT INTO k SELECT 'x' || i FROM generate_series(1, 2000) i; INSERT INTO k VALUES ('a'), ('a ')`,
    );
    expect((await pair.run()).totals.loaded).toBe(2005);
    await pair.from.db.query(
      `INSERT INTO k SELECT v, (SELECT max(at) FROM k) FROM (VALUES ('A'), ('a'), ('x7')) x (v)`,
    );
    expect((await pair.run()).totals.loaded).toBe(3);
    await expectEqual(pair, 'k');
  });

  it('gives texts the lengths that they have in the source, and more when those get more', async () => {
    await using pair = await open(
      { 'public.t': { load: 'merge', cursor: 'xmin' }, 'public.k': { load: 'merge', cursor: 'xmin' } },
      `CREATE TYPE mood AS ENUM ('glad'); CREATE DOMAIN short AS varchar(3);
       CREATE TABLE t (id varchar(300) PRIMARY KEY, code varchar(20) NOT NULL, c char(5), m mood, s short, free text, vague varchar, big varchar(9000), bigger varchar(9001), huge varchar(20000));
       CREATE INDEX ON t (code); CREATE UNIQUE INDEX ON t (big);
       CREATE TABLE k (a varchar(500), b varchar(500), PRIMARY KEY (a, b));
       INSERT INTO t VALUES ('😀', repeat('😀', 20), 'xxxxx', 'glad', 'ab ', 'y', 'z', repeat('ß', 9000), repeat('ß', 9001), repeat('ß', 20000));
       INSERT INTO k VALUES ('a', repeat('b', 255))`,
    );
    const types = async (table: string): Promise<Record<string, string | null>> => {
      const rows = await pair.to.query(`SHOW COLUMNS FROM ${table}`);
      return Object.fromEntries(rows.map(({ Field, Type }) => [Field, Type!]));
    };
    const looked = await agree(pair);
    expect(looked.flatMap(found)).toEqual([]);
    await expectEqual(pair, 't');
    const made = {
      id: 'varchar(300)',
      code: 'varchar(20)',
      c: 'varchar(5)',
      m: 'varchar(63)',
      s: 'varchar(3)',
      free: 'longtext',
      vague: 'longtext',
      big: 'varchar(9000)',
      bigger: 'longtext',
      huge: 'longtext',
    };
    expect(await types('t')).toMatchObject(made);
    // A key of more bytes than an index takes has as many characters as one whose lengths are not known.
    expect(await types('k')).toMatchObject({ a: 'varchar(255)', b: 'varchar(255)' });

    await pair.from.db.query(
      `ALTER TABLE t ALTER code TYPE varchar(40); UPDATE t SET code = repeat('😀', 40); INSERT INTO k VALUES ('c', repeat('b', 256))`,
    );
    const [plan] = (await pair.plan()).streams.filter(({ stream }) => stream.name === 'public.t');
    expect(plan!.changes).toEqual(['code 20 → 40 characters']);
    expect((await agree(pair)).flatMap(found)).toEqual([
      'b too-long refused 1 (a c, b bbbbb)'.replace('bbbbb', 'b'.repeat(200)),
    ]);
    await expectEqual(pair, 't');
    expect(await types('t')).toMatchObject({ ...made, code: 'varchar(40)' });

    await pair.from.db.query(
      `DELETE FROM k WHERE a = 'c'; UPDATE t SET code = 'x'; ALTER TABLE t ALTER code TYPE varchar(30), ALTER c TYPE text`,
    );
    const [again] = (await pair.plan()).streams.filter(({ stream }) => stream.name === 'public.t');
    expect(again!.changes).toEqual(['c 5 → any number of characters']);
    await pair.attempt();
    await expectEqual(pair, 't');
    expect(await types('t')).toMatchObject({ ...made, code: 'varchar(40)', c: 'longtext' });
    expect((await pair.plan()).streams.flatMap(({ changes }) => changes)).toEqual([]);
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
});
