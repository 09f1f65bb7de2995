/** Records of one load that share their key end in the same way in every destination: table, quarantine and replay. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { quarantine } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { FileLake } from '../support/file-lake.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { ROW_FORMATS, type RowFormat } from '../support/row-files.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

type Rows = [id: number, name: string][];
type Read = (condition?: string) => Promise<Rows>;

const asRows = (all: Record<string, unknown>[]): Rows =>
  all.map(({ id, name }) => [Number(id), String(name)]);
const sqlOf = (condition = '1 = 1'): string => `SELECT id, name FROM t WHERE ${condition} ORDER BY id, name`;

/** How each is made the target of the pair, and read. */
const DESTINATIONS: Readonly<Record<string, (pair: FileLake) => Promise<Read>>> = {
  lake: async (pair) => async () =>
    (await pair.query(sqlOf())).map(([id, name]) => [Number(id), String(name)]),
  duckdb: async (pair) => {
    pair.target = { type: 'duckdb', path: './t.duckdb' };
    return async (condition) => asRows(await askDuckdb(path.join(pair.folder, 't.duckdb'), sqlOf(condition)));
  },
  postgres: async (pair) => {
    const db = await PostgresSide.open(postgres());
    pair.target = { type: 'postgres', url: db.url };
    return async (condition) => asRows(await db.query(sqlOf(condition)));
  },
  ...(mariadbPresent && {
    mariadb: async (pair) => {
      const db = await MysqlTargetSide.open(mariadb());
      pair.target = { type: 'mysql', url: db.url };
      return async (condition) => asRows(await db.query(sqlOf(condition)));
    },
  }),
};

/** Keys of the rows of three files; a key comes up to twice in a file, next to itself or far away. */
const FILES: Readonly<Record<string, number[]>> = {
  a_20260701: [1, 2, 2, 3, 4, 5, 6, 7, 1, 8],
  b_20260702: [2, 9, 10, 9, 4, 11, 3, 3],
  c_20260703: [12, 4, 13, 5, 14, 14, 2, 15],
};

interface Expected {
  table: Rows;
  /** Rows count from 1. */
  aside: [file: string, row: number][];
  /** When what is aside has taken the place of what is there. */
  replayed: Rows;
}

const nameOf = (file: string, row: number): string => `${file[0]}${row}`;

/** Within a file the first record of a key stays; `follow`: of several files the last one. */
function expected(follow: boolean): Expected {
  const table = new Map<number, string>();
  const aside: Expected['aside'] = [];
  const late: [number, string][] = [];
  for (const [file, keys] of Object.entries(FILES)) {
    const first = new Map<number, string>();
    for (const [i, key] of keys.entries()) {
      const row = i + 1;
      if (first.has(key) || (!follow && table.has(key))) {
        aside.push([file, row]);
        late.push([key, nameOf(file, row)]);
      } else first.set(key, nameOf(file, row));
    }
    for (const each of first) table.set(...each);
  }
  const sorted = (rows: Iterable<[number, string]>): Rows => [...rows].toSorted(([a], [b]) => a - b);
  return { table: sorted(table), aside, replayed: sorted(new Map([...table, ...late])) };
}

async function asideOf(pair: FileLake): Promise<{ places: [string, number][]; codes: string[] }> {
  const records = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
  const sorted = records.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
  return {
    places: sorted.map(({ file, line }) => [file, line]),
    codes: [...new Set(records.map(({ code }) => code))],
  };
}

/** Where rows are, as quarantine says it. */
const placesIn = (format: RowFormat, aside: Expected['aside']): [string, number][] =>
  aside.map(([file, row]) => [`${file}.${format.ending}`, format.line(row)]);

const COLUMNS = { id: 'INTEGER', name: 'VARCHAR' };

async function pairOf(load: 'merge' | 'replace' | 'scd2', format: RowFormat): Promise<FileLake> {
  const pair = new FileLake({
    files: { path: `*.${format.ending}`, file_column: false },
    key: ['id'],
    load,
    max_bad: '100 %',
  });
  for (const [file, keys] of Object.entries(FILES))
    await format.write(
      pair,
      file,
      COLUMNS,
      keys.map((key, i) => [key, nameOf(file, i + 1)]),
    );
  return pair;
}

