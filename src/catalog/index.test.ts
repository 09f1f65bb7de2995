import { mkdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitKey } from '../connectors/lake/layout.ts';
import { openTableLog } from '../connectors/lake/log.ts';
import { render } from '../connectors/lake/records-json.ts';
import { type Catalog, openCatalog } from './index.ts';
import { type FixtureLake, makeLake, schemaOf } from '../connectors/lake/log.fixture.ts';
import type { QueryFormat } from './render.ts';

let lake: FixtureLake;
let catalog: Catalog;
beforeEach(async () => {
  lake = await makeLake();
  catalog = openCatalog({ storage: lake.storage, memoryBytes: 256 << 20, threads: 2 });
});
afterEach(async () => {
  await catalog.close();
  await lake.close();
});

async function rows(sql: string, limit?: number): Promise<unknown[][]> {
  const { batches } = await catalog.select(sql, { limit });
  const found: unknown[][] = [];
  for await (const batch of batches) found.push(...batch.map((row) => [...row]));
  return found;
}

async function text(sql: string, format: QueryFormat): Promise<string> {
  let found = '';
  for await (const piece of catalog.query(sql, { format })) found += piece;
  return found;
}

const V1 = schemaOf('id int32, total decimal(6,2) null');
const V2 = schemaOf('id int64, total decimal(12,4) null, tier utf8 null');

async function loadOrders(): Promise<void> {
  await lake.load('orders', {
    schema: V1,
    load: '2026-01-01-a',
    rows: `SELECT 1::INT AS id, 10.50::DECIMAL(6,2) AS total UNION ALL SELECT 2, NULL UNION ALL SELECT 3, 0.01`,
  });
  await lake.load('orders', {
    schema: V2,
    load: '2026-01-02-b',
    rows: `SELECT 1::BIGINT AS id, 99999999.1234::DECIMAL(12,4) AS total, 'gold' AS tier UNION ALL SELECT 9007199254740993, 1::DECIMAL(12,4), ''`,
  });
  await lake.load('orders', {
    schema: V2,
    load: '2026-01-03-c',
    op: 'delete',
    rows: `SELECT 3::BIGINT AS id, NULL::DECIMAL(12,4) AS total, NULL::VARCHAR AS tier`,
  });
}

describe('the current view', () => {
  it('shows the last version by key, without deleted rows and without metadata', async () => {
    await loadOrders();
    expect(await rows('select * from orders order by id')).toEqual([
      [1, '99999999.1234', 'gold'],
      [2, null, null],
      ['9007199254740993', '1.0000', ''],
    ]);
    expect(await rows('select count(*), count(distinct _sluice_load_id) from orders_history')).toEqual([
      [6, 3],
    ]);
  });

  it('follows new loads', async () => {
    await loadOrders();
    expect(await rows('select count(*) from orders')).toEqual([[3]]);
    await lake.load('orders', {
      schema: V2,
      load: '2026-01-04-d',
      rows: `SELECT 3::BIGINT AS id, 5::DECIMAL(12,4) AS total, 'back' AS tier`,
    });
    expect(await rows('select tier from orders where id = 3')).toEqual([['back']]);
  });

  it('shows all rows when there is no key', async () => {
    const schema = schemaOf('id int32', []);
    for (const load of ['a', 'b']) await lake.load('log', { schema, load, rows: 'SELECT 1::INT AS id' });
    expect(await rows('select count(*) from log')).toEqual([[2]]);
  });

  it('needs no comparison after a single load', async () => {
    await lake.load('t', { schema: schemaOf('id int32'), load: 'a', rows: 'SELECT 1::INT AS id' });
    expect((await catalog.describe('t')).views[0]!.shows).toMatch(/one load/);
    const plan = await rows('explain select * from t');
    expect(String(plan)).not.toMatch(/WINDOW/);
  });

  it('of a replaced table shows the new rows only', async () => {
    const schema = schemaOf('id int32');
    await lake.load('t', { schema, load: 'a', rows: 'SELECT 1::INT AS id' });
    const { files } = (await openTableLog(lake.storage, 't').read())!;
    await lake.load('t', {
      schema,
      load: 'b',
      rows: 'SELECT 2::INT AS id',
      more: { remove: files.map((file) => file.key) },
    });
    expect(await rows('from t')).toEqual([[2]]);
    expect(await rows('select id from t_history')).toEqual([[2]]);
  });

  it('is not confused by partition folders that are called like columns, or by files beside the lake', async () => {
    const schema = schemaOf('id int32, year utf8, d date');
    const by = { column: 'd', by: 'month' } as const;
    await lake.load('t', {
      schema,
      load: 'a',
      partition: { by, value: '2026-03-01' },
      rows: `SELECT 1::INT AS id, 'MMXXVI' AS year, DATE '2026-03-01' AS d`,
    });
    await lake.write('t', {
      schema,
      load: 'not-committed',
      rows: `SELECT 2::INT AS id, '' AS year, NULL::DATE AS d`,
    });
    expect(await rows('from t')).toEqual([[1, 'MMXXVI', '2026-03-01']]);
    expect(await catalog.partitions('t')).toMatchObject([
      { partition: 'year=2026/month=03', rows: 1, files: 1 },
    ]);
  });
});

