/** Files become a table: each is loaded once, whatever happens to the files and to us. */
import { copyFileSync, existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, it } from 'vitest';
import { reloadFiles } from '../../src/engine/ledger-ops.ts';
import { showState } from '../../src/engine/state-ops.ts';
import { quarantine } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

const REAL = fileURLToPath(new URL('../../../shared/data/snapshots', import.meta.url));

describe('a stream of files', () => {
  it('loads what is new, tells what has changed, and replaces it when it is told to', async () => {
    await using pair = new FileLake({ files: 't_*.csv' });
    pair.write('t_20260102.csv', 'id,code\n3,007\n4,008\n');
    pair.write('t_20260101.csv', 'id,code\n1,066\n2,\n');
    pair.write('other.csv', 'x\n1\n');
    expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { rows: 4, loaded: 4 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', totals: { rows: 0 } });
    pair.write('t_20260103.csv', 'code,id,extra\n009,5,1.5\n');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 }, changes: ['+ extra decimal(2,1)'] });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', changes: [] });

    // Touched: other times, same bytes. Changed: another size. Gone: nothing.
    pair.age('t_20260101.csv', 30);
    pair.write('t_20260102.csv', 'id,code\n30,070\n4,008\n40,080\n');
    rmSync(path.join(pair.files, 't_20260103.csv'));
    const { warnings } = await pair.plan();
    expect(warnings.map(({ code, message }) => [code, message])).toEqual([
      ['files.changed', 't_20260102.csv: changed after being loaded, and stays as loaded'],
    ]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    pair.stream = { files: { path: 't_*.csv', changed: 'reload' } };
    expect(await pair.run()).toMatchObject({ totals: { rows: 3 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(
      await pair.query('SELECT id, code, extra, snapshot_date, _sluice_file FROM t ORDER BY id'),
    ).toEqual([
      [1, '066', null, '2026-01-01', 't_20260101.csv'],
      [2, null, null, '2026-01-01', 't_20260101.csv'],
      [4, '008', null, '2026-01-02', 't_20260102.csv'],
      [5, '009', '1.5', '2026-01-03', 't_20260103.csv'],
      [30, '070', null, '2026-01-02', 't_20260102.csv'],
      [40, '080', null, '2026-01-02', 't_20260102.csv'],
    ]);
  });

  it('counts rows that a later file of the same load takes the place of as skipped', async () => {
    await using pair = new FileLake({ files: 't_*.csv', load: 'merge', key: 'id' });
    pair.write('t_20260101.csv', 'id,v\n1,a\n2,b\n3,c\n');
    pair.write('t_20260102.csv', 'id,v\n2,B\n3,C\n');
    pair.write('t_20260103.csv', 'id,v\nx,D\n3,D\n');
    pair.stream = { ...(pair.stream as object), types: { id: 'int64' } };
    const first = await pair.run();
    expect(first.totals).toMatchObject({ rows: 7, loaded: 6, quarantined: 1, skipped: 0 });
    const { streams } = await pair.report({ fullRefresh: true });
    expect(streams[0]!.totals).toMatchObject({ rows: 7, loaded: 3, quarantined: 1, skipped: 3 });
    expect(await pair.query('SELECT id, v FROM t ORDER BY id')).toEqual([
      [1, 'a'],
      [2, 'B'],
      [3, 'D'],
    ]);
  });

  it('loads a file again when it is told to, and shows what is loaded', async () => {
    await using pair = new FileLake({ files: 't_*.csv' });
    for (const day of [1, 2]) pair.write(`t_2026010${day}.csv`, `id\n${day}\n${day}0\n`);
    await pair.run();
    const context = await pair.context();
    expect(await reloadFiles(context, 'p', 't', ['t_*01.csv'])).toEqual(['t_20260101.csv']);
    await expect(reloadFiles(context, 'p', 't', ['x*'])).rejects.toMatchObject({
      code: 'state.unknown_file',
    });
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2], [10], [20]]);
    const [{ committed } = {}] = await showState(context, 'p');
    expect(committed?.checkpoint?.ledger?.files['t_20260101.csv']).toMatchObject({
      rows: 2,
      bad: 0,
      size: 8,
    });
    // A folder that nothing is mounted at, and one that is not there.
    for (const name of readdirSync(pair.files)) rmSync(path.join(pair.files, name));
    expect((await pair.plan()).warnings).toMatchObject([{ code: 'files.none' }]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    rmSync(pair.files, { recursive: true });
    expect((await pair.report()).streams[0]!.error).toMatchObject({
      code: 'files.none',
      message: expect.stringMatching(/^looking at t: folder ".*" does not exist$/),
    });
  });

  it('takes the files of some days, and no options that would double or lose rows', async () => {
    await using pair = new FileLake({ files: 't_*.csv' });
    for (const day of [1, 2, 3]) pair.write(`t_2026010${day}.csv`, `id\n${day}\n`);
    expect(await pair.run({ window: { from: '2026-01-02', to: '2026-01-03' } })).toMatchObject({
      totals: { loaded: 1 },
    });
    expect((await pair.plan({ window: { from: '2026-01-03' } })).streams[0]!.window).toBe('3 files, 1 new');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
    pair.stream = { files: 't_*.csv', load: 'replace' };
    expect((await pair.report({ window: { from: '2026-01-03' } })).streams[0]!.error?.code).toBe(
      'stream.invalid',
    );
    pair.stream = { files: { path: 't_*.csv', changed: 'reload', file_column: false } };
    expect((await pair.report()).streams[0]!.error?.message).toContain('needs a `file_column`');
  });

  it('merges files in their order, and puts the second record of a key in a file aside', async () => {
    await using pair = new FileLake({ files: '*.csv', load: 'merge', key: ['id'] });
    pair.write('a_20260102.csv', 'id,n\n2,21\n3,30\n');
    pair.write('a_20260101.csv', 'id,n\n1,10\n2,20\n');
    await pair.run();
    expect(await pair.query('SELECT id, n FROM t ORDER BY id')).toEqual([
      [1, 10],
      [2, 21],
      [3, 30],
    ]);
    await using first = new FileLake({ files: '*.csv', load: 'merge', key: ['id'] });
    first.write('b.csv', 'id,n\n1,10\n2,20\n1,11\n');
    expect(await first.run()).toMatchObject({ totals: { loaded: 2, quarantined: 1 } });
    first.write('c.csv', 'id,n\n2,21\n2,22\n3,30\n');
    expect(await first.run()).toMatchObject({ totals: { loaded: 2, quarantined: 1 } });
    expect(await first.query('SELECT id, n FROM t ORDER BY id')).toEqual([
      [1, 10],
      [2, 21],
      [3, 30],
    ]);
  });

  it('finds keys that are far apart, in several columns and under names that DuckDB has', async () => {
    const key = ['file_row_number', 'Äpfel'];
    await using pair = new FileLake({
      files: { path: '*.csv', file_column: false },
      load: 'merge',
      key,
      types: { file_row_number: 'int64', Äpfel: 'text' },
      max_bad: '100 %',
    });
    // Rows 40,000 apart are alike.
    const keyOf = (i: number): string => `${i % 40_000},${i % 2 === 0 ? 'x' : 'é'}`;
    const rows = Array.from({ length: 100_000 }, (_none, i) => `${i},${keyOf(i)}\n`);
    pair.write('a.csv', `n,file_row_number,Äpfel\n${rows.join('')}`);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 40_000, quarantined: 60_000 } });
    expect(await pair.query('SELECT count(*), min(n), max(n) FROM t')).toEqual([[40_000, 0, 39_999]]);
    const kept = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
    expect(kept.map(({ line }) => line)).toEqual(Array.from({ length: 60_000 }, (_none, i) => 40_002 + i));
  });

  it('takes a first record for a header where names are missing or there are two alike, unless they are values', async () => {
    await using pair = new FileLake({ files: 'a.csv' });
    const columns = async (text: string): Promise<string[]> => {
      pair.write('a.csv', text);
      const [stream] = (await pair.plan()).streams;
      return stream!.columns!.map(({ name, type }) => `${name} ${type}`).slice(0, -1);
    };
    // As a data frame writes its index, a spreadsheet its empty last column, and two tables that were joined their keys.
    expect(await columns(',name,city\n0,Ann,Rome\n1,Bob,Oslo\n')).toEqual([
      'column1 int64',
      'name utf8',
      'city utf8',
    ]);
    expect(await columns('id,name,\n1,Ann,\n')).toEqual(['id int64', 'name utf8', 'column3 utf8']);
    expect(await columns('id,v,id,ID\n1,2.5,3,x\n')).toEqual([
      'id int64',
      'v decimal(2,1)',
      'id_2 int64',
      'ID utf8',
    ]);
    for (const text of ['Ann,,Rome\nBob,x,Rome\n', 'a,1\nb,2\n', 'x,,,y,\n1,2,3,4,5\n'])
      expect((await columns(text))[0]).toBe('column1 utf8');
  });

  it('waits for a file that grows, and for one without bytes', async () => {
    await using pair = new FileLake({ files: '*.csv' });
    pair.write('a.csv', 'id\n1\n');
    pair.write('empty.csv', '');
    pair.write('growing.csv', 'id\n2\n');
    const file = path.join(pair.files, 'growing.csv');
    utimesSync(file, new Date(), new Date());
    const writing = setInterval(() => utimesSync(file, new Date(), new Date()), 20);
    try {
      const { streams, warnings } = await pair.plan();
      expect(streams[0]!.window).toBe('1 file, 1 new');
      expect(warnings.map(({ message }) => message)).toEqual([
        'growing.csv: is still being written; the next run looks again',
        'empty.csv: has no bytes and is left for a later run',
      ]);
    } finally {
      clearInterval(writing);
    }
    pair.age('growing.csv');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
  });

  it('takes packed files of several encodings, with any line break, byte order mark or only a header', async () => {
    await using pair = new FileLake({ files: 'x*' });
    const text = 'id,name\n1,"é\n,"\n2,\n';
    pair.write('x1.csv', `\ufeff${text}`);
    pair.write('x2.csv.gz', gzipSync(text.replaceAll('\n', '\r\n')));
    pair.write('x3.csv.zst', zstdCompressSync(Buffer.from(text.replaceAll('\n', '\r'))));
    pair.write('x4.csv', Buffer.from(`\ufeff${text}`, 'utf16le'));
    pair.write('x5.csv', 'id,name\n');
    const western = Buffer.from(`id,name\n1,"é\n,"\n2,\n${'9,éééé\n'.repeat(5)}`, 'latin1');
    pair.write('x6.csv', western);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 15 } });
    expect(await pair.query(`SELECT _sluice_file, name FROM t WHERE id = 1 ORDER BY 1`)).toEqual([
      ['x1.csv', 'é\n,'],
      ['x2.csv.gz', 'é\r\n,'],
      ['x3.csv.zst', 'é\r,'],
      ['x4.csv', 'é\n,'],
      ['x6.csv', 'é\n,'],
    ]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('takes objects of JSON from lines and arrays, and members as they come', async () => {
    await using pair = new FileLake({ files: { path: 'e*', flatten: 1 } });
    pair.write(
      'e1.jsonl.gz',
      gzipSync('{"id":1,"to":{"city":"Köln","geo":{"x":1.5}},"n":12345678901234567890}\n'),
    );
    pair.write('e2.json', '[{"id":2,"at":"2026-01-02T03:04:05Z"},\n {"tags":["a"],"id":3,"code":"066"}]');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 3 } });
    pair.write('e3.ndjson', '{"id":4,"new":true}\n{"id":"5x"}\n');
    expect(await pair.run()).toMatchObject({
      totals: { loaded: 1, quarantined: 1 },
      changes: ['+ new bool'],
    });
    expect(await pair.query('SELECT * EXCLUDE (_sluice_file) FROM t ORDER BY id')).toEqual([
      [1, 'Köln', '{"x":1.5}', '12345678901234567890', null, null, null, null],
      [2, null, null, null, '2026-01-02 03:04:05+00', null, null, null],
      [3, null, null, null, null, '["a"]', '066', null],
      [4, null, null, null, null, null, null, true],
    ]);
  });

  it('loads the others when a file is broken, and fails for that one', async () => {
    await using pair = new FileLake({ files: '*' });
    pair.write('a.csv', 'id\n1\n');
    pair.write('b.csv.gz', gzipSync(`id\n${'2\n'.repeat(100_000)}`).subarray(0, 200));
    pair.write('c.csv/d.csv', 'id\n3\n');
    const report = await pair.report();
    expect(report.streams[0]).toMatchObject({
      status: 'failed',
      totals: { loaded: 1 },
      error: { code: 'files.compression' },
    });
    expect(await pair.query('SELECT id FROM t')).toEqual([[1]]);
    pair.write('b.csv.gz', gzipSync('id\n2\n'));
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
    pair.write('f.csv', 'a,'.repeat(20_000));
    expect((await pair.plan()).warnings).toMatchObject([
      {
        code: 'files.too_many_fields',
        message: expect.stringContaining('"f.csv": its first record has 20K'),
      },
    ]);
    rmSync(path.join(pair.files, 'f.csv'));
    // As older systems write "größe.csv": no text at all.
    const latin = Buffer.concat([Buffer.from(`${pair.files}/`), Buffer.from('größe.csv', 'latin1')]);
    writeFileSync(latin, 'id\n4\n');
    pair.write('e.csv', 'id\n5\n');
    expect((await pair.report()).streams[0]).toMatchObject({
      totals: { loaded: 1 },
      error: {
        code: 'files.unnamed',
        message: 'loading t: reading "gr\uFFFD\uFFFDe.csv": a name like this leads to no file',
      },
    });
  });

  it('replaces a table by all files or not at all', async () => {
    await using pair = new FileLake({ files: '*', load: 'replace' });
    pair.write('a.csv', 'id\n1\n');
    pair.write('b.csv.gz', gzipSync('id\n2\n'));
    await pair.run();
    pair.write('a.csv', 'id\n10\n');
    pair.write('b.csv.gz', gzipSync('id\n2\n').subarray(0, 12));
    const report = await pair.report();
    expect(report.streams[0]).toMatchObject({ status: 'failed', error: { code: 'files.compression' } });
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2]]);
    pair.stream = { files: '*', load: 'append' };
    expect((await pair.report({ fullRefresh: true })).streams[0]).toMatchObject({ status: 'failed' });
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2]]);
    pair.stream = { files: '*', load: 'replace' };
    pair.write('b.csv.gz', gzipSync('id\n20\n'));
    await pair.run();
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[10], [20]]);
  });

  it('cuts a large file, and goes on with the parts that are left', async () => {
    await using pair = new FileLake({ files: 'big.csv' });
    pair.connection = { slice_size: '1 MB' };
    const rows = Array.from({ length: 120_000 }, (_, i) => `${i},"text\n${i}"`);
    pair.write('big.csv', `id,name\n${rows.join('\n')}`);
    const stop = new AbortController();
    let committed = 0;
    await pair.report({
      workers: 1,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-committed' && ++committed === 1) stop.abort();
      },
    });
    const [[before]] = (await pair.query('SELECT count(*) FROM t')) as [[string]];
    expect(Number(before)).toBeGreaterThan(10_000);
    expect(Number(before)).toBeLessThan(100_000);
    expect(await pair.run()).toMatchObject({ totals: { loaded: rows.length - Number(before) } });
    expect(
      await pair.query('SELECT count(*), count(DISTINCT id), sum(id), count(DISTINCT name) FROM t'),
    ).toEqual([[rows.length, rows.length, (rows.length * (rows.length - 1)) / 2, rows.length]]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('says which few values make a column text, and takes a pinned type at its word', async () => {
    await using pair = new FileLake({ files: 'n.csv' });
    const rows = Array.from({ length: 200 }, (_, i) => (i === 17 ? 'n/a' : String(i)));
    pair.write('n.csv', `n\n${rows.join('\n')}\n`);
    expect((await pair.plan()).warnings).toMatchObject([
      {
        code: 'files.near_miss',
        message: 'n is text: 1 of 200 values are no int64, the first on line 19 of n.csv',
      },
    ]);
    pair.stream = { ...pair.stream, types: { n: 'int64' } };
    expect(await pair.run()).toMatchObject({ totals: { rows: 200, loaded: 199, quarantined: 1 } });
    expect(await pair.query('SELECT count(*), sum(n) FROM t')).toEqual([[199, (199 * 200) / 2 - 17]]);
  });

  it('stops when too many records do not fit, and keeps what was good before', async () => {
    await using pair = new FileLake({ files: '*.csv', types: { n: 'int64' } });
    pair.write('a.csv', `n\n${'1\n'.repeat(1000)}`);
    await pair.run();
    pair.write('b.csv', `n\n${'2\n'.repeat(1000)}${'x\n'.repeat(150)}`);
    const report = await pair.report();
    expect(report.streams[0]!.error).toMatchObject({ code: 'quarantine.threshold' });
    expect(report.streams[0]!.error!.message).toBe(
      'loading t: 150 of 1,150 rows, more than 1 %, do not fit: n is no int64 (150, the first on line 1002 of b.csv)',
    );
    expect(await pair.query('SELECT count(*) FROM t')).toEqual([[1000]]);
    pair.stream = { ...pair.stream, max_bad: '20 %' };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1000, quarantined: 150 } });
  });
});

