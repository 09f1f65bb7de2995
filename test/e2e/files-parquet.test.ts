/** Files of Parquet become a table as those of text do, with the types that they say they have. */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { quarantine } from '../../src/index.ts';
import { ARROW } from '../support/arrow-files.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeParquet } from '../support/make-parquet.ts';
import { makeZip } from '../support/zip-archive.ts';

import { gzipSync, zstdCompressSync } from 'node:zlib';

describe('files of Parquet', () => {
  it('are loaded once each: new, changed, touched and gone', async () => {
    await using pair = new FileLake({ files: 't_*.parquet' });
    pair.write('t_20260102.parquet', await makeParquet(`SELECT 3 AS id, '007' AS code`));
    pair.write(
      't_20260101.parquet',
      await makeParquet(`SELECT * FROM (VALUES (1, '066'), (2, NULL)) v(id, code)`),
    );
    expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { rows: 3, loaded: 3 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    // Other columns in another order, and a wider type.
    pair.write(
      't_20260103.parquet',
      await makeParquet(`SELECT '009' AS code, 5000000000 AS id, 1.50::DECIMAL(9,2) AS extra`),
    );
    expect(await pair.run()).toMatchObject({
      totals: { loaded: 1 },
      changes: ['id int32 → int64', '+ extra decimal(9,2)'],
    });
    pair.age('t_20260101.parquet', 30);
    pair.write('t_20260102.parquet', await makeParquet(`SELECT 30 AS id, '0070' AS code FROM range(2)`));
    rmSync(path.join(pair.files, 't_20260103.parquet'));
    expect((await pair.plan()).streams[0]!.window).toBe(
      '2 files, 1 loaded, 0 new, 1 changed, 1 loaded and gone',
    );
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    pair.stream = { files: { path: 't_*.parquet', changed: 'reload' } };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 }, changes: [] });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(
      await pair.query('SELECT id, code, extra, snapshot_date, _sluice_file FROM t ORDER BY id'),
    ).toEqual([
      [1, '066', null, '2026-01-01', 't_20260101.parquet'],
      [2, null, null, '2026-01-01', 't_20260101.parquet'],
      [30, '0070', null, '2026-01-02', 't_20260102.parquet'],
      [30, '0070', null, '2026-01-02', 't_20260102.parquet'],
      [5000000000, '009', '1.50', '2026-01-03', 't_20260103.parquet'],
    ]);
  });

  it('have their own types, with all digits', async () => {
    await using pair = new FileLake({ files: '*.parquet' });
    pair.write('a.parquet', ARROW.types);
    const { warnings } = await pair.plan();
    expect(warnings).toMatchObject([
      { code: 'files.nanoseconds', message: expect.stringContaining('"nsz"') },
    ]);
    await pair.run();
    const columns = await pair.query(
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * EXCLUDE (_sluice_file) FROM t)`,
    );
    const [row, nulls] = await pair.query('SELECT * EXCLUDE (_sluice_file) FROM t ORDER BY u8');
    expect(columns.map(([name, type], i) => [name, type, row![i]])).toEqual([
      ['u8', 'SMALLINT', 255],
      ['u64', 'DECIMAL(20,0)', '18446744073709551615'],
      ['d', 'DECIMAL(38,10)', '1234567890123456789.0123456789'],
      ['ms', 'TIMESTAMP', '1969-12-31 23:59:59.999'],
      ['us', 'TIMESTAMP', '2020-01-01 00:00:00.123456'],
      ['ns', 'TIMESTAMP', '2020-01-01 00:00:00.123456'],
      ['nsz', 'TIMESTAMP WITH TIME ZONE', '2020-01-01 00:00:00.123456+00'],
      ['msz', 'TIMESTAMP WITH TIME ZONE', '2020-01-01 00:00:00.123+00'],
      ['t', 'TIME', '01:02:03.000456'],
      ['day', 'DATE', '2020-02-29'],
      ['tags', 'VARCHAR', '["a","b"]'],
      ['to', 'VARCHAR', '{"city":"Köln","n":1}'],
      ['attrs', 'VARCHAR', '{"k":1}'],
      ['dict', 'VARCHAR', 'x'],
      ['bin', 'BLOB', '01ff'],
      ['flag', 'BOOLEAN', true],
      ['uid', 'UUID', '12345678-1234-5678-1234-567812345678'],
    ]);
    expect(nulls!.every((value) => value === null)).toBe(true);
    // A column without a type has the one that a later file gives it.
    pair.write('b.parquet', await makeParquet('SELECT 7::BIGINT AS nothing'));
    expect(await pair.run()).toMatchObject({ changes: expect.arrayContaining(['+ nothing int64']) });
    pair.write('c.parquet', ARROW.types);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
    await using old = new FileLake({ files: 'x.parquet' });
    old.write('x.parquet', ARROW.int96);
    await old.run();
    expect(await old.query('SELECT i96 FROM t')).toEqual([['1969-12-31 23:59:59.123456']]);
  });

  it('that do not fit are refused by name before any of their rows, and the others are loaded', async () => {
    await using pair = new FileLake({ files: '*.parquet', types: { n: 'decimal(12,2)', raw: 'text' } });
    const good = await makeParquet(`SELECT 1::DOUBLE / 4 AS n, encode('é') AS raw, 1 AS id`);
    pair.write('b.parquet', good);
    pair.write('c.parquet', good.subarray(0, -1));
    pair.write('d.parquet', await makeParquet(`SELECT 'one' AS id`));
    pair.write('g.parquet', 'id,n\n1,2\n');
    pair.write('h.parquet', await makeParquet('SELECT 2 AS id'));
    pair.write('i.parquet', ARROW.digits);
    expect((await pair.plan()).warnings.map(({ message }) => message)).toEqual([
      'reading "c.parquet": its parquet data is broken or ends too early',
      'reading "d.parquet": "id" is utf8 (VARCHAR) and was int32',
      'reading "g.parquet": its parquet data is broken or ends too early',
      'reading "i.parquet": "many" has decimals of 60 digits, and 38 are the most that can be read; "within" has decimals of 51 digits, and 38 are the most that can be read',
    ]);
    const report = await pair.report();
    expect(report.streams[0]).toMatchObject({
      status: 'failed',
      totals: { loaded: 2 },
      error: { code: 'files.compression' },
    });
    expect(await pair.query('SELECT id, n, raw, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, '0.25', 'é', 'b.parquet'],
      [2, null, null, 'h.parquet'],
    ]);
    // What is not read may be what it likes.
    pair.stream = { ...pair.stream, columns: { exclude: ['many', 'within'] } };
    await pair.report();
    expect(await pair.query(`SELECT id FROM t WHERE _sluice_file = 'i.parquet'`)).toEqual([[3]]);
  });

  it('put rows aside whose values are none of their types, with all that these hold', async () => {
    await using pair = new FileLake({
      files: { path: '*.parquet', file_column: false },
      types: { n: 'decimal(12,2)', i: 'int16', b: 'bool' },
      rename: { n: 'number' },
      max_bad: '100 %',
    });
    pair.write(
      'a.parquet',
      await makeParquet(
        `SELECT * FROM (VALUES
           (1, 0.25::DOUBLE, 1, 'true', TIMESTAMP_NS '2020-01-01 00:00:00.123456'),
           (2, 0.125, 2, 'false', NULL), (3, 1e300, 40000, NULL, NULL), (4, NULL, -32768, 'maybe', NULL),
           (5, 12345678.75, 5, NULL, TIMESTAMP_NS '2020-01-01 00:00:00.123456789'), (6, 'nan', NULL, 'true', NULL)) v(id, n, i, b, moment)`,
      ),
    );
    expect(await pair.run()).toMatchObject({ totals: { rows: 6, loaded: 1, quarantined: 5 } });
    expect(await kept(pair)).toEqual([
      [
        2,
        'row.type',
        'number is no decimal(12,2)',
        '{"id":2,"number":"0.125","i":2,"b":false,"moment":null}',
      ],
      [
        3,
        'row.type',
        'number is no decimal(12,2)',
        '{"id":3,"number":"1e+300","i":"40000","b":null,"moment":null}',
      ],
      [4, 'row.type', 'b is no bool', '{"id":4,"number":null,"i":-32768,"b":"maybe","moment":null}'],
      [
        5,
        'row.type',
        'moment is no timestamp',
        '{"id":5,"number":12345678.75,"i":5,"b":null,"moment":"2020-01-01 00:00:00.123456789"}',
      ],
      [
        6,
        'row.type',
        'number is no decimal(12,2)',
        '{"id":6,"number":"nan","i":null,"b":true,"moment":null}',
      ],
    ]);
    expect(await replay(pair)).toBe(0);
    pair.stream = { ...pair.stream, types: { n: 'decimal(12,3)', i: 'int32', b: 'bool' } };
    expect(await replay(pair)).toBe(1);
    pair.stream = { ...pair.stream, types: { n: 'float64', i: 'int32', b: 'bool' } };
    pair.target = { type: 'lake', path: './other' };
    expect(await pair.run()).toMatchObject({ totals: { loaded: 4, quarantined: 2 } });
  });

  it('that are large have parts, of which a run takes those that are left', async () => {
    await using pair = new FileLake({ files: 'big.parquet' });
    pair.connection = { slice_size: '1 MB' };
    const rows = 400_000;
    const sql = `SELECT range AS id, hash(range) AS h, 'text ' || range AS name FROM range(${rows})`;
    pair.write('big.parquet', await makeParquet(sql, ', ROW_GROUP_SIZE 20000'));
    const stop = new AbortController();
    let committed = 0;
    await pair.report({
      workers: 1,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'slice-committed' && ++committed === 1) stop.abort();
      },
    });
    const [[before]] = (await pair.query('SELECT count(*) FROM t')) as [[number]];
    expect(Number(before)).toBeGreaterThan(10_000);
    expect(Number(before)).toBeLessThan(rows);
    expect(await pair.run()).toMatchObject({ totals: { loaded: rows - Number(before) } });
    expect(
      await pair.query('SELECT count(*), count(DISTINCT id), sum(id)::BIGINT, count(DISTINCT h) FROM t'),
    ).toEqual([[rows, rows, (rows * (rows - 1)) / 2, rows]]);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('have columns of any name, in folders of any name, and are no text', async () => {
    await using pair = new FileLake({ files: '**' });
    const odd = await makeParquet(
      `SELECT 1 AS "a ""b"" 'c'", 2 AS file_row_number, 3 AS "select", 4 AS filename, 'x' AS _sluice_file`,
    );
    pair.write("x=1/it's [a] {b}*?.parquet", odd);
    await pair.run();
    expect(await pair.query('SELECT * FROM t')).toEqual([[1, 2, 3, 4, "x=1/it's [a] {b}*?.parquet"]]);
    pair.write('b.csv', 'id\n1\n');
    pair.age('b.csv');
    pair.write('c.parquet', odd);
    expect((await pair.report()).streams[0]!.error).toMatchObject({ code: 'files.mixed' });
    rmSync(path.join(pair.files, 'b.csv'));
    pair.stream = { files: { path: '*.parquet', delimiter: ';' } };
    expect((await pair.report()).streams[0]!.error?.message).toContain(
      '`delimiter` mean nothing for Parquet files',
    );
  });

  it('are read from other packings as well, of which nothing stays', async () => {
    await using pair = new FileLake({ files: { path: '*', format: 'parquet', changed: 'reload' } });
    const table = (id: number): Promise<Buffer> =>
      makeParquet(`SELECT ${id} AS id, 'é' AS name FROM range(1000)`);
    pair.write('a.parquet.gz', gzipSync(await table(1)));
    pair.write('b.parquet.zst', zstdCompressSync(await table(2)));
    pair.write(
      'c.zip',
      makeZip([
        { name: 'x/t.parquet', text: await table(3) },
        { name: 'about.txt', text: 'x' },
      ]),
    );
    pair.write('d.parquet.gz', gzipSync(await table(4)).subarray(0, -5));
    pair.write('e.zip', makeZip([1, 2].map((i) => ({ name: `${i}.parquet`, text: 'x' }))));
    pair.write('f.parquet', await table(6));
    expect((await pair.plan()).warnings.map(({ message }) => message)).toEqual([
      'reading "d.parquet.gz": its gzip data is broken or ends too early',
      'reading "e.zip": it has 2 files of Parquet',
    ]);
    expect((await pair.report()).streams[0]).toMatchObject({ totals: { loaded: 4000 }, status: 'failed' });
    expect(
      await pair.query('SELECT id, count(*), any_value(_sluice_file) FROM t GROUP BY 1 ORDER BY 1'),
    ).toEqual([
      [1, 1000, 'a.parquet.gz'],
      [2, 1000, 'b.parquet.zst'],
      [3, 1000, 'c.zip'],
      [6, 1000, 'f.parquet'],
    ]);
    for (const name of ['d.parquet.gz', 'e.zip']) rmSync(path.join(pair.files, name));
    for (const name of ['a.parquet.gz', 'c.zip']) pair.age(name, 30);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    pair.write('c.zip', makeZip([{ name: 't.parquet', text: await table(33) }]));
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1000 } });
    expect(await pair.query('SELECT DISTINCT id FROM t ORDER BY id')).toEqual([[1], [2], [6], [33]]);
    expect(readdirSync(path.join(pair.folder, '.sluice', 'unpacked'))).toEqual([]);
  });

  it('merge by a key, and put rows aside that have none', async () => {
    await using pair = new FileLake({
      files: { path: '*.parquet', file_column: false },
      load: 'merge',
      key: ['id'],
    });
    pair.write('a_20260101.parquet', await makeParquet(`SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(id, v)`));
    pair.write('a_20260102.parquet', await makeParquet(`SELECT * FROM (VALUES (2, 'c'), (3, 'd')) v(id, v)`));
    pair.write(
      'a_20260103.parquet',
      await makeParquet(`SELECT * FROM (VALUES (4, 'x'), (NULL, 'y'), (4, 'z')) v(id, v)`),
    );
    pair.write('a_20260104.parquet', await makeParquet(`SELECT 'x' AS v`));
    expect((await pair.report()).streams[0]!.error?.message).toBe(
      'loading t: reading "a_20260104.parquet": it has no "id", which is of the key',
    );
    expect(await pair.query('SELECT id, v FROM t ORDER BY id')).toEqual([
      [1, 'a'],
      [2, 'c'],
      [3, 'd'],
      [4, 'x'],
    ]);
    const day = '"snapshot_date":"2026-01-03"';
    expect(await kept(pair)).toEqual([
      [2, 'row.missing', 'id is missing, and has to have a value', `{"id":null,"v":"y",${day}}`],
      [3, 'row.duplicate', 'an earlier record of the load has its key (id)', `{"id":4,"v":"z",${day}}`],
    ]);
  });

  it.each([{}, { checks: { positive: 'n > 0' }, compute: { twice: '2 * n' } }])(
    'put rows aside by what they hold, beside checks and computed columns (%j)',
    async (rules) => {
      await using pair = new FileLake({
        files: { path: '*.parquet', changed: 'reload', file_column: 'file' },
        types: { n: 'int16', raw: 'text' },
        max_bad: '100 %',
        ...rules,
      });
      const put = async (name: string, rows: string): Promise<void> =>
        pair.write(
          name,
          await makeParquet(
            `SELECT * FROM (VALUES ${rows}) v(id, n, raw)`.replaceAll(/'([bde])'/g, "encode('$1')"),
          ),
        );
      const ids = (): Promise<unknown[]> => pair.query('SELECT id, raw, file FROM t ORDER BY id');
      const bad = async (): Promise<unknown[]> => {
        const records = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
        return records
          .toSorted((a, b) => a.line - b.line)
          .map(({ file, line, code, raw }) => [file, line, code, raw]);
      };
      await put('a.parquet', `(1, 1, encode('é'))`);
      await put(
        'b.parquet',
        `(2, 40000, 'b'), (3, 3, '\\xFF\\x00a'::BLOB), (4, 4, 'd'), (5, -1, 'e'), (6, 40001, '\\xFE'::BLOB), (7, 7, NULL)`,
      );
      const checked = rules.checks !== undefined;
      expect((await pair.run()).totals).toMatchObject({
        loaded: checked ? 3 : 4,
        quarantined: checked ? 4 : 3,
      });
      const rest = ',"file":"b.parquet"}';
      const found = [
        ['b.parquet', 1, 'row.type', `{"id":2,"n":"40000","raw":"b"${rest}`],
        ['b.parquet', 2, 'row.utf8', `{"id":3,"n":3,"raw":"\\\\xff0061"${rest}`],
        ...(checked ? [['b.parquet', 4, 'row.check', `{"id":5,"n":-1,"raw":"e"${rest}`]] : []),
        ['b.parquet', 5, 'row.type', `{"id":6,"n":"40001","raw":"\\\\xfe"${rest}`],
      ];
      expect(await bad()).toEqual(found);
      const there = [
        [1, 'é', 'a.parquet'],
        [4, 'd', 'b.parquet'],
        ...(checked ? [] : [[5, 'e', 'b.parquet']]),
        [7, null, 'b.parquet'],
      ];
      expect(await ids()).toEqual(there);
      // What is no text does not become one.
      expect(await replay(pair)).toBe(0);
      const texts = (rows: unknown[]): unknown[] => rows.map((row) => (row as string[])[3]);
      expect(texts(await bad())).toEqual(texts(found));
      await put('b.parquet', `(2, 2, 'b'), (5, 50000, 'e')`);
      await pair.run();
      expect(await ids()).toEqual([
        [1, 'é', 'a.parquet'],
        [2, 'b', 'b.parquet'],
      ]);
      expect(await bad()).toEqual([['b.parquet', 2, 'row.type', `{"id":5,"n":"50000","raw":"e"${rest}`]]);
      pair.stream = { ...pair.stream, types: { n: 'int32', raw: 'text' } };
      expect(await replay(pair)).toBe(1);
    },
  );
});

async function kept(pair: FileLake): Promise<[number, string, string, string][]> {
  const records = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
  return records.map(({ line, code, reason, raw }) => [line, code, reason, raw]);
}

async function replay(pair: FileLake): Promise<number | undefined> {
  const report = await quarantine.replay(pair.project, 'p', { directory: pair.folder });
  const stream = report?.streams[0];
  if (stream?.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
  return stream?.totals.loaded;
}
