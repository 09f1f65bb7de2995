/** By statements and in bulk: the same tables, the same counts, the same rows refused, and nothing lost when a run is killed. */
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { RunOptions, StreamReport } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

const TARGETS = {
  postgres: () => PostgresTargetSide.open(server()),
  ...(mariadbPresent && { mariadb: () => MysqlTargetSide.open(mariadb()) }),
};
const METHODS = ['statements', 'bulk'] as const;
const CASES = Object.entries(TARGETS).flatMap(([name, target]) =>
  METHODS.map((method) => ({ name, target, method })),
);

type Side = PostgresTargetSide | MysqlTargetSide;

async function open(to: Side, streams: Streams, sql: string): Promise<Pair<PostgresSide, Side>> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  return new Pair<PostgresSide, Side>(from, () => to, streams);
}

/** Extremes, NULL beside what looks like it, and what escapes are made of; from the third row on, whatever comes. */
function values(rows: number): string {
  return `CREATE TABLE v (id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric(38,12), s numeric(9,2), t text,
      c varchar(40), j json, x bytea, u uuid, d date, ti time, ts timestamp, tz timestamptz);
    INSERT INTO v VALUES (1, true, -1, 9007199254740993, 0.1, 1e-7, -12345678901234567890123456.123456789012, -0.01, E'a\\tb\\n\\\\N ''x'' "\\\\', 'NULL',
        '{"b": 1.50,  "a":1}', '\\x00090a5c27ff', '00010203-0405-0607-0809-0a0b0c0d0e0f', '0001-01-01', '23:59:59.999999', '9999-12-31 23:59:59.999999',
        '1883-11-18 12:00:00.000001+00'),
      (2, false, 32767, -9223372036854775808, 3.4028235e38, 1.7976931348623157e308, 0, 0, '', '', 'null', '', NULL, '9999-12-31', '00:00:00.5',
        '0001-01-01', '2300-01-01 00:00:00.123456Z');
    INSERT INTO v (id) VALUES (3);
    INSERT INTO v SELECT i, i % 2 = 0, i, i::int8 * 1000003, i / 3.0, i / 7.0, i / 8.0, i / 100.0, repeat('ä', i % 50), 'Ω🚚' || i, NULL,
      decode(md5(i::text), 'hex'), md5(i::text)::uuid, date '1900-01-01' + i, time '00:00' + i * interval '1 s',
      timestamp '1970-01-01' + i * interval '1 hour 1 us', now() FROM generate_series(4, ${rows}) i`;
}

const DECODED = { checks: { any: 'true' } };
const MARKED = { load_columns: true, verify: 'checksums' } as const;
const MARKED_TABLE = `CREATE TABLE v (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());
  INSERT INTO v SELECT generate_series(1, 3000)`;

/** How many rows have a value there, the greatest of them, moments in UTC, and how many rows have that one. */
async function marksOf(side: Side, column: string): Promise<{ n: number; newest: string; those: number }> {
  const sql = (newest: string): string => `SELECT count(${column}) AS n, ${newest} AS newest,
      (SELECT count(*) FROM v w WHERE w.${column} = (SELECT max(x.${column}) FROM v x)) AS those FROM v`;
  const utc = column === '_sluice_load_id' ? '' : ` AT TIME ZONE 'UTC'`;
  const [row] =
    side instanceof PostgresTargetSide
      ? (await side.db.query(sql(`(max(${column})${utc})::text`))).rows
      : await side.query(sql(`CAST(max(${column}) AS CHAR)`));
  return { n: Number(row!['n']), newest: String(row!['newest']), those: Number(row!['those']) };
}

const ways = ({ totals }: StreamReport): unknown =>
  totals.methods?.map(({ method, why, loads, rows }) => ({ method, why, loads, rows }));

