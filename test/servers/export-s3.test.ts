/** Exports to a bucket: an object is the old one or the whole new one, whatever happens on the way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openS3Storage } from '../../src/connectors/shared/s3/s3-storage.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { Exports } from '../support/exports.ts';
import { type Asked, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { motoPresent, useMoto } from '../support/moto.ts';

const moto = useMoto();
const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let proxy: FaultProxy;

/** Uploads in parts: two of 8 MiB, and a rest. */
const ROWS = 40_000;

async function exporting(prefix: string): Promise<Exports> {
  const to = new Exports(
    { type: 'duckdb', path: './shop.duckdb' },
    {
      'main.t': { table: 't', export: '{table}.csv' },
      'main.empty': { table: 'empty', export: '{table}.jsonl' },
    },
  );
  to.to = { type: 'files', path: `s3://lake/${prefix}`, endpoint: proxy.endpoint };
  await askDuckdb(
    path.join(to.folder, 'shop.duckdb'),
    `CREATE TABLE t AS SELECT i AS id, 0 AS round, repeat(chr(97 + (i % 26)::INTEGER), 480) AS v FROM range(${ROWS}) r(i)`,
    'CREATE TABLE empty (id INTEGER)',
  );
  return to;
}

async function text(key: string): Promise<string> {
  const storage = await openS3Storage({
    bucket: 'lake',
    prefix: '',
    endpoint: moto().endpoint,
    region: undefined,
    profile: undefined,
    forcePathStyle: true,
    cache: { folder: mkdtempSync(path.join(tmpdir(), 'sluice-cache-')), bytes: 0 },
  });
  return Buffer.concat(await Array.fromAsync(storage.read(key))).toString();
}

async function keys(prefix: string): Promise<string[]> {
  const listing = await (await fetch(`${moto().endpoint}/lake?list-type=2&prefix=${prefix}/`)).text();
  return [...listing.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!).sort();
}

async function uploads(): Promise<number> {
  return [...(await (await fetch(`${moto().endpoint}/lake?uploads`)).text()).matchAll(/<UploadId>/g)].length;
}

function isPart({ method, url }: Asked, number: number): boolean {
  return method === 'PUT' && url.includes(`partNumber=${number}`);
}

const rounds = (csv: string): Set<string> =>
  new Set(
    csv
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[1]!),
  );

describe.runIf(motoPresent)('exports to a bucket', () => {
  beforeAll(async () => {
    proxy = await startFaultProxy(moto().endpoint);
  });
  afterAll(() => proxy?.close());

  it(
    'replace the object when all of it is there, and leave nothing beside it',
    { timeout: 120_000 },
    async () => {
      await using to = await exporting('daily');
      const database = path.join(to.folder, 'shop.duckdb');
      await to.run();
      expect(await keys('daily')).toEqual(['daily/empty.jsonl', 'daily/t.csv']);
      expect(await text('daily/empty.jsonl')).toBe('');
      const first = await text('daily/t.csv');
      expect(first.length).toBeGreaterThan(2 * (8 << 20));
      expect(first.split('\n')).toHaveLength(ROWS + 2);

      // A part is refused for good: the upload is given up.
      await askDuckdb(database, 'UPDATE t SET round = 1');
      proxy.fault = (asked) =>
        isPart(asked, 2) ? { kind: 'answer', status: 403, code: 'AccessDenied' } : undefined;
      const failed = (await to.report()).streams.find(({ table }) => table === 't');
      expect(failed).toMatchObject({ status: 'failed', error: { code: 'storage.permission' } });
      expect(await text('daily/t.csv')).toBe(first);
      expect(await uploads()).toBe(0);

      // It is slow to answer, and answers get lost.
      let met = 0;
      proxy.fault = (asked) => {
        if (isPart(asked, 1) && met++ === 0) return { kind: 'answer', status: 503, code: 'SlowDown' };
        return isPart(asked, 3) && met++ === 1 ? { kind: 'lost-answer' } : undefined;
      };
      await to.run();
      expect(met).toBeGreaterThan(1);
      proxy.fault = () => undefined;
      expect([...rounds(await text('daily/t.csv'))]).toEqual(['1']);
      expect(await keys('daily')).toEqual(['daily/empty.jsonl', 'daily/t.csv']);
      // Copies of what was written would fill the disk of who only writes.
      const cached = readdirSync(path.join(to.folder, '.sluice/cache'), {
        recursive: true,
        withFileTypes: true,
      });
      expect(cached.filter((entry) => entry.isFile() && /csv|jsonl|text/.test(entry.name))).toEqual([]);
    },
  );

  it('are not there in part when the process is killed', { timeout: 120_000 }, async () => {
    await using to = await exporting('killed');
    const database = path.join(to.folder, 'shop.duckdb');
    await to.run();
    await askDuckdb(database, 'UPDATE t SET round = 1');
    writeFileSync(path.join(to.folder, 'sluice.yaml'), JSON.stringify(to.project));
    const child = spawn(process.execPath, [CLI, 'run', '-C', to.folder], { stdio: 'ignore' });
    proxy.fault = (asked) => {
      if (isPart(asked, 2)) child.kill('SIGKILL');
      return undefined;
    };
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    proxy.fault = () => undefined;
    expect(signal).toBe('SIGKILL');
    expect([...rounds(await text('killed/t.csv'))]).toEqual(['0']);
    await to.run();
    expect([...rounds(await text('killed/t.csv'))]).toEqual(['1']);
    const processes = readdirSync(path.join(to.folder, '.sluice/cache')).filter((name) => name !== 'pool');
    expect(processes.some((name) => name.includes(String(child.pid)))).toBe(false);
  });

  it('have a file for each day, and know which days are done', async () => {
    await using to = await exporting('days');
    await askDuckdb(
      path.join(to.folder, 'shop.duckdb'),
      `CREATE TABLE d AS SELECT i AS id, DATE '2026-07-20' + (i % 3)::INTEGER AS day FROM range(30) r(i)`,
    );
    to.streams = { 'main.d': { table: 'd', date: 'day', export: '{year}/{table}_{date}.parquet' } };
    const window = { from: '2026-07-20', to: '2026-07-23' };
    await to.run({ window });
    await to.run({ window });
    const days = ['20', '21', '22'].map((day) => `days/2026/d_202607${day}.parquet`);
    expect((await keys('days')).filter((key) => !key.includes('sluice'))).toEqual(days);
    expect(await keys('days/_sluice/exports')).toHaveLength(1);
  });
});