describe('tables', () => {
  it('are listed with what their logs say', async () => {
    await loadOrders();
    await lake.load('customers', {
      schema: schemaOf('id int32'),
      load: 'a',
      rows: 'SELECT 1::INT AS id',
      more: { checkpoint: { cursor: ['updated_at'], watermark: '2026-01-01 00:00:00.000001+00' } },
    });
    const tables = await catalog.tables();
    expect(tables).toMatchObject([
      {
        name: 'customers',
        stream: 'public.customers',
        rows: 1,
        files: 1,
        watermark: '2026-01-01 00:00:00.000001+00',
      },
      {
        name: 'orders',
        rows: 6,
        files: 3,
        partitions: 1,
        watermark: undefined,
        loadedAt: '2026-01-01 00:00:00+00',
      },
    ]);
    expect(Date.parse(tables[0]!.committedAt!)).toBeGreaterThan(Date.now() - 60_000);
  });

  it('are described with types, key and history', async () => {
    await loadOrders();
    const orders = await catalog.describe('ORDERS');
    expect(orders.columns).toMatchObject([
      { name: 'id', type: 'int64', sqlType: 'BIGINT', nullable: false, key: true },
      { name: 'total', type: 'decimal(12,4)', nullable: true, key: false },
      { name: 'tier', type: 'utf8', nullable: true },
    ]);
    expect(orders.metaColumns.map((column) => column.name)).toEqual([
      '_sluice_loaded_at',
      '_sluice_load_id',
      '_sluice_op',
    ]);
    expect(orders.history).toMatchObject([
      { version: 1, changes: ['first load, 2 columns'] },
      { version: 2, changes: ['id int32 → int64', 'total decimal(6,2) → decimal(12,4)', '+ tier utf8'] },
    ]);
    expect(orders.views).toMatchObject([
      { name: 'orders', shows: expect.stringMatching(/last loaded version .* \(id\); deleted/) },
      { name: 'orders_history' },
    ]);
  });

  it('without files have columns of the right types and no rows', async () => {
    const schema = schemaOf(
      'id int64, total decimal(38,10) null, at timestamptz null, raw binary null, u uuid null, j json null, t time null',
    );
    await lake.load('t', { schema, load: 'a', rows: 'SELECT 1', more: { add: [] } });
    expect(await rows('from t')).toEqual([]);
    expect((await rows('describe t')).map((row) => row[1])).toEqual([
      'BIGINT',
      'DECIMAL(38,10)',
      'TIMESTAMP WITH TIME ZONE',
      'BLOB',
      'UUID',
      'VARCHAR',
      'TIME',
    ]);
    expect(await catalog.partitions('t')).toEqual([]);
  });

  it('that do not exist are answered with those that do', async () => {
    await loadOrders();
    await expect(catalog.describe('oders')).rejects.toMatchObject({
      code: 'catalog.unknown_table',
      remedy: 'tables: orders',
    });
    await expect(rows('from oders')).rejects.toMatchObject({
      code: 'query.failed',
      remedy: 'tables: orders',
    });
  });

  it('with hostile names can be queried', async () => {
    const names = [
      'public.orders',
      'o"brien\'s',
      '注文',
      'a b',
      'select',
      '_sluice',
      'Orders',
      'orders',
      'orders_history',
      'x'.repeat(300),
    ];
    for (const [i, name] of names.entries())
      await lake.load(name, { schema: schemaOf('id int32'), load: 'a', rows: `SELECT ${i}::INT AS id` });
    for (const [i, name] of names.entries()) {
      const { views } = await catalog.describe(name);
      expect(await rows(`from "${views[0]!.name.replaceAll('"', '""')}"`), name).toEqual([[i]]);
      expect(await rows(`select id from "${views[1]!.name.replaceAll('"', '""')}"`), name).toEqual([[i]]);
    }
    expect(await rows('select id from public.orders')).toEqual([[0]]);
    expect(await rows('select id from public.orders_history')).toEqual([[0]]);
    expect(await rows('show tables')).toHaveLength(names.length * 2);
  });

  it('that take the name of a history view get it', async () => {
    const schema = schemaOf('id int32');
    await lake.load('t', { schema, load: 'a', rows: 'SELECT 1::INT AS id' });
    expect(await rows('select id, _sluice_load_id from t_history')).toEqual([[1, 'a']]);
    await lake.load('t_history', { schema, load: 'b', rows: 'SELECT 2::INT AS id' });
    expect(await rows('from t_history')).toEqual([[2]]);
    expect(await rows('select id, _sluice_load_id from t_history_2')).toEqual([[1, 'a']]);
  });

  it('whose columns differ only in capitals keep all of them', async () => {
    const schema = schemaOf('id int32, Id int32, ID_1 int32');
    await lake.load('t', {
      schema,
      load: 'a',
      rows: 'SELECT 1::INT AS id, 2::INT AS "Id", 3::INT AS "ID_1"',
    });
    await lake.load('t', {
      schema,
      load: 'b',
      rows: 'SELECT 1::INT AS id, 5::INT AS "Id", 6::INT AS "ID_1"',
    });
    expect(await rows('from t')).toEqual([[1, 5, 6]]);
    expect((await catalog.describe('t')).columns.map((column) => column.name)).toEqual([
      'id',
      'Id_1',
      'ID_1_1',
    ]);
  });

  it('behind a link on another disk are read, too', async () => {
    await loadOrders();
    const elsewhere = join(dirname(lake.root), 'elsewhere');
    await rename(join(lake.root, 'orders'), elsewhere);
    await symlink(elsewhere, join(lake.root, 'orders'));
    expect(await rows('select count(*) from orders')).toEqual([[3]]);
  });
});

