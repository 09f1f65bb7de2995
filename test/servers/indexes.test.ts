/** Indexes that a large load takes away: whoever is killed on the way, and whatever others do meanwhile, they come back. */
import type { Connection } from 'mysql2/promise';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { MysqlTarget } from '../../src/connectors/mysql/target.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import { PostgresTarget } from '../../src/connectors/postgres/target.ts';
import { SqlDestination } from '../../src/connectors/shared/sql/destination.ts';
import type { SqlSystem } from '../../src/connectors/shared/sql/system.ts';
import type { RestoredPart } from '../../src/core/destination.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { CAST } from '../../src/testing/destination-suite.ts';
import { nextMoment, openWriter, stage } from '../../src/testing/kit-load.ts';
import { DyingSystem } from '../support/dying-system.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { openReplica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';

const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 2 };
const NEW: Cell[][] = [['77', 'Zoe', '7']];
const never = new AbortController().signal;
let databases = 0;

interface Place {
  system(options?: object): SqlSystem;
  run(sql: string): Promise<Record<string, unknown>[]>;
  /** Definitions of the indexes and foreign keys of `people`. */
  parts(): Promise<string[]>;
  books: string;
  close(): Promise<void>;
}

const postgres = useServer();
const mariadb = useMariadb();

async function postgresPlace(): Promise<Place> {
  const url = await postgres().createDatabase(`parts_${++databases}`);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const run = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await client.query<Record<string, unknown>>(sql)).rows;
  return {
    system: (options) =>
      new PostgresTarget(postgresOptions.parse({ url, lock_timeout: 2, ...options }), context),
    run,
    parts: async () =>
      (
        await run(
          `SELECT indexdef AS d FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'people'
           UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY 1`,
        )
      ).map((row) => String(row['d'])),
    books: '_sluice.missing',
    close: () => client.end(),
  };
}

async function mariadbPlace(): Promise<Place> {
  const url = await mariadb().createDatabase(`parts_${++databases}`);
  const client: Connection = await session(url);
  const run = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await client.query(sql))[0] as Record<string, unknown>[];
  return {
    system: (options) => new MysqlTarget(mysqlOptions.parse({ url, lock_timeout: 2, ...options }), context),
    run,
    parts: async () =>
      String((await run('SHOW CREATE TABLE people'))[0]!['Create Table'])
        .split('\n')
        .filter((line) => /KEY/.test(line))
        .map((line) => line.trim().replace(/,$/, ''))
        .toSorted(),
    books: '_sluice_missing',
    close: () => client.end(),
  };
}

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

function destination(system: SqlSystem): SqlDestination {
  const made = new SqlDestination(system);
  opened.push(made);
  return made;
}

/** Adds rows with the indexes taken away, and puts them back. */
async function largeLoad(into: SqlDestination, between?: () => Promise<unknown>): Promise<RestoredPart[]> {
  const writer = await openWriter(into, 'people', { history: undefined, indexesOff: true });
  try {
    const staged = await stage(writer, { rows: NEW });
    await between?.();
    await writer.commit([staged], { kind: 'nothing' }, { cursor: [], readAt: nextMoment() });
  } finally {
    await writer.close();
  }
  return into.parts.restore(['people'], 'index', never);
}

async function replaceAll(into: SqlDestination): Promise<void> {
  const everything = { kind: 'everything' } as const;
  const writer = await openWriter(into, 'people', { history: undefined });
  try {
    const staged = await stage(writer, { rows: CAST, supersede: everything });
    await writer.commit([staged], everything, { cursor: [], readAt: nextMoment() });
  } finally {
    await writer.close();
  }
  await into.parts.restore(['people'], 'foreign key', never);
}

