/** Tables that are odd as a whole: without rows, columns or key, with nothing else, generated, inherited, views. */
import type { Arena, Attack } from '../attack.ts';
import { mustFail } from '../faults/expect.ts';
import { expectSame } from './compare.ts';
import { checkedStreams } from './project.ts';

const SQL = `
  CREATE TABLE empty (id int PRIMARY KEY, v text, at timestamptz);
  CREATE TABLE no_columns ();
  INSERT INTO no_columns DEFAULT VALUES;
  CREATE TABLE no_key (v text, at timestamptz DEFAULT now());
  INSERT INTO no_key (v) VALUES ('same'), ('same'), (NULL), (NULL), ('');
  CREATE TABLE only_key (a int, b text, PRIMARY KEY (a, b));
  INSERT INTO only_key VALUES (1, ''), (1, 'x'), (2, '');
  CREATE VIEW a_view AS SELECT a, b || '!' AS c FROM only_key;
  CREATE MATERIALIZED VIEW stored AS SELECT * FROM only_key;
  CREATE TABLE no_parts (id int, day date) PARTITION BY RANGE (day);
  CREATE TABLE parts (id int, day date) PARTITION BY LIST (id);
  CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
  CREATE TABLE part_other (day date, gone int, id int NOT NULL);
  ALTER TABLE part_other DROP COLUMN gone;
  ALTER TABLE parts ATTACH PARTITION part_other DEFAULT;
  INSERT INTO parts VALUES (1, '2026-01-01'), (2, NULL);
  CREATE TABLE generated (n int GENERATED ALWAYS AS IDENTITY, a text GENERATED ALWAYS AS (NULL::text) STORED, b int GENERATED ALWAYS AS (7) VIRTUAL);
  INSERT INTO generated DEFAULT VALUES;
  INSERT INTO generated DEFAULT VALUES;
  CREATE TABLE parent (id int);
  CREATE TABLE child (extra text) INHERITS (parent);
  INSERT INTO parent VALUES (1);
  INSERT INTO child VALUES (2, 'only here');
  CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
  INSERT INTO unlogged VALUES (1);
  CREATE TABLE dropped (a int, b int);
  ALTER TABLE dropped DROP COLUMN a, DROP COLUMN b;`;

const TABLES = [
  'empty',
  'no_key',
  'only_key',
  'a_view',
  'stored',
  'no_parts',
  'parts',
  'generated',
  'parent',
  'unlogged',
];

async function run(arena: Arena): Promise<string> {
  const pair = await arena.open({}, SQL);
  const loaded = TABLES.map((table) => ({ table, from: table }));
  pair.streams = checkedStreams(Object.fromEntries(TABLES.map((table) => [`public.${table}`, {}])));
  for (let load = arena.brief ? 1 : 0; load < 2; load++) {
    await pair.run();
    await expectSame(arena, pair, loaded);
    await pair.from.query(
      `TRUNCATE only_key; INSERT INTO no_parts SELECT WHERE false; DELETE FROM no_key WHERE v = ''`,
    );
  }
  for (const table of ['no_columns', 'dropped']) {
    pair.streams = checkedStreams({ [`public.${table}`]: {} });
    arena.tally.faults++;
    await mustFail(pair, { codes: ['stream.invalid'], names: [`public.${table}`, 'no column'] });
    if (await pair.to.state(table)) throw new Error(`${table} was made`);
  }
  if (!arena.brief) await incremental(arena);
  return 'works; without columns: stream.invalid';
}

/** By cursor, from a table without rows or with NULL in its cursor. */
async function incremental(arena: Arena): Promise<void> {
  const pair = await arena.open({}, SQL);
  pair.streams = checkedStreams({
    'public.empty': { load: 'merge', cursor: 'at' },
    'public.no_key': { load: 'append', cursor: 'at' },
    'public.only_key': { load: 'append', cursor: 'xmin' },
  });
  const loaded = ['empty', 'no_key', 'only_key'].map((table) => ({ table, from: table }));
  for (const sql of [
    '',
    `INSERT INTO empty VALUES (1, '', NULL), (2, NULL, now()), (3, 'x', 'infinity')`,
    `UPDATE empty SET v = 'y'`,
  ]) {
    await pair.from.query(sql);
    await pair.run();
    await expectSame(arena, pair, sql.startsWith('UPDATE') ? loaded.slice(1) : loaded);
    await pair.from.query(
      `INSERT INTO no_key (v) VALUES ('same'), (NULL); INSERT INTO only_key SELECT max(a) + 1, '' FROM only_key`,
    );
    await pair.run();
    await expectSame(arena, pair, loaded.slice(1));
  }
}

export const SHAPES: Attack = {
  name: 'shapes',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'Tables have no rows, no columns, no key, only a key, only generated columns, no partitions or partitions whose columns lie in another order, or are views',
  rounds: 1,
  brief: true,
  run,
};
