/** Rows that tables of users refuse (CHECK, unique index, trigger) go to quarantine in every database and with every way of loading. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { type ConnectionConfig, quarantine } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { FileLake } from '../support/file-lake.ts';
import { killedAt } from '../support/killed-at.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { type FileRow, ROW_FORMATS, type RowFormat } from '../support/row-files.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

type Ask = (sql: string) => Promise<Record<string, unknown>[]>;
type Load = 'append' | 'merge' | 'replace' | 'scd2';

interface Database {
  open(folder: string): Promise<{ connection: ConnectionConfig; ask: Ask }>;
  text: string;
  moment: string;
  trigger: string[];
  dropTrigger: string;
  /** Undefined where a CHECK stays as long as its table. */
  dropCheck: string | undefined;
  dropIndex: string;
  reasons: { check: RegExp; unique: RegExp; trigger: RegExp };
}

const DATABASES: Readonly<Record<string, Database>> = {
  postgres: {
    open: async () => {
      const db = await PostgresSide.open(postgres());
      return { connection: { type: 'postgres', url: db.url }, ask: (sql) => db.query(sql) };
    },
    text: 'text',
    moment: 'timestamptz',
    trigger: [
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF new.name LIKE 'odd%' THEN RAISE EXCEPTION 'no %', new.name; END IF; RETURN new; END $$`,
      'CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse()',
    ],
    dropTrigger: 'DROP TRIGGER refuse ON t',
    dropCheck: 'ALTER TABLE t DROP CONSTRAINT positive',
    dropIndex: 'DROP INDEX t_names',
    reasons: {
      check: /: new row for relation "t" violates check constraint "positive"$/,
      unique: /: duplicate key value violates unique constraint "/,
      trigger: /: a trigger or rule raises an exception$/,
    },
  },
  ...(mariadbPresent && {
    mariadb: {
      open: async () => {
        const db = await MysqlTargetSide.open(mariadb());
        return { connection: { type: 'mysql', url: db.url }, ask: (sql) => db.query(sql) };
      },
      text: 'longtext',
      moment: 'datetime(6)',
      trigger: [
        `CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW
           IF new.name LIKE 'odd%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no odd'; END IF`,
        `CREATE TRIGGER refuse_too BEFORE UPDATE ON t FOR EACH ROW
           IF new.name LIKE 'odd%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no odd'; END IF`,
      ],
      dropTrigger: 'DROP TRIGGER refuse',
      dropCheck: 'ALTER TABLE t DROP CONSTRAINT positive',
      dropIndex: 'DROP INDEX t_names ON t',
      reasons: {
        check: /: .*CONSTRAINT `positive` failed for `target_[^`]*`\.`t`$/,
        unique: /: .*Duplicate entry for key 't_names'$/,
        trigger: /: a trigger raises an error$/,
      },
    },
  }),
  duckdb: {
    open: async (folder) => ({
      connection: { type: 'duckdb', path: './t.duckdb' },
      ask: (sql) => askDuckdb(path.join(folder, 't.duckdb'), sql),
    }),
    text: 'varchar',
    moment: 'timestamptz',
    trigger: [],
    dropTrigger: 'SELECT 1',
    dropCheck: undefined,
    dropIndex: 'DROP INDEX t_names',
    reasons: {
      check: /: it breaks CHECK \(n > 0\)$/,
      unique: /: another row has its place in index "t_names"$/,
      trigger: /none/,
    },
  },
};

const LOADS: readonly Load[] = ['append', 'merge', 'replace', 'scd2'];
/** One row in so many of so many is refused. How they are found goes by that; what is done about them by the load. */
const SHARES: readonly [number, number][] = [
  [600, 600],
  [2, 600],
  [1, 200],
];

interface Place {
  pair: FileLake;
  ask: Ask;
}

async function open(database: Database, load: Load, sql: readonly string[], ending = 'csv'): Promise<Place> {
  const stream: StreamOptions = {
    files: { path: `*.${ending}`, file_column: false },
    types: { id: 'int64', name: 'text', n: 'int64' },
    max_bad: '100 %',
    load,
    ...(load !== 'append' && { key: ['id'] }),
  };
  const pair = new FileLake(stream);
  const { connection, ask } = await database.open(pair.folder);
  pair.target = connection;
  for (const each of sql) await ask(each);
  return { pair, ask };
}

