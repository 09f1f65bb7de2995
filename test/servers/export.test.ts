/** Tables become files: named by the day of the database, whole or not there, with every value as it was. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCatalog, run } from '../../src/index.ts';
import type { StreamDefinition } from '../../src/config/define.ts';
import { CHINOOK } from '../support/chinook.ts';
import { ask, Exports } from '../support/exports.ts';
import { useServer } from '../support/server.ts';
import { CASES, USER_TYPES } from '../e2e/types-cases.fixture.ts';

const server = useServer();
let databases = 0;
const clients: pg.Client[] = [];

async function database(sql: string): Promise<{ url: string; db: pg.Client }> {
  const url = await server().createDatabase(`export${++databases}`);
  const db = new pg.Client(url);
  await db.connect();
  clients.push(db);
  await db.query(sql);
  return { url, db };
}

afterAll(async () => {
  for (const client of clients) await client.end();
});

/** As the database says it, so that midnight makes no difference to the test. */
async function today(db: pg.Client, zone = 'UTC'): Promise<string> {
  const { rows } = await db.query<{ day: string }>(
    `SELECT to_char(now() AT TIME ZONE '${zone}', 'YYYYMMDD') AS day`,
  );
  return rows[0]!.day;
}

const SMALL = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, ''), (3, NULL), (4, 'x,"y"')`;
const ROWS = 'id,v\n1,a\n2,""\n3,\n4,"x,""y"""\n';

describe('a snapshot', () => {
  it('is named by table and day, and replaced by the next one of the day; nothing else is left', async () => {
    const { url, db } = await database(SMALL);
    await using to = new Exports({ type: 'postgres', url }, { 'public.t': {} });
    const first = await to.run();
    const name = `t_${await today(db)}.csv`;
    expect(first.streams[0]).toMatchObject({
      status: 'loaded',
      totals: { loaded: 4 },
      warnings: [],
      files: [name],
    });
    expect(to.everything()).toEqual([name]);
    expect(to.text(name)).toBe(ROWS);
    await db.query(`DELETE FROM t WHERE id > 1; ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD w boolean`);
    const second = await to.run();
    expect(second.streams[0]).toMatchObject({ totals: { loaded: 1 }, changes: [], warnings: [] });
    expect(to.everything()).toEqual([name]);
    expect(to.text(name)).toBe('id,w\n1,\n');
  });

  it('of an empty table is a file as well, in each format', async () => {
    const { url } = await database('CREATE TABLE t (id int, "a ""b""" text)');
    await using to = new Exports({ type: 'postgres', url }, {});
    for (const file of ['t.csv', 't.csv.gz', 't.csv.zst', 't.jsonl', 't.parquet']) {
      to.streams = { 'public.t': { export: file } };
      await to.run();
    }
    expect(to.files()).toEqual(['t.csv', 't.csv.gz', 't.csv.zst', 't.jsonl', 't.parquet']);
    for (const file of ['t.csv', 't.csv.gz', 't.csv.zst']) expect(to.text(file)).toBe('id,"a ""b"""\n');
    expect(to.text('t.jsonl')).toBe('');
    const parquet = `read_parquet('${path.join(to.out, 't.parquet')}')`;
    expect(await ask(`SELECT column_name, column_type FROM (DESCRIBE FROM ${parquet})`)).toEqual([
      ['id', 'INTEGER'],
      ['a "b"', 'VARCHAR'],
    ]);
    expect(await ask(`SELECT count(*) FROM ${parquet}`)).toEqual([['0']]);
  });

  it('is written as it is told: delimiter, header, NULL, ending, folders, zone', async () => {
    const { url, db } = await database(SMALL);
    await using to = new Exports({ type: 'postgres', url }, {});
    to.timezone = 'Pacific/Kiritimati';
    const day = await today(db, 'Pacific/Kiritimati');
    const [year, month, date] = [day.slice(0, 4), day.slice(4, 6), day.slice(6)];
    to.streams = {
      'public.t': {
        export: {
          path: '{year}/{month}/{table}-{day}.txt',
          format: 'csv',
          delimiter: ';',
          header: false,
          null: 'a',
        },
      },
    };
    await to.run();
    expect(to.files()).toEqual([`${year}/${month}/t-${date}.txt`]);
    expect(to.text(to.files()[0]!)).toBe('1;"a"\n2;\n3;a\n4;"x,""y"""\n');
    to.streams = { 'public.t': { export: { path: 't.tsv.gz', timezone: 'UTC' } } };
    to.to = { type: 'files', path: './out', export: 'unused_{date}.csv' };
    await to.run();
    expect(to.text('t.tsv.gz')).toBe('id\tv\n1\ta\n2\t""\n3\t\n4\t"x,""y"""\n');
    to.streams = { q: { sql: 'SELECT count(*) AS n FROM t' } };
    await to.run();
    expect(to.text(`unused_${await today(db, 'Pacific/Kiritimati')}.csv`)).toBe('n\n4\n');
  });

  it.each(['csv', 'csv.gz', 'csv.zst', 'jsonl', 'jsonl.gz', 'parquet'])(
    'that is read side by side is one file of %s',
    async (ending) => {
      const { url } = await database(
        `CREATE TABLE t AS SELECT i AS id, repeat('text ' || i, 30) AS v FROM generate_series(1, 40000) i; ANALYZE t`,
      );
      await using to = new Exports(
        { type: 'postgres', url, slice_size: '1 MB' },
        { 'public.t': { export: `t.${ending}` } },
      );
      expect((await to.plan()).streams[0]!.slices.length).toBeGreaterThan(4);
      await to.run({ workers: 2 });
      expect(to.everything()).toEqual([`t.${ending}`]);
      const file = path.join(to.out, `t.${ending}`);
      const source = ending === 'parquet' ? `read_parquet('${file}')` : `'${file}'`;
      expect(
        await ask(`SELECT count(*), count(DISTINCT id), sum(id), sum(length(v)) FROM ${source}`),
      ).toEqual([
        ['40000', '40000', '800020000', String(30 * (5 * 40000 + 9 + 180 + 2700 + 36000 + 150005))],
      ]);
      // In the order of the table, whichever part was done first.
      const [first] = await ask(
        `SELECT bool_and(id = row) FROM (SELECT id, row_number() OVER () AS row FROM ${source})`,
      );
      expect(first).toEqual([true]);
      if (ending.startsWith('csv')) expect(to.text(`t.${ending}`).match(/^id,v$/gm)).toHaveLength(1);
    },
  );

  it('has names of every kind, and none that two streams share', async () => {
    const long = 'ü'.repeat(200);
    const { url, db } = await database(
      `CREATE SCHEMA "a/b.c"; CREATE TABLE "a/b.c"."../x y" (id int); CREATE TABLE "Ünïcode ✓" (id int)`,
    );
    await using to = new Exports(
      { type: 'postgres', url },
      { '*': {}, [long]: { sql: 'SELECT 1 AS a, 2 AS b' } },
    );
    await to.run();
    const day = await today(db);
    expect(to.files()).toEqual([
      `a_b_c__x_y_${day}.csv`,
      `Ünïcode__${day}.csv`,
      expect.stringMatching(new RegExp(`^ü{66}~[0-9a-f]{16}_${day}\\.csv$`)),
    ]);
    to.streams = { '*': { export: 'all.csv' } };
    await expect(to.run()).rejects.toThrow(/would share the file "all.csv"/);
  });
});

it('two runs at once make one file: who comes second is told, or comes after', async () => {
  const { url } = await database(
    `CREATE TABLE t AS SELECT i AS id, repeat('x', 300) AS v FROM generate_series(1, 20000) i`,
  );
  await using to = new Exports({ type: 'postgres', url }, { 'public.t': { export: 't.csv.gz' } });
  const reports = await Promise.all([to.report(), to.report()]);
  const streams = reports.map(({ streams: [stream] }) => stream!);
  expect(streams.some(({ status }) => status === 'loaded')).toBe(true);
  for (const { error } of streams) if (error) expect(error.recovery).toBe('conflict');
  expect(to.everything()).toEqual(['t.csv.gz']);
  expect(to.text('t.csv.gz').split('\n')).toHaveLength(20_002);
});

describe('what cannot be a file', () => {
  it('is refused before anything is read, all at once', async () => {
    const { url } = await database(`${SMALL}; CREATE TABLE u (id int PRIMARY KEY, at timestamptz)`);
    await using to = new Exports(
      { type: 'postgres', url },
      {
        'public.t': { load: 'merge', verify: 'checksums' },
        'public.u': { cursor: 'at', export: 'u.csv' },
        d: { sql: 'SELECT * FROM u', date: 'at', export: 'd_{time}.csv' },
        s: { sql: 'SELECT 1 AS a', export: { path: 's.csv', compression: 'snappy' } },
        f: { sql: 'SELECT 1 AS a', export: 'f.txt', schema: 'freeze' },
      },
    );
    const error = await to.run().then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; details: { mistakes: string[] } },
    );
    expect(error).toMatchObject({ code: 'files.export' });
    expect(error!.details.mistakes.map((each) => each.slice(0, 52))).toMatchInlineSnapshot(`
      [
        "public.t: "merge" does not go into files, since rows",
        "public.t: \`verify: checksums\` cannot be had of files",
        "public.u: "append" does not go into files, since wha",
        "d: a file for each day needs {date} in its path, "d_",
        "d: {time} does not go with \`date\`: the file of a day",
        "s: \`compression: snappy\` is for Parquet; write gzip,",
        "f: \`schema: freeze\` is for tables; each file has the",
        "f: the ending of "f.txt" says no format; set \`export",
      ]
    `);
    expect(to.everything()).toEqual([]);
  });

  it('is told apart by the project file', async () => {
    const { url } = await database(SMALL);
    await using to = new Exports({ type: 'postgres', url }, { 'public.t': { export: '../t.csv' } });
    await expect(to.run()).rejects.toThrow(/must be a path below the folder/);
    to.streams = { 'public.t': { export: '{tabel}.csv' } };
    await expect(to.run()).rejects.toThrow(/"\{tabel\}" is no placeholder/);
    to.streams = { 'public.t': { export: 't.csv' } };
    to.to = { type: 'lake', path: './lake' };
    await expect(to.run()).rejects.toThrow(/needs a destination that writes files \(files\)/);
  });

  it('is NULL in a single column, which would be an empty line', async () => {
    const { url } = await database("CREATE TABLE t (v text); INSERT INTO t VALUES (NULL), (''), ('a')");
    await using to = new Exports({ type: 'postgres', url }, { 'public.t': { export: 't.csv' } });
    expect((await to.report()).streams[0]!.error).toMatchObject({ code: 'files.export_null' });
    expect(to.everything()).toEqual([]);
    to.streams = { 'public.t': { export: { path: 't.csv', null: 'NULL' } } };
    await to.run();
    expect(to.text('t.csv')).toBe('v\nNULL\n\na\n');
  });
});

describe('a file for each day', () => {
  const DAYS = `CREATE TABLE t (id int PRIMARY KEY, day date, v text);
    INSERT INTO t SELECT i, date '2026-07-20' + i % 3, 'v' || i FROM generate_series(0, 5) i; INSERT INTO t VALUES (9, NULL, 'none')`;
  const dated = { 'public.t': { date: 'day', export: 't_{date}.csv' } };

  it('is written again when the day is loaded again, and only then', async () => {
    const { url, db } = await database(DAYS);
    await using to = new Exports({ type: 'postgres', url }, dated);
    await to.run({ window: { from: '2026-07-20', to: '2026-07-23' } });
    expect(to.files()).toEqual(['t_20260720.csv', 't_20260721.csv', 't_20260722.csv']);
    expect(to.text('t_20260721.csv')).toBe('id,day,v\n1,2026-07-21,v1\n4,2026-07-21,v4\n');
    await db.query(`UPDATE t SET v = 'new'; DELETE FROM t WHERE day = '2026-07-21'`);
    await to.run({ window: { from: '2026-07-21', to: '2026-07-22' } });
    expect(to.text('t_20260720.csv')).toContain('v0');
    expect(to.text('t_20260721.csv')).toBe('id,day,v\n');
    await to.run();
    expect(to.text('t_no_date.csv')).toBe('id,day,v\n9,,new\n');
    await db.query('DELETE FROM t WHERE day IS NULL');
    await to.run();
    expect(to.files()).not.toContain('t_no_date.csv');
    expect(to.everything().filter((file) => file.startsWith('_sluice/'))).toHaveLength(1);
    const refreshed = await to.report({ fullRefresh: true });
    expect(refreshed.streams[0]!.error).toMatchObject({ code: 'files.export_refresh' });
  });
});

describe('values', () => {
  beforeAll(() => {
    if (CHINOOK === undefined) console.log('skipped: Chinook is not there');
  });

  it('of every type are those of the lake, in each format', async () => {
    const { url, db } = await database(USER_TYPES);
    const names = CASES.map((_, i) => `c${i}`);
    await db.query(`CREATE TABLE t (id int, ${CASES.map(({ type }, i) => `c${i} ${type}`).join(', ')})`);
    const most = Math.max(...CASES.map(({ values }) => values.length));
    await db.query(
      `INSERT INTO t SELECT r, ${CASES.map(({ type }, i) => `($${i + 1}::text[])[r + 1]::${type}`).join(', ')} FROM generate_series(0, ${most}) r`,
      CASES.map(({ values }) => values),
    );
    await using to = new Exports({ type: 'postgres', url }, {});
    for (const ending of ['csv', 'jsonl', 'parquet']) {
      to.streams = { 'public.t': { export: `t.${ending}` } };
      await to.run();
    }
    to.to = { type: 'lake', path: './lake' };
    to.streams = { 'public.t': {} };
    await to.run();
    const lake = `read_parquet('${to.folder}/lake/t/*.parquet')`;
    const types = new Map(
      (await ask(`SELECT column_name, column_type FROM (DESCRIBE FROM ${lake})`)) as [string, string][],
    );
    const isJson = (i: number): boolean => CASES[i]!.lake === 'json';
    const list = names.join(', ');
    const parquet = `read_parquet('${to.out}/t.parquet')`;
    const hashed = `hash(id, ${list})`;
    expect(
      await ask(`SELECT id FROM ${parquet} WHERE ${hashed} NOT IN (SELECT ${hashed} FROM ${lake})`),
    ).toEqual([]);

    const text = (name: string): string =>
      types.get(name) === 'BLOB'
        ? `'\\x' || lower(hex(${name}))`
        : String.raw`regexp_replace(CAST(${name} AS VARCHAR), '^(-?)[.](\d+)$', '\10.\2')`;
    // The API drops a byte order mark that begins a text.
    const wanted = await ask(
      `SELECT ${names.map((name) => `'=' || ${text(name)}`).join(', ')} FROM ${lake} ORDER BY id`,
    );
    const csv = `read_csv('${to.out}/t.csv', all_varchar = true, header = true, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, strict_mode = true, auto_detect = false, columns = {'id': 'VARCHAR', ${names.map((name) => `'${name}': 'VARCHAR'`).join(', ')}})`;
    const cells = `SELECT ${names.map((name) => `'=' || ${name}`).join(', ')} FROM ${csv} ORDER BY CAST(id AS INTEGER)`;
    expect(await ask(cells)).toEqual(wanted);

    const lines = to.text('t.jsonl').trimEnd().split('\n').map(parseExact);
    lines.sort((a, b) => Number(a['id']) - Number(b['id']));
    const found = lines.map((line) =>
      names.map((name, i) => {
        const value = line[name];
        if (value === null) return null;
        return `=${typeof value === 'string' && !isJson(i) ? value : canonical(value)}`;
      }),
    );
    const asJson = wanted.map((row) =>
      row.map((cell, i) => {
        if (cell === null) return null;
        const value = cell.slice(1);
        // A document that is null has no other way to be written.
        if (isJson(i)) return value === 'null' ? null : `=${canonical(parseExact(value))}`;
        if (!types.get(names[i]!)!.startsWith('TIMESTAMP') || value.includes('(BC)')) return cell;
        return `=${value.replace(' ', 'T').replace('+00', 'Z')}`;
      }),
    );
    expect(found).toEqual(asJson);
  });

  it('that look like others come back from text with the types that are pinned', async () => {
    const { url } =
      await database(`CREATE TABLE t (id bigint, code text, b bytea, f float8, g real, d numeric(38,10), n numeric(4,4), j jsonb, u uuid, day date, at timestamp, ts timestamptz, clock time, y boolean);
      INSERT INTO t VALUES (9223372036854775807, '007', '\\x00ff5c22', 'NaN', '-Infinity', 1234567890123456789012345678.0123456789, 0.9999, '{"a":[1,null,"ä\\n"]}', 'f7b11102-1bef-41a8-9ba9-245188175cbd', '0044-03-15', '2026-01-02 03:04:05.000006', '2026-01-02 03:04:05.123456+05', '24:00', true),
        (-1, '', '\\x', -0.0, 16777216, -0.0000000001, -0.0001, '"x"', NULL, '9999-12-31', '0001-01-01', '9999-12-31 23:59:59.999999+00', '00:00', false),
        (3, E'\\\\x00 "q", \n\r\n\\t ', NULL, 5, 0.1, 0, 0, '[]', NULL, NULL, NULL, NULL, NULL, NULL), (4, 'NULL', NULL, 1e300, 1e-45, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL)`);
    await using to = new Exports({ type: 'postgres', url }, { 'public.t': {} });
    to.to = { type: 'lake', path: './lake' };
    await to.run();
    to.to = { type: 'files', path: './out' };
    const types = {
      id: 'int64',
      code: 'text',
      b: 'binary',
      f: 'float64',
      g: 'float32',
      d: 'decimal(38,10)',
      n: 'decimal(4,4)',
      j: 'json',
      u: 'uuid',
      day: 'date',
      at: 'timestamp',
      ts: 'timestamptz',
      clock: 'time',
      y: 'bool',
    };
    const list = Object.keys(types)
      .map((name) => (name === 'f' || name === 'g' ? `CAST(${name} AS VARCHAR)` : `"${name}"`))
      .join(', ');
    const lake = `SELECT ${list} FROM read_parquet('${to.folder}/lake/t/*.parquet')`;
    for (const ending of ['csv', 'jsonl', 'csv.zst', 'tsv.gz']) {
      to.streams = { 'public.t': { export: `t.${ending}` } };
      await to.run();
      const report = await run(
        {
          connections: {
            out: { type: 'files', path: './out' },
            again: { type: 'lake', path: `./${ending}` },
          },
          pipelines: {
            p: { from: 'out', to: 'again', streams: { t: { files: `t.${ending}`, types, max_bad: 0 } } },
          },
        },
        'p',
        { directory: to.folder },
      );
      expect(report.streams[0]).toMatchObject({ status: 'loaded', totals: { loaded: 4, quarantined: 0 } });
      const again = `SELECT ${list} FROM read_parquet('${to.folder}/${ending}/t/*.parquet')`;
      expect(
        await ask(`(${lake} EXCEPT ALL ${again}) UNION ALL (${again} EXCEPT ALL ${lake})`),
        ending,
      ).toEqual([]);
    }
  });

  it.runIf(CHINOOK !== undefined)(
    'of all tables of a database come back from CSV, JSON Lines and Parquet as they were',
    { timeout: 120_000 },
    async () => {
      const { url } = await database(CHINOOK!);
      await using to = new Exports({ type: 'postgres', url }, {});
      const back: Record<string, StreamDefinition> = {};
      to.streams = { 'public.*': {} };
      to.to = { type: 'lake', path: './lake' };
      const tables = (await to.run()).streams.map(({ table }) => table);
      expect(tables).toHaveLength(11);
      const catalog = await openCatalog(path.join(to.folder, 'lake'));
      for (const ending of ['csv.gz', 'jsonl.zst', 'parquet'])
        for (const table of tables) {
          const columns = (await catalog.describe(table)).columns.filter(
            ({ name }) => !name.startsWith('_sluice'),
          );
          back[`${table}_${ending.slice(0, 3)}`] = {
            files: { path: `${table}.${ending}`, file_column: false },
            ...(ending !== 'parquet' && {
              types: Object.fromEntries(
                columns.map(({ name, type }) => [name, type === 'utf8' ? 'text' : type]),
              ),
            }),
            max_bad: 0,
          };
        }
      await catalog.close();
      to.to = { type: 'files', path: './out' };
      for (const ending of ['csv.gz', 'jsonl.zst', 'parquet']) {
        to.streams = { 'public.*': { export: `{table}.${ending}` } };
        await to.run();
      }
      const report = await run(
        {
          connections: { out: { type: 'files', path: './out' }, again: { type: 'lake', path: './again' } },
          pipelines: { p: { from: 'out', to: 'again', streams: back } },
        },
        'p',
        { directory: to.folder },
      );
      expect(report.streams.filter(({ error }) => error)).toEqual([]);
      for (const table of tables)
        for (const form of ['csv', 'jso', 'par']) {
          const [a, b] = [`lake/${table}`, `again/${table}_${form}`].map(
            (folder) =>
              `SELECT * EXCLUDE (_sluice_loaded_at, _sluice_load_id, _sluice_op) FROM read_parquet('${to.folder}/${folder}/*.parquet')`,
          );
          expect(
            await ask(`(${a} EXCEPT ALL ${b}) UNION ALL (${b} EXCEPT ALL ${a})`),
            `${table} ${form}`,
          ).toEqual([]);
        }
    },
  );
});

it('is all of the source again, also after records that did not fit', async () => {
  await using to = new Exports(
    { type: 'files', path: './in' },
    {
      t: {
        files: '*.csv',
        types: { id: 'int64' },
        load: 'replace',
        export: 't.csv',
      },
    },
  );
  to.write('in/a.csv', 'id,v\n1,a\nno number,b\n');
  const first = (await to.run()).streams[0]!;
  expect(first.totals).toMatchObject({ loaded: 1, quarantined: 1 });
  expect(to.text('t.csv')).toBe('id,v,_sluice_file\n1,a,a.csv\n');
  to.write('in/b.csv', 'id,v\n2,b\n');
  expect((await to.run()).streams[0]!.totals).toMatchObject({ loaded: 2, quarantined: 1 });
  expect(to.text('t.csv')).toBe('id,v,_sluice_file\n1,a,a.csv\n2,b,b.csv\n');
  const replayed = await to.report({ window: { replay: {} } });
  expect(replayed.streams[0]!.error).toMatchObject({ code: 'stream.replay' });
  to.write('in/a.csv', 'id,v\n1,a\n');
  expect((await to.run()).streams[0]!.totals).toMatchObject({ loaded: 2, quarantined: 0 });
  expect(to.text('t.csv')).toBe('id,v,_sluice_file\n1,a,a.csv\n2,b,b.csv\n');
});

describe('a path on the command line', () => {
  const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  function sluice(to: Exports, ...args: string[]): { status: number | null; stderr: string } {
    mkdirSync(to.out, { recursive: true });
    return spawnSync(process.execPath, [CLI, ...args], { cwd: to.out, encoding: 'utf8' });
  }

  it('is an export of any source, and a wrong one is told', { timeout: 120_000 }, async () => {
    const { url, db } = await database(SMALL);
    await using to = new Exports({ type: 'postgres', url }, {});
    expect(sluice(to, 'copy', url, './{table}_{date}.csv', '--table', 'public.t')).toMatchObject({
      status: 0,
    });
    const day = await today(db);
    expect(to.text(`t_${day}.csv`)).toBe(ROWS);
    // Each writes where the next one reads: a lake, a DuckDB file, a dump.
    for (const [from, into] of [
      [url, '../lake'],
      ['../lake', '../a.duckdb'],
    ])
      expect(sluice(to, 'copy', from!, into!, '--table', '*', '--load', 'replace')).toMatchObject({
        status: 0,
      });
    to.write(
      'shop.sql',
      `CREATE TABLE t (id int, v text);\nINSERT INTO t VALUES (1,'a'),(2,''),(3,NULL),(4,'x,"y"');\n`,
    );
    for (const [name, from] of Object.entries({
      lake: '../lake',
      duck: '../a.duckdb',
      dump: '../shop.sql',
    })) {
      const { status, stderr } = sluice(to, 'copy', from, `./deep/${name}.csv.gz`);
      expect(status, stderr).toBe(0);
      expect(to.text(`deep/${name}.csv.gz`)).toBe(ROWS);
    }
    const query = ['--sql', 'SELECT id * 2 AS n FROM t WHERE id > 2 ORDER BY 1', '--name', 'twice'];
    expect(sluice(to, 'copy', url, '{table}.jsonl', ...query)).toMatchObject({ status: 0 });
    expect(to.text('twice.jsonl')).toBe('{"n":6}\n{"n":8}\n');
    const wrong = sluice(to, 'copy', url, 'all.csv', '--table', 'public.t', '--load', 'merge', '--key', 'id');
    expect(wrong).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"merge" does not go into files') as string,
    });
    expect(to.files().filter((file) => !file.startsWith('.sluice/'))).toEqual(
      ['deep/dump.csv.gz', 'deep/duck.csv.gz', 'deep/lake.csv.gz', `t_${day}.csv`, 'twice.jsonl'].sort(),
    );
  });

  it('may be of files again: one out of many, in another form', async () => {
    await using to = new Exports(
      { type: 'files', path: './in' },
      { all: { files: { path: 'a_*.csv', file_column: false }, load: 'replace', export: 'all.jsonl' } },
    );
    to.write('in/a_20260101.csv', 'id,v\n1,x\n');
    to.write('in/a_20260102.csv', 'id,v\n2,\n');
    await to.run();
    await to.run();
    expect(to.text('all.jsonl')).toBe(
      '{"id":1,"v":"x","snapshot_date":"2026-01-01"}\n{"id":2,"v":null,"snapshot_date":"2026-01-02"}\n',
    );
  });
});

/** Numbers as they are written. */
function parseExact(text: string): Record<string, unknown> {
  const reviver = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? `${context!.source}` : value;
  return JSON.parse(text, reviver) as Record<string, unknown>;
}

function canonical(value: unknown): string {
  return JSON.stringify(value);
}

it('what another program has half written in the folder stays as it is', async () => {
  const { url } = await database(SMALL);
  await using to = new Exports({ type: 'postgres', url }, { 'public.t': { export: 'deep/er/t.csv' } });
  to.write('out/deep/other.csv', 'mine');
  await to.run();
  expect(to.everything()).toEqual(['deep/er/t.csv', 'deep/other.csv']);
  expect(readFileSync(path.join(to.out, 'deep/other.csv'), 'utf8')).toBe('mine');
});