describe('queries', () => {
  it.each([
    `copy (select 1) to 'x.csv'`,
    'create table x as select 1',
    'create view x as select 1',
    `attach 'x.db'`,
    'insert into orders values (1)',
    'drop view orders',
    'install httpfs',
    `set memory_limit = '1TB'`,
    'pragma threads = 8',
    `export database 'x'`,
    'explain analyze create table x as select 1',
    `explain analyze copy (select 1) to 'x.csv'`,
    `/* a */ explain (analyze) copy (select 1) to 'x.csv'`,
    'call pragma_version()',
    'begin',
  ])('may not do more than read: %s', async (sql) => {
    await loadOrders();
    const root = lake.storage.localPath('x.csv');
    await expect(rows(sql.replace('x.csv', root.replaceAll("'", "''")))).rejects.toMatchObject({
      recovery: 'config',
      code: expect.stringMatching(/^query\./),
    });
    expect(await lake.storage.list('x')).toEqual([]);
  });

  it.each([
    `from read_csv('/etc/passwd')`,
    `select * from read_text('/etc/hostname')`,
    `from '/etc/passwd'`,
    `select * from glob('/etc/*')`,
    `select * from read_text('https://example.com/')`,
  ])('may not read other files: %s', async (sql) => {
    await loadOrders();
    await expect(rows(sql)).rejects.toMatchObject({ recovery: 'config' });
  });

  it('are one statement', async () => {
    await expect(rows('select 1; select 2')).rejects.toMatchObject({ code: 'query.one_statement' });
    await expect(rows('  ')).rejects.toMatchObject({ code: 'query.one_statement' });
    expect(await rows('select 1;')).toEqual([[1]]);
  });

  it('that are wrong are answered on one line, with the place as a detail', async () => {
    await expect(rows('selec 1')).rejects.toMatchObject({
      message: expect.stringMatching(/^running the query: Parser Error: syntax error at or near "selec"$/),
      details: { position: expect.stringMatching(/\^/) },
    });
    await loadOrders();
    await expect(rows('select idd from orders')).rejects.toMatchObject({
      code: 'query.failed',
      message: expect.stringMatching(/idd/),
    });
    await expect(rows(`select cast('x' as int)`)).rejects.toMatchObject({ code: 'query.failed' });
  });

  it('see all tables when they ask for all, and through functions and subqueries', async () => {
    await loadOrders();
    expect(await rows('show tables')).toEqual([['orders'], ['orders_history']]);
    expect(await rows(`select count(*) from query('from orders')`)).toEqual([[3]]);
    expect(await rows(`select count(*) from query_table('orders_history')`)).toEqual([[6]]);
    expect(await rows(`select (select count(*) from orders where exists (from orders_history)), 1`)).toEqual([
      [3, 1],
    ]);
    expect(await rows(`with orders as (select 1 as id) from orders`)).toEqual([[1]]);
    expect(await rows('explain select * from orders')).toHaveLength(1);
    expect(await rows(`select table_name from information_schema.tables order by 1`)).toEqual([
      ['orders'],
      ['orders_history'],
    ]);
    expect((await rows('summarize orders')).length).toBe(3);
  });

  it('run side by side and can be left in the middle', async () => {
    await loadOrders();
    const many = await catalog.select('select * from range(1000000), orders');
    for await (const batch of many.batches) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    const counts = await Promise.all(Array.from({ length: 6 }, () => rows('select count(*) from orders')));
    expect(counts.flat(2)).toEqual([3, 3, 3, 3, 3, 3]);
    expect(await rows('from range(10)', 3)).toEqual([[0], [1], [2]]);
  });

  it('stop on request', async () => {
    const abort = new AbortController();
    const slow = catalog
      .select('select count(*) from range(100000000000) a', { signal: abort.signal })
      .then(async ({ batches }) => {
        for await (const _ of batches);
      });
    setTimeout(() => abort.abort(), 100);
    await expect(slow).rejects.toMatchObject({ recovery: 'cancelled' });
  });

  it('spill what does not fit, even though they may not write', async () => {
    const small = openCatalog({ storage: lake.storage, memoryBytes: 48 << 20, threads: 1 });
    const { batches } = await small.select(
      'select count(*) from (select md5(range::varchar) m, row_number() over (order by md5(range::varchar)) from range(1500000))',
    );
    for await (const batch of batches) expect(batch).toEqual([[1_500_000]]);
    await small.close();
    expect(await lake.storage.list('_sluice/staging/')).toEqual([]);
  });
});

