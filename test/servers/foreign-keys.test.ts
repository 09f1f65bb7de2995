/** Foreign keys of the source arrive when all tables are loaded, and are in the way of no later run. */
import { describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import { openState } from '../../src/engine/context.ts';
import { repairPipeline } from '../../src/engine/repair.ts';
import type { RunEvent } from '../../src/core/events.ts';
import { CHINOOK } from '../support/chinook.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { openReplica, type Replica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

/** Circles, references to itself, several columns, all actions, a key that is looked at late, names that need quotes. */
const SHOP = `
CREATE TABLE country (code text PRIMARY KEY, name text);
CREATE TABLE "OddPeople" (id int PRIMARY KEY, boss int REFERENCES "OddPeople" DEFERRABLE INITIALLY DEFERRED,
  country text REFERENCES country ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE orders (id int, line int, person int NOT NULL, CONSTRAINT "the person" FOREIGN KEY (person) REFERENCES "OddPeople" ON DELETE CASCADE DEFERRABLE, PRIMARY KEY (id, line));
CREATE TABLE parts (id int PRIMARY KEY, order_id int, line int, FOREIGN KEY (order_id, line) REFERENCES orders MATCH FULL ON DELETE RESTRICT);
ALTER TABLE country ADD COLUMN head int REFERENCES "OddPeople";
INSERT INTO country VALUES ('tt', 'Testland'), ('uu', 'Utopia');
INSERT INTO "OddPeople" VALUES (1, NULL, 'tt'), (2, 1, 'uu'), (3, 2, NULL);
UPDATE country SET head = 3;
INSERT INTO orders VALUES (1, 1, 1), (1, 2, 2);
INSERT INTO parts VALUES (1, 1, 1), (2, 1, 2), (3, NULL, NULL);`;

const SHOP_CHANGES = `
INSERT INTO country VALUES ('vv', 'Valhalla', NULL);
INSERT INTO "OddPeople" VALUES (4, 3, 'vv');
UPDATE "OddPeople" SET boss = 4 WHERE id = 2;
UPDATE country SET head = 4 WHERE code = 'vv';
INSERT INTO orders VALUES (2, 1, 4);
INSERT INTO parts VALUES (4, 2, 1);`;

const CHINOOK_CHANGES = `
INSERT INTO artist VALUES (10001, 'Мумий Тролль');
INSERT INTO album VALUES (10001, 'Морская', 10001);
INSERT INTO track SELECT 10001, 'Утекай', 10001, media_type_id, genre_id, composer, milliseconds, bytes, unit_price FROM track WHERE track_id = 1;
UPDATE track SET album_id = 10001 WHERE track_id % 100 = 3;
INSERT INTO playlist_track VALUES (1, 10001);`;

interface Sample {
  name: string;
  sql: string | undefined;
  changes: string;
}

const SAMPLES: Sample[] = [
  { name: 'Chinook', sql: CHINOOK, changes: CHINOOK_CHANGES },
  { name: 'a schema with circles', sql: SHOP, changes: SHOP_CHANGES },
];
if (CHINOOK === undefined) console.log('skipped: Chinook is not there');

const FOREIGN_KEYS = `
SELECT conrelid::regclass || ': ' || conname || ' ' || pg_get_constraintdef(oid) AS key FROM pg_constraint
 WHERE contype = 'f' AND convalidated ORDER BY 1`;

/** What happens at the source before each further run; one that replaces all does the same whether anything has changed or not. */
function steps(load: 'merge' | 'replace', changes: string): string[] {
  return load === 'merge' ? ['SELECT 1', changes] : [changes];
}

async function keysOf(db: { query(sql: string): Promise<{ rows: unknown[] }> }): Promise<string[]> {
  return (await db.query(FOREIGN_KEYS)).rows.map((row) => (row as { key: string }).key);
}

async function succeed(pair: {
  attempt: Replica['attempt'];
  events: RunEvent[];
}): Promise<{ table: string }[]> {
  const report = await pair.attempt();
  expect(report.streams.flatMap(({ error }) => (error ? [error.message] : []))).toEqual([]);
  expect(pair.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []))).toEqual([]);
  return report.streams;
}

