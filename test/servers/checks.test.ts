/** Checks and computed columns between real systems: what does not meet a check is in quarantine, everything else is in the table. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { without } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { listQuarantine, type QuarantineSummary, replayQuarantine } from '../../src/engine/quarantine-ops.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { type ConnectionConfig, openCatalog, quarantine, run, type StreamReport } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { FileLake } from '../support/file-lake.ts';
import { ROW_FORMATS } from '../support/row-files.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

const scratch = mkdtempSync(path.join(tmpdir(), 'sluice-checks-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Every hundredth row breaks the first check, every thousandth of the others the second; some have no amount, which breaks none. */
const ROWS = 6000;
const RULES: Pick<StreamOptions, 'checks' | 'compute'> = {
  checks: { amount_positive: 'amount > 0', short_name: 'length(full_name) < 30 -- with the blank' },
  compute: { full_name: "first || ' ' || last", amount: 'amount * 1.00', first: 'upper(first)' },
};
const CREATE = `CREATE TABLE people (id integer NOT NULL PRIMARY KEY, amount decimal(12,2), first varchar(20) NOT NULL, last varchar(60), at timestamp NOT NULL)`;

function rowAt(id: number): [number, string | null, string, string | null, string] {
  const amount = id % 100 === 0 ? `-${id}.50` : id % 7 === 0 ? null : `${id}.25`;
  const last = id % 1000 === 1 ? 'x'.repeat(40) : id % 11 === 0 ? null : `Smith ${id}`;
  return [id, amount, `ann"${id}`, last, `2026-01-01 00:${String(id % 60).padStart(2, '0')}:00`];
}
const ALL = Array.from({ length: ROWS }, (_, i) => rowAt(i + 1));
const isBad = ([id]: (typeof ALL)[number]): boolean => id % 100 === 0 || id % 1000 === 1;
const GOOD = ALL.filter((row) => !isBad(row));
const VALUES = ALL.map(
  ([id, amount, first, last, at]) =>
    `(${id}, ${amount ?? 'NULL'}, '${first}', ${last === null ? 'NULL' : `'${last}'`}, '${at}')`,
).join(',\n');

/** Some of the lines that only one of both has. */
function differing(found: readonly string[], rows: typeof ALL): string[] {
  const lines = expected(rows);
  return [...without(found, lines), ...without(lines, found)].slice(0, 5);
}

/** The lines that the table has to have: columns of the source, some replaced, then the new one. */
function expected(rows: typeof ALL): string[] {
  return rows
    .map(([id, amount, first, last]) =>
      [id, amount ?? '', first.toUpperCase(), last === null ? '' : `${first} ${last}`].join('|'),
    )
    .sort();
}

const sources: Record<
  string,
  () => Promise<{ connection: ConnectionConfig; stream: string; options: StreamOptions }>
> = {
  postgres: async () => {
    const side = await PostgresSide.open(postgres());
    await side.query(`${CREATE}; INSERT INTO people VALUES ${VALUES}`);
    return {
      connection: side.connection as ConnectionConfig,
      stream: 'public.people',
      // Each run reads everything.
      options: { load: 'merge' },
    };
  },
  mysql: async () => {
    const side = await MysqlSide.open(mariadb());
    await side.query(CREATE);
    await side.query(`INSERT INTO people VALUES ${VALUES}`);
    return {
      connection: side.connection as ConnectionConfig,
      stream: `${side.database}.people`,
      options: { load: 'merge', table: 'people' },
    };
  },
  files: async () => {
    const folder = path.join(scratch, 'landing');
    mkdirSync(folder, { recursive: true });
    const lines = ALL.map(([id, amount, first, last, at]) =>
      [id, amount ?? '', `"${first.replaceAll('"', '""')}"`, last ?? '', at].join(','),
    );
    writeFileSync(path.join(folder, 'people.csv'), `id,amount,first,last,at\n${lines.join('\n')}\n`);
    return {
      connection: { type: 'files', path: folder },
      stream: 'people',
      options: { load: 'append', files: { path: 'people.csv', file_column: false } },
    };
  },
};

let duckdbs = 0;
const targets: Record<
  string,
  () => Promise<{ connection: ConnectionConfig; lines: () => Promise<string[]> }>
