/** Records that the tables of a database do not take go to quarantine, and come back once. */
import { describe, expect, it } from 'vitest';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { quarantine } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { ROW_FORMATS } from '../support/row-files.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const parquet = ROW_FORMATS.find(({ ending }) => ending === 'parquet')!;

const TABLE = `CREATE TABLE t (id bigint NOT NULL, name text NOT NULL, n numeric(6,4), day date)`;
const TYPES = { id: 'int64', name: 'text', n: 'decimal(20,3)', day: 'date' };
const STREAM: StreamOptions = {
  files: { path: '*.csv', file_column: false },
  types: TYPES,
  max_bad: '100 %',
};

async function open(stream: StreamOptions, sql: string): Promise<{ pair: FileLake; db: PostgresSide }> {
  const db = await PostgresSide.open(server());
  if (sql !== '') await db.query(sql);
  const pair = new FileLake(stream);
  pair.target = { type: 'postgres', url: db.url };
  return { pair, db };
}

async function kept(pair: FileLake): Promise<[number, string, string][]> {
  const records = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
  return records.map(({ line, code, reason }) => [line, code, reason]);
}

async function ids(db: PostgresSide): Promise<number[]> {
  return (await db.query('SELECT id FROM t ORDER BY id')).map(({ id }) => Number(id));
}

async function replay(pair: FileLake): Promise<number | undefined> {
  const report = await quarantine.replay(pair.project, 'p', { directory: pair.folder });
  const stream = report?.streams[0];
  if (stream?.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
  return stream?.totals.loaded;
}

const RECORDS = [
  'id,name,n,day',
  '1,Ann Ann,1,2026-01-01',
  '2,"a""b\n",2,2026-01-02',
  '3,"three\nlines\nhere",3,2026-01-03',
  '4,d,9999.995,2026-01-04',
  '5,d,9999.994,2026-01-05',
  '6,,6,2026-01-06',
  '7,éèêàü,7,2026-01-07',
  '8,h   ,8,2026-01-08',
  '9,one,2,3,4',
  '10,j,10,2026-02-30',
  ',k,11,2026-01-11',
  '12,l,x,2026-01-12',
  '13,too long',
  '14,too long,14,2026-01-14',
];

describe.each(['append', 'merge', 'replace'] as const)('%s into a table with limits', (load) => {
  it('takes what fits, and the others when the table has changed', async () => {
    const { pair, db } = await open(
      { ...STREAM, load, ...(load === 'append' ? {} : { key: ['id'] }) },
      TABLE,
    );
    await using files = pair;
    files.write('a.csv', `${RECORDS.join('\n')}\n`);
    await files.run();
    // A table that is replaced as a whole is another one.
    const limited = load !== 'replace';
    const before = await kept(files);
    expect(before.map(([line]) => line)).toEqual(
      limited ? [8, 9, 10, 13, 14, 15, 16, 17] : [13, 14, 15, 16, 17],
    );
    if (limited)
      expect(before.slice(1, 3)).toEqual([
        [9, 'row.too_large', 'n is too large for numeric(6,4)'],
        [10, 'row.missing', 'name is missing, and has to have a value'],
      ]);
    expect(await ids(db)).toEqual(limited ? [1, 2, 3, 7, 8, 14] : [1, 2, 3, 4, 5, 6, 7, 8, 14]);
    if (!limited) return;
    await db.query('ALTER TABLE t ALTER name DROP NOT NULL, ALTER n TYPE numeric');
    expect(await replay(files)).toBe(3);
    expect(await replay(files)).toBe(0);
    expect(await ids(db)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 14]);
    expect((await kept(files)).map(([line]) => line)).toEqual([13, 14, 15, 16, 17]);
  });
});

it.each(['append', 'merge'] as const)(
  '%s of Parquet into a table with limits takes what fits',
  async (load) => {
    const { pair, db } = await open(
      { files: { path: '*.parquet', file_column: false }, max_bad: '100 %', load, key: ['id'] },
      TABLE,
    );
    await using files = pair;
    const columns = { id: 'BIGINT', name: 'VARCHAR', n: 'DECIMAL(20,3)', day: 'DATE' };
    await parquet.write(files, 'a', columns, [
      [1, 'Ann', '99.999', '2026-01-01'],
      [2, 'Bo', '100', '2026-01-02'],
      [3, null, '-9999.995', '2026-01-03'],
      [4, null, '4', null],
      [5, 'Eve', null, null],
    ]);
    await files.run();
    expect(await kept(files)).toEqual([
      [2, 'row.too_large', 'n is too large for numeric(6,4)'],
      [3, 'row.missing', 'name is missing, and has to have a value'],
      [4, 'row.missing', 'name is missing, and has to have a value'],
    ]);
    expect(await ids(db)).toEqual([1, 5]);
    await db.query('ALTER TABLE t ALTER n TYPE numeric');
    expect(await replay(files)).toBe(1);
    await db.query('ALTER TABLE t ALTER name DROP NOT NULL');
    expect(await replay(files)).toBe(2);
    expect(await replay(files)).toBeUndefined();
    expect((await db.query('SELECT n FROM t ORDER BY id')).map(({ n }) => n)).toEqual([
      '99.9990',
      '100.000',
      '-9999.995',
      '4.000',
      null,
    ]);
  },
);

