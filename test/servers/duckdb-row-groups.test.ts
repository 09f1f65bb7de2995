/** What a checkpoint makes of the rows of a DuckDB file: nothing of loads that only add some, and room where rows are gone. */
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { FileLake } from '../support/file-lake.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';

const ROWS = 150_000;

function lines(ids: number[], n: number): string {
  return `id,n\n${ids.map((id) => `${id},${n}`).join('\n')}\n`;
}

it('writes no row twice that is added, and takes out those that are gone', async () => {
  await using pair = new FileLake({ files: 'x_*.csv*' });
  const file = path.join(pair.folder, 't.duckdb');
  pair.target = { type: 'duckdb', path: file };
  // Each file is a load: of text that DuckDB reads by itself, one would have several.
  pair.connection = { slice_size: '1 MB' };
  const ids = Array.from({ length: 3 * ROWS }, (_, i) => i);
  for (const day of [1, 2, 3])
    pair.write(`x_2024010${day}.csv.gz`, gzipSync(lines(ids.slice((day - 1) * ROWS, day * ROWS), day)));
  const groups = async (): Promise<number> => {
    const sql = `SELECT count(DISTINCT row_group_id)::INTEGER AS n FROM pragma_storage_info('t')`;
    return Number((await askDuckdb(file, sql))[0]!['n']);
  };
  expect(await pair.run()).toMatchObject({ totals: { loaded: 3 * ROWS } });
  // Two for each load, of which one is partly filled.
  expect(await groups()).toBe(6);
  expect(await askDuckdb(file, 'PRAGMA database_size')).toMatchObject([{ free_blocks: '0' }]);
  // Half of the rows of each group come again.
  pair.stream = { files: 'x_*.csv*', load: 'merge', key: ['id'] };
  pair.write(
    'x_20240104.csv',
    lines(
      ids.filter((id) => id % 2 === 0),
      4,
    ),
  );
  expect(await pair.run()).toMatchObject({ totals: { loaded: 1.5 * ROWS } });
  expect(await askDuckdb(file, 'SELECT count(*)::INTEGER AS n, sum(n)::INTEGER AS sum FROM t')).toEqual([
    { n: 3 * ROWS, sum: 1.5 * ROWS * (2 + 4) },
  ]);
  expect(await groups()).toBeLessThan(6);
});