const INDEXES: Record<string, string[]> = {
  PostgreSQL: [
    'CREATE INDEX people_age ON people (age DESC NULLS LAST) WHERE age > 1',
    `CREATE INDEX "people ""quoted""" ON people (lower(name), id) WITH (fillfactor = 70)`,
    'CREATE INDEX people_hash ON people USING hash (name)',
    'CREATE UNIQUE INDEX people_unique ON people (name, id)',
    'CREATE INDEX people_commented ON people (age)',
    `COMMENT ON INDEX people_commented IS 'precious'`,
  ],
  MariaDB: [
    'CREATE INDEX people_age ON people (age DESC, id)',
    "CREATE INDEX `people ``quoted``` ON people (name(7)) COMMENT 'what, is `it`'",
    'CREATE INDEX people_btree USING BTREE ON people (age)',
    'CREATE UNIQUE INDEX people_unique ON people (age, id)',
  ],
};

const PLACES: [string, boolean, () => Promise<Place>][] = [
  ['PostgreSQL', true, postgresPlace],
  ['MariaDB', mariadbPresent, mariadbPlace],
];

for (const [name, present, open] of PLACES) {
  describe.runIf(present)(`indexes in ${name}`, () => {
    async function prepared(): Promise<Place> {
      const place = await open();
      opened.push(place);
      const into = destination(place.system());
      const writer = await openWriter(into, 'people', { history: undefined });
      await writer.commit([await stage(writer, { rows: CAST })], { kind: 'nothing' }, { cursor: [] });
      await writer.close();
      for (const sql of INDEXES[name]!) await place.run(sql);
      return place;
    }

    const spareOf: Record<string, number> = { PostgreSQL: 3, MariaDB: 3 };
    const rowsOf = async (place: Place): Promise<number> =>
      Number((await place.run('SELECT count(*) AS n FROM people'))[0]!['n']);

    it('are gone while rows are written, and there again after it; unique ones and the key stay', async () => {
      const place = await prepared();
      const before = await place.parts();
      const into = destination(place.system());
      expect((await into.describe('people', never))!.spareIndexes).toBe(spareOf[name]);
      let during: string[] = [];
      const restored = await largeLoad(into, async () => {
        during = await place.parts();
      });
      expect(during).toHaveLength(before.length - spareOf[name]!);
      expect(restored.map(({ status }) => status)).toEqual(['restored', 'restored', 'restored']);
      expect(await place.parts()).toEqual(before);
      expect(await place.run(`SELECT * FROM ${place.books}`)).toEqual([]);
      expect(await rowsOf(place)).toBe(CAST.length + 1);
    });

    for (const executes of [false, true]) {
      it(`come back when the process is killed ${executes ? 'after' : 'before'} any other statement`, async () => {
        const place = await prepared();
        const before = await place.parts();
        let rows = CAST.length;
        // Each statement is met by one of the two.
        for (let at = executes ? 2 : 1; ; at += 2) {
          const system = new DyingSystem(place.system(), at, executes);
          const dying = new SqlDestination(system);
          await largeLoad(dying).catch((error: unknown) => {
            if (!system.dead) throw error;
          });
          await dying.close();
          const next = destination(place.system());
          for (const { status, reason } of await next.parts.restore(['people'], 'index', never))
            expect({ at, status, reason }).toEqual({ at, status: 'restored', reason: undefined });
          expect({ at, parts: await place.parts() }).toEqual({ at, parts: before });
          expect(await place.run(`SELECT * FROM ${place.books}`)).toEqual([]);
          const found = await rowsOf(place);
          expect([rows, rows + 1]).toContain(found);
          // The key of the row is free for the next round.
          await place.run('DELETE FROM people WHERE id = 77');
          rows = CAST.length;
          if (!system.dead) break;
        }
      });
    }

    it('and foreign keys come back when a table is replaced and the process is killed at any statement', async () => {
      const place = await prepared();
      await place.run(
        name === 'MariaDB'
          ? 'CREATE TABLE child (id int PRIMARY KEY, person bigint, CONSTRAINT to_people FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE)'
          : 'CREATE TABLE child (id int PRIMARY KEY, person bigint CONSTRAINT to_people REFERENCES people (id) ON DELETE CASCADE)',
      );
      await place.run('INSERT INTO child VALUES (1, 1)');
      const text = async (): Promise<string> =>
        name === 'MariaDB'
          ? JSON.stringify(await place.run('SHOW CREATE TABLE child'))
          : (await place.parts()).filter((part) => part.includes('to_people')).join();
      const before = await text();
      expect(before).toContain('to_people');
      // Each third statement, in turns before and after the server has done it.
      for (let at = 1; ; at += 3) {
        const system = new DyingSystem(place.system(), at, at % 2 === 0);
        const dying = new SqlDestination(system);
        await replaceAll(dying).catch((error: unknown) => {
          if (!system.dead) throw error;
        });
        await dying.close();
        const next = destination(place.system());
        // Settles a swap that was cut short.
        await (await openWriter(next, 'people', { history: undefined })).close();
        for (const { status, reason } of await next.parts.restore(['people'], 'foreign key', never))
          expect({ at, status, reason }).toEqual({ at, status: 'restored', reason: undefined });
        expect({ at, text: await text() }).toEqual({ at, text: before });
        expect(await place.run(`SELECT * FROM ${place.books}`)).toEqual([]);
        expect(await place.run('SELECT * FROM child')).toHaveLength(1);
        expect(await rowsOf(place)).toBe(CAST.length);
        if (!system.dead) break;
      }
    });

    it('that a user made again meanwhile are left as they are', async () => {
      const place = await prepared();
      const before = await place.parts();
      const into = destination(place.system());
      const writer = await openWriter(into, 'people', { history: undefined, indexesOff: true });
      await writer.abort([await stage(writer, { rows: NEW })]);
      await writer.close();
      await place.run(INDEXES[name]![0]!);
      const restored = await into.parts.restore(['people'], 'index', never);
      expect(restored.every(({ status }) => status === 'restored')).toBe(true);
      expect(await place.parts()).toEqual(before);
    });

    it('that cannot be made again are told of each time, and are made when they can be', async () => {
      const place = await prepared();
      const before = await place.parts();
      const into = destination(place.system());
      const writer = await openWriter(into, 'people', { history: undefined, indexesOff: true });
      await writer.abort([await stage(writer, { rows: NEW })]);
      await writer.close();
      // Somebody has made another index of that name.
      await place.run(
        'CREATE INDEX people_age ON people (name)'.replace(
          '(name)',
          name === 'MariaDB' ? '(name(3))' : '(name)',
        ),
      );
      const parts = await into.parts.restore(['people'], 'index', never);
      const failed = parts.filter(({ status }) => status === 'failed');
      expect(failed.map((part) => part.name)).toEqual(['people_age']);
      expect(failed[0]!.reason).toContain('people_age');
      expect((await into.parts.missing(never)).map((part) => part.name)).toEqual(['people_age']);
      expect((await into.parts.missing(never))[0]!.tables).toEqual(['people']);
      await place.run(name === 'MariaDB' ? 'DROP INDEX people_age ON people' : 'DROP INDEX people_age');
      expect((await into.parts.restore(['people'], 'index', never)).map(({ status }) => status)).toEqual([
        'restored',
      ]);
      expect(await place.parts()).toEqual(before);
    });

    it('of a table that was dropped meanwhile are crossed out', async () => {
      const place = await prepared();
      const into = destination(place.system());
      const writer = await openWriter(into, 'people', { history: undefined, indexesOff: true });
      await writer.abort([await stage(writer, { rows: NEW })]);
      await writer.close();
      await place.run('DROP TABLE people');
      const parts = await into.parts.restore(['people'], 'index', never);
      expect(parts.map(({ status }) => status)).toEqual(['gone', 'gone', 'gone']);
      expect(await into.parts.missing(never)).toEqual([]);
    });

    it('stay on when somebody holds the table, and the load waits for nobody', async () => {
      const place = await prepared();
      const before = await place.parts();
      await place.run(name === 'MariaDB' ? 'START TRANSACTION' : 'BEGIN');
      await place.run('SELECT * FROM people');
      const into = destination(place.system());
      const restored = await largeLoad(into);
      expect(restored).toEqual([]);
      await place.run('COMMIT');
      expect(await place.parts()).toEqual(before);
      expect(await place.run(`SELECT * FROM ${place.books}`)).toEqual([]);
      expect(await rowsOf(place)).toBe(CAST.length + 1);
    });

    it('are made by one of two that put them back at once', async () => {
      const place = await prepared();
      const before = await place.parts();
      const into = destination(place.system());
      const writer = await openWriter(into, 'people', { history: undefined, indexesOff: true });
      await writer.abort([await stage(writer, { rows: NEW })]);
      await writer.close();
      const other = destination(place.system());
      const both = await Promise.all([
        into.parts.restore(['people'], 'index', never),
        other.parts.restore(['people'], 'index', never),
      ]);
      expect(both.flat().filter(({ status }) => status !== 'restored')).toEqual([]);
      expect(await place.parts()).toEqual(before);
    });

    it('are not taken away by who has lost the lease', async () => {
      const place = await prepared();
      const before = await place.parts();
      const old = destination(place.system());
      const writer = await openWriter(old, 'people', { history: undefined, indexesOff: true, fence: 5 });
      const next = destination(place.system());
      const taken = await openWriter(next, 'people', { history: undefined, fence: 9 });
      await taken.commit([], { kind: 'nothing' }, undefined);
      await taken.close();
      await expect(stage(writer, { rows: [['5', 'Eve', null]] })).rejects.toMatchObject({
        recovery: 'conflict',
      });
      expect(await place.parts()).toEqual(before);
    });

    it('are no matter with keep_indexes', async () => {
      const place = await prepared();
      const into = destination(place.system({ keep_indexes: true }));
      expect((await into.describe('people', never))!.spareIndexes).toBe(0);
    });
  });
}

