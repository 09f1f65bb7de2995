/** Which files are loaded is found out from tables that others have filled, and from those where later rows take the place of earlier ones. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { type LedgerRebuild, rebuildLedger, type RebuildOptions } from '../../src/engine/ledger-rebuild.ts';
import { resetStream, showState } from '../../src/engine/state-ops.ts';
import type { ConnectionConfig } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { FileLake } from '../support/file-lake.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

type Ask = (sql: string) => Promise<Record<string, unknown>[]>;
type Open = (folder: string) => Promise<{ connection: ConnectionConfig; ask: Ask }>;

const DATABASES: Readonly<Record<string, Open>> = {
  postgres: async () => {
    const db = await PostgresSide.open(postgres());
    return { connection: { type: 'postgres', url: db.url }, ask: (sql) => db.query(sql) };
  },
  ...(mariadbPresent && {
    mariadb: async () => {
      const db = await MysqlTargetSide.open(mariadb());
      return { connection: { type: 'mysql', url: db.url }, ask: (sql: string) => db.query(sql) };
    },
  }),
  duckdb: async (folder) => ({
    connection: { type: 'duckdb', path: './t.duckdb' },
    ask: (sql) => askDuckdb(path.join(folder, 't.duckdb'), sql),
  }),
};

async function rebuild(pair: FileLake, options: Partial<RebuildOptions> = {}): Promise<LedgerRebuild> {
  return rebuildLedger(await pair.context(), 'p', 't', { dryRun: false, ...options });
}

const marked = ({ files }: LedgerRebuild): unknown => files.map(({ file, mark }) => [file, mark]);

/** Three days of a table that somebody else has filled, and a file of a fourth one. */
async function filled(
  name: string,
  stream: StreamOptions,
  date: string,
): Promise<{ pair: FileLake; ask: Ask }> {
  const pair = new FileLake(stream);
  const { connection, ask } = await DATABASES[name]!(pair.folder);
  pair.target = connection;
  await ask(`CREATE TABLE t (id bigint NOT NULL, price decimal(10,2), note varchar(20), ${date})`);
  for (const day of [1, 2, 3]) {
    const rows = [1, 2].map((n) => `(${day * 10 + n}, ${n}.5, 'theirs', '2026-01-0${day}')`);
    await ask(`INSERT INTO t VALUES ${rows.join(', ')}`);
  }
  for (const day of [1, 2, 3, 4]) pair.write(`t_2026010${day}.csv`, `id,price\n${day}1,1.50\n${day}2,2.50\n`);
  return { pair, ask };
}

