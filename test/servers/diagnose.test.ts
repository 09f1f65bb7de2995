/** `check` of pipelines: what it finds is what a run then changes or stops at, and nothing else. */
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { type AnyPair, Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import { agree, diagnose, found } from '../support/diagnosis.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

async function toMariadb(
  streams: Streams,
  sql: string,
  there?: string,
): Promise<Pair<PostgresSide, MysqlTargetSide>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const to = await MysqlTargetSide.open(mariadb());
  if (there !== undefined) await to.query(there);
  return new Pair(from, () => to, streams);
}

async function toPostgres(
  streams: Streams,
  sql: string,
  there?: string,
): Promise<Pair<PostgresSide, PostgresTargetSide>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  const to = await PostgresTargetSide.open(server());
  if (there !== undefined) await to.db.query(there);
  return new Pair(from, () => to, streams);
}

async function fromMariadb(
  options: Streams[string],
  sql: string,
  there?: string,
): Promise<Pair<MysqlSide, PostgresTargetSide>> {
  const from = await MysqlSide.open(mariadb());
  await from.query(sql);
  const to = await PostgresTargetSide.open(server());
  if (there !== undefined) await to.db.query(there);
  return new Pair(from, () => to, { [`${from.database}.t`]: { table: 't', ...(options as object) } });
}

const pairOf = (pair: unknown): AnyPair => pair as AnyPair;

describe.runIf(mariadbPresent)('from PostgreSQL to MariaDB', () => {
  it('names the column, the count and the keys of every kind of value that does not fit', async () => {
    await using pair = await toMariadb(
      { 'public.t': { load: 'merge' } },
      `CREATE TABLE t (id int PRIMARY KEY, d date, ts timestamp NOT NULL, tz timestamptz, f4 real, f8 float8, n numeric(10,2), v varchar(300), x int);
       INSERT INTO t SELECT i, '2026-01-01', '2026-01-01', now(), 0.5, 0.5, 1, repeat('ä', 300), i FROM generate_series(1, 2000) i;
       UPDATE t SET d = CASE id WHEN 1 THEN '0001-01-01 BC'::date WHEN 2 THEN '10000-01-01' WHEN 3 THEN 'infinity' ELSE '-infinity' END WHERE id < 5;
       UPDATE t SET d = CASE id WHEN 5 THEN '0001-01-01'::date ELSE '9999-12-31' END WHERE id IN (5, 6);
       UPDATE t SET tz = '10000-01-01 00:00:00Z' WHERE id = 7; UPDATE t SET tz = '9999-12-31 23:59:59.999999Z' WHERE id = 8;
       UPDATE t SET f4 = 'NaN' WHERE id = 9; UPDATE t SET f8 = '-0' WHERE id = 10; UPDATE t SET f8 = '-Infinity' WHERE id = 11;
       UPDATE t SET n = 'NaN' WHERE id = 12; UPDATE t SET ts = 'infinity' WHERE id = 13`,
    );
    const [first] = await agree(pairOf(pair));
    expect(first).toMatchObject({ status: 'refused', rows: 2000, partial: false, open: [], unknown: [] });
    expect(found(first!)).toEqual([
      'd out-of-range null 4 (id 1; id 2; id 3; id 4)',
      'ts out-of-range refused 1 (id 13)',
      'tz out-of-range null 1 (id 7)',
      'f4 not-finite null 1 (id 9)',
      'f8 not-finite null 1 (id 11)',
      'f8 negative-zero altered 1 (id 10)',
      'n not-finite null 1 (id 12)',
    ]);
    await pair.from.db.query(`DELETE FROM t WHERE id = 13`);
    const [second] = await agree(pairOf(pair));
    expect(second).toMatchObject({ status: 'changes', rows: 1999 });
    await pair.from.db.query(`DELETE FROM t WHERE id IN (1, 2, 3, 4, 7, 9, 10, 11, 12)`);
    const [third] = await agree(pairOf(pair));
    expect(third).toMatchObject({ status: 'fits', rows: 1990, findings: [] });
  });

  it('finds keys that are too long, and NULL where the table takes none', async () => {
    await using pair = await toMariadb(
      { 'public.t': { load: 'merge' } },
      `CREATE TABLE t (k text PRIMARY KEY, b bytea, v text); INSERT INTO t VALUES (repeat('ä', 255), '', 'x'), (repeat(' ', 256), '', NULL), ('', '', 'y')`,
      'CREATE TABLE t (k varchar(100) character set latin1 NOT NULL PRIMARY KEY, v varchar(20) character set utf8mb3 NOT NULL)',
    );
    const [first] = await agree(pairOf(pair));
    expect(found(first!).map((line) => line.replaceAll(/ {2,}/g, ' _'))).toEqual([
      'k too-long refused 1 (k _)',
      'v null refused 1 (k _)',
    ]);
    await pair.from.db.query(`DELETE FROM t WHERE v IS NULL; UPDATE t SET v = '😀' WHERE k = ''`);
    const [second] = await agree(pairOf(pair));
    expect(second!.status).toBe('fits');
    // What it was in a narrower character set was widened, and is read as it was written.
    expect(await pair.to.query(`SELECT CHAR_LENGTH(k) AS n, HEX(v) AS v FROM t ORDER BY n`)).toEqual([
      { n: 0, v: 'F09F9880' },
      { n: 255, v: '78' },
    ]);
  });

  it('has nothing to scan where the types say that all fits', async () => {
    await using pair = await toMariadb(
      { 'public.t': { load: 'merge' } },
      `CREATE TABLE t (id int PRIMARY KEY, c varchar(40), b bool, u uuid, i int8, j jsonb, x bytea); INSERT INTO t VALUES (1)`,
    );
    const [only] = await agree(pairOf(pair));
    expect(only).toMatchObject({ status: 'fits', rows: undefined });
  });
});