describe('results', () => {
  const VALUES = `select 1::tinyint as i, 9007199254740991 as safe, -9007199254740993 as big, 170141183460469231731687303715884105727::hugeint as huge, 12345678901234567890.1230::decimal(38,4) as dec,
    0.1::float as f, 0.1::double as d, 'nan'::double as nan, 'infinity'::double as inf, true as b, timestamptz '2026-07-25 03:00:00.000001+02' as tz, timestamp '2026-07-25 01:00:00.1' as ts,
    date '0044-03-15 (BC)' as bc, 'infinity'::timestamptz as never, time '24:00:00' as t, '\\x00\\xFF'::blob as raw, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u,
    null as n, '' as empty, [1, 2] as list, {'a': 1.50::decimal(4,2), 'b': 'x'} as struct, interval '1 month 2 days' as iv`;
  const EXPECTED = {
    i: 1,
    safe: 9007199254740991,
    big: '-9007199254740993',
    huge: '170141183460469231731687303715884105727',
    dec: '12345678901234567890.1230',
    f: 0.1,
    d: 0.1,
    nan: 'NaN',
    inf: 'Infinity',
    b: true,
    tz: '2026-07-25 01:00:00.000001+00',
    ts: '2026-07-25 01:00:00.1',
    bc: '0044-03-15 (BC)',
    never: 'infinity',
    t: '24:00:00',
    raw: '00ff',
    u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    n: null,
    empty: '',
    list: [1, 2],
    struct: { a: '1.50', b: 'x' },
    iv: expect.stringMatching(/1 month 2 days/) as unknown,
  };

  it('as JSON lose nothing, whatever zone the machine is in', async () => {
    const json = await text(VALUES, 'json');
    expect(json.endsWith('\n')).toBe(true);
    expect(JSON.parse(json)).toEqual(EXPECTED);
  });

  it('as CSV tell NULL from the empty string and quote what has to be', async () => {
    expect(
      await text(
        `select null as n, '' as e, 'a,"b"' || chr(10) as q, ' x' as s, 1.50::decimal(4,2) as d, [1] as "l,"`,
        'csv',
      ),
    ).toBe('n,e,q,s,d,"l,"\r\n,"","a,""b""\n"," x",1.50,[1]\r\n');
    expect(await text('select 1 as a where false', 'csv')).toBe('a\r\n');
  });

  it('as a table align numbers and obey no control characters', async () => {
    expect(
      await text(
        `select * from (values (1, 'a' || chr(27) || '[31m' || chr(10)), (1000, null)) t(n, s)`,
        'table',
      ),
    ).toBe('   n   s\n----   -----------\n   1   a\\x1b[31m\\n\n1000   NULL\n(2 rows)\n');
    expect(await text('select 1 as one', 'table')).toMatch(/\(1 row\)\n$/);
    expect(await text('from range(3000)', 'table')).toMatch(/\n 2999\n\(3000 rows\)\n$/);
    expect(await text('explain select 1', 'table')).toMatch(/┌.*\n│/);
    expect(await text('from range(0)', 'table')).toBe('range\n-----\n(0 rows)\n');
  });

  it('with the same name twice keep both', async () => {
    expect(JSON.parse(await text('select 1 as a, 2 as a', 'json'))).toEqual({ a: 1, 'a:1': 2 });
  });
});

