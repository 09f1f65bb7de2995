/** Names, widths, sizes and encodings that a database which is written to may not like. */
import type { Arena, Attack } from '../attack.ts';
import { errorOf, expectError } from '../faults/expect.ts';
import type { PostgresReplica as Replica } from '../faults/target-ground.ts';
import { POSTGRES_TO_POSTGRES } from '../pairs.ts';

const WHAT: Pick<Attack<Replica>, 'part' | 'promise' | 'rounds' | 'brief' | 'pairs'> = {
  part: 'hostile',
  promise: 'any-data',
  rounds: 1,
  brief: false,
  pairs: POSTGRES_TO_POSTGRES,
};

async function refused(arena: Arena<Replica>, pair: Replica, code: string): Promise<void> {
  arena.tally.faults++;
  const error = await errorOf(pair);
  if (!error) throw new Error(`the run went well; expected ${code}`);
  expectError(error, { codes: [code], names: [] });
  await pair.to.settled();
}

const LONG = 'l'.repeat(63);
const ODD = [
  'select',
  'user',
  'a b',
  'Ünïcode',
  'quote"d',
  "it's",
  '$1',
  'a.b',
  'UPPER',
  'upper',
  LONG,
  `${LONG.slice(1)}m`,
  'sluice_stage',
  's',
  't',
  'h',
  'n',
  'd',
  'place',
  'ctid_',
];

/** Tables alike but for capitals are refused, for other systems do not tell them apart. */
const TABLE_NAMES = ODD.filter((name) => name !== 'upper');

const names: Attack<Replica> = {
  ...WHAT,
  name: 'target-names',
  tries:
    'Tables and columns have names that are key words, 63 bytes long, alike but for capitals, or names that the statements of Sluice use themselves; each load twice',
  async run(arena) {
    const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    for (const options of [
      { load: 'merge', cursor: 'at' },
      { load: 'append', cursor: 'at' },
      { load: 'replace' },
    ] as const) {
      const columns = ODD.map((name, i) => `${quoted(name)} ${i % 2 === 0 ? 'text' : 'int'}`).join(', ');
      const sql = TABLE_NAMES.map(
        (
          name,
        ) => `CREATE TABLE ${quoted(name)} (id int, at timestamptz DEFAULT now(), ${columns}, PRIMARY KEY (id, at));
        INSERT INTO ${quoted(name)} (id, "select", "user") VALUES (1, 'x', 2), (2, NULL, 3)`,
      );
      const pair = await arena.open({}, sql.join(';'));
      pair.streams = Object.fromEntries(
        TABLE_NAMES.map((name) => [
          `odd ${name}`,
          { sql: `SELECT * FROM ${quoted(name)}`, table: name, key: ['id', 'at'], ...options },
        ]),
      );
      for (let load = 0; load < 2; load++) {
        await pair.run();
        for (const name of TABLE_NAMES) {
          const { lost, extra } = await pair.compare(name, `public.${quoted(name)}`);
          arena.tally.rowsLost += lost.length;
          arena.tally.rowsDoubled += extra.length;
          if (lost.length + extra.length > 0)
            throw new Error(`table ${name}: ${JSON.stringify({ lost, extra })}`);
        }
        await pair.from.query(
          TABLE_NAMES.map(
            (name) => `INSERT INTO ${quoted(name)} (id, "select") VALUES (${load + 3}, 'new')`,
          ).join(';'),
        );
      }
    }
    return 'works';
  },
};

const schemas: Attack<Replica> = {
  ...WHAT,
  name: 'target-two-schemas',
  tries:
    'Two pipelines write tables of the same name into two schemas of one database, turn by turn, and one into the schema of a table that was renamed',
  async run(arena) {
    const sql = `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp()); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g`;
    const streams = { 'public.t': { load: 'merge', cursor: 'at' } } as const;
    const pair = await arena.open(streams, sql);
    const other = await arena.open(streams, `${sql}; UPDATE t SET v = 'other'`);
    other.to.connection = { ...pair.to.connection, schema: 'other' };
    for (let run = 0; run < 3; run++) {
      for (const each of [pair, other]) {
        await each.from.query(
          `INSERT INTO t SELECT max(id) + 1, 'new' FROM t; UPDATE t SET v = v || '.', at = clock_timestamp() WHERE id % 9 = ${run}`,
        );
        await each.run();
      }
      await arena.verify(pair, ['t']);
      const wanted = await other.from.query('SELECT id, v FROM t ORDER BY id');
      const { rows } = await pair.to.db.query('SELECT id, v FROM other.t ORDER BY id');
      if (JSON.stringify(rows) !== JSON.stringify(wanted)) throw new Error('the other schema is not equal');
    }
    // Its index keeps the name that the next table would get.
    await pair.to.db.query('ALTER TABLE t RENAME TO t_old');
    await pair.run();
    await arena.verify(pair, ['t']);
    return 'works';
  },
};

