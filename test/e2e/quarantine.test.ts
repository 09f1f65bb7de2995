/** What becomes of records that do not fit: they are looked at, loaded once after a change, or given up. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { quarantine, type QuarantinedRecord } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

async function recordsOf(
  pair: FileLake,
  options: Parameters<typeof quarantine.read>[2] = {},
): Promise<QuarantinedRecord[]> {
  return Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder, ...options }));
}

async function replay(pair: FileLake): Promise<unknown> {
  const report = await quarantine.replay(pair.project, 'p', { directory: pair.folder });
  const stream = report?.streams[0];
  if (stream?.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
  return stream?.totals;
}

/** Reasons are given with the names of now. */
function renamedAs(from: string, to: string): (record: QuarantinedRecord) => QuarantinedRecord {
  return (record) =>
    record.column === from ? { ...record, column: to, reason: record.reason.replace(from, to) } : record;
}

function filesOf(pair: FileLake): string[] {
  const folder = path.join(pair.folder, '.sluice', 'quarantine', 'lake', 't');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.parquet')) : [];
}

/** Bad in the first and in the last row, over several lines, with quotes that do not end, with other numbers of fields, and in bytes. */
const BAD = Buffer.concat([
  Buffer.from('id,name,n,day\n'),
  Buffer.from('1,first,x,2026-01-01\n'),
  Buffer.from('2,good,20,2026-01-02\n'),
  Buffer.from('3,"several\nlines, and ""quotes""",y,2026-01-03\n'),
  Buffer.from('4,good,40,2026-01-04\n'),
  Buffer.from('5,"stray,50,2026-01-05\n'),
  Buffer.from('6,fields\n'),
  Buffer.from('7,western \xe9,70,2026-01-07\n', 'latin1'),
  Buffer.from('8,range,99999999999999999999,2026-01-08\n'),
  Buffer.from('9,good,90,2026-01-09\n'),
  Buffer.from('10,date,100,2026-02-30'),
]);
const TYPES = { id: 'int64', name: 'text', n: 'int64', day: 'date' };