> = {
  postgres: async () => {
    const side = await PostgresTargetSide.open(postgres());
    const sql = `SELECT concat_ws('|', id, coalesce(amount::numeric(12,2)::text, ''), first, coalesce(full_name, '')) AS line FROM people`;
    return {
      connection: side.connection as ConnectionConfig,
      lines: async () => linesOf(await side.query(sql)),
    };
  },
  mysql: async () => {
    const side = await MysqlTargetSide.open(mariadb());
    const sql = `SELECT concat_ws('|', id, coalesce(cast(cast(amount AS decimal(12,2)) AS char), ''), first, coalesce(full_name, '')) AS line FROM people`;
    return {
      connection: side.connection as ConnectionConfig,
      lines: async () => linesOf(await side.query(sql)),
    };
  },
  lake: async () => {
    const folder = path.join(scratch, `lake-${duckdbs++}`);
    const sql = `SELECT concat_ws('|', id, coalesce(amount::decimal(12,2)::text, ''), first, coalesce(full_name, '')) FROM people`;
    const lines = async (): Promise<string[]> => {
      const catalog = await openCatalog(folder);
      const rows = (await Array.fromAsync((await catalog.select(sql)).batches)).flat();
      await catalog.close();
      return linesOf(rows.map(([line]) => ({ line })));
    };
    return { connection: { type: 'lake', path: folder }, lines };
  },
  duckdb: async () => {
    const file = path.join(scratch, `warehouse-${duckdbs++}.duckdb`);
    const sql = `SELECT concat_ws('|', id, coalesce(amount::decimal(12,2)::text, ''), first, coalesce(full_name, '')) AS line FROM people`;
    return {
      connection: { type: 'duckdb', path: file },
      lines: async () => linesOf(await askDuckdb(file, sql)),
    };
  },
};

function linesOf(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map(({ line }) => String(line)).sort();
}

interface Loaded {
  report: StreamReport;
  lines: () => Promise<string[]>;
  again: (options?: StreamOptions) => Promise<StreamReport>;
  kept: () => Promise<{ reason: string; raw: string; line: number }[]>;
  replay: (options: StreamOptions) => Promise<StreamReport | undefined>;
}

let projects = 0;

async function load(from: string, to: string, more: StreamOptions = {}): Promise<Loaded> {
  const source = await sources[from]!();
  const target = await targets[to]!();
  const directory = path.join(scratch, `project-${projects++}`);
  mkdirSync(directory);
  const project = (options: StreamOptions) => ({
    connections: { from: source.connection, to: target.connection },
    pipelines: {
      p: {
        from: 'from',
        to: 'to',
        streams: { [source.stream]: { ...source.options, ...RULES, max_bad: '5 %' as const, ...options } },
      },
    },
  });
  const first = (streams: readonly StreamReport[] | undefined): StreamReport | undefined => {
    if (streams?.[0]?.error) throw new Error(`${streams[0].error.code}: ${streams[0].error.message}`);
    return streams?.[0];
  };
  const again = async (options: StreamOptions = {}): Promise<StreamReport> =>
    first((await run(project({ ...more, ...options }), 'p', { directory })).streams)!;
  return {
    report: await again(),
    lines: target.lines,
    again,
    kept: () => Array.fromAsync(quarantine.read(project(more), 'p', { directory })),
    replay: async (options) =>
      first((await quarantine.replay(project({ ...more, ...options }), 'p', { directory }))?.streams),
  };
}

function pairs(): [from: string, to: string][] {
  const all = Object.keys(sources).flatMap((from) =>
    Object.keys(targets).map((to): [string, string] => [from, to]),
  );
  return mariadbPresent ? all : all.filter((pair) => !pair.includes('mysql'));
}

describe.each(pairs())('%s to %s', (from, to) => {
  test('rows that do not meet a check are in quarantine, and all others arrive', async () => {
    const loaded = await load(from, to);
    expect(differing(await loaded.lines(), GOOD)).toEqual([]);
    const { totals } = loaded.report;
    expect([totals.rows, totals.loaded, totals.quarantined]).toEqual([ROWS, GOOD.length, ROWS - GOOD.length]);
    const kept = await loaded.kept();
    const reasons = Map.groupBy(kept, ({ reason }) => reason);
    expect(reasons.get('check amount_positive is not met')).toHaveLength(ROWS / 100);
    expect(reasons.get('check short_name is not met')).toHaveLength(ROWS / 1000);
    expect(reasons.size).toBe(2);
    const texts = kept.map(({ raw }) => raw);
    if (from === 'files') expect(texts).toContain('100,-100.50,"ann""100",Smith 100,2026-01-01 00:40:00');
    else
      expect(texts).toContain(
        `{"id":100,"amount":-100.50,"first":"ann\\"100","last":"Smith 100","at":"2026-01-01 00:40:00${from === 'mysql' ? '+00:00' : ''}"}`,
      );
    // What is read again is in quarantine once.
    await loaded.again();
    expect(await loaded.kept()).toHaveLength(kept.length);
    expect(differing(await loaded.lines(), GOOD)).toEqual([]);
    // The check was wrong: the rows are read again, and nothing is left.
    const replayed = await loaded.replay({ checks: {} });
    expect(replayed?.totals.loaded).toBe(kept.length);
    expect(differing(await loaded.lines(), ALL)).toEqual([]);
    expect(await loaded.kept()).toEqual([]);
  });
});