/** Of 1 to `rows`, one in `every`, and the first and the last. */
function isBad(id: number, rows: number, every: number): boolean {
  return id === 1 || id === rows || id % every === 0;
}

describe.each(['append', 'merge'] as const)('%s into a table that refuses rows', (load) => {
  const key = load === 'append' ? {} : { key: ['id'] };

  it.each([
    [100, 1000],
    [2, 1000],
    [1, 300],
  ])('finds one in %d of %d, and brings each back once', async (every, rows) => {
    const { pair, db } = await open(
      { ...STREAM, load, types: { id: 'int64', name: 'text', n: 'int64' }, ...key },
      `CREATE TABLE t (id bigint NOT NULL, name text, n bigint, CONSTRAINT positive CHECK (n > 0));
       CREATE UNIQUE INDEX names ON t (name);
       CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF new.name LIKE 'odd%' THEN RAISE EXCEPTION 'no %', new.name; END IF; RETURN new; END $$;
       CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse();`,
    );
    await using files = pair;
    const lines = Array.from({ length: rows }, (_, i) => {
      const id = i + 1;
      if (!isBad(id, rows, every)) return `${id},"a\n${id}",5`;
      return id % 3 === 0 ? `${id},"odd\n${id}",5` : `${id},"a\n${id}",-5`;
    });
    files.write('a.csv', `id,name,n\n${lines.join('\n')}\n`);
    const bad = Array.from({ length: rows }, (_, i) => i + 1).filter((id) => isBad(id, rows, every));
    expect((await files.run()).totals).toMatchObject({ loaded: rows - bad.length, quarantined: bad.length });
    expect(await kept(files)).toEqual(
      bad.map((id) => [
        2 * id,
        'row.refused',
        id % 3 === 0
          ? 'the target refuses it: a trigger or rule raises an exception'
          : 'the target refuses it: new row for relation "t" violates check constraint "positive"',
      ]),
    );
    await db.query('DROP TRIGGER refuse ON t');
    expect(await replay(files)).toBe(bad.filter((id) => id % 3 === 0).length);
    await db.query('ALTER TABLE t DROP CONSTRAINT positive');
    expect(await replay(files)).toBe(bad.filter((id) => id % 3 !== 0).length);
    expect(await replay(files)).toBeUndefined();
    expect(await ids(db)).toEqual(lines.map((_, i) => i + 1));
  });

  it('finds what several constraints refuse, and what is refused beside them', async () => {
    const { pair, db } = await open(
      { ...STREAM, load, ...key },
      `${TABLE}; ALTER TABLE t ADD CONSTRAINT "100 %s" CHECK (n > 0), ADD CONSTRAINT early CHECK (day < date '2030-01-01' AND n > -9);
       CREATE UNIQUE INDEX names ON t (name)`,
    );
    await using files = pair;
    files.write(
      'a.csv',
      'id,name,n,day\n1,a,-1,2026-01-01\n2,b,1,2031-01-01\n3,b,1,\n4,b,1,\n5,c,-9,\n6,a,1,2026-01-01\n7,x,1,\n',
    );
    await files.run();
    expect(await ids(db)).toEqual([3, 6, 7]);
    const found = await kept(files);
    expect(found.map(([line, , reason]) => [line, /"([^"]*)"$/.exec(reason)![1]])).toEqual([
      [2, '100 %s'],
      [3, 'early'],
      [5, 'names'],
      [6, '100 %s'],
    ]);
  });

  it('keeps the first of those that a unique index tells apart', async () => {
    const { pair, db } = await open(
      { ...STREAM, load, ...key },
      `${TABLE}; CREATE UNIQUE INDEX names ON t (name)`,
    );
    await using files = pair;
    files.write('a.csv', 'id,name,n,day\n1,a,1,\n2,b,1,\n3,a,1,\n');
    await files.run();
    files.write('b.csv', 'id,name,n,day\n4,b,1,\n5,c,1,\n6,c,1,\n');
    await files.run();
    expect(await ids(db)).toEqual([1, 2, 5]);
    const reason = 'the target refuses it: duplicate key value violates unique constraint "names"';
    expect(await kept(files)).toEqual([4, 2, 4].map((line) => [line, 'row.refused', reason]));
  });
});

it('puts later records of one key aside, in one file and in the first load', async () => {
  const { pair, db } = await open({ ...STREAM, load: 'merge', key: ['id'] }, '');
  await using files = pair;
  files.write('a_20260101.csv', 'id,name,n,day\n1,a,1,\n2,b,1,\n1,c,1,\n');
  files.write('a_20260102.csv', 'id,name,n,day\n2,d,1,\n3,e,x,\n4,f,1,\n4,g,1,\n4,h,1,\n');
  await files.run();
  expect(await db.query('SELECT id, name FROM t ORDER BY id')).toEqual([
    { id: '1', name: 'a' },
    { id: '2', name: 'd' },
    { id: '4', name: 'f' },
  ]);
  const reason = 'an earlier record of the load has its key (id)';
  expect(await kept(files)).toEqual([
    [4, 'row.duplicate', reason],
    [3, 'row.type', 'n is no decimal(20,3)'],
    [5, 'row.duplicate', reason],
    [6, 'row.duplicate', reason],
  ]);
  expect(await files.run()).toMatchObject({ status: 'nothing-new' });
});
