/** Parts of everything: ranges of pages and of keys hold each row once, and about as many each. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const NAME = `md5(g::text) || repeat('x', 200)`;

/** Rows of each slice of the last run. */
function sizes(pair: Pair): number[] {
  return pair.events.filter((event) => event.kind === 'slice-committed').map((event) => event.rows);
}

function expectEven(pair: Pair, rows: number, most: number): void {
  const each = sizes(pair);
  expect(each.length).toBeGreaterThan(3);
  expect(each.reduce((sum, count) => sum + count, 0)).toBe(rows);
  expect(Math.max(...each)).toBeLessThan((rows / each.length) * most);
}

describe('pages of a partitioned table', () => {
  const SQL = `
    CREATE TABLE p (id int, v text, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO (1000);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (30000) PARTITION BY RANGE (id);
    CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (1000) TO (10000);
    CREATE TABLE p22 PARTITION OF p2 DEFAULT;
    INSERT INTO p SELECT g, ${NAME} FROM generate_series(0, 29999) g; ANALYZE p`;

  it('are cut where all partitions together have a share', async () => {
    await using pair = await Pair.open(server(), { 'public.p': { load: 'replace' } }, SQL);
    pair.source = { slice_size: '1 MB' };
    await pair.run();
    await pair.expectEqual('p');
    expectEven(pair, 30_000, 2);
    const { slices } = (await pair.plan()).streams[0]!;
    expect(slices.every(({ range }) => range.kind === 'pages')).toBe(true);
  });

  it('are read on after an interruption, unless a partition has come or gone', async () => {
    await using pair = await Pair.open(server(), { 'public.p': { load: 'merge', cursor: 'at' } }, SQL);
    pair.source = { slice_size: '1 MB' };
    const interrupt = async (): Promise<void> => {
      const stop = new AbortController();
      const onEvent = ({ kind }: { kind: string }): void => {
        if (kind === 'slice-committed') stop.abort();
      };
      expect((await pair.attempt({ workers: 1, signal: stop.signal, onEvent })).status).toBe('stopped');
    };
    await interrupt();
    await pair.db.query(
      `UPDATE p SET v = 'y', at = now() WHERE id % 1000 = 7; INSERT INTO p1 VALUES (-1, 'new')`,
    );
    expect((await pair.plan()).streams[0]!.action).toBe('resume');
    await pair.db.query(
      `CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (40000) TO (50000); INSERT INTO p VALUES (40000, 'z')`,
    );
    expect((await pair.plan()).streams[0]!.action).toBe('reload');
    await pair.run();
    await pair.expectEqual('p');
  });
});