describe('a run', () => {
  const ROWS = 230_000;
  const table = (from: number): string =>
    `INSERT INTO t SELECT i, i % 100, current_date - 2 + (i > ${ROWS})::int FROM generate_series(${from}, ${from + ROWS - 1}) i`;

  it('with many rows says so before and after, and leaves the index that finds its windows', async () => {
    await using pair = await openReplica(
      postgres(),
      { 'public.t': { load: 'delete-insert', date: 'day' } },
      `CREATE TABLE t (id int PRIMARY KEY, n int, day date); CREATE INDEX by_n ON t (n); CREATE INDEX by_day ON t (day); ${table(1)}; ANALYZE t`,
    );
    const day = (back: number): Promise<string> =>
      pair.from.db
        .query<{ d: string }>(`SELECT (current_date - ${back})::text AS d`)
        .then(({ rows }) => rows[0]!.d);
    const first = { from: await day(2), to: await day(1) };
    await pair.run({ window: first });
    await pair.from.db.query(`${table(ROWS + 1)}; ANALYZE t`);
    const next = { from: await day(1), to: await day(0) };
    expect((await pair.plan({ window: next })).streams[0]!.indexesOff).toBe(2);
    expect((await pair.plan({ window: next, keepIndexes: true })).streams[0]!.indexesOff).toBeUndefined();
    const names = async (): Promise<unknown[]> =>
      (await pair.to.db.query('SELECT indexname AS n FROM pg_indexes ORDER BY 1')).rows;
    const report = await pair.attempt({
      window: next,
    });
    expect(report.streams[0]!.indexes).toMatchObject({ made: 1 });
    const committed = pair.events.find((event) => event.kind === 'slice-committed');
    expect(Object.keys((committed as { timing: object }).timing)).toEqual([
      'indexes off',
      'delete',
      'copy',
      'commit',
    ]);
    expect(pair.events.find((event) => event.kind === 'parts-restored')).toMatchObject({
      stream: 'public.t',
      part: 'index',
      names: ['t_by_n'],
    });
    expect(JSON.stringify(await names())).toContain('t_by_n');
    // A day of few rows among many leaves them on.
    expect(
      (await pair.plan({ window: { from: await day(5), to: await day(4) } })).streams[0]!.indexesOff,
    ).toBeUndefined();
  });
});