const encodings: Attack<Replica> = {
  ...WHAT,
  name: 'target-encodings',
  tries:
    'The database that is written to has another encoding than the source: one that lacks characters, one that has them, or none',
  async run(arena) {
    const codes: string[] = [];
    for (const encoding of ['LATIN1', 'WIN1252', 'SQL_ASCII', 'EUC_JP']) {
      const pair = await arena.open(
        { 'public.t': { load: 'merge', cursor: 'at' } },
        `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT now()); INSERT INTO t VALUES (1, 'plain'), (2, NULL)`,
        { target: { encoding } },
      );
      await pair.to.db.query(`SET client_encoding = 'UTF8'`);
      await pair.run();
      await sameTexts(pair);
      await pair.from.query(`INSERT INTO t VALUES (3, 'żółć 漢字 😀')`);
      if (encoding === 'SQL_ASCII') {
        await pair.run();
        await sameTexts(pair);
        continue;
      }
      await refused(arena, pair, 'postgres.encoding');
      codes.push('postgres.encoding');
      await pair.from.query(`UPDATE t SET v = 'readable', at = now() WHERE id = 3`);
      await pair.run();
      await sameTexts(pair);
    }
    return `works, or ${codes[0]}; then whole`;
  },
};

async function sameTexts(pair: Replica): Promise<void> {
  const sql = 'SELECT id, v FROM t ORDER BY id';
  const { rows } = await pair.to.db.query(sql);
  const wanted = await pair.from.query(sql);
  if (JSON.stringify(rows) !== JSON.stringify(wanted))
    throw new Error(`${JSON.stringify(rows)} is not ${JSON.stringify(wanted)}`);
}

const large: Attack<Replica> = {
  ...WHAT,
  name: 'target-large',
  tries: 'Tables have 1,600 columns, which leaves no room for those of a history; a value has 200 MB',
  async run(arena) {
    const list = Array.from({ length: 1598 }, (_, i) => `c${i} int`).join(', ');
    const pair = await arena.open(
      { 'public.w': { load: 'merge', cursor: 'at' } },
      `CREATE TABLE w (id int PRIMARY KEY, at timestamptz DEFAULT now(), ${list}); INSERT INTO w (id, c1597) SELECT g, g FROM generate_series(1, 50) g`,
    );
    for (let load = 0; load < 2; load++) {
      await pair.run();
      const wanted = await pair.from.query(`SELECT md5(string_agg(w::text, ',' ORDER BY id)) AS all FROM w`);
      const { rows } = await pair.to.db.query(
        `SELECT md5(string_agg(w::text, ',' ORDER BY id)) AS all FROM w`,
      );
      if (JSON.stringify(rows) !== JSON.stringify(wanted)) throw new Error('1,600 columns are not equal');
      await pair.from.query('UPDATE w SET c0 = 7, at = clock_timestamp() WHERE id % 5 = 0');
    }
    const history = await arena.open({ 'public.w': { load: 'append', cursor: 'at' } });
    history.from.connection = pair.from.connection;
    await refused(arena, history, 'postgres.too_large');
    const huge = await arena.open(
      { 'public.b': { load: 'merge', cursor: 'at' } },
      `CREATE TABLE b (id int PRIMARY KEY, v text, at timestamptz DEFAULT now()); INSERT INTO b VALUES (1, 'x')`,
    );
    await huge.run();
    await huge.from.query(`INSERT INTO b VALUES (2, repeat('0123456789abcdef"\\,', 10 * 1024 * 1024))`);
    for (let load = 0; load < 2; load++) await huge.run();
    const digest = 'SELECT id, length(v) AS length, md5(v) AS digest FROM b ORDER BY id';
    const { rows } = await huge.to.db.query(digest);
    if (JSON.stringify(rows) !== JSON.stringify(await huge.from.query(digest)))
      throw new Error('200 MB are not equal');
    return 'works; postgres.too_large where columns are too many';
  },
};

export const TARGET_ATTACKS: readonly Attack<Replica>[] = [names, schemas, encodings, large];
