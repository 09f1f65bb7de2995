/** Files that the engine of the target reads by itself, against the same files packed, which are read by our own scanner. */
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileLake } from '../support/file-lake.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';

const RECORDS = Array.from({ length: 5000 }, (_, i) => {
  const day = `2024-0${1 + (i % 9)}-1${i % 10}`;
  const note = ['', '""', 'plain', '"a, ""b"""', '"two\r\nlines"', ' blanks '][i % 6];
  return `${i},${i % 7 === 0 ? '' : `-${i}.5`},${day},${day}T10:20:30.${i % 10},${i % 2 === 0},${note},0${i}`;
});
const file = (from: number, to: number): string =>
  ['id,amount,day,moment,ok,note,code', ...RECORDS.slice(from, to), ''].join('\n');
const TEXTS = [file(0, 2000), file(2000, 2000), file(2000, 4500), file(4500, 5000).trimEnd()];
const COLUMNS =
  "id, amount, day, moment, ok, note, code, snapshot_date, replace(_sluice_file, '.gz', '') AS file";
const SQL = `SELECT COLUMNS(c -> true)::VARCHAR FROM (SELECT ${COLUMNS} FROM t) ORDER BY id::INTEGER`;

async function loaded(target: 'lake' | 'duckdb', packed: boolean, options: object = {}): Promise<unknown[]> {
  await using pair = new FileLake({ files: 'x_*', ...options });
  if (target === 'duckdb') pair.target = { type: 'duckdb', path: './t.duckdb' };
  for (const [i, text] of TEXTS.entries()) {
    const name = `x_2024010${i + 1}.csv`;
    pair.write(packed ? `${name}.gz` : name, packed ? gzipSync(text) : text);
  }
  const report = await pair.run();
  expect(report).toMatchObject({ totals: { rows: 5000, loaded: 5000, quarantined: 0, retries: 0 } });
  if (target === 'lake') return await pair.query(SQL);
  return (await askDuckdb(path.join(pair.folder, 't.duckdb'), SQL)).map((row) => Object.values(row));
}

describe('files without a doubt in them', () => {
  it('are the same rows in a lake and in a DuckDB file, whoever reads them', async () => {
    const expected = await loaded('lake', true);
    expect(expected).toHaveLength(5000);
    expect(await loaded('lake', false)).toEqual(expected);
    expect(await loaded('duckdb', false)).toEqual(expected);
    const partitioned = { partition_by: { column: 'day', by: 'month' } };
    expect(await loaded('lake', false, partitioned)).toEqual(expected);
    const merged = { load: 'merge', key: ['id'] };
    expect(await loaded('duckdb', false, merged)).toEqual(expected);
  });

  it('are read in larger slices than what is taken apart here', async () => {
    const slices = async (note: string): Promise<unknown> => {
      await using pair = new FileLake({ files: '*.csv' });
      pair.connection = { slice_size: '1 MB' };
      const rows = Array.from({ length: 9000 }, (_, i) => `${i},${'x'.repeat(90)},1`);
      for (const name of ['a', 'b', 'c'])
        pair.write(`${name}.csv`, ['id,text,value', ...rows, `9999,${note}`, ''].join('\n'));
      const [stream] = (await pair.plan()).streams;
      const report = await pair.run();
      expect(report).toMatchObject({ totals: { rows: 27_003, loaded: 27_003 } });
      return stream!.slices.length;
    };
    expect(await slices('x,2')).toBe(1);
    // A number that DuckDB may read otherwise.
    expect(await slices('x,1e2')).toBe(3);
  });
});
