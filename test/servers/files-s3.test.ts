/** Files in a bucket are loaded once, as those of a folder are. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openS3Storage } from '../../src/connectors/shared/s3/s3-storage.ts';
import { type Asked, type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeParquet } from '../support/make-parquet.ts';
import { makeZip } from '../support/zip-archive.ts';
import { motoPresent, useMoto } from '../support/moto.ts';

const moto = useMoto();
let proxy: FaultProxy;

describe.runIf(motoPresent)('files in a bucket', () => {
  beforeAll(async () => {
    proxy = await startFaultProxy(moto().endpoint);
  });
  afterAll(() => proxy?.close());

  it('are loaded once each: what is new by the next run, what has changed when it is told to', async () => {
    await using pair = new FileLake({ files: 't_*.csv' });
    const write = await landing(pair, 'daily');
    for (const day of [1, 2, 3]) await write(`t_2026010${day}.csv`, `id,code\n${day},00${day}\n${day}0,\n`);
    await write('other.csv', 'x\n1\n');
    expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { loaded: 6 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    // As many bytes, within a second: the ETag tells. And the same bytes once more.
    await write('t_20260102.csv', 'id,code\n2,902\n20,\n');
    await write('t_20260101.csv', 'id,code\n1,001\n10,\n');
    await write('t_20260104.csv', 'id,code\n4,004\n');
    const { warnings } = await pair.plan();
    expect(warnings.map(({ message }) => message)).toEqual([
      't_20260102.csv: changed after being loaded, and stays as loaded',
    ]);
    pair.stream = { files: { path: 't_*.csv', changed: 'reload' } };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 3 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(await pair.query('SELECT id, code, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, '001', 't_20260101.csv'],
      [2, '902', 't_20260102.csv'],
      [3, '003', 't_20260103.csv'],
      [4, '004', 't_20260104.csv'],
      [10, null, 't_20260101.csv'],
      [20, null, 't_20260102.csv'],
      [30, null, 't_20260103.csv'],
    ]);
    // A name that others may give an object, and that is none of a file.
    await fetch(`${moto().endpoint}/lake/daily//t_20260105.csv`, { method: 'PUT', body: 'id\n5\n' });
    pair.stream = { files: '**/t_*.csv' };
    expect((await pair.report()).streams[0]).toMatchObject({
      error: { code: 'files.unnamed', message: expect.stringContaining('reading "/t_20260105.csv"') },
    });
  });

  it('of an archive only what is needed is read, in ranges, and again where a connection ended', async () => {
    await using pair = new FileLake({ files: '*.zip' });
    const write = await landing(pair, 'zips');
    const text = lines(60_000, (i) => `${i},${(i * 7919) % 100_003}`);
    const files = [
      { name: 'b.csv', text: `id,n\n${text}` },
      { name: 'movie.mp4', text: randomBytes(3_000_000) },
      { name: 'a.csv', text: 'n,id\n5,60000\n' },
    ];
    await write('t.zip', makeZip(files, { wide: true }));
    let cuts = 0;
    const ranges: (string | undefined)[] = [];
    proxy.fault = (asked) => {
      if (!gets(asked, 't.zip')) return undefined;
      ranges.push(asked.headers.range);
      return ranges.length % 4 === 3 && cuts++ < 3 ? { kind: 'cut-answer', after: 50_000 } : undefined;
    };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 60_001 } });
    proxy.fault = () => undefined;
    expect(cuts).toBeGreaterThan(0);
    expect(ranges.every((range) => range !== undefined)).toBe(true);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(
      await pair.query('SELECT count(*), count(DISTINCT id), max(id), max(_sluice_file) FROM t'),
    ).toEqual([[60_001, 60_001, 60_000, 't.zip']]);
  });

  it('of Parquet are brought once, whatever connections do, and read as they were looked at', async () => {
    await using pair = new FileLake({ files: { path: 't_*.parquet', changed: 'reload' } });
    const write = await landing(pair, 'tables', { slice_size: 1_000_000 });
    const rows = 300_000;
    const big = (add: number): Promise<Buffer> =>
      makeParquet(
        `SELECT range + ${add} AS id, hash(range) AS h FROM range(${rows})`,
        ', ROW_GROUP_SIZE 50000',
      );
    await write('t_1.parquet', await big(0));
    await write('t_2.parquet', await makeParquet('SELECT -1 AS id'));
    let met = 0;
    proxy.fault = (asked) => {
      if (!gets(asked, '.parquet')) return undefined;
      return ++met % 3 === 1 ? { kind: 'cut-answer', after: 100_000 } : undefined;
    };
    expect(await pair.run()).toMatchObject({ totals: { loaded: rows + 1 } });
    proxy.fault = () => undefined;
    expect(met).toBeLessThan(8);
    const facts = 'SELECT count(*), count(DISTINCT id), min(id), max(id), count(DISTINCT h) FROM t';
    expect(await pair.query(facts)).toEqual([[rows + 1, rows + 1, -1, rows - 1, rows]]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    await write('t_1.parquet', await big(1));
    expect(await pair.run()).toMatchObject({ totals: { loaded: rows } });
    expect(await pair.query(facts)).toEqual([[rows + 1, rows + 1, -1, rows, rows]]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('lose and double nothing when requests fail and connections end', async () => {
    await using pair = new FileLake({ files: '*.csv' });
    const write = await landing(pair, 'faults', { slice_size: 1_000_000 });
    // Two of them are cut into parts.
    const sizes: Record<string, number> = { a: 100_000, b: 120_000, c: 10 };
    for (const [name, rows] of Object.entries(sizes))
      await write(`${name}.csv`, `id,note\n${lines(rows, (i) => `${i},row ${i}`)}`);
    const want = Object.entries(sizes).map(([name, rows]) => [
      `${name}.csv`,
      rows,
      rows,
      (rows * (rows - 1)) / 2,
    ]);

    // While the second file is loaded, its connection ends, and what is left of it may not be read.
    let begun = 0;
    proxy.fault = (asked) => {
      if (!gets(asked, 'b.csv') || ++begun === 1) return undefined;
      return begun === 2
        ? { kind: 'cut-answer', after: 300_000 }
        : { kind: 'answer', status: 403, code: 'AccessDenied' };
    };
    const [failed] = (await pair.report()).streams;
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'storage.permission' } });
    expect(begun).toBe(3);

    // Each request for an object fails in one way or another before it works.
    const ways: Fault[] = [
      { kind: 'answer', status: 503, code: 'SlowDown' },
      { kind: 'cut-answer', after: 200_000 },
      { kind: 'cut-answer', after: 0 },
    ];
    let met = 0;
    proxy.fault = (asked) => {
      if (!gets(asked, '.csv')) return undefined;
      const way = met++ % (ways.length + 1);
      return ways[way];
    };
    expect(await pair.run()).toMatchObject({ status: 'loaded' });
    expect(met).toBeGreaterThan(6);
    proxy.fault = () => undefined;
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(
      await pair.query(
        'SELECT _sluice_file, count(*), count(DISTINCT id), sum(id)::BIGINT FROM t GROUP BY 1 ORDER BY 1',
      ),
    ).toEqual(want);
  });
});

/** Has the files of a pair lie in the bucket; how one is written. */
async function landing(
  pair: FileLake,
  prefix: string,
  options: Record<string, unknown> = {},
): Promise<(name: string, content: string | Uint8Array) => Promise<void>> {
  pair.connection = { path: `s3://lake/${prefix}`, endpoint: proxy.endpoint, ...options };
  const storage = await openS3Storage({
    bucket: 'lake',
    prefix,
    endpoint: moto().endpoint,
    region: undefined,
    profile: undefined,
    forcePathStyle: true,
    cache: { folder: pair.folder, bytes: 0 },
  });
  return (name, content) => storage.put(name, Buffer.from(content));
}

function lines(rows: number, line: (row: number) => string): string {
  return Array.from({ length: rows }, (_, i) => `${line(i)}\n`).join('');
}

function gets({ method, url }: Asked, name: string): boolean {
  return method === 'GET' && new URL(url, 'http://bucket').pathname.endsWith(name);
}