describe.each(SAMPLES)('$name to PostgreSQL', ({ sql, changes }) => {
  it.skipIf(sql === undefined).each([
    ['merge', { load: 'merge', cursor: 'xmin' }],
    ['replace', { load: 'replace' }],
  ] as const)('by %s has the foreign keys of its source, also after changes', async (load, options) => {
    await using pair = await openReplica(server(), { 'public.*': options }, sql!);
    const streams = await succeed(pair);
    const wanted = await keysOf(pair.from.db);
    expect(wanted.length).toBeGreaterThan(4);
    expect(await keysOf(pair.to.db)).toEqual(wanted);
    for (const change of steps(load, changes)) {
      await pair.from.db.query(change);
      await succeed(pair);
      for (const { table } of streams) {
        const { lost, extra } = await pair.compare(
          table,
          `public.${JSON.stringify(table).replaceAll('\\"', '""')}`,
        );
        expect({ table, lost, extra }).toEqual({ table, lost: [], extra: [] });
      }
      expect(await keysOf(pair.to.db)).toEqual(wanted);
      expect((await pair.to.db.query('SELECT * FROM _sluice.missing')).rows).toEqual([]);
    }
  });
});

describe('foreign keys that do not fit', () => {
  const TWO = `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int CONSTRAINT refers REFERENCES parent ON DELETE CASCADE);
    INSERT INTO parent SELECT generate_series(1, 5); INSERT INTO child SELECT i, i FROM generate_series(1, 5) i`;
  const warnings = (pair: Replica): string[] =>
    pair.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));

  it('are a warning and no error, stay written down, and come with the first run or repair that can make them', async () => {
    await using pair = await openReplica(
      server(),
      { 'public.parent': { load: 'replace', where: 'id < 5' }, 'public.child': { load: 'replace' } },
      TWO,
    );
    expect((await pair.attempt()).status).toBe('succeeded');
    expect(warnings(pair)).toEqual([expect.stringContaining('"refers" of "public"."child" is missing')]);
    expect((await pair.attempt()).status).toBe('succeeded');
    expect(warnings(pair)).toHaveLength(1);
    const dry = await repairPipeline(await pair.context(), 'p', { dryRun: true });
    expect(dry.parts).toMatchObject([
      { kind: 'foreign key', name: 'refers', status: 'missing', tables: ['child', 'parent'] },
    ]);
    const failed = await repairPipeline(await pair.context(), 'p', {});
    expect(failed.parts).toMatchObject([
      { name: 'refers', status: 'failed', reason: expect.stringContaining('refers') as string },
    ]);
    const store = await openState(await pair.context());
    const lease = await store.acquire('to/child', { run: 'another', host: 'here', pid: 1 }, 60_000);
    const busy = await repairPipeline(await pair.context(), 'p', {});
    expect(busy.parts).toMatchObject([{ name: 'refers', status: 'busy' }]);
    await store.release(lease);
    await store.close();
    await pair.to.db.query('INSERT INTO parent VALUES (5)');
    const repaired = await repairPipeline(await pair.context(), 'p', {});
    expect(repaired.parts).toMatchObject([{ name: 'refers', status: 'restored' }]);
    expect(await keysOf(pair.to.db)).toEqual(await keysOf(pair.from.db));
    expect((await repairPipeline(await pair.context(), 'p', {})).parts).toEqual([]);
  });

  it('can be given up', async () => {
    await using pair = await openReplica(
      server(),
      { 'public.parent': { load: 'replace', where: 'id < 5' }, 'public.child': { load: 'replace' } },
      TWO,
    );
    await pair.attempt();
    const given = await repairPipeline(await pair.context(), 'p', { forget: true });
    expect(given.parts).toMatchObject([{ name: 'refers', status: 'forgotten' }]);
    expect((await pair.attempt()).status).toBe('succeeded');
    expect(warnings(pair)).toEqual([]);
  });

  it('are left out when the pipeline does not load the other table, and when nobody wants them', async () => {
    await using pair = await openReplica(server(), { 'public.child': { load: 'replace' } }, TWO);
    await pair.attempt();
    expect(warnings(pair)).toEqual([expect.stringContaining('"refers"')]);
    await pair.attempt();
    expect(warnings(pair)).toEqual([]);
    await using without = await openReplica(server(), { 'public.*': { load: 'replace' } }, TWO);
    without.to.connection['foreign_keys'] = false;
    await without.attempt();
    expect(warnings(without)).toEqual([]);
    expect(await keysOf(without.to.db)).toEqual([]);
  });

  it('wait for a table that comes with a later run', async () => {
    await using pair = await openReplica(server(), { 'public.*': { load: 'replace' } }, TWO);
    await pair.attempt({ select: ['public.child'] });
    expect(warnings(pair)).toEqual([expect.stringContaining('public.parent')]);
    await pair.attempt({ select: ['public.parent'] });
    expect(warnings(pair)).toEqual([]);
    expect(await keysOf(pair.to.db)).toEqual(await keysOf(pair.from.db));
  });

  it('delete no rows of others when the rows that they refer to are replaced', async () => {
    const days = { load: 'delete-insert', date: 'day' } as const;
    await using pair = await openReplica(
      server(),
      { 'public.parent': days },
      `CREATE TABLE parent (id int PRIMARY KEY, day date); INSERT INTO parent SELECT i, current_date - 1 FROM generate_series(1, 5) i`,
    );
    await pair.run();
    await pair.to.db.query(
      `CREATE TABLE mine (id int REFERENCES parent ON DELETE CASCADE); INSERT INTO mine VALUES (3)`,
    );
    await pair.from.db.query('DELETE FROM parent WHERE id = 1');
    const day = (await pair.from.db.query<{ d: string }>('SELECT (current_date - 1)::text AS d')).rows[0]!.d;
    const to = (await pair.from.db.query<{ d: string }>('SELECT current_date::text AS d')).rows[0]!.d;
    expect((await pair.attempt({ window: { from: day, to } })).status).toBe('succeeded');
    expect((await pair.to.db.query('SELECT count(*)::int AS n FROM parent')).rows).toEqual([{ n: 4 }]);
    expect((await pair.to.db.query('SELECT id FROM mine')).rows).toEqual([{ id: 3 }]);
    expect(await keysOf(pair.to.db)).toHaveLength(1);
  });
});