describe.each(CASES)('$name, $method', ({ target, method }) => {
  it.each([
    ['as the source sends them', {}],
    ['decoded', { checks: { any: 'true' } }],
  ])('carries values of every kind, %s', async (_, more) => {
    const stream = { load: 'replace', load_method: method, verify: 'checksums', ...more } as const;
    await using pair = await open(await target(), { 'public.v': stream }, values(3000));
    const report = await pair.run();
    expect(ways(report)).toEqual([{ method, why: 'asked', loads: 1, rows: 3000 }]);
    expect(report.verification).toMatchObject({ by: 'checksums', status: 'equal' });
    expect(await pair.compare('v')).toEqual({ lost: [], extra: [], doubled: [] });
  });

  it.each([
    ['append', 'as the source sends them', {}, 1],
    ['append', 'decoded', DECODED, 1],
    ['merge', 'as the source sends them', MARKED, 1],
    ['merge', 'decoded', { ...MARKED, ...DECODED }, 1],
    ['replace', 'as the source sends them', MARKED, 3000],
    ['scd2', 'as the source sends them', {}, 1],
  ] as const)('marks rows with the load that brought them: %s, %s', async (load, _, more, changed) => {
    const stream = {
      load,
      key: 'id',
      load_method: method,
      ...more,
      ...(load !== 'replace' && { cursor: 'at' }),
    };
    await using pair = await open(await target(), { 'public.v': stream }, MARKED_TABLE);
    const columns = load === 'scd2' ? ['_sluice_valid_from'] : ['_sluice_load_id', '_sluice_loaded_at'];
    let last: string | undefined;
    for (let run = 0; run < 2; run++) {
      const began = Date.now();
      await pair.run();
      for (const column of columns) {
        const { n, newest, those } = await marksOf(pair.to, column);
        expect({ n, those }).toEqual({
          n: 3000 + (load === 'append' || load === 'scd2' ? run : 0),
          those: run === 0 ? 3000 : changed,
        });
        if (column === '_sluice_load_id') {
          if (last !== undefined) expect(Number(newest)).toBeGreaterThan(Number(last));
          last = newest;
        } else expect(Math.abs(Date.parse(`${newest}Z`) - began)).toBeLessThan(60_000);
      }
      await pair.from.db.query(`UPDATE v SET at = clock_timestamp() WHERE id = 5`);
    }
  });

  it('marks rows of a table that was loaded without marks from then on', async () => {
    const to = await target();
    const stream = { load: 'merge', key: 'id', cursor: 'at', load_method: method } as const;
    await using pair = await open(to, { 'public.v': stream }, MARKED_TABLE);
    await pair.run();
    await pair.from.db.query(
      `UPDATE v SET at = clock_timestamp() WHERE id <= 5; INSERT INTO v VALUES (5000)`,
    );
    Object.assign(stream, { load_columns: true });
    await pair.run();
    expect(await marksOf(to, '_sluice_load_id')).toMatchObject({ n: 6, those: 6 });
    expect(await marksOf(to, '_sluice_loaded_at')).toMatchObject({ n: 6, those: 6 });
  });

  it('changes the same values by rule, and counts them', async () => {
    const stream = { load: 'replace', load_method: method, checks: { any: 'true' } } as const;
    await using pair = await open(
      await target(),
      { 'public.v': stream },
      `CREATE TABLE v (id int PRIMARY KEY, f float8, d date, ts timestamp, t text); INSERT INTO v VALUES (1, 'NaN', 'infinity', '-infinity', 'a'), (2, 1, NULL, NULL, NULL)`,
    );
    const { totals } = await pair.run();
    const lines = await pair.to.lines('v', 'current');
    const other = await open(
      await target(),
      { 'public.v': { ...stream, load_method: METHODS.find((each) => each !== method) } },
      '',
    );
    await using _ = other;
    other.from.connection = pair.from.connection;
    expect((await other.run()).totals.coerced).toEqual(totals.coerced);
    expect(await other.to.lines('v', 'current')).toEqual(lines);
  });

  it.each(['append', 'merge', 'scd2'] as const)('%s: first all, then what has changed', async (load) => {
    const stream = { load, cursor: 'xmin', load_method: method } as const;
    const sql = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 2500) i`;
    await using pair = await open(await target(), { 'public.t': stream }, sql);
    await pair.run();
    await pair.from.db.query(
      `UPDATE t SET v = v || '!' WHERE id % 100 = 1; INSERT INTO t VALUES (9999, NULL)`,
    );
    expect(ways(await pair.run())).toEqual([{ method, why: 'asked', loads: 1, rows: 26 }]);
    // Versions that have ended are there as well.
    const { lost, extra } = await pair.compare('t');
    expect([lost.length, extra.length]).toEqual([0, load === 'scd2' ? 25 : 0]);
    expect(await pair.to.leftovers()).toEqual([]);
  });

  it('finds the rows that a table refuses', async () => {
    const to = await target();
    await using lake = new FileLake({
      files: 't*.csv',
      key: 'id',
      load: 'append',
      load_method: method,
      max_bad: 10,
    });
    lake.target = to.connection as never;
    await to.query('CREATE TABLE t (id bigint NOT NULL, n bigint, CHECK (n < 400))');
    const rows = Array.from({ length: 450 }, (_, i) => `${i},${i === 7 ? 4000 : i < 400 ? i : 1}`);
    lake.write('t1.csv', ['id,n', ...rows].join('\n'));
    const { totals } = await lake.run();
    expect(totals).toMatchObject({ loaded: 449, quarantined: 1 });
    const [count] = await to.query('SELECT count(*) AS n, max(n) AS most FROM t');
    expect([count!['n'], count!['most']].map(Number)).toEqual([449, 399]);
    await to.close();
  });

  it('loses nothing when the run is killed before its commit', async () => {
    const stream = { load: 'merge', cursor: 'xmin', load_method: method } as const;
    const sql = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'a' FROM generate_series(1, 300) i`;
    await using pair = await open(await target(), { 'public.t': stream }, sql);
    await pair.run();
    await pair.from.db.query(`UPDATE t SET v = 'b'`);
    const child = await pauseAt(pair, 'event:step/staged:1');
    await child.kill();
    await pair.to.settled();
    const [seen] = await pair.to.query(`SELECT count(*) AS n FROM t WHERE v = 'a'`);
    expect(Number(seen!['n'])).toBe(300);
    await pair.run();
    expect(await pair.compare('t')).toEqual({ lost: [], extra: [], doubled: [] });
  });
});