describe.each(Object.keys(DATABASES))('a table of %s that somebody else has filled', (name) => {
  const ids = async (ask: Ask): Promise<string> =>
    (await ask('SELECT id FROM t ORDER BY id')).map(({ id }) => String(id)).join(' ');

  it('is taken over by the days in it, and only what is missing is loaded', async () => {
    const { pair, ask } = await filled(name, { files: 't_*.csv' }, 'snapshot_date date');
    await using _pair = pair;
    await expect(pair.run()).rejects.toThrow('sql.not_ours');
    const shown = await rebuild(pair, { dryRun: true });
    expect(shown).toMatchObject({
      column: 'snapshot_date',
      adopted: 6,
      fresh: ['t_20260104.csv'],
      unknown: [],
    });
    expect(marked(shown)).toEqual([1, 2, 3].map((day) => [`t_2026010${day}.csv`, 'loaded']));
    // Nothing was written.
    await expect(pair.run()).rejects.toThrow('sql.not_ours');
    await rebuild(pair);
    const [state] = await showState(await pair.context(), 'p');
    expect(state!.committed).toMatchObject({ rows: 6, version: 1 });
    expect(await pair.run()).toMatchObject({ totals: { rows: 2, loaded: 2 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(await ids(ask)).toBe('11 12 21 22 31 32 41 42');
    const [row] = await ask('SELECT price, note FROM t WHERE id = 11');
    expect([Number(row!['price']), row!['note']]).toEqual([1.5, 'theirs']);
    // By now some rows tell of their file, and some do not.
    await resetStream(await pair.context(), 'p', 't');
    expect((await rebuild(pair, { dryRun: true })).unknown).toMatchObject([
      { file: 't_20260101.csv', reason: '6 rows of the table have no _sluice_file' },
      { file: 't_20260102.csv' },
      { file: 't_20260103.csv' },
    ]);
    expect(await rebuild(pair, { dateColumn: 'snapshot_date' })).toMatchObject({ fresh: [], unknown: [] });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('goes by a column of another name, and by what the user says where days differ', async () => {
    const { pair, ask } = await filled(name, { files: 't_*.csv' }, 'day_of_it varchar(30)');
    await using _pair = pair;
    await expect(rebuild(pair)).rejects.toMatchObject({ code: 'state.no_files' });
    await expect(rebuild(pair, { dateColumn: 'day' })).rejects.toMatchObject({
      code: 'state.no_date_column',
    });
    const by = { dateColumn: 'day_of_it' };
    expect(await rebuild(pair, { ...by, dryRun: true })).toMatchObject({
      adopted: 6,
      fresh: ['t_20260104.csv'],
    });
    await ask('DELETE FROM t WHERE id IN (22, 32)');
    await expect(rebuild(pair, by)).rejects.toThrow(
      'days have other numbers of rows in the table: 2026-01-02 (1 rows, 2 in the files), 2026-01-03 (1 rows, 2 in the files)',
    );
    expect(marked(await rebuild(pair, { ...by, upTo: 't_20260103.csv' }))).toEqual([
      ['t_20260101.csv', 'loaded'],
      ['t_20260102.csv', 'told'],
      ['t_20260103.csv', 'told'],
    ]);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
    expect(await ids(ask)).toBe('11 12 21 31 41 42');
    // It is no column of the stream.
    expect((await ask('SELECT id FROM t WHERE day_of_it IS NULL ORDER BY id')).length).toBe(2);
  });

  it('may be merged into', async () => {
    const { pair, ask } = await filled(
      name,
      { files: 't_*.csv', load: 'merge', key: 'id' },
      'snapshot_date date',
    );
    await using _pair = pair;
    pair.write('t_20260104.csv', 'id,price\n12,9.99\n41,1.50\n');
    await rebuild(pair);
    expect(await pair.run()).toMatchObject({ totals: { rows: 2, loaded: 2 } });
    expect(await ids(ask)).toBe('11 12 21 22 31 32 41');
    const [row] = await ask('SELECT price FROM t WHERE id = 12');
    expect(Number(row!['price'])).toBe(9.99);
  });
});

describe.each([...Object.keys(DATABASES), 'lake'])('a table of %s of which the list was lost', (name) => {
  async function lost(stream: Partial<StreamOptions & object>): Promise<FileLake> {
    const pair = new FileLake({ files: 't_*.csv', key: 'id', ...stream });
    if (name !== 'lake') pair.target = (await DATABASES[name]!(pair.folder)).connection;
    pair.write('t_20260101.csv', 'id,v\n1,a\n2,a\n');
    pair.write('t_20260102.csv', 'id,v\n2,b\n');
    pair.write('t_20260103.csv', 'id,v\n2,c\n3,c\n');
    await pair.run();
    await resetStream(await pair.context(), 'p', 't');
    pair.write('t_20260104.csv', 'id,v\n3,d\n4,d\n');
    return pair;
  }

  it('has its newest rows only, and a file of which none is left may be loaded or not', async () => {
    await using pair = await lost({ load: 'merge' });
    const unknown = [
      { file: 't_20260102.csv', reason: 'later files are loaded, and none of its rows is left' },
    ];
    expect(await rebuild(pair, { dryRun: true })).toMatchObject({ unknown, fresh: ['t_20260104.csv'] });
    await expect(rebuild(pair)).rejects.toMatchObject({
      code: 'state.rebuild_unknown',
      message: expect.stringContaining('the table does not tell of t_20260102.csv') as string,
    });
    await expect(rebuild(pair, { upTo: 'x.csv' })).rejects.toMatchObject({ code: 'state.unknown_file' });
    // As it would be if it had come late.
    const before = await rebuild(pair, { upTo: '2026-01-01', dryRun: true });
    expect(before).toMatchObject({ fresh: ['t_20260102.csv', 't_20260104.csv'], unknown: [] });
    expect(marked(await rebuild(pair, { upTo: '2026-01-02' }))).toEqual([
      ['t_20260101.csv', 'loaded'],
      ['t_20260102.csv', 'told'],
      ['t_20260103.csv', 'loaded'],
    ]);
    expect(await pair.run()).toMatchObject({ totals: { rows: 2, loaded: 2 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it.skipIf(name === 'lake')(
    'has versions, of which none is left of a file that came at the same moment',
    async () => {
      await using pair = await lost({ load: 'scd2' });
      expect(await rebuild(pair, { dryRun: true })).toMatchObject({
        unknown: [{ file: 't_20260102.csv' }],
        fresh: ['t_20260104.csv'],
      });
      await rebuild(pair, { upTo: 't_20260103.csv' });
      expect(await pair.run()).toMatchObject({ totals: { rows: 2, loaded: 2 } });
      await resetStream(await pair.context(), 'p', 't');
      expect(marked(await rebuild(pair, { upTo: 't_20260102.csv', dryRun: true }))).toEqual(
        [1, 2, 3, 4].map((day) => [`t_2026010${day}.csv`, day === 2 ? 'told' : 'loaded']),
      );
    },
  );

  it('is replaced as a whole, and has all rows of its files', async () => {
    await using pair = await lost({ load: 'replace', key: undefined });
    expect(marked(await rebuild(pair, { dryRun: true }))).toEqual(
      [1, 2, 3].map((day) => [`t_2026010${day}.csv`, 'loaded']),
    );
    await rebuild(pair);
    expect(await pair.run()).toMatchObject({ status: 'loaded' });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  });

  it('may have no column that tells: then only the user does', async () => {
    const files = { path: 't_*.csv', name: 't_(?<year>\\d{4})(?<day>\\d{4})', file_column: false } as const;
    await using pair = await lost({ files, load: 'merge' });
    await expect(rebuild(pair)).rejects.toMatchObject({ code: 'state.no_files' });
    expect(marked(await rebuild(pair, { upTo: 't_20260103.csv' }))).toEqual(
      [1, 2, 3].map((day) => [`t_2026010${day}.csv`, 'told']),
    );
    expect(await pair.run()).toMatchObject({ totals: { rows: 2, loaded: 2 } });
  });
});
