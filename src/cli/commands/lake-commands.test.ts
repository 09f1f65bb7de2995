import { rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FixtureLake, makeLake, schemaOf } from '../../connectors/lake/log.fixture.ts';
import { runWith } from '../fakes.fixture.ts';

const SCHEMA = schemaOf('id int32, total decimal(6,2) null');
let lake: FixtureLake;

beforeEach(async () => {
  lake = await makeLake();
  await lake.load('orders', {
    schema: SCHEMA,
    load: '2026-01-01-a',
    rows: `SELECT 1::INT AS id, 10.50::DECIMAL(6,2) AS total`,
  });
  await lake.load('orders', {
    schema: SCHEMA,
    load: '2026-01-02-b',
    rows: `SELECT 2::INT AS id, NULL::DECIMAL(6,2) AS total`,
  });
});
afterEach(() => lake.close());

function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return runWith(['catalog', ...args], { openStorage: () => Promise.resolve(lake.storage) });
}

describe('catalog', () => {
  it('lists tables for people, spreadsheets and programs', async () => {
    const table = await run('tables');
    expect(table.code).toBe(0);
    expect(table.out).toMatch(
      /^table {4}rows +size {3}files {3}partitions {3}loaded at +watermark\norders {6}2 +[\d.]+ k?B {7}2 {12}1 {3}2026-01-01 /,
    );
    expect((await run('tables', '--format', 'csv')).out).toMatch(
      /^table,rows,size,files,partitions,loaded at,watermark\r\norders,2,\d+,2,1,/,
    );
    expect(JSON.parse((await run('tables', '--json')).out)).toMatchObject({
      name: 'orders',
      rows: 2,
      files: 2,
      stream: 'public.orders',
    });
  });

  it('describes a table', async () => {
    const { out } = await run('describe', 'orders');
    expect(out).toMatch(
      /^orders {3}2 rows, [\d.]+ k?B, 2 files\n {2}loaded from public\.orders\n {2}orders: the last loaded version/,
    );
    expect(out).toContain('column   type           sql type       null   key   in the source\n');
    expect(out).toContain('total    decimal(6,2)   DECIMAL(6,2)   yes\n');
    expect(await run('describe', 'ordrs')).toMatchObject({
      code: 2,
      err: expect.stringContaining('"ordrs"') as string,
    });
  });

  it('lists partitions', async () => {
    expect((await run('partitions', 'orders')).out).toMatch(/\n\(not partitioned\) {6}2 /);
  });

  it('answers questions in SQL', async () => {
    const sql = 'select id, total from orders order by id';
    expect((await run('query', sql)).out).toBe('id   total\n--   -----\n 1   10.50\n 2    NULL\n(2 rows)\n');
    expect((await run('query', sql, '--format', 'csv')).out).toBe('id,total\r\n1,10.50\r\n2,\r\n');
    expect((await run('query', sql, '--json')).out).toBe('{"id":1,"total":"10.50"}\n{"id":2,"total":null}\n');
    expect((await run('query', sql, '--limit', '1')).out).toContain('(1 row)');
    expect(await run('query', 'drop view orders')).toMatchObject({ code: 2 });
    expect(await run('query', 'select 1 from ordrs')).toMatchObject({ code: 2 });
  });

  it('says when it shows only a part', async () => {
    const { out, err } = await run('query', 'select range from range(1001)');
    expect(out).toContain('(1000 rows)');
    expect(err).toBe('only the first 1,000 rows; --limit or --format csv shows more\n');
    expect((await run('query', 'select range from range(1000)')).err).toBe('');
  });

  it('checks files and commits', async () => {
    expect(await run('check')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/✓ 1 table, 2 files, 2 rows, .*: all as committed\n$/) as string,
    });
    const { files } = JSON.parse((await run('tables', '--json')).out) as { files: number };
    expect(files).toBe(2);
    const [file] = (await lake.storage.list('orders/')).map(({ key }) => lake.storage.localPath(key));
    await rm(file ?? '');
    const { code, out } = await run('check');
    expect(code).toBe(4);
    expect(out).toMatch(/✗ orders orders\/.*: the file is missing \(1 rows\)\n {2}restore/);
    expect(JSON.parse((await run('check', '--json')).out)).toMatchObject({
      findings: [{ code: 'file-missing' }],
    });
  });

  it('merges small files', async () => {
    const plan = await run('compact', '--dry-run');
    expect(plan.out).toMatch(/\norders {14}2 {13}1 /);
    expect(plan.err).toContain('nothing was written');
    expect((await run('compact', 'orders', '--json')).out).toMatch(
      /^\{"table":"orders","filesBefore":2,"filesAfter":1,/,
    );
    expect((await run('query', 'select count(*) as n from orders', '--json')).out).toBe('{"n":2}\n');
    expect(await lake.storage.list('_sluice/staging/')).toEqual([]);
    expect(await run('compact', 'ordrs')).toMatchObject({
      code: 2,
      err: '✗ "ordrs": the lake has no such table; did you mean "orders"?\n',
    });
  });

  it('removes what is not needed only after being told to', async () => {
    expect((await run('sweep')).out).toBe('nothing to remove\n');
    await lake.storage.put('_sluice/staging/box~1~x/owner.json', new TextEncoder().encode('{}'));
    const path = lake.storage.localPath('_sluice/staging/box~1~x/owner.json');
    await writeFile(path, '{}');
    const { utimes } = await import('node:fs/promises');
    await utimes(path, 0, 0);
    expect(await run('sweep', '--dry-run')).toMatchObject({
      code: 0,
      out: 'kind      file\nstaging   _sluice/staging/box~1~x/owner.json\n',
    });
    expect(await run('sweep')).toMatchObject({
      code: 2,
      err: '✗ nobody is here to confirm this\n  --yes does without\n',
    });
    expect(await run('sweep', '--yes')).toMatchObject({ code: 0, err: 'removed 2 B\n' });
    expect(await lake.storage.list('_sluice/staging/')).toEqual([]);
  });

  it('takes a lake by path, without a project, and says which lakes there are', async () => {
    const services = {
      openProject: () => Promise.reject(new Error('no project is needed')),
      openStorage: () => Promise.resolve(lake.storage),
    };
    expect((await runWith(['catalog', 'tables', '--lake', './lake'], services)).code).toBe(0);
    expect(await run('tables', '--lake', 'lak')).toMatchObject({
      code: 2,
      err: '✗ --lake: "lak" is no lake of the project; did you mean "lake"?\n  a path is written with a slash: ./lake\n',
    });
    expect(await run('tables', '--format', 'xml')).toMatchObject({
      code: 2,
      err: '✗ --format: "xml" is none of table, csv, json\n',
    });
  });
});
