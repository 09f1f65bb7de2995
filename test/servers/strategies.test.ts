/** How loads meet what the table holds: append, merge, replace and delete-insert, with and without partitions. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, v text, day date, at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', date '2026-01-28' + g / 10, now() - interval '1 hour' FROM generate_series(0, 99) g`;

const PARTITIONS: [string, StreamOptions['partition_by']][] = [
  ['no partitions', undefined],
  ['days', { column: 'day', by: 'day' }],
  ['months', { column: 'day', by: 'month' }],
  ['hours of a timestamp', { column: 'at', by: 'hour' }],
  ['values', { column: 'v', by: 'value' }],
  ['the day of loading', { column: '_sluice_loaded_at', by: 'day' }],
];

describe.each(PARTITIONS)('merge with %s', (_, partition) => {
  it('keeps one row per key wherever it moves, and is idempotent', async () => {
    const options: StreamOptions = {
      cursor: 'at',
      load: 'merge',
      overlap: 0,
      ...(partition && { partition_by: partition }),
    };
    await using pair = await Pair.open(server(), { 'public.t': options }, SQL);
    await pair.run();
    await pair.db.query(`
      UPDATE t SET v = 'moved', day = day + 40, at = now() WHERE id % 10 = 3;
      UPDATE t SET v = 'nowhere', day = NULL, at = now() WHERE id = 5;
      UPDATE t SET v = NULL, at = now() WHERE id = 6;
      INSERT INTO t VALUES (1000, 'new', '2026-02-01', now())`);
    expect((await pair.run()).totals.loaded).toBe(13);
    await pair.expectEqual('t');
    expect(await pair.lines('t', 'history')).toHaveLength(101);
    await pair.db.query(
      `UPDATE t SET v = 'back', day = day - 40, at = now() WHERE id % 10 = 3; UPDATE t SET day = '2026-01-28', at = now() WHERE id IN (5, 6)`,
    );
    await pair.run();
    await pair.run();
    await pair.expectEqual('t');
    expect(await pair.lines('t', 'history')).toHaveLength(101);
  });
});

it('merge rewrites only the partitions that are touched', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', load: 'merge', overlap: 0, partition_by: { column: 'day', by: 'day' } } },
    SQL,
  );
  await pair.run();
  const before = new Set((await pair.state('t'))!.files.map((file) => file.key));
  await pair.db.query(`UPDATE t SET v = 'y', at = now() WHERE id IN (11, 12)`);
  await pair.run();
  const after = (await pair.state('t'))!.files;
  expect(after.filter((file) => before.has(file.key))).toHaveLength(9);
  expect(
    new Set(after.filter((file) => !before.has(file.key)).map((file) => JSON.stringify(file.partition))).size,
  ).toBe(1);
});

describe('a key that the user names', () => {
  it('may hold NULL, which equals itself', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.k': { cursor: 'at', load: 'merge', key: ['a', 'b'], overlap: 0 } },
      `CREATE TABLE k (a int, b text, v text, at timestamptz DEFAULT now()); CREATE INDEX ON k (at);
       INSERT INTO k VALUES (1, NULL, 'x'), (NULL, 'b', 'x'), (NULL, NULL, 'x'), (2, 'b', 'x'), (3, 'c', 'x')`,
    );
    await pair.run();
    await pair.db.query(`UPDATE k SET v = 'y', at = now() WHERE a IS NULL OR a = 2`);
    expect((await pair.run()).totals.loaded).toBe(3);
    await pair.expectEqual('k');
    expect(await pair.lines('k', 'history')).toHaveLength(5);
  });

  it('that does not tell rows apart is refused, and nothing changes', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.k': { cursor: 'at', load: 'merge', key: 'a', overlap: 0 } },
      `CREATE TABLE k (a int, v text, at timestamptz DEFAULT now()); CREATE INDEX ON k (at); INSERT INTO k VALUES (1, 'x'), (2, 'x')`,
    );
    await pair.run();
    const before = await pair.lines('k');
    await pair.db.query(`INSERT INTO k VALUES (3, 'x'), (3, 'y')`);
    const report = await pair.attempt();
    expect(report.streams[0]!.error).toMatchObject({ code: 'lake.duplicate_key', recovery: 'data' });
    expect(await pair.lines('k')).toEqual(before);
  });

  it('that does not tell rows apart is refused by a first load as well, also in parts', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.k': { cursor: 'at', load: 'merge', key: 'a', slice_rows: 2 } },
      `CREATE TABLE k (a int, v text, at timestamptz DEFAULT clock_timestamp());
       INSERT INTO k SELECT g % 5, g, timestamptz '2026-01-01' + g * interval '1 second' FROM generate_series(1, 6) g`,
    );
    for (const options of [{}, { slice_rows: 100 }]) {
      pair.streams = { 'public.k': { ...pair.streams['public.k'], ...options } };
      expect((await pair.attempt()).streams[0]!.error).toMatchObject({ code: 'lake.duplicate_key' });
    }
    await pair.db.query(`DELETE FROM k WHERE v = '1'`);
    await pair.run();
    await pair.expectEqual('k');
  });

  it('is asked for where the catalog has none', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.k': { cursor: 'at', load: 'merge' } },
      `CREATE TABLE k (at timestamptz)`,
    );
    expect((await pair.attempt()).streams[0]!.error).toMatchObject({
      code: 'stream.strategy',
      message: expect.stringContaining('needs a key'),
    });
  });
});

it('append keeps every version, and current shows the last', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'at', overlap: 0, partition_by: { column: 'day', by: 'month' } } },
    SQL,
  );
  await pair.run();
  for (let i = 0; i < 3; i++) {
    await pair.db.query(`UPDATE t SET v = 'v${i}', day = day + 31, at = now() WHERE id = 7`);
    await pair.run();
  }
  const versions = await pair.query('t', 'SELECT v FROM t_history WHERE id = 7 ORDER BY _sluice_load_id');
  expect(versions.map((row) => row['v'])).toEqual(['x', 'v0', 'v1', 'v2']);
  await pair.expectEqual('t');
});

describe('replace', () => {
  it('shows a reader the old table or the new one, never less', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'replace', partition_by: { column: 'day', by: 'day' } } },
      SQL,
    );
    await pair.run();
    const seen = new Set<string>();
    let running = true;
    const reader = (async (): Promise<void> => {
      while (running) {
        const [row] = await pair.query('t', 'SELECT count(*) AS n, count(DISTINCT v) AS versions FROM t');
        seen.add(`${String(row!['n'])} rows, ${String(row!['versions'])} versions`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < 3; i++) {
      await pair.db.query(`UPDATE t SET v = 'v${i}'`);
      await pair.run();
    }
    running = false;
    await reader;
    expect([...seen]).toEqual(['100 rows, 1 versions']);
    await pair.expectEqual('t');
  });

  it('takes away what was deleted, down to nothing', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { load: 'replace' } }, SQL);
    await pair.run();
    await pair.db.query('DELETE FROM t WHERE id > 9');
    await pair.run();
    await pair.expectEqual('t');
    await pair.db.query('DELETE FROM t');
    await pair.run();
    expect(await pair.lines('t')).toEqual([]);
  });
});

it('delete-insert replaces a day also where it lies in several partitions', async () => {
  const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  await using pair = await Pair.open(
    server(),
    { 'public.e': { date: 'day', partition_by: { column: 'v', by: 'value' } } },
    `CREATE TABLE e (id int, v text, day date); INSERT INTO e SELECT g, 'p' || g % 3, date '${day}' - g % 2 FROM generate_series(0, 29) g`,
  );
  await pair.run({ window: { from: new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10) } });
  await pair.expectEqual('e');
  await pair.db.query(
    `UPDATE e SET v = 'p9' WHERE day = '${day}' AND id < 10; DELETE FROM e WHERE day = '${day}' AND id > 20`,
  );
  await pair.run();
  await pair.expectEqual('e');
});

const HOSTILE = [
  null,
  '',
  ' ',
  '.',
  '..',
  '../up',
  'a/b',
  '/',
  'a=b',
  'a%2Fb',
  '%',
  'ü',
  '\u{1F69A}',
  'CON',
  'nul.',
  '__HIVE_DEFAULT_PARTITION__',
  "it's",
  'a"b',
  'line\nbreak',
  'tab\t',
  '*?[x]',
  'A',
  'a',
  'x'.repeat(151),
  `${'x'.repeat(300)}1`,
  `${'x'.repeat(300)}2`,
  'ä'.repeat(200),
  'NULL',
  'null',
  '\\',
  '{}',
  '#',
  ':',
];

it.each(['append', 'merge'] as const)(
  'partitions of any value keep their rows apart and inside the table, with %s',
  async (load) => {
    await using pair = await Pair.open(
      server(),
      { 'public.h': { cursor: 'at', load, overlap: 0, partition_by: { column: 'p', by: 'value' } } },
      `CREATE TABLE h (id int PRIMARY KEY, p text, at timestamptz DEFAULT now()); CREATE INDEX ON h (at)`,
    );
    for (const [id, value] of HOSTILE.entries())
      await pair.db.query('INSERT INTO h VALUES ($1, $2)', [id, value]);
    await pair.run();
    await pair.expectEqual('h');
    const { files } = (await pair.state('h'))!;
    expect(
      new Set(files.map((file) => file.key.slice(0, file.key.lastIndexOf('/')).toLowerCase())).size,
    ).toBeGreaterThanOrEqual(HOSTILE.length - 2);
    for (const file of files) expect(HOSTILE).toContain(file.partition['p']);
    expect(readdirSync(path.join(pair.folder, 'lake')).sort()).toEqual(['_sluice', 'h']);
    await pair.db.query(`UPDATE h SET p = p || '!', at = now() WHERE id % 3 = 0`);
    await pair.run();
    await pair.expectEqual('h');
  },
);

it('partitions by value of a number, a date and a boolean keep all digits', async () => {
  await using pair = await Pair.open(
    server(),
    Object.fromEntries(
      ['n', 'd', 'b', 'ts'].map((column) => [
        `public.m_${column}`,
        { load: 'replace', partition_by: { column, by: 'value' } },
      ]),
    ),
    ['n', 'd', 'b', 'ts']
      .map(
        (
          column,
        ) => `CREATE TABLE m_${column} (id int PRIMARY KEY, n numeric(10,4), d date, b boolean, ts timestamptz);
          INSERT INTO m_${column} VALUES (1, 1.5000, '2026-01-01', true, '2026-01-01 00:00:00.000001Z'), (2, 1.5001, '0044-03-15 BC', false, 'infinity'), (3, NULL, NULL, NULL, NULL)`,
      )
      .join(';'),
  );
  await pair.run();
  for (const column of ['n', 'd', 'b', 'ts']) {
    await pair.expectEqual(`m_${column}`);
    expect((await pair.state(`m_${column}`))!.files).toHaveLength(3);
  }
});