/** Most rows that go by statements. */
const MOST: Readonly<Record<string, number>> = { postgres: 200, mariadb: 500 };

describe.each(Object.entries(TARGETS))('%s', (name, target) => {
  it('goes by the rows and bytes that were read', async () => {
    const sql = `CREATE TABLE few AS SELECT i AS id, 'x' AS v FROM generate_series(1, ${MOST[name]}) i;
      CREATE TABLE more AS SELECT i AS id, 'x' AS v FROM generate_series(1, ${MOST[name]! + 1}) i;
      CREATE TABLE long AS SELECT i AS id, (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 1500) k) AS v FROM generate_series(1, 2) i;
      CREATE TABLE many AS SELECT i AS id, repeat(md5(i::text), 3) AS v FROM generate_series(1, 30000) i; ANALYZE`;
    const streams = Object.fromEntries(['few', 'more', 'long', 'many'].map((each) => [`public.${each}`, {}]));
    await using pair = await open(await target(), streams, sql);
    const expected = ['statements', 'bulk', 'bulk', 'bulk'];
    const plan = await pair.plan();
    expect(plan.streams.map(({ loadedBy }) => loadedBy)).toEqual(
      expected.map((method) => ({ method, why: 'size' })),
    );
    for (const rules of [{}, { checks: { any: 'true' } }]) {
      pair.streams = Object.fromEntries(Object.keys(streams).map((each) => [each, rules]));
      const report = await pair.attempt();
      expect(
        report.streams.map(({ totals }) => totals.methods?.map(({ method, why }) => [method, why])),
      ).toEqual(expected.map((method) => [[method, 'size']]));
      for (const { table } of report.streams)
        expect(await pair.compare(table)).toMatchObject({ lost: [], extra: [] });
    }
    // For one run, whatever the project says.
    pair.streams = { 'public.few': { load_method: 'statements' } };
    expect(ways(await pair.run({ loadMethod: 'bulk' }))).toEqual([
      { method: 'bulk', why: 'asked', loads: 1, rows: MOST[name] },
    ]);
    expect(ways(await pair.run({ loadMethod: 'auto' }))).toMatchObject([
      { method: 'statements', why: 'size' },
    ]);
  });
});

it.each([
  { type: 'lake', path: './lake' },
  { type: 'duckdb', path: './out.duckdb' },
] as const)(
  'is asked of a run into a $type, which has one way: that is said, and nothing else',
  async (to) => {
    await using pair = new FileLake({ files: 't.csv', load: 'append' });
    pair.target = to;
    pair.write('t.csv', 'id\n1');
    const said: unknown[] = [];
    const onEvent: RunOptions['onEvent'] = (event) => event.kind === 'warning' && said.push(event.code);
    expect(await pair.run({ loadMethod: 'bulk', onEvent })).toMatchObject({ totals: { loaded: 1 } });
    expect(said).toEqual(['run.load_method']);
    pair.write('t.csv', 'id\n1\n2');
    pair.stream = { ...pair.stream, load_method: 'bulk' };
    expect((await pair.report({ loadMethod: 'statements' })).streams[0]!.error?.code).toBe(
      'stream.load_method',
    );
  },
);
