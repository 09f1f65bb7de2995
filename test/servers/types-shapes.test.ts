/** What is odd about tables, rows and names rather than about values. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { issue, makeAuthority } from '../../src/connectors/postgres/certificates.fixture.ts';
import { streamName } from '../../src/connectors/shared/stream-name.ts';
import { startPostgres } from '../../src/testing/postgres-server.ts';
import { type Cell, differences, quote, type RuleOf, serverRows } from '../../guarantees/fidelity/cells.ts';
import { Lab, Lake } from '../e2e/types.fixture.ts';
import { newName } from '../support/server.ts';

let lab: Lab;
let client: pg.Client;

beforeAll(async () => {
  lab = await Lab.open();
  client = await lab.client();
});

afterAll(async () => lab?.[Symbol.asyncDispose]());

/** Loads a table of schema public and expects it to be in the lake as it is on the server, in order of its first column. */
async function expectSame(lake: Lake, table: string, rules: RuleOf = {}): Promise<void> {
  const server = await serverRows(client, `SELECT * FROM public.${quote(table)} ORDER BY 1`);
  expect(differences(server, await lake.read(table), rules)).toEqual([]);
}

test('identity, generated and added columns arrive, dropped ones leave no trace, NULL is not the empty string', async () => {
  await client.query(`
    CREATE TABLE grown (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone_first int, a text, gone text NOT NULL DEFAULT 'x', b bytea,
      total numeric(10,2), twice numeric(12,2) GENERATED ALWAYS AS (total * 2) STORED, shout text GENERATED ALWAYS AS (upper(a) || '!') VIRTUAL,
      small smallserial, gone_last timestamptz DEFAULT now());
    INSERT INTO grown (a, b, total) VALUES ('', '', 1.5), (NULL, NULL, NULL), ('null', '\\x00', -0.01);
    ALTER TABLE grown DROP COLUMN gone_first, DROP COLUMN gone, DROP COLUMN gone_last;
    ALTER TABLE grown ADD COLUMN later text DEFAULT 'for old rows too', ADD COLUMN empty varchar(3) DEFAULT '', ADD COLUMN nothing int;
    INSERT INTO grown (a, later) VALUES ('new', NULL);`);

  await using lake = await lab.load({ 'public.grown': {} });

  await expectSame(lake, 'grown');
  const { columns, rows } = await lake.read('grown');
  expect(columns.map(({ name }) => name)).toEqual([
    'id',
    'a',
    'b',
    'total',
    'twice',
    'shout',
    'small',
    'later',
    'empty',
    'nothing',
  ]);
  expect(rows.map((row) => row[1])).toEqual(['', null, 'null', 'new']);
});

test('any number of rows around the size of a batch arrives whole, with NULLs anywhere', async () => {
  const sizes = [0, 1, 2, 7, 8, 9, 63, 64, 65, 2047, 2048, 2049, 4095, 4096, 4097, 10_000];
  const value = (c: number, sql: string): string =>
    `CASE WHEN (r * ${c + 1} + r / 64) % 5 <> 0 THEN ${sql} END`;
  const values = [
    '(r % 3 = 0)',
    '(r % 30000)::smallint',
    '(r::bigint << 30)',
    'r / 7.0::float8',
    '(r % 9999 / 100.0)::numeric(4,2)',
    '(r * 1000.01)::numeric(18,4)',
    '(-r * 1e20)::numeric(30,4)',
    `repeat(chr(97 + r % 26), r % 30)`,
    'md5(r::text)::uuid',
    `timestamptz '2000-01-01' + r * interval '1 hour'`,
    `decode(md5(r::text), 'hex')`,
  ];
  const list = values.map((sql, c) => `${value(c, sql)} AS v${c}`).join(', ');
  for (const size of sizes) {
    await client.query(
      `CREATE TABLE rows_${size} AS SELECT r AS id, ${list} FROM generate_series(1, ${size}) AS r`,
    );
  }

  await using lake = await lab.load(Object.fromEntries(sizes.map((size) => [`public.rows_${size}`, {}])));

  for (const size of sizes) {
    expect(lake.stream(`public.rows_${size}`).totals.rows).toBe(size);
    await expectSame(lake, `rows_${size}`);
  }
});