function table(database: Database, load: Load, more: string): string {
  const versions = `_sluice_valid_from ${database.moment} NOT NULL, _sluice_valid_to ${database.moment}`;
  const all = [`id bigint NOT NULL, name ${database.text}, n bigint`, ...(load === 'scd2' ? [versions] : [])];
  return `CREATE TABLE t (${[...all, more].filter((part) => part !== '').join(', ')})`;
}

/** MySQL needs a length for an index on a text. */
function uniqueNames({ text }: Database): string {
  return `CREATE UNIQUE INDEX t_names ON t (name${text === 'longtext' ? '(100)' : ''})`;
}

async function kept(pair: FileLake): Promise<{ file: string; line: number; code: string; reason: string }[]> {
  const records = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
  return records.map(({ file, line, code, reason }) => ({ file, line, code, reason }));
}

async function ids(ask: Ask): Promise<number[]> {
  return (await ask('SELECT id FROM t ORDER BY id')).map(({ id }) => Number(id));
}

async function replay(pair: FileLake): Promise<number | undefined> {
  const report = await quarantine.replay(pair.project, 'p', { directory: pair.folder });
  const stream = report?.streams[0];
  if (stream?.error) throw new Error(`${stream.error.code}: ${stream.error.message}`);
  return stream?.totals.loaded;
}

/** Of 1 to `rows`, one in `every`, and the first and the last. */
function isBad(id: number, rows: number, every: number): boolean {
  return id === 1 || id === rows || id % every === 0;
}

const COLUMNS = { id: 'BIGINT', name: 'VARCHAR', n: 'BIGINT' };
const CASES = Object.entries(DATABASES).flatMap(([name, database]) =>
  ROW_FORMATS.map((format): [string, string, Database, RowFormat] => [name, format.ending, database, format]),
);

it.each(Object.entries(DATABASES))(
  'finds rows that are refused among files that may be read side by side, into %s',
  async (_, database) => {
    const { pair, ask } = await open(database, 'append', [
      table(database, 'append', 'CONSTRAINT positive CHECK (n > 0)'),
    ]);
    await using files = pair;
    const many = 30_000;
    const odd = [7, many - 1, many + 3, 2 * many];
    for (const [f, name] of ['a.csv', 'b.csv'].entries()) {
      const ids = Array.from({ length: many }, (_, i) => f * many + i + 1);
      files.write(name, `id,name,n\n${ids.map((id) => `${id},x,${odd.includes(id) ? -1 : 1}\n`).join('')}`);
    }
    expect((await files.run()).totals).toMatchObject({
      loaded: 2 * many - odd.length,
      quarantined: odd.length,
    });
    const lines = (await kept(files)).map(({ file, line }) => `${file}:${line}`);
    expect(lines).toEqual(odd.map((id) => (id <= many ? `a.csv:${id + 1}` : `b.csv:${id - many + 1}`)));
    const [counted] = await ask('SELECT count(*) AS good FROM t WHERE n > 0');
    expect(Number(counted!['good'])).toBe(2 * many - odd.length);
  },
);