const CASES = Object.entries(DESTINATIONS).flatMap(([name, open]) =>
  ROW_FORMATS.map((format) => ({ name, ending: format.ending, open, format })),
);

describe.each(CASES)('$name, from files of $ending', ({ name, open, format }) => {
  it.each([{ fullRefresh: false }, { fullRefresh: true }])(
    'merges files one after the other, with %o',
    async (options) => {
      await using pair = await pairOf('merge', format);
      const read = await open(pair);
      const { table, aside, replayed } = expected(true);
      const { totals } = await pair.run(options);
      const [rows, loaded, quarantined] = [Object.values(FILES).flat().length, table.length, aside.length];
      if (options.fullRefresh)
        expect(totals).toMatchObject({ rows, loaded, quarantined, skipped: rows - loaded - quarantined });
      expect(await read()).toEqual(table);
      expect(await asideOf(pair)).toEqual({ places: placesIn(format, aside), codes: ['row.duplicate'] });
      expect((await quarantine.replay(pair.project, 'p', { directory: pair.folder }))?.status).toBe(
        'succeeded',
      );
      expect(await read()).toEqual(replayed);
      expect((await asideOf(pair)).places).toEqual([]);
    },
  );

  it('takes files that replace a table as one set of rows', async () => {
    await using pair = await pairOf('replace', format);
    const read = await open(pair);
    const { table, aside } = expected(false);
    await pair.run();
    expect(await read()).toEqual(table);
    expect(await asideOf(pair)).toEqual({ places: placesIn(format, aside), codes: ['row.duplicate'] });
    // Their places are taken, and stay so.
    expect((await quarantine.replay(pair.project, 'p', { directory: pair.folder }))?.status).toBe(
      'succeeded',
    );
    expect(await read()).toEqual(table);
    expect((await asideOf(pair)).places).toEqual(placesIn(format, aside));
  });

  it.runIf(name !== 'lake').each([{}, { fullRefresh: true }])(
    'keeps one version of a key that several files of a run have, with %o',
    async (options) => {
      await using pair = await pairOf('scd2', format);
      const read = await open(pair);
      const { table, aside } = expected(true);
      await pair.run(options);
      expect(await read()).toEqual(table);
      expect(await read('_sluice_valid_to IS NULL')).toEqual(table);
      expect(await asideOf(pair)).toEqual({ places: placesIn(format, aside), codes: ['row.duplicate'] });
      await format.write(pair, 'd_20260704', COLUMNS, [
        [1, 'd2'],
        [2, 'd3'],
      ]);
      await format.write(pair, 'e_20260705', COLUMNS, [
        [1, 'e2'],
        [16, 'e3'],
      ]);
      await pair.run();
      const now = new Map([...table, [1, 'e2'], [2, 'd3'], [16, 'e3']] as Rows);
      expect(await read('_sluice_valid_to IS NULL')).toEqual([...now].toSorted(([a], [b]) => a - b));
      expect(await read('_sluice_valid_to IS NOT NULL')).toEqual(
        table.filter(([id]) => id === 1 || id === 2),
      );
    },
  );

  it.runIf(format.ending === 'csv')(
    'loads the record of an earlier file where the later one is refused',
    async () => {
      await using pair = new FileLake({
        files: { path: '*.csv', file_column: false },
        key: ['id'],
        load: 'merge',
        types: { name: 'int32' },
        max_bad: '100 %',
      });
      const read = await open(pair);
      pair.write('a.csv', 'id,name\n1,1\n2,2\n1,3\n');
      pair.write('b.csv', 'id,name\n1,odd\n2,5\n');
      await pair.run({ fullRefresh: true });
      expect(await read()).toEqual([
        [1, '1'],
        [2, '5'],
      ]);
      expect((await asideOf(pair)).places).toEqual([
        ['a.csv', 4],
        ['b.csv', 2],
      ]);
    },
  );
});
