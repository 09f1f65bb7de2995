/** A lake in a bucket does what one on a disk does, from the first load to reading it on. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { expect, it } from 'vitest';
import { BucketSide, LakeSide } from '../../guarantees/lake-side.ts';
import { Pair } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { openCatalog } from '../../src/catalog/index.ts';
import { compact } from '../../src/cli/lake.ts';
import { openTableLog } from '../../src/connectors/lake/log.ts';
import { sweepLake } from '../../src/connectors/lake/sweep.ts';
import { thisOwner } from '../../src/connectors/shared/staging.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { createShop } from '../../src/demo/shop.ts';
import { diagnosePipeline } from '../../src/engine/diagnose.ts';
import { repairPipeline } from '../../src/engine/repair.ts';
import { runPipeline } from '../../src/engine/run.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { root } from '../support/build.ts';
import { motoPresent, useMoto } from '../support/moto.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();
const moto = useMoto();

const ORDERS = `CREATE TABLE orders (id bigint PRIMARY KEY, note text, day date NOT NULL, changed timestamptz NOT NULL);
  INSERT INTO orders SELECT g, 'row ' || g, date '2026-01-01' + g::int % 3, timestamptz '2026-01-01' + g * interval '1 minute' FROM generate_series(1, 3000) g`;
const STREAMS = {
  'public.orders': {
    load: 'merge',
    cursor: 'changed',
    partition_by: { column: 'day', by: 'day' },
  },
} as const;

it.runIf(motoPresent)('is loaded, verified, compacted, swept and read on', async () => {
  const from = await PostgresSide.open(server());
  await from.db.query(ORDERS);
  await using pair = new Pair(from, (folder) => new BucketSide(folder, moto().endpoint), STREAMS);
  // Leases lie in the bucket, too.
  pair.stateOptions = { type: 'lake', connection: 'to' };
  await pair.run();
  await from.db.query(`UPDATE orders SET note = 'later', changed = now() WHERE id % 500 = 0`);
  await pair.run({ verify: 'checksums' });
  expect(await pair.compare('orders')).toEqual({ lost: [], extra: [], doubled: [] });
  expect(await pair.to.leftovers()).toEqual([]);

  const context = await pair.context();
  const verified = await verifyPipeline(context, 'p', {});
  expect(verified.streams).toMatchObject([{ status: 'equal', rows: { source: 3000, target: 3000 } }]);
  expect((await diagnosePipeline(context, 'p', {})).streams).toMatchObject([{ error: undefined }]);
  await expect(repairPipeline(context, 'p', {})).resolves.toBeDefined();

  const storage = await pair.to.storage();
  const lake = { storage, memoryBytes: 256 << 20, retentionMs: 0 };
  const written = { targetBytes: undefined, compression: undefined, rowGroupRows: undefined };
  await from.db.query(`INSERT INTO orders SELECT 4000, 'new', '2026-01-01', now()`);
  await pair.run();
  await compact({ ...lake, ...written }, ['orders'], {
    signal: new AbortController().signal,
    done: () => undefined,
  });
  const state = (await openTableLog(storage, 'orders').read())!;
  expect(state).toMatchObject({ rows: 3001, last: { kind: 'compact' } });
  expect(state.files).toHaveLength(3);
  const swept = await sweepLake(storage, { owner: thisOwner('sweep'), retentionMs: 0 });
  expect(swept.expired.length).toBeGreaterThan(3);
  expect((await storage.list('orders/')).map(({ key }) => key)).toEqual(
    state.files.map(({ key }) => key).toSorted(),
  );

  const catalog = openCatalog({ storage });
  try {
    const { batches } = await catalog.select(`SELECT count(*), count(*) FILTER (note = 'later') FROM orders`);
    expect((await Array.fromAsync(batches)).flat()).toEqual([[3001, 6]]);
    expect((await catalog.check()).findings).toEqual([]);
    // What the bucket holds is looked at, not what was kept of it here.
    const { key } = state.files[0]!;
    const bytes = (await storage.get(key))!;
    bytes[100]! ^= 1;
    await storage.put(key, bytes);
    expect((await catalog.check()).findings).toMatchObject([{ code: 'file-changed', file: key }]);
    bytes[100]! ^= 1;
    await storage.put(key, bytes);
  } finally {
    await catalog.close();
  }

  const to = new LakeSide(join(pair.folder, 'onward'));
  const onward = {
    ...context.project,
    connections: { from: pair.to.connection, to: to.readBy },
    pipelines: { p: { from: 'from', to: 'to', streams: { orders: { load: 'replace' } } } },
  };
  const connections = { from: pair.to.connection, to: { type: 'lake', path: to.root } };
  const report = await runPipeline(
    { project: { ...onward, connections } as never, connectors: await connectors() },
    'p',
    {},
  );
  expect(report.streams).toMatchObject([{ status: 'loaded', error: undefined }]);
  expect(await to.lines('orders', 'current', ['id', 'note', 'day'])).toEqual(
    await pair.to.lines('orders', 'current', ['id', 'note', 'day']),
  );
  await to.close();
  // Nobody reads any more: the copies for engines are gone, but for those that are kept for the next run.
  const cache = join(pair.folder, '.sluice/cache');
  expect(
    readdirSync(cache, { recursive: true }).filter((name) => /orders.*parquet/.test(String(name))),
  ).toEqual([]);
});

it.runIf(motoPresent)('is what an example says', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-example-'));
  const url = await server().createDatabase(newName('example'));
  const client = new pg.Client(url);
  await client.connect();
  try {
    await createShop(client, { seed: 1, orders: 200 });
    cpSync(join(root, 'examples/lake-on-s3'), folder, { recursive: true });
    const lake = 's3://lake/example';
    const env = { ...process.env, SHOP_URL: url, LAKE_URL: lake, AWS_ENDPOINT_URL: moto().endpoint };
    const sluice = async (...args: string[]): Promise<string> =>
      (
        await promisify(execFile)(process.execPath, [join(root, 'src/cli/main.ts'), ...args], {
          cwd: folder,
          env,
        })
      ).stdout;
    await sluice('run');
    expect(await sluice('verify')).toMatch(/public\.orders +200 rows +equal/);
    const count = ['query', 'select count(*) as n from orders', '--format', 'csv'];
    expect(await sluice('catalog', ...count)).toMatch(/^n\s+200\s*$/);
    // Without the project.
    expect(await sluice('catalog', ...count, '--lake', lake)).toMatch(/^n\s+200\s*$/);
    await sluice('catalog', 'check');
  } finally {
    await client.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