it('a table is read in parts also with a condition that leaves most of it', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { load: 'replace', where: 'id > 100' } },
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, ${NAME} FROM generate_series(1, 20000) g; ANALYZE t`,
  );
  pair.source = { slice_size: '1 MB' };
  await pair.run();
  expectEven(pair, 19_900, 2);
  await pair.expectEqual('t', 't WHERE id > 100');
  pair.streams = { 'public.t': { load: 'replace', where: 'id > 19000' } };
  expect((await pair.plan()).streams[0]!.slices).toHaveLength(1);
});

describe('ranges of keys', () => {
  const cases: Record<string, { table: string; rows: string; by: string[]; most?: number }> = {
    'with gaps': {
      table: 'k bigint PRIMARY KEY',
      rows: 'g::bigint * CASE WHEN g % 2 = 0 THEN 1 ELSE 1000000007 END',
      by: ['k'],
    },
    'of uuid': { table: 'k uuid PRIMARY KEY', rows: 'md5(g::text)::uuid', by: ['k'] },
    'of text in the order of a language': {
      table: 'k text COLLATE "und-x-icu"',
      rows: `(ARRAY['a', 'A', 'ä', 'Z', ' ', '''', E'\\\\', 'é', '-'])[1 + g % 9] || (g % 5000)`,
      by: ['k'],
    },
    'of text that does not see case': {
      table: 'k text COLLATE odd',
      rows: `CASE WHEN g % 2 = 0 THEN 'key ' ELSE 'KEY ' END || (g / 4)`,
      by: ['k'],
    },
    'of padded text': { table: 'k char(9)', rows: `left(md5(g::text), g % 9)`, by: ['k'], most: 9 },
    'of timestamps and NULL': {
      table: 'k timestamptz',
      rows: `CASE WHEN g % 10 = 0 THEN NULL WHEN g = 7 THEN 'infinity' ELSE timestamptz '2026-01-01' + g * interval '1 second' END`,
      by: ['k'],
    },
    'of floats with NaN': {
      table: 'k float8',
      rows: `CASE WHEN g % 50 = 0 THEN 'NaN' WHEN g % 51 = 0 THEN '-0' ELSE g / 7.0 END`,
      by: ['k'],
    },
    'of bytes': { table: 'k bytea', rows: `decode(md5(g::text), 'hex')`, by: ['k'] },
    'where one value has most rows, by one more column': {
      table: 'tenant int, k text',
      rows: `CASE WHEN g % 10 < 8 THEN 7 ELSE g % 100 END, CASE WHEN g % 100 = 0 THEN NULL ELSE md5(g::text) END`,
      by: ['tenant', 'k'],
    },
  };

  it.each(Object.keys(cases))('%s', async (name) => {
    const { table, rows, by, most = 2 } = cases[name]!;
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'replace', slice_by: by } },
      `CREATE COLLATION odd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       CREATE TABLE t (id int, ${table}, v text);
       INSERT INTO t SELECT g, ${rows}, ${NAME} FROM generate_series(1, 20000) g; ANALYZE t`,
    );
    pair.source = { slice_size: '1 MB' };
    await pair.run();
    expect(new Set(await pair.lines('t', 'current', ['id'])).size).toBe(20_000);
    expectEven(pair, 20_000, most);
  });

  it('of a view and a query', async () => {
    await using pair = await Pair.open(
      server(),
      {},
      `CREATE TABLE t (id int PRIMARY KEY, v text);
       INSERT INTO t SELECT g, ${NAME} FROM generate_series(1, 20000) g; ANALYZE t; CREATE VIEW w AS SELECT * FROM t WHERE id > 10`,
    );
    pair.source = { slice_size: '1 MB' };
    for (const [name, options, where] of [
      ['public.w', {}, 't WHERE id > 10'],
      ['q', { sql: 'SELECT * FROM t WHERE id > 5000' }, 't WHERE id > 5000'],
    ] as const) {
      pair.streams = { [name]: { load: 'replace', slice_by: 'id', ...options } };
      await pair.run();
      expect(sizes(pair).length).toBeGreaterThan(1);
      await pair.expectEqual(name.replace('public.', ''), where);
    }
  });

  it('go on after an interruption, with what has changed since', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'merge', cursor: 'at', slice_by: 'k' } },
      `CREATE TABLE t (k text PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT now());
       INSERT INTO t SELECT md5(g::text), ${NAME} FROM generate_series(1, 20000) g; ANALYZE t`,
    );
    pair.source = { slice_size: '1 MB' };
    const stop = new AbortController();
    let commits = 0;
    const onEvent = ({ kind }: { kind: string }): void => {
      if (kind === 'slice-committed' && ++commits === 2) stop.abort();
    };
    expect((await pair.attempt({ workers: 1, signal: stop.signal, onEvent })).status).toBe('stopped');
    await pair.db.query(
      `UPDATE t SET v = 'y', at = now() WHERE k < '08' OR k > 'fa'; INSERT INTO t VALUES (' ', 'n'), ('~', 'n')`,
    );
    expect((await pair.plan()).streams[0]!.action).toBe('resume');
    expect((await pair.run()).totals.rows).toBeLessThan(20_000);
    await pair.expectEqual('t');
  });

  it('are refused by a name that is none', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'replace', slice_by: 'nope' } },
      'CREATE TABLE t (id int)',
    );
    const report = await pair.attempt();
    expect(report.streams[0]!.error).toMatchObject({
      code: 'stream.invalid',
      message: /slice_by: there is no column/,
    });
  });
});