describe('check', () => {
  const codes = async (): Promise<string[]> =>
    (await catalog.check()).findings.map((finding) => `${finding.severity} ${finding.code}`);

  it('finds nothing in a healthy lake', async () => {
    await loadOrders();
    expect(await catalog.check()).toMatchObject({ tables: 1, files: 3, rows: 6, findings: [] });
    expect(await catalog.check(['orders'])).toMatchObject({ tables: 1 });
    await expect(catalog.check(['nope'])).rejects.toMatchObject({ code: 'catalog.unknown_table' });
  });

  it('finds missing, cut and exchanged files', async () => {
    await loadOrders();
    const files = (await openTableLog(lake.storage, 'orders').read())!.files.map((file) =>
      lake.storage.localPath(file.key),
    );
    await unlink(files[0]!);
    await writeFile(files[1]!, 'PAR1 no more');
    const other = await lake.write('orders', {
      schema: V1,
      load: 'x',
      rows: 'SELECT 1::INT AS id, 1::DECIMAL(6,2) AS total UNION ALL SELECT 2, 2',
    });
    await rename(lake.storage.localPath(other.key), files[2]!);
    const { findings } = await catalog.check();
    expect(findings.map((finding) => finding.code).toSorted()).toEqual([
      'file-missing',
      'file-size',
      'file-size',
      'file-unreadable',
      'row-count',
      'schema-differs',
    ]);
    expect(findings.every((finding) => finding.severity === 'error' && finding.table === 'orders')).toBe(
      true,
    );
    expect(findings.find((finding) => finding.code === 'row-count')!.message).toBe(
      'the file holds 2 rows, its commit says 1',
    );
    await expect(rows('from orders')).rejects.toMatchObject({
      code: 'catalog.table_unreadable',
      remedy: expect.stringMatching(/check orders/),
    });
  });

  it('finds a changed bit in a file that can still be read', async () => {
    await loadOrders();
    const { key } = (await openTableLog(lake.storage, 'orders').read())!.files[0]!;
    const file = lake.storage.localPath(key);
    const bytes = await readFile(file);
    // In the name of the program that wrote it, which nobody looks at.
    bytes[bytes.lastIndexOf('DuckDB')]! ^= 1;
    await writeFile(file, bytes);
    expect((await catalog.check()).findings).toMatchObject([{ code: 'file-changed', file: key }]);
  });

  it('finds holes and damage in the log, all at once', async () => {
    await loadOrders();
    await unlink(join(lake.root, commitKey('orders', 1)));
    await writeFile(join(lake.root, commitKey('orders', 3)), '{');
    expect(await codes()).toEqual(['error commit-missing', 'error commit-corrupt']);
  });

  it('tells leftovers and strange files apart from damage', async () => {
    await loadOrders();
    await lake.write('orders', {
      schema: V2,
      load: 'never',
      rows: 'SELECT 1::BIGINT AS id, NULL::DECIMAL(12,4) AS total, NULL::VARCHAR AS tier',
    });
    await writeFile(join(lake.root, 'orders/README.txt'), 'hello');
    await mkdir(join(lake.root, '_sluice/staging/box~1~r'), { recursive: true });
    expect(await codes()).toEqual(['info leftover-files', 'info foreign-file']);
  });

  it('compares snapshots with the commits', async () => {
    await loadOrders();
    const log = openTableLog(lake.storage, 'orders', { snapshotEvery: 1 });
    const checkpoint = { cursor: ['t'], watermark: '1' };
    await log.append(
      {
        stream: 's',
        kind: 'checkpoint',
        run: 'r',
        load: 'r',
        fence: 1,
        at: 'x',
        add: [],
        remove: [],
        slices: [],
        checkpoint,
      },
      3,
    );
    expect(await codes()).toEqual([]);
    const key = '_sluice/tables/orders/snapshots/00000000000000000004.json';
    const snapshot = Buffer.from((await lake.storage.get(key))!).toString();
    const changed = snapshot.replace('"watermark":"1"', '"watermark":"2"');
    await lake.storage.put(key, Buffer.from(changed));
    expect(await codes()).toEqual(['warning snapshot-unreadable']);
    const { checksum: _, ...content } = JSON.parse(changed) as { checksum: string };
    await lake.storage.put(key, Buffer.from(render(content)));
    expect(await codes()).toEqual(['error snapshot-differs']);
    await lake.storage.put(key, Buffer.from(snapshot.slice(1)));
    expect(await codes()).toEqual(['warning snapshot-unreadable']);
  });

  it('finds tables that are not listed, and a later load lists them again', async () => {
    await loadOrders();
    await lake.load('t', { schema: schemaOf('id int32'), load: 'a', rows: 'SELECT 1::INT AS id' });
    await lake.storage.delete(['_sluice/names/t.json']);
    expect(await catalog.check()).toMatchObject({
      tables: 1,
      findings: [{ code: 'name-missing', table: 't', file: '_sluice/names/t.json' }],
    });
    await lake.storage.delete(['_sluice/names/orders.json']);
    expect((await catalog.tables()).map((table) => table.name)).toEqual(['orders', 't']);
    await openTableLog(lake.storage, 't', { snapshotEvery: 1 }).append(
      {
        stream: 's',
        kind: 'checkpoint',
        run: 'r',
        load: 'r',
        fence: 1,
        at: 'x',
        add: [],
        remove: [],
        slices: [],
      },
      1,
    );
    expect((await catalog.tables()).map((table) => table.name)).toEqual(['t']);
  });

  it('names tables without rows', async () => {
    await lake.load('t', { schema: schemaOf('id int32'), load: 'a', rows: 'SELECT 1', more: { add: [] } });
    expect(await codes()).toEqual(['warning empty']);
  });
});