describe('quarantine', () => {
  it('has each record with its place, its reason and its text', async () => {
    await using pair = new FileLake({ files: 'a.csv', types: TYPES });
    pair.write('a.csv', BAD);
    expect(await pair.run()).toMatchObject({ totals: { rows: 10, loaded: 3, quarantined: 7 } });
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[2], [4], [9]]);
    const found = await recordsOf(pair);
    expect(found.map(({ file, line, column, code }) => [file, line, column, code])).toEqual([
      ['a.csv', 2, 'n', 'row.type'],
      ['a.csv', 4, 'n', 'row.type'],
      ['a.csv', 7, undefined, 'row.quote'],
      ['a.csv', 8, undefined, 'row.fields'],
      ['a.csv', 9, 'name', 'row.utf8'],
      ['a.csv', 10, 'n', 'row.range'],
      ['a.csv', 12, 'day', 'row.type'],
    ]);
    expect(found[1]!.raw).toBe('3,"several\nlines, and ""quotes""",y,2026-01-03');
    expect(found[4]).toMatchObject({
      raw: Buffer.from('7,western \xe9,70,2026-01-07', 'latin1').toString('base64'),
      base64: true,
    });
    const [listed] = await quarantine.list(pair.project, 'p', { directory: pair.folder });
    expect(listed).toMatchObject({ stream: 't', rows: 7, files: 1, missing: false });
    expect(listed!.reasons[0]).toEqual({ code: 'row.type', reason: 'n is no int64', rows: 2 });
    expect(await recordsOf(pair, { reason: 'row.type', limit: 2 })).toEqual(found.slice(0, 2));
    expect(await recordsOf(pair, { run: 'another' })).toEqual([]);
    const to = path.join(pair.folder, 'bad.jsonl');
    expect(await quarantine.export(pair.project, 'p', { directory: pair.folder, to })).toBe(7);
    const lines = readFileSync(to, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { raw: string }).raw)[4]).toBe(
      '7,western \\xE9,70,2026-01-07',
    );
  });

  it('names the only record of a million that is wrong', async () => {
    await using pair = new FileLake({ files: 'a.csv', types: { id: 'int64', n: 'int64' } });
    const rows = Array.from({ length: 1_000_000 }, (_, i) => `${i},${i === 765_432 ? '1 2' : i % 7}`);
    pair.write('a.csv', `id,n\n${rows.join('\n')}\n`);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 999_999, quarantined: 1 } });
    expect(await recordsOf(pair)).toMatchObject([
      { file: 'a.csv', line: 765_434, column: 'n', code: 'row.type', raw: '765432,1 2' },
    ]);
    expect(await pair.query('SELECT count(*)::INTEGER, sum(id)::BIGINT FROM t')).toEqual([
      [999_999, (1_000_000 * 999_999) / 2 - 765_432],
    ]);
  });

  it('loads records once that fit what has changed, and keeps the others as they are', async () => {
    await using pair = new FileLake({ files: 'a.csv', types: TYPES });
    pair.write('a.csv', BAD);
    await pair.run();
    const before = await recordsOf(pair);
    const { run, at } = (await quarantine.list(pair.project, 'p', { directory: pair.folder }))[0]!;
    expect(await replay(pair)).toMatchObject({ rows: 7, loaded: 0, quarantined: 7 });
    expect(await recordsOf(pair)).toEqual(before);
    pair.stream = {
      files: { path: 'a.csv', null: ['', 'x', 'y'] },
      types: { ...TYPES, n: 'decimal(30,0)' },
      rename: { name: 'title' },
    };
    pair.write('later.csv', 'not,for,this\n');
    expect(await replay(pair)).toMatchObject({ rows: 7, loaded: 3, quarantined: 4 });
    expect(await replay(pair)).toMatchObject({ rows: 4, loaded: 0 });
    expect(
      await pair.query('SELECT id, title, n::VARCHAR, day::VARCHAR, _sluice_file FROM t ORDER BY id'),
    ).toEqual([
      [1, 'first', null, '2026-01-01', 'a.csv'],
      [2, null, '20', '2026-01-02', 'a.csv'],
      [3, 'several\nlines, and "quotes"', null, '2026-01-03', 'a.csv'],
      [4, null, '40', '2026-01-04', 'a.csv'],
      [8, 'range', '99999999999999999999', '2026-01-08', 'a.csv'],
      [9, null, '90', '2026-01-09', 'a.csv'],
    ]);
    const left = before.filter(({ line }) => ![2, 4, 10].includes(line));
    expect(await recordsOf(pair)).toEqual(left.map(renamedAs('name', 'title')));
    expect(await quarantine.list(pair.project, 'p', { directory: pair.folder })).toMatchObject([
      { run, at, rows: 4 },
    ]);
    expect(filesOf(pair)).toHaveLength(1);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it.each(['merge', 'replace'] as const)(
    'brings records back into a table that is loaded by %s',
    async (load) => {
      await using pair = new FileLake({ files: '*.csv', types: { n: 'int64' }, load, key: ['id'] });
      pair.write('a.csv', 'id,n\n1,10\n2,x\n');
      pair.write('b.csv', 'id,n\n3,x\n4,40\n');
      await pair.run();
      pair.stream = { ...pair.stream, files: { path: '*.csv', null: ['x'] } };
      expect(await replay(pair)).toMatchObject({ loaded: 2 });
      expect(await replay(pair)).toBeUndefined();
      expect(await pair.query('SELECT id, n FROM t ORDER BY id')).toEqual([
        [1, 10],
        [2, null],
        [3, null],
        [4, 40],
      ]);
      expect(filesOf(pair)).toEqual([]);
    },
  );

  it('gives up what is dropped, and nothing else', async () => {
    await using pair = new FileLake({ files: '*.csv', types: { n: 'int64' } });
    pair.write('a.csv', 'n\n1\nx\n');
    const first = await pair.report();
    pair.write('b.csv', 'n\n2\ny\nz\n');
    await pair.run();
    const place = { directory: pair.folder };
    expect(await quarantine.drop(pair.project, 'p', { ...place, run: first.run })).toBe(1);
    expect((await recordsOf(pair)).map(({ raw }) => raw)).toEqual(['y', 'z']);
    expect(await quarantine.drop(pair.project, 'p', place)).toBe(2);
    expect(await quarantine.drop(pair.project, 'p', place)).toBe(0);
    expect(filesOf(pair)).toEqual([]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(await pair.query('SELECT n FROM t ORDER BY n')).toEqual([[1], [2]]);
  });

  it('forgets what a file has put aside before it changed', async () => {
    await using pair = new FileLake({ files: { path: '*.csv', changed: 'reload' }, types: { n: 'int64' } });
    pair.write('a.csv', 'n\n1\nx\n');
    pair.write('b.csv', 'n\n2\ny\n');
    await pair.run();
    pair.write('a.csv', 'n\n10\n100\nz\nzz\n');
    await pair.run();
    expect((await recordsOf(pair)).map(({ raw }) => raw).toSorted()).toEqual(['y', 'z', 'zz']);
    pair.write('b.csv', 'n\n20\n200\n');
    await pair.run();
    expect((await recordsOf(pair)).map(({ raw }) => raw)).toEqual(['z', 'zz']);
    expect(await pair.query('SELECT n FROM t ORDER BY n')).toEqual([[10], [20], [100], [200]]);
    // The next run of the stream sweeps what nothing names any more.
    pair.write('c.csv', 'n\n3\n');
    await pair.run();
    expect(filesOf(pair)).toHaveLength(1);
  });
});