test('a column of NULLs between others and rows of NULLs only arrive as NULLs', async () => {
  await client.query(
    `CREATE TABLE hollow AS SELECT r AS id, NULL::text AS t, NULL::numeric(30,2) AS n, r AS i, NULL::bool AS b, NULL::bytea AS x, NULL::uuid AS u FROM generate_series(1, 5000) AS r`,
  );
  await using lake = await lab.load({ 'public.hollow': {} });
  await expectSame(lake, 'hollow');
});

test('the sign of zero survives among many equal values, in partitions, and when rows around it are rewritten', async () => {
  // The first -0 comes after some batches without, since files before it may be written in another way.
  await client.query(`
    CREATE TABLE signs AS SELECT r AS id, (r % 3)::text AS part, CASE WHEN r > 5000 AND r % 2 = 0 THEN '-0' ELSE '0' END::float8 AS d,
      CASE WHEN r % 5 = 0 THEN '-0' WHEN r % 7 = 0 THEN '1' ELSE '0' END::real AS f, now() AS changed_at FROM generate_series(1, 12000) AS r;
    ALTER TABLE signs ADD PRIMARY KEY (id)`);
  const root = lab.lakeFolder();
  const streams = {
    'public.signs': { load: 'merge' as const, cursor: 'changed_at' },
    'in partitions': {
      sql: 'SELECT * FROM signs',
      table: 'in_partitions',
      partition_by: { column: 'part', by: 'value' as const },
    },
    'read again': {
      sql: 'SELECT * FROM signs',
      table: 'read_again',
      load: 'append' as const,
      cursor: 'changed_at',
      key: ['id'],
    },
  };
  const expectSigns = async (): Promise<void> => {
    const report = await lab.run(root, streams);
    expect(report.streams.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    await using lake = new Lake(root, report);
    const server = await serverRows(client, 'SELECT * FROM signs ORDER BY id');
    expect(server.rows.filter((row) => row[2] === '-0').length).toBeGreaterThan(3000);
    for (const table of ['signs', 'in_partitions', 'read_again'])
      expect(differences(server, await lake.read(table)), table).toEqual([]);
  };
  await expectSigns();
  await client.query(`UPDATE signs SET d = 2, changed_at = clock_timestamp() WHERE id % 1000 = 3`);
  await expectSigns();
  await client.query(`UPDATE signs SET d = '-0', changed_at = clock_timestamp() WHERE id % 1000 = 3`);
  await expectSigns();
});

test('values of many megabytes and rows that cut the blocks of the ring anywhere arrive byte for byte', async () => {
  const block = 1 << 20;
  await client.query(`
    CREATE TABLE large (id int, head text, body text, tail bytea);
    INSERT INTO large SELECT r, repeat('h', r), repeat('é', ${block / 2} - 20 + r), decode(md5(r::text), 'hex') FROM generate_series(1, 40) AS r;
    INSERT INTO large SELECT 100 + r, md5(r::text), NULL, NULL FROM generate_series(1, 3000) AS r;
    INSERT INTO large SELECT 5000 + r, '', repeat(md5(r::text), 20 * ${block} / 32), decode(repeat(md5((-r)::text), 5 * ${block} / 16), 'hex') FROM generate_series(1, 2) AS r;
    INSERT INTO large VALUES (6000, 'last', 'small', '\\x01');`);

  await using lake = await lab.load({ 'public.large': {} });

  const server = await serverRows(
    client,
    'SELECT id, md5(head), length(body), md5(body), octet_length(tail), md5(tail) FROM large ORDER BY id',
  );
  const columns =
    'id::VARCHAR, md5(head), length(body)::VARCHAR, md5(body), octet_length(tail)::VARCHAR, md5(tail)';
  const { batches } = await lake.catalog.select(`SELECT ${columns} FROM large ORDER BY large.id`);
  const found: Cell[][] = [];
  for await (const batch of batches) for (const row of batch) found.push(row as Cell[]);
  expect(server.rows.length).toBe(3043);
  expect(found).toEqual(server.rows);
});

test('1,600 columns arrive', async () => {
  const columns = Array.from({ length: 1600 }, (_, i) => `c${i}`);
  await client.query(`
    CREATE TABLE wide (${columns.map((name) => `${name} int`).join(', ')});
    INSERT INTO wide SELECT ${columns.map((_, i) => (i === 0 ? 'r' : `CASE WHEN (r + ${i}) % 3 > 0 THEN r * ${i} END`)).join(', ')} FROM generate_series(1, 10) AS r;`);
  await using lake = await lab.load({ 'public.wide': {} });
  await expectSame(lake, 'wide');
});

const ODD_NAMES = [
  'a"b',
  '"',
  "it's",
  'new\nline',
  'tab\t',
  ' ',
  '.',
  'dots.in.name',
  'Name',
  'name',
  'NAME',
  'Ä',
  'ä',
  '😀',
  'select',
  'from',
  'order',
  'true',
  'null',
  '*',
  'filename',
  'file_row_number',
  'rowid',
  'c0',
  'c1',
  'sluice_path',
  'sluice_incoming',
  'sluice_partition_0',
  'sluice_keys',
  'year',
  'month',
  'day',
  'xmin_',
  'ctid2',
  '--',
  '/*',
  ';',
  '\\',
  '\\N',
  '{}',
  '{}{}',
  '$$',
  '$&',
  '$1',
  '$`',
  '%s',
  '?',
  'n'.repeat(63),
  'ñ'.repeat(31),
  '__proto__',
  'constructor',
  'toString',
  '0',
  '-1',
  '_1',
  '_2',
];

test.each(['text', 'inet', 'interval', 'int[]', 'numeric(5,2)'])(
  'columns of type %s keep hostile names',
  async (type) => {
    const value = {
      text: 'x',
      inet: '10.0.0.1',
      interval: '00:00:01',
      'int[]': '{1}',
      'numeric(5,2)': '1.50',
    }[type]!;
    const table = `odd ${type}`;
    await client.query(
      `CREATE TABLE ${quote(table)} (id int PRIMARY KEY, ${ODD_NAMES.map((name) => `${quote(name)} ${type}`).join(', ')})`,
    );
    await client.query(
      `INSERT INTO ${quote(table)} VALUES (1, ${ODD_NAMES.map((_, i) => (i % 7 === 0 ? 'NULL' : `'${value}'`)).join(', ')})`,
    );

    const name = streamName('public', table);
    await using lake = await lab.load({ [name]: { table: 'odd', load: 'merge' } });

    const server = await serverRows(client, `SELECT * FROM ${quote(table)} ORDER BY 1`);
    const read = await lake.read('odd');
    const json = Object.fromEntries(ODD_NAMES.map((each) => [each, () => '[1]']));
    expect(differences(server, read, type === 'int[]' ? json : {})).toEqual([]);
    const unlike = read.columns.slice(1).filter((column, i) => column.name !== ODD_NAMES[i]);
    // DuckDB does not tell capitals apart, so the later ones are numbered.
    expect(unlike.map((column) => column.name)).toEqual(['name_1', 'NAME_2', 'ä_1']);
  },
);

test('tables with hostile names arrive under their names', async () => {
  const names = [
    'Orders',
    'orders',
    'a.b',
    'a"b',
    "it's",
    'new\nline',
    ' ',
    '..',
    'ü😀',
    'select',
    'a/b',
    '*',
    'what?',
    '[x]',
    '%2F',
    'CON',
    'n'.repeat(63),
  ];
  await client.query(`CREATE SCHEMA "odd.schema"`);
  for (const [i, name] of names.entries())
    await client.query(`CREATE TABLE "odd.schema".${quote(name)} AS SELECT ${i} AS id, 'v' AS v`);
  // Names that differ only in capitals would share a folder on some disks, so the user is asked to choose.
  const tableOf = (name: string): string => (name === 'orders' ? 'orders (lower case)' : name);
  const plain = names.filter((name) => !/[*?]/.test(name));

  await using lake = await lab.load(
    Object.fromEntries(plain.map((name) => [streamName('odd.schema', name), { table: tableOf(name) }])),
  );

  for (const name of plain)
    expect((await lake.read(tableOf(name))).rows, name).toEqual([[String(names.indexOf(name)), 'v']]);
});

test('a column called year stays beside the folders of a partition by day', async () => {
  await client.query(`
    CREATE TABLE dated (id int, year text, month int, day date, filename text, sluice_partition_0 int, at timestamptz);
    INSERT INTO dated SELECT r, 'y' || r, -r, date '2020-01-01' - r, 'f', r, timestamptz '2026-03-01 00:30+02' + r * interval '9 hours' FROM generate_series(1, 20) AS r;
    INSERT INTO dated VALUES (21, NULL, NULL, NULL, NULL, NULL, NULL), (22, '', 0, '0044-03-15 BC', '', 0, 'infinity'), (23, '', 0, 'infinity', '', 0, '0044-03-15 12:00+00 BC');`);
  await using lake = await lab.load({
    'public.dated': { partition_by: { column: 'at', by: 'day' } },
    'renamed and dated': {
      sql: 'SELECT * FROM dated',
      table: 'renamed',
      rename: { at: 'When?' },
      partition_by: { column: 'at', by: 'month' },
    },
    'dated by value': {
      sql: 'SELECT * FROM dated',
      table: 'by_value',
      partition_by: { column: 'year', by: 'value' },
    },
  });
  await expectSame(lake, 'dated');
  const server = await serverRows(client, 'SELECT * FROM dated ORDER BY id');
  expect(differences(server, await lake.read('by_value'))).toEqual([]);
  expect(differences(server, await lake.read('renamed'))).toEqual([]);
  const partitions = (await lake.catalog.partitions('dated')).map(({ values }) => Object.keys(values).join());
  expect(new Set(partitions)).toEqual(new Set(['year,month,day']));
  expect(partitions.length).toBeGreaterThan(8);
});

test('source columns with names of ours are left out, alike ones refused, and both read by another name', async () => {
  await client.query(
    `CREATE TABLE ours AS SELECT 1 AS id, 'insert' AS "_sluice_op", 'x' AS "_Sluice_Load_Id"`,
  );

  const { streams } = await lab.run(lab.lakeFolder(), { 'public.ours': {} });
  expect(streams[0]!.error?.code).toBe('stream.invalid');
  expect(streams[0]!.error?.message).toMatch(/"_Sluice_Load_Id".*rename/);
  expect(streams[0]!.error?.message).not.toContain('_sluice_op');

  await using lake = await lab.load({
    'public.ours': { rename: { _sluice_op: 'op', _Sluice_Load_Id: 'load' } },
  });
  expect((await lake.read('ours')).rows).toEqual([['1', 'insert', 'x']]);
});

test('a table without columns is refused, one whose columns are all left out too', async () => {
  await client.query('CREATE TABLE void_table ()');
  await client.query('CREATE TABLE one_column (id int)');
  const { streams } = await lab.run(lab.lakeFolder(), {
    'public.void_table': {},
    'public.one_column': { columns: { exclude: ['id'] } },
  });
  expect(streams.map(({ error }) => error?.message)).toEqual([
    expect.stringContaining('no column is left to read'),
    expect.stringContaining('no column is left to read'),
  ]);
});

test('partitions with another order of columns and children with more columns are read through their parent', async () => {
  await client.query(`
    CREATE TABLE measured (id int, at date NOT NULL, v text) PARTITION BY RANGE (at);
    CREATE TABLE measured_a PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE measured_b (v text, gone int, at date NOT NULL, id int); ALTER TABLE measured_b DROP COLUMN gone;
    ALTER TABLE measured ATTACH PARTITION measured_b FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
    INSERT INTO measured VALUES (1, '2026-01-05', 'a'), (2, '2026-02-05', 'b'), (3, '2026-02-06', NULL);
    CREATE TABLE animal (id int, name text); CREATE TABLE dog (tail numeric(4,1)) INHERITS (animal);
    INSERT INTO animal VALUES (1, 'cat'); INSERT INTO dog VALUES (2, 'rex', 30.5);`);
  await using lake = await lab.load({ 'public.measured': {}, 'public.animal': {}, 'public.dog': {} });
  for (const table of ['measured', 'animal', 'dog']) await expectSame(lake, table);
  expect((await lake.read('animal')).rows).toEqual([
    ['1', 'cat'],
    ['2', 'rex'],
  ]);
});

test('rows come through TLS as they come without', async () => {
  await using server = await startPostgres({
    tls: { ...issue(makeAuthority('test'), { names: ['localhost'] }), required: true },
  });
  const other = await lab.client(`${server.url()}?sslmode=no-verify`);
  await other.query(
    `CREATE TABLE t AS SELECT r AS id, repeat(md5(r::text), r % 50) AS v, r * 1.5 AS n FROM generate_series(1, 20000) AS r`,
  );
  await using lake = await lab.load({ 'public.t': {} }, `${server.url()}?sslmode=require`);
  const rows = await serverRows(other, 'SELECT * FROM t ORDER BY id');
  expect(rows.rows.length).toBe(20_000);
  expect(differences(rows, await lake.read('t'))).toEqual([]);
  await other.end();
});

test('a materialized view and a foreign table are read like tables', async () => {
  await client.query(`
    CREATE TABLE origin AS SELECT r AS id, r * 1.25 AS n, CASE WHEN r % 2 = 0 THEN 'text ' || r END AS t, ARRAY[r, NULL] AS a FROM generate_series(1, 3000) AS r;
    CREATE MATERIALIZED VIEW kept AS SELECT id, n, t, to_json(a)::text AS a FROM origin;
    CREATE EXTENSION postgres_fdw; CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${lab.server.port}', dbname 'postgres');
    CREATE USER MAPPING FOR CURRENT_USER SERVER itself OPTIONS (user 'postgres');
    CREATE FOREIGN TABLE remote (id int, n numeric, t text, a text) SERVER itself OPTIONS (table_name 'kept')`);
  await using lake = await lab.load({ 'public.kept': {}, 'public.remote': {} });
  await expectSame(lake, 'kept');
  await expectSame(lake, 'remote');
  expect((await lake.read('remote')).rows.length).toBe(3000);
});

test('a database in another encoding arrives as UTF-8', async () => {
  const url = await lab.server.createDatabase(newName('latin'), { encoding: 'LATIN1' });
  const other = await lab.client(url);
  await other.query(
    `CREATE TABLE t (id int, "spaß" text, c char(3), j json, a text[]); INSERT INTO t VALUES (1, 'äöüß £ ÿ', 'é', '{"é":"ñ"}', '{é,"ü ñ"}')`,
  );
  await using lake = await lab.load({ 'public.t': {} }, url);
  const server = await serverRows(other, 'SELECT id, "spaß", c, j, to_json(a) FROM t');
  const found = await lake.read('t');
  expect(found.rows).toEqual(server.rows);
  expect(found.rows[0]![1]).toBe('äöüß £ ÿ');
  expect(found.columns[1]!.name).toBe('spaß');
});

test('text that is not UTF-8 in a database without encoding is repaired and counted, and kept as bytes on request', async () => {
  const url = await lab.server.createDatabase(newName('ascii'), { encoding: 'SQL_ASCII' });
  const other = await lab.client(url);
  await other.query(String.raw`
    CREATE TYPE label AS ENUM ('ok');
    CREATE TABLE t (id int, v text, raw text, c char(2), j jsonb, a text[], e label, forced numeric);
    INSERT INTO t VALUES (1, 'plain é', 'plain é', 'ab', '{"a":1}', '{x}', 'ok', 1), (2, E'\xff\xfeend', E'\xff\xfeend', E'\xe9', (E'"\xe9"')::jsonb, ARRAY[E'\xe9'], NULL, 2), (3, '', '', '', NULL, NULL, NULL, NULL),
      (4, E'\xef\xbb\xbf\xe9', E'\xef\xbb\xbf\xe9', 'xy', NULL, NULL, NULL, NULL);`);

  await using lake = await lab.load({ 'public.t': { types: { raw: 'binary', forced: 'text' } } }, url);

  const { rows, columns } = await lake.read('t');
  expect(columns.map(({ type }) => type)).toEqual([
    'int32',
    'utf8',
    'binary',
    'utf8',
    'json',
    'json',
    'utf8',
    'utf8',
  ]);
  expect(rows).toEqual([
    ['1', 'plain é', '\\x706c61696e20c3a9', 'ab', '{"a": 1}', '["x"]', 'ok', '1'],
    ['2', '��end', '\\xfffe656e64', '� ', '"�"', '["�"]', null, '2'],
    ['3', '', '\\x', '  ', null, null, null, null],
    ['4', '\ufeff�', '\\xefbbbfe9', 'xy', null, null, null, null],
  ]);
  expect(lake.stream('public.t').totals.coerced).toEqual({ v: 2, c: 1, j: 1, a: 1 });
});
