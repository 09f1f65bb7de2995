/** Contracts of tables that come from files, where types are found out and records can be put aside. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, it } from 'vitest';
import { quarantine, schema } from '../../src/index.ts';
import { changeText } from '../../src/core/schema-changes.ts';
import { FileLake } from '../support/file-lake.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const REAL = path.join(root, '../shared/data/snapshots');
const NUTS = ['+ codice_nuts_1 utf8', '+ codice_nuts_2 utf8', '+ codice_nuts_3 utf8'];

async function historyOf(pair: FileLake): Promise<string[][]> {
  const [found] = await schema.history(pair.project, 'p', { directory: pair.folder });
  return found!.versions.map(({ changes }) => changes.map(changeText)).toReversed();
}

it.skipIf(!existsSync(REAL))(
  'real snapshots whose header grows stop there when frozen, and go on when that is accepted',
  async () => {
    await using pair = new FileLake({ files: 'dpc-*.csv', schema: 'freeze' });
    const names = readdirSync(REAL)
      .filter((name) => name.endsWith('.csv'))
      .toSorted();
    const bring = (some: string[]): void => {
      for (const name of some) {
        copyFileSync(path.join(REAL, name), path.join(pair.files, name));
        pair.age(name);
      }
    };
    const before = names.filter((name) => name < 'dpc-covid19-ita-province-20210115.csv');
    bring(before.slice(0, 1));
    await pair.run();
    bring(before.slice(1));
    expect(await pair.run()).toMatchObject({ changes: [] });
    const rows = await pair.query('SELECT count(*) FROM t');
    bring(names.slice(before.length, before.length + 1));
    const { streams } = await pair.report();
    expect(streams[0]).toMatchObject({ status: 'failed', error: { code: 'schema.frozen' } });
    expect(streams[0]!.error!.message).toContain(NUTS.join('; '));
    expect(await pair.query('SELECT count(*) FROM t')).toEqual(rows);
    const context = { directory: pair.folder };
    expect(await schema.accept(pair.project, 'p', 't', context)).toMatchObject({
      accepted: true,
      changes: NUTS,
    });
    expect((await pair.run()).changes).toEqual(NUTS);
    bring(names.slice(before.length + 1));
    expect((await pair.run()).changes).toEqual([]);
    expect(await pair.query(`SELECT DISTINCT codice_provincia FROM t WHERE sigla_provincia = 'AQ'`)).toEqual([
      ['066'],
    ]);
    expect(await pair.query('SELECT count(DISTINCT _sluice_file) FROM t')).toEqual([[names.length]]);
    expect(await historyOf(pair)).toEqual([[], NUTS]);
  },
);

it('what was accepted waits for the files that have it, and holds for nothing else', async () => {
  await using pair = new FileLake({ files: 't_*.csv', schema: 'freeze' });
  pair.write('t_20260101.csv', 'id\n1\n');
  await pair.run();
  pair.write('t_20260103.csv', 'id,extra\n3,x\n');
  const options = { directory: pair.folder };
  expect((await schema.accept(pair.project, 'p', 't', options)).changes).toEqual(['+ extra utf8']);
  // Another file comes first, by its day, and has nothing new.
  pair.write('t_20260102.csv', 'id\n2\n');
  expect((await pair.run({ window: { to: '2026-01-03' } })).changes).toEqual([]);
  pair.write('t_20260104.csv', 'id,extra\n4.5,y\n');
  expect((await pair.report()).streams[0]!.error!.message).toContain(
    'id int64 → decimal(20,1); + extra utf8',
  );
  expect((await pair.run({ window: { to: '2026-01-04' } })).changes).toEqual(['+ extra utf8']);
  expect((await pair.report()).streams[0]!.error!.message).toContain('another one: id int64 → decimal(20,1)');
  expect(await pair.query('SELECT id, extra FROM t ORDER BY id')).toEqual([
    [1, null],
    [2, null],
    [3, 'x'],
  ]);
});

it('a header that loses a column is a change, until it is there again', async () => {
  await using pair = new FileLake({ files: 't_*.csv' });
  pair.write('t_20260101.csv', 'id,code\n1,007\n');
  await pair.run();
  pair.write('t_20260102.csv', 'id\n2\n');
  expect((await pair.run()).changes).toEqual(['code is gone from the source and becomes NULL']);
  expect(await pair.run()).toMatchObject({ status: 'nothing-new', changes: [] });
  pair.write('t_20260103.csv', 'id\n3\n');
  expect((await pair.run()).changes).toEqual([]);
  pair.write('t_20260104.csv', 'code,id\n066,4\n');
  expect((await pair.run()).changes).toEqual(['code is back in the source']);
  pair.stream = { ...pair.stream, schema: 'freeze' };
  pair.write('t_20260105.csv', 'id\n5\n');
  expect((await pair.report()).streams[0]!.error).toMatchObject({ code: 'schema.frozen' });
  await schema.accept(pair.project, 'p', 't', { directory: pair.folder });
  expect((await pair.run()).changes).toEqual(['code is gone from the source and becomes NULL']);
  expect(await pair.run()).toMatchObject({ status: 'nothing-new', changes: [] });
  expect(await pair.query('SELECT id, code FROM t ORDER BY id')).toEqual([
    [1, '007'],
    [2, null],
    [3, null],
    [4, '066'],
    [5, null],
  ]);
});

it('Parquet files say by their own schemas what has changed', async () => {
  await using pair = new FileLake({ files: '*.parquet' });
  const duck = await DuckDBInstance.create();
  const connection = await duck.connect();
  const write = async (name: string, columns: string): Promise<void> => {
    await connection.run(`COPY (SELECT ${columns}) TO '${path.join(pair.files, name)}'`);
    pair.age(name);
  };
  await write('a.parquet', `1::INTEGER AS id, '007' AS code`);
  await pair.run();
  await write('b.parquet', '2::INTEGER AS id');
  expect((await pair.run()).changes).toEqual(['code is gone from the source and becomes NULL']);
  expect(await pair.run()).toMatchObject({ status: 'nothing-new', changes: [] });
  await write('c.parquet', `3::BIGINT AS id, '066' AS code, true AS extra`);
  pair.stream = { ...pair.stream, schema: 'discard' };
  const [stopped] = (await pair.report()).streams;
  expect(stopped!.error).toMatchObject({ code: 'schema.incompatible' });
  await schema.accept(pair.project, 'p', 't', { directory: pair.folder });
  const changes = ['id int32 → int64', 'code is back in the source', '+ extra bool'];
  expect((await pair.run()).changes).toEqual(changes);
  expect(await pair.query('SELECT id, code, extra FROM t ORDER BY id')).toEqual([
    [1, '007', null],
    [2, null, null],
    [3, '066', true],
  ]);
  duck.closeSync();
});

it('discards columns and keeps types: what does not fit goes to quarantine, and comes from there', async () => {
  await using pair = new FileLake({
    files: 't_*.csv',
    schema: 'discard',
    rename: { n: 'number' },
    max_bad: 10,
  });
  pair.write('t_1.csv', 'n,v\n1,a\n2,b\n');
  await pair.run();
  pair.write('t_2.csv', 'n,extra,v\n3,x,c\n4.5,y,d\n');
  const plan = await pair.plan();
  expect(plan.streams[0]).toMatchObject({ changes: [], leftOut: ['extra'] });
  expect(await pair.run()).toMatchObject({ changes: [], totals: { loaded: 1, quarantined: 1 } });
  expect(await pair.query('SELECT * EXCLUDE (_sluice_file) FROM t ORDER BY number')).toEqual([
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
  ]);
  expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  const options = { directory: pair.folder };
  // The record does not fit for as long as the type stays.
  expect(await quarantine.replay(pair.project, 'p', options)).toMatchObject({
    streams: [{ totals: { loaded: 0 } }],
  });
  pair.stream = { ...pair.stream, types: { n: 'decimal(20,1)' }, schema: 'evolve' };
  expect(await quarantine.replay(pair.project, 'p', options)).toMatchObject({ status: 'succeeded' });
  expect(await pair.query('SELECT number::VARCHAR, v FROM t WHERE number > 3')).toEqual([['4.5', 'd']]);
  expect(await quarantine.list(pair.project, 'p', options)).toEqual([]);
});
