/** Files that become others, or nothing, between the look at them and their load. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeParquet } from '../support/make-parquet.ts';

/** Does something once, when everything is looked at and nothing is read yet. */
function runWith(pair: FileLake, meanwhile: () => void): Promise<RunReport> {
  let left = 1;
  return pair.report({
    workers: 1,
    onEvent: (event) => {
      if (event.kind === 'stream-planned' && left-- > 0) meanwhile();
    },
  });
}

describe('a file that changes after it was looked at', () => {
  it('is looked at again, also when it is as long as before', async () => {
    await using pair = new FileLake({ files: '*.csv' });
    pair.write('a.csv', 'id,n\n1,1\n');
    pair.write('b.csv', 'id,n\n2,2\n');
    const report = await runWith(pair, () => pair.write('b.csv', 'id,n\n2,x\n'));
    expect(report).toMatchObject({
      status: 'succeeded',
      streams: [{ totals: { loaded: 2, quarantined: 0 } }],
    });
    expect(report.retries).toBeGreaterThan(0);
    // What the ledger says of it is what was loaded.
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', warnings: [] });
    expect(await pair.query('SELECT id, n, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, '1', 'a.csv'],
      [2, 'x', 'b.csv'],
    ]);
  });

  it('in parts is told from the one that was cut', async () => {
    await using pair = new FileLake({ files: 'big.csv' });
    pair.connection = { slice_size: '1 MB' };
    const text = (n: number): string =>
      `id,n\n${Array.from({ length: 300_000 }, (_, i) => `${i},${n}`).join('\n')}\n`;
    pair.write('big.csv', text(1));
    await runWith(pair, () => pair.write('big.csv', text(2)));
    await pair.run();
    // All parts are of one content.
    expect(
      await pair.query('SELECT n, count(*)::INTEGER, count(DISTINCT id)::INTEGER FROM t GROUP BY n'),
    ).toEqual([[2, 300_000, 300_000]]);
  });

  it('is looked at again when it is of Parquet, and may be gone', async () => {
    await using pair = new FileLake({ files: '*.parquet' });
    for (const id of [1, 2, 3]) pair.write(`${id}.parquet`, await makeParquet(`SELECT ${id} AS id`));
    const other = await makeParquet(`SELECT 20 AS id, 'x' AS code`);
    const report = await runWith(pair, () => {
      pair.write('2.parquet', other);
      rmSync(path.join(pair.files, '3.parquet'));
    });
    expect(report).toMatchObject({ status: 'succeeded', streams: [{ totals: { loaded: 2 } }] });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new', warnings: [] });
    expect(await pair.query('SELECT id, code FROM t ORDER BY id')).toEqual([
      [1, null],
      [20, 'x'],
    ]);
  });

  it('or is gone stops nothing else', async () => {
    await using pair = new FileLake({ files: '*.csv' });
    for (const id of [1, 2, 3]) pair.write(`${id}.csv`, `id\n${id}\n`);
    const report = await runWith(pair, () => rmSync(path.join(pair.files, '2.csv')));
    expect(report.streams[0]!.error?.code).toBe(undefined);
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [3]]);
    pair.write('2.csv', 'id\n2\n');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
  });
});
