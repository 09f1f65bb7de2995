import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openModel } from '../src/generate/open-model.ts';
import { openCatalog, serveApi } from '../src/index.ts';
import { createShop } from '../src/demo/shop.ts';
import { type PostgresServer, startPostgres } from '../src/testing/postgres-server.ts';
import { askDuckdb } from './support/duckdb-reader.ts';
import { requireBuild, root } from './support/build.ts';

// Each example is copied to where a user would have it: a folder with the package in node_modules.

const scratch = mkdtempSync(join(tmpdir(), 'sluice-examples-'));
let server: PostgresServer;
let client: pg.Client;
let url: string;

beforeAll(async () => {
  requireBuild();
  server = await startPostgres();
  url = await server.createDatabase('shop');
  client = new pg.Client(url);
  await client.connect();
  await createShop(client, { seed: 1, orders: 400 });
});
afterAll(async () => {
  await client.end();
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

let installed = 0;

function install(example: string): string {
  installed += 1;
  const folder = join(scratch, `${example}-${installed}`);
  cpSync(join(root, 'examples', example), folder, { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/sluice'));
  return folder;
}

function node(folder: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const env = { ...process.env, SHOP_URL: url };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const sluice = (folder: string, ...args: string[]): ReturnType<typeof node> =>
  node(folder, 'node_modules/sluice/dist/cli/main.js', ...args);

async function inShop(sql: string): Promise<unknown[]> {
  return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
}

async function inLake(folder: string, sql: string): Promise<unknown[]> {
  const catalog = await openCatalog(join(folder, 'lake'));
  try {
    const rows: unknown[] = [];
    for await (const batch of (await catalog.select(sql)).batches) rows.push(...batch);
    return rows;
  } finally {
    await catalog.close();
  }
}

/** The same count from both. */
async function expectSame(folder: string, sql: string): Promise<void> {
  expect(await inLake(folder, sql)).toEqual(await inShop(sql));
}

test('postgres-to-lake loads each stream in its own way', async () => {
  const folder = install('postgres-to-lake');
  expect(await sluice(folder, 'plan')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/open_orders/) as string,
  });
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  await client.query(`update orders set status = 'returned' where id % 10 = 0`);
  await client.query(`update order_items set quantity = 99 where order_id = 7`);
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });

  for (const table of ['countries', 'customers', 'orders', 'order_items']) {
    await expectSame(folder, `select count(*)::int from ${table}`);
  }
  await expectSame(folder, `select status, count(*)::int from orders group by status order by status`);
  await expectSame(folder, `select sum(orders)::int from (${openOrders()}) open`.replace(/\s+/g, ' '));
  const names = (await inLake(folder, `select column_name from (describe customers)`)).flat();
  expect(names).toContain('name');
  expect(names).not.toContain('email');
  // The history of the items has the old version of those of order 7 as well.
  const [[versions]] = (await inLake(
    folder,
    `select count(*)::int - (select count(*) from order_items)::int from order_items_history`,
  )) as [[number]];
  expect([[versions]]).toEqual(await inShop(`select count(*)::int from order_items where order_id = 7`));
  const months = readdirSync(join(folder, 'lake/orders'), { recursive: true });
  expect(months.filter((name) => /month=\d\d$/.test(String(name))).length).toBeGreaterThan(2);
});

/** The query of the stream `open_orders`, which is a table in the lake. */
function openOrders(): string {
  const text = readFileSync(join(root, 'examples/postgres-to-lake/sluice.yaml'), 'utf8');
  return /sql: \|\n([^]*)$/.exec(text)![1]!;
}

test('files-to-lake loads each file once', async () => {
  const folder = install('files-to-lake');
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  expect((await sluice(folder, 'run')).out).toContain('nothing new');
  expect(await inLake(folder, 'select snapshot_date, city_code, rent from tenants order by 1, 2')).toEqual([
    ['2026-01-01', '066', null],
    ['2026-01-01', null, null],
    ['2026-01-02', '007', null],
    ['2026-01-02', '066', '750.50'],
  ]);
  expect(await inLake(folder, 'select nr, kunde, betrag, datum from invoices order by 1')).toEqual([
    [1001, 'Müller GmbH', '1234.56', '2026-01-02'],
    [1002, 'Schröder', '-80.00', '2026-01-03'],
  ]);
});

test('api-to-lake fetches what has changed, and the children of each record', async () => {
  const folder = install('api-to-lake');
  const api = await serveApi({ rows: 1000 });
  try {
    process.env['API_URL'] = api.url;
    expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
    const { entities } = openModel({ rows: 1000 });
    const counts = Object.fromEntries(entities.map((entity) => [entity.name, entity.all(0).count]));
    expect(
      await inLake(folder, 'select (select count(*) from partners), count(*), count(distinct id) from loans'),
    ).toEqual([[counts['partners'], counts['loans'], counts['loans']]]);
    expect(
      await inLake(
        folder,
        'select count(*) from loans_by_partner where partners_id is distinct from partner_id',
      ),
    ).toEqual([[0]]);
    const schedules = `select (select sum(json_array_length(schedule)) from loans), count(*), count(distinct (loans_id, schedule_index)) from loans_schedule`;
    const [[all]] = (await inLake(folder, schedules)) as [[number]];
    expect(all).toBeGreaterThan(0);
    expect(await inLake(folder, schedules)).toEqual([[all, all, all]]);
    api.day = 1;
    expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
    const [[later]] = (await inLake(folder, schedules)) as [[number]];
    expect(await inLake(folder, schedules)).toEqual([[later, later, later]]);
    expect(api.requests.some(({ url }) => url.includes('updated_since=20'))).toBe(true);
    const [[loans, different]] = (await inLake(folder, 'select count(*), count(distinct id) from loans')) as [
      [number, number],
    ];
    expect(loans).toBeGreaterThan(counts['loans']!);
    expect(different).toBe(loans);
  } finally {
    delete process.env['API_URL'];
    await api.close();
  }
});

test('postgres-to-duckdb keeps one file up to date', async () => {
  const folder = install('postgres-to-duckdb');
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  await client.query(`update orders set status = 'lost' where id % 40 = 0`);
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  const file = join(folder, 'warehouse.duckdb');
  for (const [table, valid] of [
    ['countries', ''],
    ['customers', ''],
    ['orders', ' where _sluice_valid_to is null'],
  ]) {
    const [row] = await askDuckdb(file, `select count(*)::int as n from ${table}${valid}`);
    expect([[row!['n']]]).toEqual(await inShop(`select count(*)::int from ${table}`));
  }
  const lost = `select count(*)::int as n from orders where status = 'lost'`;
  expect([[(await askDuckdb(file, lost))[0]!['n']]]).toEqual(await inShop(lost));
});

test('postgres-to-files writes what others pick up', async () => {
  const folder = install('postgres-to-files');
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  const files = readdirSync(join(folder, 'exports'), { recursive: true }).map(String).sort();
  expect(files.filter((name) => /^(countries|open_orders)_\d{8}\.csv$/.test(name))).toHaveLength(2);
  const customers = files.find((name) => /^customers_\d{8}\.jsonl\.gz$/.test(name))!;
  const lines = gunzipSync(readFileSync(join(folder, 'exports', customers)))
    .toString()
    .trimEnd()
    .split('\n');
  expect(lines).toHaveLength(((await inShop('select count(*)::int from customers')) as [[number]])[0][0]);
  expect(files.filter((name) => /^orders\/orders_\d{8}\.parquet$/.test(name)).length).toBeGreaterThan(25);
});

test('dump-to-lake loads the tables of a dump, once', async () => {
  const folder = install('dump-to-lake');
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  expect((await sluice(folder, 'run')).out).toContain('nothing new');
  expect(await inLake(folder, 'select id, total, note from orders order by 1')).toEqual([
    [10, '19.90', 'two lines\nof text'],
    [11, '5.00', null],
    [12, '750.50', 'a tab\there'],
  ]);
});

test('typescript-config is found and loaded by the command line', async () => {
  const folder = install('typescript-config');
  await client.query('update orders set total = -total where id = 3');
  expect(await sluice(folder, 'run')).toMatchObject({ code: 0 });
  expect((await sluice(folder, 'quarantine', 'show', 'shop_to_lake')).out).toContain(
    'check total_not_negative is not met',
  );
  await client.query('update orders set total = -total, updated_at = now() where id = 3');
  const run = await sluice(folder, 'run', '--json');
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(run.out.trim().split('\n').at(-1) ?? '')).toMatchObject({
    kind: 'report',
    status: 'succeeded',
  });
  for (const table of ['countries', 'customers', 'orders', 'order_items']) {
    await expectSame(folder, `select count(*)::int from ${table}`);
  }
  const months = 'select count(distinct month)::int, count(*) filter (where is_open)::int from orders';
  const orders = `(select date_trunc('month', order_date) as month, status not in ('delivered', 'cancelled', 'returned') as is_open from orders) orders`;
  expect(await inLake(folder, months)).toEqual(await inShop(months.replace('orders', orders)));
  const again = await sluice(folder, 'run');
  expect(again.out).toContain('3 streams had nothing new');
});

test('library plans, runs and asks the lake', async () => {
  const folder = install('library');
  const { code, out, err } = await node(folder, 'run.ts');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^public\.customers: all.*, 1 slices$/m);
  expect(out).toMatch(/^public\.orders: 400 rows committed$/m);
  expect(out).toMatch(/^succeeded in /m);
  const statuses = (await inShop(`select status || ' ' || count(*) from orders group by status`)).flat();
  for (const line of statuses) expect(out.split('\n')).toContain(line);
});

test('library tells what is wrong with the project', async () => {
  const folder = install('library');
  const program = readFileSync(join(folder, 'run.ts'), 'utf8');
  const broken = program.replace(`path: './lake'`, `path: ''`);
  expect(broken).not.toBe(program);
  const { code, err } = await node(folder, '--input-type=module-typescript', '--eval', broken);
  expect(code).toBe(2);
  expect(err).toContain('connections.lake.path');
});