it.skipIf(!existsSync(REAL))(
  'loads real snapshots as DuckDB reads them, a hundred first, then all',
  async () => {
    await using pair = new FileLake({ files: 'dpc-*.csv' });
    const names = readdirSync(REAL)
      .filter((name) => name.endsWith('.csv'))
      .toSorted();
    const bring = (some: string[]): void => {
      for (const name of some) {
        copyFileSync(path.join(REAL, name), path.join(pair.files, name));
        pair.age(name);
      }
    };
    bring(names.slice(0, 100));
    await pair.run();
    bring(names.slice(100, -1));
    expect((await pair.run()).changes).toEqual([
      '+ codice_nuts_1 utf8',
      '+ codice_nuts_2 utf8',
      '+ codice_nuts_3 utf8',
    ]);
    bring(names.slice(-1));
    expect(await pair.run()).toMatchObject({ changes: [], status: 'loaded' });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    const facts = `count(*)::VARCHAR, count(DISTINCT data)::VARCHAR, sum(totale_casi)::VARCHAR, count(note)::VARCHAR, count(codice_nuts_3)::VARCHAR,
    sum(hash(concat_ws('|', data, codice_provincia, denominazione_provincia, lat::DECIMAL(17,15), long::DECIMAL(17,15), totale_casi, note)))::VARCHAR,
    min(codice_provincia)`;
    const duck = await DuckDBInstance.create();
    const connection = await duck.connect();
    const reader = `read_csv('${pair.files}/dpc-*.csv', union_by_name = true, all_varchar = true)`;
    const theirs = await connection.runAndReadAll(
      `SELECT ${facts} FROM (SELECT * REPLACE (data::TIMESTAMP AS data, totale_casi::BIGINT AS totale_casi) FROM ${reader})`,
    );
    expect(await pair.query(`SELECT ${facts} FROM t`)).toEqual(theirs.getRowsJson());
    duck.closeSync();
  },
);