describe('folders that others wrote', () => {
  const copy = async (sql: string, file: string): Promise<void> => {
    const path = join(lake.root, file);
    await mkdir(dirname(path), { recursive: true });
    await lake.session.run(`COPY (${sql}) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`, 'writing');
  };

  it('are tables with partitions from their folder names', async () => {
    await copy('SELECT 1 AS id', 'orders/year=2026/region=a%20b/x.parquet');
    await copy(
      `SELECT 2 AS id, 'new' AS tier`,
      'orders/year=2027/region=__HIVE_DEFAULT_PARTITION__/y.parquet',
    );
    await copy('SELECT 5 AS id', 'db/customers/2026/01/z.parquet');
    await copy('SELECT 6 AS id', 'top.parquet');
    await copy('SELECT 7 AS id', '_delta_log/hidden.parquet');
    expect(await catalog.tables()).toMatchObject([
      { name: 'db.customers', rows: 1, files: 1 },
      { name: 'orders', rows: 2, files: 2, partitions: 2, stream: undefined },
      { name: 'top', rows: 1 },
    ]);
    expect(await rows('select * from orders order by id')).toEqual([
      [1, null, 'a b', 2026],
      [2, 'new', null, 2027],
    ]);
    expect(await rows('select id from db.customers')).toEqual([[5]]);
    expect(await catalog.partitions('orders')).toMatchObject([
      { partition: 'year=2026/region=a b', rows: 1 },
      { partition: 'year=2027/region=NULL', rows: 1 },
    ]);
    expect((await catalog.describe('orders')).columns.map((column) => column.name)).toEqual([
      'id',
      'tier',
      'region',
      'year',
    ]);
    expect((await catalog.check()).findings).toEqual([]);
    await expect(rows('from nope')).rejects.toMatchObject({ remedy: 'tables: db.customers, orders, top' });
  });

  it('keep a real column that is called like a partition', async () => {
    await copy(`SELECT 1 AS id, 'real' AS year`, 't/year=2026/month=3/x.parquet');
    expect(await rows('from t')).toEqual([[1, 'real', '3']]);
  });

  it('of partitions only are one table called like the folder', async () => {
    await copy('SELECT 1 AS id', 'day=2026-01-01/x.parquet');
    const [table] = await catalog.tables();
    expect(table!.name).toBe(`the [la]ke's *?#% ü`);
    expect(await rows(`from "the [la]ke's *?#% ü"`)).toEqual([[1, '2026-01-01']]);
  });

  it('are checked for readability; an empty folder has no tables', async () => {
    expect(await catalog.tables()).toEqual([]);
    await copy('SELECT 1 AS id', 't/x.parquet');
    await writeFile(join(lake.root, 't/y.parquet'), 'nonsense');
    expect((await catalog.check()).findings).toMatchObject([
      { code: 'file-unreadable', file: 't/y.parquet' },
    ]);
  });
});