describe.each(CASES)('%s, from files of %s', (_, ending, database, format) => {
  const { reasons } = database;
  const put = (pair: FileLake, name: string, rows: readonly FileRow[]): Promise<void> =>
    format.write(pair, name, COLUMNS, rows);
  const lines = (rows: readonly number[]): number[] => rows.map((row) => format.line(row));
  const triggers = database.trigger.length > 0;

  // What is done about a row goes by the load, and is the same for all formats.
  describe.each(ending === 'csv' ? LOADS : LOADS.slice(0, 2))('%s into a table that refuses rows', (load) => {
    it.each(load === 'append' ? SHARES : SHARES.slice(1, 2))(
      'finds one in %d of %d, and brings each back once',
      async (every, rows) => {
        const { pair, ask } = await open(
          database,
          load,
          [table(database, load, 'CONSTRAINT positive CHECK (n > 0)'), ...database.trigger],
          ending,
        );
        await using files = pair;
        const odd = (id: number): boolean => triggers && id % 3 === 0;
        const all = Array.from({ length: rows }, (_none, i) => i + 1);
        const given = all.map((id): FileRow => {
          if (!isBad(id, rows, every)) return [id, `a\n${id}`, 5];
          return odd(id) ? [id, `odd\n${id}`, 5] : [id, `a\n${id}`, -5];
        });
        await put(files, 'a', given);
        const bad = all.filter((id) => isBad(id, rows, every));
        const { totals } = await files.run();
        expect(totals).toMatchObject({ rows, loaded: rows - bad.length, quarantined: bad.length });
        expect(await ids(ask)).toEqual(all.filter((id) => !bad.includes(id)));
        const found = await kept(files);
        expect(found.map(({ file, line, code }) => [file, line, code])).toEqual(
          bad.map((id) => [`a.${ending}`, format.line(id, 2), 'row.refused']),
        );
        for (const [i, { reason }] of found.entries())
          expect(reason).toMatch(odd(bad[i]!) ? reasons.trigger : reasons.check);
        if (database.dropCheck === undefined) return;
        await ask(database.dropTrigger);
        expect(await replay(files)).toBe(bad.filter((id) => id % 3 === 0).length);
        await ask(database.dropCheck);
        expect(await replay(files)).toBe(bad.filter((id) => id % 3 !== 0).length);
        expect(await replay(files)).toBeUndefined();
        expect(await ids(ask)).toEqual(all);
      },
    );

    it('keeps the first of those that a unique index tells apart, in all files', async () => {
      const { pair, ask } = await open(
        database,
        load,
        [table(database, load, ''), uniqueNames(database)],
        ending,
      );
      await using files = pair;
      await put(files, 'a', [
        [1, 'a', 1],
        [2, 'b', 1],
        [3, 'a', 1],
      ]);
      await put(files, 'b', [
        [4, 'b', 1],
        [5, 'c', 1],
        [6, 'c', 1],
        [7, null, 1],
        [8, null, 1],
      ]);
      await files.run();
      const found = await kept(files);
      expect(found).toHaveLength(3);
      for (const { code, reason } of found) {
        expect(code).toBe('row.refused');
        expect(reason).toMatch(reasons.unique);
      }
      const there = await ids(ask);
      expect(there).toHaveLength(5);
      const names = await ask('SELECT name FROM t WHERE name IS NOT NULL ORDER BY name');
      expect(names.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
      await ask(database.dropIndex);
      expect(await replay(files)).toBe(3);
      expect(await ids(ask)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('puts aside what is missing or broken beside what is refused', async () => {
      const name = `name ${database.text}`;
      const made = table(database, load, 'CONSTRAINT positive CHECK (n > 0)');
      const { pair, ask } = await open(database, load, [made.replace(name, `${name} NOT NULL`)], ending);
      await using files = pair;
      await put(files, 'a', [
        [1, 'a', 1],
        [2, null, 1],
        [3, 'c', -1],
        [4, 'd', 1],
        [5, 'e', -1],
      ]);
      if (ending === 'csv') files.write('b.csv', 'id,name,n\n7,d,x\n8,e\n9,f,-1\n10,g,1\n');
      await files.run();
      expect(await ids(ask)).toEqual(ending === 'csv' ? [1, 4, 10] : [1, 4]);
      expect((await kept(files)).map(({ file, line, code }) => [file[0], line, code])).toEqual([
        ['a', format.line(2), 'row.missing'],
        ['a', format.line(3), 'row.refused'],
        ['a', format.line(5), 'row.refused'],
        ...(ending === 'csv'
          ? [
              ['b', 2, 'row.type'],
              ['b', 3, 'row.fields'],
              ['b', 4, 'row.refused'],
            ]
          : []),
      ]);
    });
  });

  it.each(['merge', 'replace', 'scd2'] as const)('%s puts later records of one key aside', async (load) => {
    const { pair, ask } = await open(database, load, [], ending);
    await using files = pair;
    await put(files, 'a', [
      [1, 'a', 1],
      [2, 'b', 1],
      [1, 'c', 1],
      [3, 'd', 1],
      [3, 'e', 1],
    ]);
    await files.run();
    expect((await ask('SELECT name FROM t ORDER BY name')).map(({ name }) => name)).toEqual(['a', 'b', 'd']);
    const reason = 'an earlier record of the load has its key (id)';
    expect(await kept(files)).toEqual(
      lines([3, 5]).map((line) => ({ file: `a.${ending}`, line, code: 'row.duplicate', reason })),
    );
  });

  it('keeps the version that is valid where the table refuses the next one', async () => {
    const { pair, ask } = await open(
      database,
      'scd2',
      [table(database, 'scd2', 'CONSTRAINT positive CHECK (n > 0)')],
      ending,
    );
    await using files = pair;
    await put(files, 'a', [
      [1, 'a', 1],
      [2, 'b', 2],
      [3, 'c', 3],
    ]);
    await files.run();
    await put(files, 'b', [
      [1, 'a', 1],
      [2, 'b', -2],
      [3, 'c', 4],
    ]);
    await files.run();
    const rows = await ask('SELECT id, n, _sluice_valid_to IS NULL AS valid FROM t ORDER BY id, n');
    expect(
      rows.map(({ id, n, valid }) => [Number(id), Number(n), ['true', 't', '1'].includes(String(valid))]),
    ).toEqual([
      [1, 1, true],
      [2, 2, true],
      [3, 3, false],
      [3, 4, true],
    ]);
    expect((await kept(files)).map(({ file, line }) => [file, line])).toEqual([
      [`b.${ending}`, format.line(2)],
    ]);
  });

  it.runIf(triggers)('tries rows that others refer to', async () => {
    const { pair, ask } = await open(
      database,
      'merge',
      [
        table(database, 'merge', 'PRIMARY KEY (id), CONSTRAINT positive CHECK (n > 0)'),
        'CREATE TABLE child (t bigint, CONSTRAINT of_t FOREIGN KEY (t) REFERENCES t (id))',
      ],
      ending,
    );
    await using files = pair;
    await put(files, 'a', [
      [1, 'a', 1],
      [2, 'b', 1],
    ]);
    await files.run();
    await ask('INSERT INTO child VALUES (1), (2)');
    await ask(database.trigger[0]!);
    for (const sql of database.trigger.slice(1)) await ask(sql);
    await put(files, 'b', [
      [1, 'odd', 2],
      [2, 'c', 2],
      [3, 'd', 2],
    ]);
    await files.run();
    expect((await ask('SELECT name FROM t ORDER BY id')).map(({ name }) => name)).toEqual(['a', 'c', 'd']);
    expect((await kept(files)).map(({ file, line }) => [file, line])).toEqual([
      [`b.${ending}`, format.line(1)],
    ]);
    await expect(ask('INSERT INTO child VALUES (4)')).rejects.toThrow('of_t');
  });

  it('replaces rows of a file that is loaded again in the trial as well', async () => {
    const { pair, ask } = await open(database, 'append', [], ending);
    await using files = pair;
    files.stream = { ...files.stream, files: { path: `*.${ending}`, changed: 'reload' } };
    await put(files, 'a', [
      [1, 'a', 1],
      [2, 'b', 1],
    ]);
    await files.run();
    await ask(uniqueNames(database));
    await put(files, 'a', [
      [1, 'a', 1],
      [2, 'b', 1],
      [3, 'c', 1],
      [4, 'c', 1],
    ]);
    await files.run();
    expect(await ids(ask)).toEqual([1, 2, 3]);
    expect((await kept(files)).map(({ line, code }) => [line, code])).toEqual([
      [format.line(4), 'row.refused'],
    ]);
    // What it has put aside goes with its rows.
    await put(files, 'a', [
      [1, 'a', 1],
      [4, 'c', 1],
      [5, 'c', 1],
    ]);
    await files.run();
    expect(await ids(ask)).toEqual([1, 4]);
    expect((await kept(files)).map(({ line }) => line)).toEqual([format.line(3)]);
  });

  it('loses and doubles nothing, wherever a process is killed that puts refused rows aside', async () => {
    for (let at = 1, killed = true; killed; at++) {
      const { pair, ask } = await open(
        database,
        'merge',
        [table(database, 'merge', 'CONSTRAINT positive CHECK (n > 0)')],
        ending,
      );
      await using files = pair;
      await put(files, 'a', [
        [1, 'a', 1],
        [2, 'b', -2],
        [3, 'c', 3],
      ]);
      killed = await killedAt(files, at);
      if (!killed) expect(at).toBeGreaterThan(1);
      const there = await ids(ask);
      expect([there, (await kept(files)).map(({ line }) => line)]).toEqual(
        there.length === 0 ? [[], []] : [[1, 3], lines([2])],
      );
      await files.run();
      expect(await ids(ask)).toEqual([1, 3]);
      expect((await kept(files)).map(({ line }) => line)).toEqual(lines([2]));
    }
  });
});

describe.runIf(mariadbPresent)('mariadb', () => {
  const database = DATABASES['mariadb']!;

  it.each(['utf8mb4_bin', 'utf8mb4_general_ci'])(
    'leaves the last word to the table, with %s',
    async (collation) => {
      const made = (name: string): string =>
        `CREATE TABLE ${name} (id bigint NOT NULL PRIMARY KEY, name longtext COLLATE ${collation}, n bigint, CHECK (name <> 'abc' AND n < 9))`;
      const { pair, ask } = await open(database, 'merge', [made('t'), made('other')]);
      await using files = pair;
      const takes = (sql: string): Promise<boolean> =>
        ask(`INSERT INTO other VALUES ${sql}`).then(
          () => true,
          () => false,
        );
      expect(await takes("(2, 'abc', 1)")).toBe(false);
      const lines = (await takes("(3, 'ABC', 1)")) ? [3] : [3, 4];
      files.write('a.csv', 'id,name,n\n1,b,1\n2,abc,1\n3,ABC,1\n4,,1\n');
      await files.run();
      expect((await kept(files)).map(({ line, code }) => [line, code])).toEqual(
        lines.map((line) => [line, 'row.refused']),
      );
      // Rows that are there are changed, or stay.
      files.write('b.csv', 'id,name,n\n1,c,9\n4,d,2\n5,e,9\n6,f,8\n');
      await files.run();
      const rows = await ask('SELECT id, n FROM t WHERE id IN (1, 4, 5, 6) ORDER BY id');
      expect(rows.map(({ id, n }) => [Number(id), Number(n)])).toEqual([
        [1, 1],
        [4, 2],
        [6, 8],
      ]);
      expect((await kept(files)).filter(({ file }) => file === 'b.csv').map(({ line }) => line)).toEqual([
        2, 4,
      ]);
    },
  );

  it('loads rows that a trigger makes fit', async () => {
    const { pair, ask } = await open(database, 'append', [
      table(database, 'append', 'CONSTRAINT positive CHECK (n > 0)'),
      'CREATE TRIGGER mend BEFORE INSERT ON t FOR EACH ROW SET new.n = abs(new.n)',
    ]);
    await using files = pair;
    files.write('a.csv', 'id,name,n\n1,a,-5\n2,b,0\n3,c,7\n4,d,-1\n');
    await files.run();
    expect(await ids(ask)).toEqual([1, 3, 4]);
    expect((await kept(files)).map(({ line }) => line)).toEqual([3]);
  });

  it.each(['append', 'merge'] as const)('finds each row in few statements, by %s', async (load) => {
    const statements = async (bad: number): Promise<number> => {
      const { pair, ask } = await open(database, load, [
        table(database, load, 'CONSTRAINT positive CHECK (n > 0)'),
        ...database.trigger,
      ]);
      await using files = pair;
      const rows = Array.from(
        { length: 3000 },
        (_none, i) => `${i},${i < bad * 50 && i % 50 === 0 ? 'odd' : 'a'},1`,
      );
      files.write('a.csv', `id,name,n\n${rows.join('\n')}\n`);
      const asked = async (): Promise<number> =>
        Number((await ask("SHOW GLOBAL STATUS LIKE 'Questions'"))[0]!['Value']);
      const before = await asked();
      expect((await files.run()).totals).toMatchObject({ loaded: 3000 - bad, quarantined: bad });
      return (await asked()) - before;
    };
    expect((await statements(60)) - (await statements(10))).toBeLessThanOrEqual(50 * 5);
  });
});