describe.runIf(mariadbPresent)('from MariaDB to PostgreSQL', () => {
  it('names zero dates, zero characters, and what is none of the type that is pinned', async () => {
    await using pair = await fromMariadb(
      {
        load: 'merge',
        types: {
          tm: 'time',
          u: 'int64',
          b: 'bool',
          i: 'int32',
          n: 'decimal(6,2)',
          day: 'date',
          g: 'uuid',
          j: 'json',
        },
      },
      `CREATE TABLE t (id int PRIMARY KEY, d date NOT NULL, dt datetime(6), tm time(6), u bigint unsigned, b tinyint, i varchar(20), n decimal(12,4), day varchar(30), g varchar(40), v text, j text);
       INSERT INTO t SELECT seq, '2024-02-29', '0001-01-01', '24:00:00', 9223372036854775807, seq % 2, ' +00012.00 ', 1234.5600, '2024-02-29 00:00:00', UPPER(UUID()), 'ä', '{"a":1}' FROM seq_1_to_1000;
       UPDATE t SET d = '0000-00-00' WHERE id = 1; UPDATE t SET d = '2024-02-30', dt = '2024-00-10' WHERE id = 2;
       UPDATE t SET tm = '24:00:00.000001' WHERE id = 3; UPDATE t SET tm = '-00:00:01' WHERE id = 4; UPDATE t SET u = 9223372036854775808 WHERE id = 5;
       UPDATE t SET b = 2 WHERE id = 6; UPDATE t SET i = '2147483648' WHERE id = 7; UPDATE t SET i = '1.5' WHERE id = 8; UPDATE t SET i = '' WHERE id = 9;
       UPDATE t SET n = 10000 WHERE id = 10; UPDATE t SET n = 1.001 WHERE id = 11; UPDATE t SET day = '2023-02-29' WHERE id = 12; UPDATE t SET day = '2024-01-01 00:00:01' WHERE id = 13;
       UPDATE t SET g = 'x' WHERE id = 14; UPDATE t SET v = 'a\\0b' WHERE id = 15`,
    );
    const [first] = await agree(pairOf(pair));
    expect(first).toMatchObject({ status: 'changes', rows: 1000, unknown: [] });
    expect(found(first!)).toEqual([
      'd no-value null 2 (id 1; id 2)',
      'dt no-value null 1 (id 2)',
      'tm no-value null 2 (id 3; id 4)',
      'u no-value null 1 (id 5)',
      'b no-value altered 1 (id 6)',
      'i no-value null 3 (id 7; id 8; id 9)',
      'n no-value null 2 (id 10; id 11)',
      'day no-value null 2 (id 12; id 13)',
      'g no-value null 1 (id 14)',
      'v zero-character altered 1 (id 15)',
    ]);
    await pair.from.query(
      `DELETE FROM t WHERE id < 16; INSERT INTO t (id, d, j) VALUES (2000, '2024-01-01', '{a')`,
    );
    const [second] = await agree(pairOf(pair));
    expect(found(second!)).toEqual(['j not-json refused 1 (id 2000)']);
    await pair.from.query('DELETE FROM t WHERE id = 2000');
    const [third] = await agree(pairOf(pair));
    expect(third).toMatchObject({ status: 'fits', rows: 985 });
  });

  it('finds keys that are there twice, as the target compares them', async () => {
    await using pair = await fromMariadb(
      { load: 'replace', key: ['a', 'b'] },
      `CREATE TABLE t (a varchar(10) COLLATE utf8mb4_general_ci, b int); INSERT INTO t VALUES ('x', 1), ('X', 1), ('y', 2), ('y', 2), ('y', 2), ('z', NULL), ('z', NULL)`,
    );
    const [first] = await agree(pairOf(pair));
    expect(found(first!)).toEqual(['a, b duplicate refused 5 (a y, b 2; a z, b null)']);
    await pair.from.query(`DELETE FROM t WHERE a = 'y' LIMIT 2; DELETE FROM t WHERE a = 'z' LIMIT 1`);
    const [second] = await agree(pairOf(pair));
    expect(second!.status).toBe('fits');
  });
});

