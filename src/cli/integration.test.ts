/** The command line with everything behind it: a real server, a real lake, processes of their own. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../testing/postgres-server.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

let server: PostgresServer;
let client: pg.Client;
let folder: string;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase('shop');
  client = new pg.Client(url);
  await client.connect();
  await client.query(`
    CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2), updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO orders SELECT i, i / 10.0 FROM generate_series(1, 1000) i;
    CREATE INDEX ON orders (updated_at);
    CREATE TABLE codes (code text PRIMARY KEY);
    INSERT INTO codes VALUES ('a'), ('b');
    ANALYZE`);
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
});
afterAll(async () => {
  await client.end();
  await server.stop();
  await rm(folder, { recursive: true });
});

interface Result {
  code: number;
  out: string;
  err: string;
}

function sluice(...args: string[]): Promise<Result> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], SHOP_URL: url };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd: folder, env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

function lines(out: string): Record<string, unknown>[] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('climbs the ladder: init, discover, check, plan, run, status, catalog', async () => {
  expect(await sluice('init', '--from', '$SHOP_URL', '--yes')).toMatchObject({ code: 0 });
  expect((await sluice('discover')).out).toContain('public.orders');
  expect((await sluice('check')).code).toBe(0);
  const plan = await sluice('plan');
  expect(plan.out).toMatch(/public\.orders +\S+ +all \(first load\) +1 +1K +none/);
  // The demo lake must not exist yet: planning writes nothing.
  expect(await readdir(folder)).toEqual(['sluice.yaml']);

  const first = await sluice('run');
  expect(first).toMatchObject({ code: 0 });
  expect(first.out).toMatch(/^✓ shop_to_lake {3}1K rows in /);
  await client.query('UPDATE orders SET total = 0, updated_at = now() WHERE id <= 5');
  const second = lines((await sluice('run', '--select', 'orders', '--json')).out).at(-1);
  expect(second).toMatchObject({
    kind: 'report',
    status: 'succeeded',
    streams: [{ stream: 'public.orders', status: 'loaded' }],
  });
  expect((await sluice('run', '--select', 'orders')).out).toMatch(/^✓ shop_to_lake {3}nothing new {3}/);

  expect((await sluice('status')).out).toMatch(/public\.orders +\S+ \S+ nothing-new/);
  expect(
    (await sluice('catalog', 'query', 'select count(*) as n, sum(total) as s from orders', '--json')).out,
  ).toBe('{"n":1000,"s":"50048.50"}\n');
  expect((await sluice('catalog', 'check')).code).toBe(0);
  expect(await sluice('state', 'reset', 'shop_to_lake', 'public.orders', '--yes')).toMatchObject({ code: 0 });
  expect((await sluice('plan')).out).toContain('again from the beginning');
});

it('copies without a project, and the second time only what is new', async () => {
  const args = ['copy', url, './copied', '--table', 'public.orders', '--cursor', 'updated_at', '--json'];
  expect(lines((await sluice(...args)).out).at(-1)).toMatchObject({
    status: 'succeeded',
    streams: [{ totals: { loaded: 1000 } }],
  });
  expect(lines((await sluice(...args)).out).at(-1)).toMatchObject({ streams: [{ status: 'nothing-new' }] });
  const query = await sluice('copy', url, './copied', '--sql', 'select 1 as one', '--name', 'ones');
  expect(query).toMatchObject({ code: 0 });
  expect((await sluice('catalog', 'tables', '--lake', './copied', '--format', 'csv')).out).toMatch(
    /\r\nones,1,[^]*\r\norders,1000,/,
  );
});

it('says what is wrong and ends with the code for it', async () => {
  const closed = url.replace(/:\d+\//, ':1/').replace('postgres@', 'app:s3cret@');
  const refused = await sluice('discover', closed);
  expect(refused.code).toBe(6);
  expect(refused.out + refused.err).not.toContain('s3cret');
  expect((await sluice('discover', closed, '--verbose')).err).not.toContain('s3cret');
  expect((await sluice('run', '-C', './nowhere')).code).toBe(2);
  expect(lines((await sluice('run', '-C', './nowhere', '--json')).out)[0]).toMatchObject({
    error: { recovery: 'config' },
  });
});