describe('rows of a database', () => {
  const pair = async (streams: Record<string, StreamOptions>, sql: string): Promise<Pair> =>
    Pair.open(postgres(), streams, sql);
  const kept = async (from: Pair): Promise<QuarantineSummary[]> => listQuarantine(await from.context(), 'p');

  test('of every type come back as they were', async () => {
    const types: [string, string[]][] = [
      ['boolean', ['true', 'false']],
      ['smallint', ['-32768', '32767']],
      ['integer', ['-2147483648', '2147483647']],
      ['bigint', ['-9223372036854775808', '9223372036854775807']],
      ['real', ['NaN', '-0', '1.17549435e-38', '-Infinity']],
      ['double precision', ['Infinity', '-0', '5e-324', '0.1']],
      ['numeric(38,9)', ['-12345678901234567890123456789.123456789', '0']],
      ['numeric', ['1e40', '0.00000000000000000000001', 'NaN']],
      ['text', ['', 'a "quote", a \\ and\n😀', '\t']],
      ['bytea', ['\\x', '\\x00ff5c22']],
      ['json', ['null', '"text"', '{"a": [1, {"b": null}]}', '1.0']],
      ['jsonb', ['[]', 'null']],
      ['uuid', ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']],
      ['date', ['0001-01-01', '9999-12-31']],
      ['time', ['00:00:00', '23:59:59.999999']],
      ['timestamp', ['0001-01-01 00:00:00', '1969-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999']],
      ['timestamptz', ['1969-12-31 23:59:59.999999+00', '2026-07-24 01:05:23.118402+02']],
      ['inet', ['10.0.0.1/8', '::1']],
      ['int[]', ['{1,NULL,3}', '{}']],
    ];
    const most = Math.max(...types.map(([, values]) => values.length));
    const text = (value: string | undefined): string =>
      value === undefined ? 'NULL' : `'${value.replaceAll("'", "''")}'`;
    const rows = Array.from(
      { length: most + 1 },
      (_, row) => `(${row + 1}, ${types.map(([, values]) => text(values[row])).join(', ')})`,
    );
    await using all = await pair(
      { 'public.t': { load: 'merge', checks: { none: 'id < 0' }, max_bad: '100 %' } },
      `CREATE TABLE t (id int PRIMARY KEY, ${types.map(([type], i) => `c${i} ${type}`).join(', ')}); INSERT INTO t VALUES ${rows.join(', ')}`,
    );
    expect((await all.run()).totals).toMatchObject({ loaded: 0, quarantined: rows.length });
    // Nothing of the stream has rules any more.
    all.streams = { 'public.t': { load: 'merge' } };
    await replayQuarantine(await all.context(), 'p');
    const again = await all.lines('t');
    expect(again).toHaveLength(rows.length);
    expect(await kept(all)).toEqual([]);
    await all.run({ fullRefresh: true });
    expect(await all.lines('t')).toEqual(again);
  });

  test('of many slices, side by side and one after the other, agree with the count of their source', async () => {
    const stream: StreamOptions = {
      load: 'merge',
      cursor: 'at',
      checks: { some: 'id % 200 <> 3' },
      compute: { twice: 'id * 2' },
    };
    await using many = await pair(
      { 'public.t': stream },
      `CREATE TABLE t AS SELECT i AS id, repeat(md5(i::text), 4) AS text, timestamptz '2026-01-01' + i * interval '1 s' AS at FROM generate_series(1, 40000) i;
       ALTER TABLE t ADD PRIMARY KEY (id); ANALYZE t`,
    );
    many.source = { slice_size: '1 MB' };
    const first = await many.run({ workers: 2 });
    expect(many.events.filter(({ kind }) => kind === 'slice-committed').length).toBeGreaterThan(3);
    expect(first).toMatchObject({
      totals: { loaded: 39_800, quarantined: 200 },
      verification: { status: 'equal', rows: { source: 39_800, read: 39_800, target: 39_800 } },
    });
    // Rows that come later, and one that has become a bad one: the version before stays.
    await many.db.query(`INSERT INTO t SELECT i, 'new', now() FROM generate_series(40001, 41000) i`);
    await many.db.query(`UPDATE t SET id = 100003, at = now() WHERE id = 100`);
    expect((await many.run()).totals).toMatchObject({ loaded: 995, quarantined: 6 });
    const [{ n, sum }] = (await many.query(
      't',
      'SELECT count(*)::int AS n, sum(twice)::bigint AS sum FROM t',
    )) as [{ n: number; sum: string }];
    const [good] = (
      await many.db.query(`SELECT count(*)::int AS n, sum(id * 2)::bigint AS sum FROM t WHERE id % 200 <> 3`)
    ).rows as [{ n: number; sum: string }];
    expect([n, Number(sum)]).toEqual([good.n + 1, Number(good.sum) + 200]);
    // Nothing is put aside twice, whatever is read again.
    many.streams = { 'public.t': { ...stream, overlap: 300 * 86_400 } };
    await many.run();
    expect((await kept(many)).reduce((rows, each) => rows + each.rows, 0)).toBe(206);
    const verified = await verifyPipeline(await many.context(), 'p', {});
    expect(verified.streams[0]).toMatchObject({ status: 'differs', missing: 200, changed: 0 });
    expect(verified.streams[0]!.notes).toEqual(
      expect.arrayContaining([
        expect.stringContaining('column "twice" was not compared'),
        expect.stringContaining('206 records of it are in quarantine'),
      ]),
    );
  });

  test('days that are loaded again put the same rows aside once, and a full refresh begins anew', async () => {
    await using days = await pair(
      {
        'public.t': {
          load: 'delete-insert',
          date: 'day',
          first_run: 864_000,
          checks: { some: 'n > 0' },
          max_bad: '50 %',
        },
      },
      `CREATE TABLE t AS SELECT current_date - 4 + i % 4 AS day, i - 5 AS n FROM generate_series(1, 12) i`,
    );
    expect((await days.run()).totals).toMatchObject({ loaded: 7, quarantined: 5 });
    await days.db.query(`UPDATE t SET n = n WHERE true`);
    await days.run();
    expect((await kept(days)).reduce((rows, each) => rows + each.rows, 0)).toBe(5);
    await days.db.query(`UPDATE t SET n = 100 WHERE n < 0`);
    expect((await days.run({ fullRefresh: true })).totals).toMatchObject({ loaded: 11, quarantined: 1 });
    expect((await kept(days)).reduce((rows, each) => rows + each.rows, 0)).toBe(1);
    days.streams = { 'public.t': { load: 'delete-insert', date: 'day' } };
    await replayQuarantine(await days.context(), 'p');
    await days.expectEqual('t');
  });

  test('stop the stream when too many do not meet a check, and nothing is written', async () => {
    await using strict = await pair(
      { 'public.t': { load: 'replace', checks: { odd: 'id % 2 = 1' }, max_bad: 0 } },
      `CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 10) i`,
    );
    await expect(strict.run()).rejects.toThrow(
      /quarantine.threshold: loading public.t: 5 of 10 rows, more than 0, do not fit: check odd is not met \(5/,
    );
    expect(await strict.state('t')).toBeUndefined();
  });

  test('a plan tells every mistake in expressions, and reads nothing', async () => {
    await using wrong = await pair(
      {
        'public.t': { load: 'merge', checks: { a: 'idd > 0', b: 'sum(id) > 0' }, compute: { id: 'id + 1' } },
      },
      `CREATE TABLE t (id int PRIMARY KEY)`,
    );
    const mistake = async (): Promise<string | undefined> => {
      const [stream] = (await wrong.plan()).streams;
      expect(stream!.error?.code).toBe('stream.rules');
      return stream!.error?.message;
    };
    expect(await mistake()).toContain('compute.id: rows are found by this column');
    wrong.streams = { 'public.t': { load: 'merge', checks: { a: 'idd > 0', b: 'sum(id) > 0' } } };
    expect(await mistake()).toBe(
      'planning public.t: checks.a: there is no column "idd"; did you mean "id"?; checks.b: it is computed for each row, and can hold neither aggregates nor window functions',
    );
  });

  test('a computed column comes, changes within its type, and goes as one of the source does', async () => {
    await using changing = await pair(
      { 'public.t': { load: 'replace', compute: { twice: 'id * 2' } } },
      `CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 3) i`,
    );
    await changing.run();
    const select = "SELECT COLUMNS(c -> NOT starts_with(c, '_sluice_')) FROM t ORDER BY id";
    expect(await changing.query('t', select)).toEqual([1, 2, 3].map((id) => ({ id, twice: 2 * id })));
    changing.streams = { 'public.t': { load: 'merge', key: 'id', compute: { twice: "'no number'" } } };
    await expect(changing.run()).rejects.toThrow(/twice.* utf8 \(computed\).*as `compute` says/);
    changing.streams = {
      'public.t': { load: 'replace', schema: 'discard', compute: { twice: 'id * 3', more: 'true' } },
    };
    await changing.run();
    expect(await changing.query('t', select)).toEqual(
      [1, 2, 3].map((id) => ({ id, twice: 3 * id, more: true })),
    );
  });
});

test('rows of files that the target refuses are found among those that meet the checks', async () => {
  await using files = new FileLake({
    files: { path: '*.csv', file_column: false },
    load: 'append',
    types: { id: 'int64', n: 'int64' },
    checks: { odd: 'n % 2 = 1' },
    max_bad: '100 %',
  });
  const target = await PostgresTargetSide.open(postgres());
  await target.query('CREATE TABLE t (id bigint UNIQUE, n bigint CHECK (n < 50))');
  files.target = target.connection as ConnectionConfig;
  files.write('a.csv', `id,n\n${Array.from({ length: 60 }, (_, i) => `${i % 40},${i}`).join('\n')}\n`);
  await files.run();
  const records = await Array.fromAsync(quarantine.read(files.project, 'p', { directory: files.folder }));
  const reasons = Map.groupBy(records, ({ code }) => code);
  expect(reasons.get('row.check')).toHaveLength(30);
  expect(reasons.get('row.refused')?.map(({ raw }) => raw)).toEqual(
    Array.from({ length: 10 }, (_, i) => 41 + 2 * i).map((n) => `${n % 40},${n}`),
  );
  const rows = await target.query('SELECT n FROM t ORDER BY n');
  expect(rows.map(({ n }) => Number(n))).toEqual(Array.from({ length: 20 }, (_, i) => 1 + 2 * i));
});

describe.each(ROW_FORMATS)('beside checks and computed columns, in files of $ending', (format) => {
  const COLUMNS = { id: 'BIGINT', n: 'BIGINT' };
  const open = (stream: StreamOptions): FileLake =>
    new FileLake({
      files: { path: `*.${format.ending}`, file_column: false },
      types: { id: 'int64', n: 'int64' },
      max_bad: '100 %',
      ...stream,
    });
  const kept = async (files: FileLake): Promise<[number, string][]> => {
    const records = await Array.fromAsync(quarantine.read(files.project, 'p', { directory: files.folder }));
    return records.map(({ line, code }) => [line, code]);
  };

  test('what the target takes is asked of what rows become', async () => {
    await using files = open({
      checks: { even: 'id % 2 = 0' },
      compute: { n: 'coalesce(n, 7)', twice: '(2 * n)::BIGINT' },
    });
    const target = await PostgresTargetSide.open(postgres());
    await target.query('CREATE TABLE t (id bigint, n bigint NOT NULL CHECK (n < 50), twice bigint NOT NULL)');
    files.target = target.connection as ConnectionConfig;
    await format.write(files, 'a', COLUMNS, [
      [1, 1],
      [2, null],
      [4, 60],
      [6, 6],
    ]);
    await files.run();
    const place = (row: number): number => (format.ending === 'csv' ? row + 1 : row);
    expect(await kept(files)).toEqual([
      [place(1), 'row.check'],
      [place(2), 'row.missing'],
      [place(3), 'row.refused'],
    ]);
    await target.query('ALTER TABLE t ALTER twice DROP NOT NULL');
    expect((await quarantine.replay(files.project, 'p', { directory: files.folder }))?.status).toBe(
      'succeeded',
    );
    expect(await kept(files)).toHaveLength(2);
    const rows = await target.query('SELECT id, n FROM t ORDER BY id');
    expect(rows.map(({ id, n }) => [Number(id), Number(n)])).toEqual([
      [2, 7],
      [6, 6],
    ]);
  });

  test('of two files with one key the later one wins, and the other is no bad row', async () => {
    await using files = open({ key: ['id'], load: 'merge', checks: { some: 'n > 0' } });
    await format.write(files, 'a', COLUMNS, [
      [1, 1],
      [2, 2],
      [3, 0],
    ]);
    await format.write(files, 'b', COLUMNS, [
      [2, 3],
      [2, 4],
    ]);
    const { totals } = await files.run({ fullRefresh: true });
    expect(totals).toMatchObject({ rows: 5, loaded: 2, quarantined: 2, skipped: 1 });
    expect(await files.query('SELECT id, n FROM t ORDER BY id')).toEqual([
      [1, 1],
      [2, 3],
    ]);
    expect((await kept(files)).map(([, code]) => code)).toEqual(['row.check', 'row.duplicate']);
  });
});