describe.runIf(mariadbPresent)('foreign keys and MariaDB', () => {
  const MARIADB_KEYS = `SELECT TABLE_NAME AS t, CONSTRAINT_NAME AS n, REFERENCED_TABLE_NAME AS r, DELETE_RULE AS d, UPDATE_RULE AS u
    FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2`;
  const samples = SAMPLES.filter(({ sql }) => sql !== undefined).flatMap((sample) =>
    (['merge', 'replace'] as const).map((load) => ({ ...sample, load })),
  );

  it.each(samples)('$name by $load arrives with them, also after changes', async ({ sql, changes, load }) => {
    const from = await PostgresSide.open(server());
    await from.db.query(sql!.replaceAll('text', 'varchar(300)'));
    const to = await MysqlTargetSide.open(mariadb());
    const streams: Streams = { 'public.*': { load, ...(load === 'merge' && { cursor: 'xmin' }) } };
    await using pair = new Pair(from, () => to, streams);
    const loaded = await succeed(pair);
    const keys = await to.query(MARIADB_KEYS);
    expect(keys).toHaveLength((await keysOf(from.db)).length);
    for (const change of steps(load, changes)) {
      await from.db.query(change);
      await succeed(pair);
      for (const { table } of loaded) {
        const { lost, extra } = await pair.compare(
          table,
          `public.${JSON.stringify(table).replaceAll('\\"', '""')}`,
        );
        expect({ table, lost, extra }).toEqual({ table, lost: [], extra: [] });
      }
      expect(await to.query(MARIADB_KEYS)).toEqual(keys);
      expect(await to.query('SELECT * FROM _sluice_missing')).toEqual([]);
      expect(await to.leftovers()).toEqual([]);
    }
  });

  it('a table of MariaDB brings its indexes, foreign keys, comments and defaults to PostgreSQL and back', async () => {
    const from = await MysqlSide.open(mariadb());
    await from.query(
      `CREATE TABLE parent (a int, b varchar(20), PRIMARY KEY (a, b)) COMMENT 'who ''they'' are'`,
    );
    await from.query(`CREATE TABLE child (id bigint AUTO_INCREMENT PRIMARY KEY, a int, b varchar(20) COMMENT 'is \\\\ it', state varchar(20) NOT NULL DEFAULT 'it''s "new"',
      n decimal(5,2) DEFAULT -1.50, d date DEFAULT '2001-02-03', at datetime DEFAULT CURRENT_TIMESTAMP, long_text longtext DEFAULT 'x',
      KEY by_state (state, id), UNIQUE KEY one_n (n), CONSTRAINT refers FOREIGN KEY (a, b) REFERENCES parent (a, b) ON DELETE SET NULL)`);
    await from.query(`INSERT INTO parent VALUES (1, 'x'), (2, 'y')`);
    await from.query(`INSERT INTO child (a, b, n) VALUES (1, 'x', 1), (NULL, 'q', 2), (2, 'y', 3)`);
    const streams: Streams = {
      [`${from.database}.parent`]: { table: 'parent', load: 'replace' },
      [`${from.database}.child`]: { table: 'child', load: 'replace' },
    };
    const middle = await PostgresTargetSide.open(server());
    await using there = new Pair(from, () => middle, streams);
    await succeed(there);
    expect((await keysOf(middle.db)).map((key) => key.replace(/^.*: /, ''))).toEqual([
      'refers FOREIGN KEY (a, b) REFERENCES parent(a, b) ON UPDATE RESTRICT ON DELETE SET NULL',
    ]);
    await middle.db.query(`INSERT INTO child (a) VALUES (1)`);
    const { rows } = await middle.db.query(
      'SELECT id::int, state, n::text, d::text, at, long_text FROM child WHERE id = 4',
    );
    expect(rows).toEqual([
      { id: 4, state: `it's "new"`, n: '-1.50', d: '2001-02-03', at: null, long_text: 'x' },
    ]);
    await middle.db.query('DELETE FROM child WHERE id = 4');

    const source = await PostgresSide.open(server());
    source.connection = { type: 'postgres', url: middle.url };
    const to = await MysqlTargetSide.open(mariadb());
    await using back = new Pair(source, () => to, { 'public.*': { load: 'replace' } });
    for (const _ of [1, 2]) {
      await succeed(back);
      const [table] = await to.query('SHOW CREATE TABLE child');
      const text = table!['Create Table']!;
      expect(text).toContain(`COMMENT 'is \\\\ it'`);
      expect(text).toContain(`\`state\` longtext`);
      expect(text).toContain(`DEFAULT 'it\\'s "new"'`);
      expect(text).toContain('DEFAULT -1.50');
      expect(text).toContain(`DEFAULT '2001-02-03'`);
      expect(text).toContain('KEY `child_by_state`');
      expect(text).toContain('UNIQUE KEY');
    }
    const [parent] = await to.query('SHOW CREATE TABLE parent');
    expect(parent!['Create Table']).toContain(`COMMENT='who ''they'' are (Sluice`);
  });
});