describe('from PostgreSQL to a narrower table in PostgreSQL', () => {
  it('counts what does not fit its columns', async () => {
    await using pair = await toPostgres(
      { 'public.t': { load: 'merge' } },
      `CREATE TABLE t (id int PRIMARY KEY, c varchar(20), n numeric(12,2), v text, d date, f float8);
       INSERT INTO t SELECT i, 'abc', 9999.99, 'x', 'infinity', 'NaN' FROM generate_series(1, 1000) i;
       UPDATE t SET c = 'abc' || repeat(' ', 10) WHERE id = 1; UPDATE t SET c = 'abcdef' WHERE id IN (2, 3);
       UPDATE t SET n = 10000 WHERE id = 4; UPDATE t SET n = -10000 WHERE id = 5; UPDATE t SET n = 'NaN' WHERE id = 6; UPDATE t SET v = NULL WHERE id = 7`,
      'CREATE TABLE t (id int NOT NULL, c char(5), n numeric(8,4), v text NOT NULL, d date, f float8)',
    );
    const [first] = await agree(pairOf(pair));
    expect(found(first!)).toEqual([
      'c too-long refused 2 (id 2; id 3)',
      'n too-large refused 2 (id 4; id 5)',
      'v null refused 1 (id 7)',
    ]);
    await pair.from.db.query('DELETE FROM t WHERE id IN (2, 3, 4, 5, 7)');
    const [second] = await agree(pairOf(pair));
    expect(second).toMatchObject({ status: 'fits', rows: 995 });
  });

  it.each([
    ['numeric(12,4)', 'numeric(14,2)', 'refused'],
    ['numeric(12,2)', 'integer', 'fits'],
    ['bigint', 'double precision', 'refused'],
    ['integer', 'bigint', 'refused'],
    ['integer', 'text', 'refused'],
    ['json', 'jsonb', 'refused'],
    ['timestamp', 'timestamptz', 'fits'],
    ['varchar(5)', 'text', 'fits'],
    ['text', 'varchar(5)', 'fits'],
  ])('rows of %s are not copied into %s as something else: %s', async (native, there, status) => {
    await using pair = await toPostgres(
      { 'public.t': { load: 'merge' } },
      `CREATE TABLE t (id int PRIMARY KEY, v ${native}); INSERT INTO t (id) VALUES (1)`,
      `CREATE TABLE t (id int NOT NULL, v ${there})`,
    );
    const [only] = await agree(pairOf(pair));
    expect(only!.status).toBe(status);
    if (status === 'refused') expect(found(only!)).toEqual(['v misfit refused all']);
  });

  it('looks at what the next run reads: the window, the condition, what is new', async () => {
    await using pair = await toPostgres(
      {
        'public.t': { load: 'merge', cursor: 'at', overlap: 0, where: 'id <> 3' },
        'public.d': { load: 'delete-insert', date: 'day' },
      },
      `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz NOT NULL); INSERT INTO t SELECT i, CASE WHEN i = 3 THEN NULL ELSE 'x' END, '2026-01-01' FROM generate_series(1, 100) i;
       CREATE TABLE d (id int, day date, v text); INSERT INTO d SELECT i, date '2026-03-01' + i % 5, CASE WHEN i % 5 > 0 THEN 'x' END FROM generate_series(1, 100) i`,
      'CREATE TABLE t (id int NOT NULL, v text NOT NULL, at timestamptz); CREATE TABLE d (id int, day date, v text NOT NULL)',
    );
    const window = { from: '2026-03-02', to: '2026-03-06' };
    const only = async (name: string): Promise<unknown> => {
      const streams = await diagnose(pair, { select: [name], ...(name === 'public.d' && { window }) });
      return { rows: streams[0]!.rows, found: found(streams[0]!) };
    };
    expect(await only('public.t')).toEqual({ rows: 99, found: [] });
    expect(await only('public.d')).toEqual({ rows: 80, found: [] });
    const [all] = await diagnose(pair, {
      select: ['public.d'],
      window: { from: '2026-03-01', to: '2026-03-03' },
    });
    expect(found(all!)).toEqual(['v null refused 20']);
    await pair.attempt({ select: ['public.t'] });
    await pair.from.db.query(`INSERT INTO t VALUES (200, NULL, now())`);
    expect(await only('public.t')).toEqual({ rows: 1, found: ['v null refused 1 (id 200)'] });
  });

  it('does not scan, or not all, when it is told so, and says what it has not looked for', async () => {
    await using pair = await toPostgres(
      { 'public.t': { load: 'merge', key: ['id'] }, 'public.ok': {} },
      `CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, CASE WHEN i > 10 THEN 'x' END FROM generate_series(1, 1000) i; CREATE TABLE ok (id int PRIMARY KEY)`,
      'CREATE TABLE t (id int NOT NULL, v text NOT NULL)',
    );
    const [unscanned, ok] = await diagnose(pair, { scan: false });
    expect(unscanned).toMatchObject({
      status: 'unknown',
      rows: undefined,
      open: [
        { field: 'id', problem: 'null' },
        { field: 'v', problem: 'null' },
        { field: 'id', problem: 'duplicate' },
      ],
    });
    expect(ok).toMatchObject({ status: 'fits', rows: undefined, open: [] });
    const [some] = await diagnose(pair, { select: ['public.t'], rows: 100, limit: 2 });
    expect(some).toMatchObject({
      status: 'refused',
      rows: 100,
      partial: true,
      unknown: [{ field: 'id', problem: 'duplicate' }],
    });
    expect(found(some!)).toEqual(['v null refused 10 (id 1; id 2)']);
    const [clean] = await diagnose(pair, { select: ['public.t'] });
    expect(clean).toMatchObject({ rows: 1000, partial: false });
  });
});

it('into a lake, says what has no decimal and no moment there, and what cannot be asked', async () => {
  const from = await PostgresSide.open(server());
  await from.db.query(
    `CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2), ts timestamp, v text); INSERT INTO t VALUES (1, 'NaN', '294260-01-01', 'x'), (2, 1, 'infinity', 'y'), (3, 2, '294247-01-10 04:00:54.775806', NULL);
     CREATE TABLE bad (id int PRIMARY KEY, v text); INSERT INTO bad VALUES (1, '12'), (2, '1x')`,
  );
  await using pair = new Pair(from, (folder) => new LakeSide(folder), {
    'public.t': {},
    'public.bad': { types: { v: 'int32' } },
  });
  const [bad, one] = (await agree(pairOf(pair))).toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
  expect(found(one!)).toEqual(['n not-finite null 1 (id 1)', 'ts out-of-range null 1 (id 1)']);
  expect(found(bad!)).toEqual(['v no-value refused 1 (id 2)']);
});
