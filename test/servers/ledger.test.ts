/** The ledger of a stream of files is taken apart and found out again, by the command line. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rebuildLedger } from '../../src/engine/ledger-rebuild.ts';
import { resetStream } from '../../src/engine/state-ops.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeParquet } from '../support/make-parquet.ts';
import { newName, useServer } from '../support/server.ts';

const server = useServer();
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Result {
  code: number;
  out: string;
  err: string;
}

async function sluice(pair: FileLake, ...args: string[]): Promise<Result> {
  await pair.context();
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd: pair.folder }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

describe('the ledger', () => {
  it('is found out from the paths in the table, after it was lost', async () => {
    await using pair = new FileLake({ files: 't_*.csv', max_bad: '100 %' });
    for (const day of [1, 2, 3]) pair.write(`t_2026010${day}.csv`, `id\n${day}\n${day}0\n`);
    await pair.run();
    expect((await sluice(pair, 'state', 'reset', 'p', 't', '--yes')).code).toBe(0);
    // Another one is new by now, one is gone, and one has a row more.
    pair.write('t_20260104.csv', 'id\n4\n');
    pair.write('t_20260102.csv', 'id\n2\n20\n200\n');
    rmSync(path.join(pair.files, 't_20260103.csv'));
    const shown = await sluice(pair, 'ledger', 'rebuild', 'p', 't', '--dry-run');
    expect(shown.out).toContain(
      't_20260102.csv      2             3   to be loaded again: other numbers of rows',
    );
    expect(shown.out).toContain('by _sluice_file: 3 files in the table; 1 file with the next run');
    // Nothing was written: the list is as it was, which is none.
    expect(await sluice(pair, 'ledger', 'show', 'p')).toMatchObject({
      out: '',
      err: 'no files are loaded\n',
    });
    expect(await sluice(pair, 'ledger', 'rebuild', 'p', 't')).toMatchObject({
      code: 2,
      err: expect.stringContaining('nobody is here to confirm this'),
    });
    const done = await sluice(pair, 'ledger', 'rebuild', 'p', 't', '--yes', '--json');
    expect(JSON.parse(done.out)).toMatchObject({
      column: '_sluice_file',
      files: [
        { file: 't_20260101.csv', rows: 2, records: 2, mark: 'loaded' },
        { file: 't_20260102.csv', rows: 2, records: 3, mark: 'again' },
        { file: 't_20260103.csv', rows: 2, mark: 'gone' },
      ],
      fresh: ['t_20260104.csv'],
    });
    expect(await pair.run()).toMatchObject({ totals: { loaded: 4 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    const ids = 'SELECT id, _sluice_file FROM t ORDER BY 1';
    expect((await pair.query(ids)).map(([id]) => id)).toEqual([1, 2, 3, 4, 10, 20, 30, 200]);
    expect((await sluice(pair, 'ledger', 'rebuild', 'p', 't')).out).toContain('nothing to find out');
    // The file that was gone comes back, and is not loaded a second time.
    pair.write('t_20260103.csv', 'id\n3\n30\n');
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect((await pair.plan()).warnings).toMatchObject([{ code: 'files.changed' }]);
  });

  it('is found out from the days in the table, where these are as in the files', async () => {
    await using pair = new FileLake({ files: { path: 't_*.parquet', file_column: false } });
    for (const day of [1, 2])
      for (const part of ['a', 'b'])
        pair.write(
          `t_${part}_2026-01-0${day}.parquet`,
          await makeParquet(`SELECT ${day} AS id FROM range(${day})`),
        );
    await pair.run();
    await sluice(pair, 'state', 'reset', 'p', 't', '--yes');
    pair.write('t_a_2026-01-03.parquet', await makeParquet('SELECT 3 AS id'));
    const done = await sluice(pair, 'ledger', 'rebuild', 'p', 't', '--yes');
    expect(done.out).toContain('by snapshot_date: 4 files in the table; 1 file with the next run');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
    expect(await pair.query('SELECT id, count(*)::INTEGER FROM t GROUP BY 1 ORDER BY 1')).toEqual([
      [1, 2],
      [2, 4],
      [3, 1],
    ]);
    await sluice(pair, 'state', 'reset', 'p', 't', '--yes');
    pair.write('t_c_2026-01-01.parquet', await makeParquet('SELECT 1 AS id'));
    expect(await sluice(pair, 'ledger', 'rebuild', 'p', 't', '--yes')).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'days have other numbers of rows in the table: 2026-01-01 (2 rows, 3 in the files)',
      ),
    });
  });

  it.each(['postgres', 'duckdb'])('is found out from a table of %s as well', async (type) => {
    await using pair = new FileLake({ files: 't_*.csv' });
    const url = type === 'postgres' ? await server().createDatabase(newName('ledger')) : '';
    pair.target = type === 'postgres' ? { type, url } : { type, path: './w.duckdb' };
    for (const day of [1, 2]) pair.write(`t_2026010${day}.csv`, `id\n${day}\n${day}0\n`);
    await pair.run();
    const context = await pair.context();
    await resetStream(context, 'p', 't');
    const by = async (fileColumn?: false): Promise<unknown> => {
      pair.stream = { files: { path: 't_*.csv', ...(fileColumn === false && { file_column: fileColumn }) } };
      const { column, files, fresh } = await rebuildLedger(await pair.context(), 'p', 't', { dryRun: true });
      return [column, files.map(({ file, mark }) => [file, mark]), fresh];
    };
    const found = [
      ['t_20260101.csv', 'loaded'],
      ['t_20260102.csv', 'loaded'],
    ];
    expect(await by(false)).toEqual(['snapshot_date', found, []]);
    expect(await by()).toEqual(['_sluice_file', found, []]);
    await rebuildLedger(context, 'p', 't', { dryRun: false });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('forgets files, and asks up to where where rows take the place of each other', async () => {
    await using pair = new FileLake({ files: '*.csv' });
    pair.write('a.csv', 'id\n1\n');
    pair.write('b.csv', 'id\n2\n');
    await pair.run();
    expect(await sluice(pair, 'ledger', 'forget', 'p', 't', 'a.csv')).toMatchObject({
      code: 2,
      err: expect.stringContaining('they are in the table twice then'),
    });
    expect(await sluice(pair, 'ledger', 'forget', 'p', 't', 'c*', '--yes')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no loaded file fits "c*"'),
    });
    expect((await sluice(pair, 'ledger', 'forget', 'p', 't', 'a.csv', '--yes')).out).toContain(
      '1 file forgotten',
    );
    expect((await sluice(pair, 'ledger', 'show', 'p')).out).not.toContain('a.csv');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
    expect(await pair.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [1], [2]]);
    await using merged = new FileLake({ files: '*.csv', load: 'merge', key: ['id'] });
    merged.write('a.csv', 'id\n1\n');
    merged.write('b.csv', 'id\n1\n');
    await merged.run();
    await sluice(merged, 'state', 'reset', 'p', 't', '--yes');
    const refused = await sluice(merged, 'ledger', 'rebuild', 'p', 't', '--yes');
    expect(refused.out).toContain('not known: later files are loaded, and none of its rows is left');
    expect(refused.out).toContain(
      'by _sluice_file: 1 file in the table; 0 files with the next run; 1 not known',
    );
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('the table does not tell of a.csv'),
    });
    const told = await sluice(merged, 'ledger', 'rebuild', 'p', 't', '--up-to', 'b.csv', '--yes');
    expect(told.out).toMatch(/a\.csv +1 +loaded, as you say/);
    expect(told.out).toContain('2 files in the ledger');
    expect(await merged.run()).toMatchObject({ status: 'nothing-new' });
  });
});
