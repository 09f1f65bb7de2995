/** What users do to the tables that are written to: constraints, triggers, changes, older backups. */
import type { Arena, Attack } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import { pauseAt } from '../pause.ts';
import {
  codeOf,
  type Each,
  heals,
  meetTargetFault,
  openReplica,
  POSTGRES_TARGET,
  type PostgresReplica,
  type Replica,
  TARGET,
} from './target-ground.ts';
import { write } from './source-tables.ts';

interface Refusal {
  /** What the source has to write: `id`, `note` and `n` of a row that is refused. */
  row: string;
  code: string;
  /** What the message names beside the table. */
  name: string;
  inject: Each<string>;
  heal: Each<string>;
}

const LONG_TEXT = 'note LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

const REFUSALS: readonly Refusal[] = [
  {
    row: `max(id) + 1000000, 'x', 1000000`,
    code: 'constraint',
    name: 'few',
    inject: {
      postgres: 'ALTER TABLE merged ADD CONSTRAINT few CHECK (n < 900000) NOT VALID',
      mysql: 'ALTER TABLE merged ADD CONSTRAINT few CHECK (n < 900000)',
    },
    heal: {
      postgres: 'ALTER TABLE merged DROP CONSTRAINT few',
      mysql: 'ALTER TABLE merged DROP CONSTRAINT few',
    },
  },
  {
    row: 'max(id) + 1, NULL, 2',
    code: 'constraint',
    name: 'note',
    inject: {
      postgres: 'ALTER TABLE merged ALTER note SET NOT NULL',
      mysql: `ALTER TABLE merged MODIFY ${LONG_TEXT} NOT NULL`,
    },
    heal: {
      postgres: 'ALTER TABLE merged ALTER note DROP NOT NULL',
      mysql: `ALTER TABLE merged MODIFY ${LONG_TEXT} NULL`,
    },
  },
  {
    row: `max(id) + 1, 'x', 3`,
    code: 'duplicate',
    name: 'lone',
    inject: {
      postgres: 'CREATE UNIQUE INDEX lone ON merged (note) WHERE id >= 1000000',
      mysql: 'CREATE UNIQUE INDEX lone ON merged (note(300))',
    },
    heal: { postgres: 'DROP INDEX lone', mysql: 'DROP INDEX lone ON merged' },
  },
  {
    row: `max(id) + 1, 'y', -4`,
    code: 'raised',
    name: 'not on Sundays',
    inject: {
      postgres: `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = -4 THEN RAISE EXCEPTION 'not on Sundays'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuses BEFORE INSERT OR UPDATE ON merged FOR EACH ROW EXECUTE FUNCTION refuse()`,
      mysql: `CREATE TRIGGER refuses BEFORE INSERT ON merged FOR EACH ROW IF NEW.n = -4 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not on Sundays'; END IF`,
    },
    heal: {
      postgres: 'DROP TRIGGER refuses ON merged; DROP FUNCTION refuse',
      mysql: 'DROP TRIGGER refuses',
    },
  },
];

const refusedRows: Attack<Replica> = {
  ...TARGET,
  name: 'target-refuses-rows',
  tries:
    'The user gives the table that is written to a CHECK, NOT NULL, a unique index, or a trigger that raises, and the source has a row that does not pass; then it goes',
  brief: true,
  async run(arena) {
    const pair = await openReplica(arena, 200, ['merged']);
    await pair.run();
    const { type } = pair.to;
    const codes = new Set<string>();
    for (const { row, code, name, inject, heal } of REFUSALS.slice(0, arena.brief ? 2 : 4)) {
      arena.say(inject[type]);
      await pair.from.query(`INSERT INTO merged (id, note, n) SELECT ${row} FROM merged`);
      const fault = { inject: inject[type], heal: heal[type], codes: [code], names: ['merged', name] };
      codes.add(await meetTargetFault(arena, pair, fault));
    }
    return `${[...codes].join(', ')}, then whole`;
  },
};

/** What the user has made around a table, and a query that finds it. */
type Around = readonly (readonly [made: string, found: string])[];

const AROUND_POSTGRES: Around = [
  ['CREATE VIEW over_it AS SELECT count(*) AS n FROM replaced', 'SELECT 1 FROM over_it'],
  [
    'CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM replaced; END',
    'SELECT counted()',
  ],
  [
    'CREATE TABLE holder (id int PRIMARY KEY, r replaced)',
    'SELECT (r).note FROM holder RIGHT JOIN (SELECT) ON true',
  ],
  [
    'CREATE TABLE refers (id int REFERENCES replaced)',
    `SELECT 1 FROM pg_constraint WHERE conrelid = 'refers'::regclass AND contype = 'f'`,
  ],
  [
    'CREATE TABLE child () INHERITS (replaced)',
    `SELECT 1 FROM pg_inherits WHERE inhparent = 'replaced'::regclass`,
  ],
  [
    'ALTER TABLE replaced ADD CONSTRAINT plus CHECK (n >= 0)',
    `SELECT 1 FROM pg_constraint WHERE conname = 'plus'`,
  ],
  [
    'CREATE RULE quiet AS ON DELETE TO replaced WHERE OLD.id = -1 DO INSTEAD NOTHING',
    `SELECT 1 FROM pg_rules WHERE rulename = 'quiet'`,
  ],
  ['CREATE STATISTICS more ON id, n FROM replaced', `SELECT 1 FROM pg_statistic_ext WHERE stxname = 'more'`],
  ['ALTER TABLE replaced ADD COLUMN mine int DEFAULT 7', 'SELECT mine FROM replaced WHERE mine = 7'],
  [
    'CREATE PUBLICATION told FOR TABLE replaced',
    `SELECT 1 FROM pg_publication_tables WHERE pubname = 'told'`,
  ],
  [
    'GRANT SELECT (id) ON replaced TO PUBLIC',
    `SELECT 1 FROM pg_attribute WHERE attrelid = 'replaced'::regclass AND attacl IS NOT NULL`,
  ],
  [
    'GRANT SELECT ON replaced TO PUBLIC',
    `SELECT 1 FROM pg_class WHERE oid = 'replaced'::regclass AND relacl IS NOT NULL`,
  ],
  [
    `COMMENT ON TABLE replaced IS 'mine'`,
    `SELECT 1 FROM pg_class WHERE oid = 'replaced'::regclass AND obj_description(oid) = 'mine'`,
  ],
];

const IN_DATABASE = 'TABLE_SCHEMA = DATABASE()';

const AROUND_MYSQL: Around = [
  ['CREATE VIEW over_it AS SELECT count(*) AS n FROM replaced', 'SELECT n FROM over_it WHERE n > 60'],
  [
    'CREATE TABLE refers (id int NULL, FOREIGN KEY (id) REFERENCES replaced (id))',
    `SELECT 1 FROM information_schema.KEY_COLUMN_USAGE WHERE ${IN_DATABASE} AND TABLE_NAME = 'refers' AND REFERENCED_TABLE_NAME = 'replaced'`,
  ],
  [
    'CREATE TRIGGER quiet BEFORE DELETE ON replaced FOR EACH ROW SET @gone = 1',
    `SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = 'replaced'`,
  ],
  [
    'ALTER TABLE replaced ADD CONSTRAINT plus CHECK (n >= 0)',
    `SELECT 1 FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_NAME = 'plus'`,
  ],
  [
    'CREATE INDEX quick ON replaced (n)',
    `SELECT 1 FROM information_schema.STATISTICS WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND INDEX_NAME = 'quick'`,
  ],
  [
    'CREATE FULLTEXT INDEX words ON replaced (note)',
    `SELECT 1 FROM information_schema.STATISTICS WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND INDEX_TYPE = 'FULLTEXT'`,
  ],
  ['ALTER TABLE replaced ADD COLUMN mine int DEFAULT 7', 'SELECT mine FROM replaced WHERE mine = 7'],
  [
    'ALTER TABLE replaced ADD COLUMN twice int AS (n * 2) VIRTUAL',
    'SELECT twice FROM replaced WHERE twice = n * 2',
  ],
  [
    'ALTER TABLE replaced ADD SYSTEM VERSIONING',
    `SELECT 1 FROM information_schema.TABLES WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND TABLE_TYPE = 'SYSTEM VERSIONED'`,
  ],
  [
    `ALTER TABLE replaced COMMENT = 'mine'`,
    `SELECT 1 FROM information_schema.TABLES WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND TABLE_COMMENT = 'mine'`,
  ],
  [
    'ALTER TABLE replaced PARTITION BY HASH (id) PARTITIONS 3',
    `SELECT 1 FROM information_schema.PARTITIONS WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND PARTITION_NAME = 'p2'`,
  ],
  [
    'ALTER TABLE replaced ROW_FORMAT = COMPRESSED',
    `SELECT 1 FROM information_schema.TABLES WHERE ${IN_DATABASE} AND TABLE_NAME = 'replaced' AND ROW_FORMAT = 'Compressed'`,
  ],
];

const AROUND: Each<Around> = { postgres: AROUND_POSTGRES, mysql: AROUND_MYSQL };

const dependants: Attack<Replica> = {
  ...TARGET,
  name: 'target-with-dependants',
  tries:
    "Around a table that is replaced there is something of the user's: a view, a function, a column of its row type, a foreign key, a table that inherits, a constraint, a rule, a trigger, an index, a column, partitions, statistics, a publication, grants, a comment",
  async run(arena) {
    const wrong: string[] = [];
    for (let i = 0; ; i++) {
      const pair = await openReplica(arena, 50, ['replaced']);
      const [made, found] = AROUND[pair.to.type][i] ?? [];
      if (made === undefined || found === undefined) break;
      arena.say(made);
      await pair.run();
      await pair.to.query(made);
      arena.tally.faults++;
      await write(pair, 20);
      try {
        await heals(arena, pair);
        if ((await pair.to.query(found)).length === 0) throw new Error('it is gone');
      } catch (error) {
        wrong.push(`${made}: ${(error as Error).message}`);
      }
    }
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    return 'works, and nothing of it is lost';
  },
};

/** What happens to a table between two runs or in the midst of one, so that the next run has to load all of it again. */
const LOSSES: Readonly<Record<string, string | Partial<Each<string>>>> = {
  'drops it': 'DROP TABLE merged',
  'renames it': 'ALTER TABLE merged RENAME TO merged_old',
  'empties it': { postgres: 'TRUNCATE merged', mysql: 'TRUNCATE TABLE merged' },
  'deletes all of it': 'DELETE FROM merged',
  'moves it to another schema': { postgres: 'CREATE SCHEMA other; ALTER TABLE merged SET SCHEMA other' },
  'makes it anew, empty': {
    postgres: 'CREATE TABLE same (LIKE merged); DROP TABLE merged; ALTER TABLE same RENAME TO merged',
    mysql: 'CREATE TABLE same LIKE merged; DROP TABLE merged; ALTER TABLE same RENAME TO merged',
  },
};

/** Gives up soon when it has to wait. */
const IMPATIENT: Each<string> = {
  postgres: `SET lock_timeout = '300ms'`,
  mysql: 'SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1',
};

const tableLost: Attack<Replica> = {
  ...TARGET,
  name: 'target-table-lost',
  tries:
    'The user drops, renames, moves, empties or makes anew the table that is written to, between two runs, after planning, and when the rows of a merge are staged',
  brief: true,
  async run(arena) {
    const moments = [
      '',
      'event:stream-planned:1',
      'before:begin:1',
      'event:step/staged:1',
      'before:lock-record:1',
    ];
    for (const what of Object.keys(LOSSES).slice(0, arena.brief ? 1 : undefined))
      for (const moment of arena.brief ? moments.slice(0, 1) : moments)
        await loseTable(arena, what, moment).catch((error: Error) => {
          throw new Error(`the user ${what}, ${moment || 'between runs'}: ${error.message}`, {
            cause: error,
          });
        });
    return arena.brief ? 'whole' : 'table_lost or no_table when a run is under way, then whole';
  },
};

async function loseTable(arena: Arena<Replica>, what: string, moment: string): Promise<void> {
  arena.say(`${what} ${moment}`);
  const pair = await openReplica(arena, 200, ['merged']);
  const loss = LOSSES[what]!;
  const sql = typeof loss === 'string' ? loss : loss[pair.to.type];
  if (sql === undefined) return;
  await pair.run();
  await write(pair, 20);
  arena.tally.faults++;
  if (moment === '') await pair.to.query(sql);
  else {
    const paused = await pauseAt(pair, moment);
    // Where a load has looked at the table, the user has to wait for it.
    const waits = await pair.to.query(`${IMPATIENT[pair.to.type]}; ${sql}`).then(
      () => false,
      ({ code, errno }: { code?: string; errno?: number }) => code === '55P03' || errno === 1205,
    );
    const [outcome] = await paused.goOn();
    // It may have begun again by itself.
    if (outcome!.status === 'loaded') await arena.verify(pair, ['merged']);
    else if (waits) throw new Error(`nothing was done to the table, and the run ended with ${outcome!.code}`);
    else if (!['sql.table_lost', codeOf(pair, 'no_table')].includes(String(outcome!.code)))
      throw new Error(`ended with ${outcome!.code}`);
  }
  await heals(arena, pair);
  await write(pair, 5);
  await heals(arena, pair);
}

const DROP_BOOKS: Each<string> = {
  postgres: 'DROP SCHEMA _sluice CASCADE',
  mysql: 'DROP TABLE _sluice_tables',
};

const booksLost: Attack<Replica> = {
  ...TARGET,
  name: 'target-books-lost',
  tries: 'The user drops the books of Sluice, between two runs and while one is under way',
  async run(arena) {
    const codes = new Set<string>();
    for (const moment of ['', 'event:stream-planned:1', 'event:step/staged:1']) {
      const pair = await openReplica(arena, 100, ['appended', 'merged']);
      pair.streams = { merged: pair.streams['merged']! };
      await pair.run();
      await write(pair, 20);
      const before = JSON.stringify(await pair.to.lines('merged', 'history'));
      arena.tally.faults++;
      const drop = (): Promise<unknown> => pair.to.query(DROP_BOOKS[pair.to.type]);
      if (moment !== '') {
        const paused = await pauseAt(pair, moment);
        await drop();
        const [outcome] = await paused.goOn();
        if (outcome!.status !== 'failed') throw new Error(`the run ${outcome!.status} without books`);
        codes.add(outcome!.code!);
      } else await drop();
      // Whose rows those are, nobody knows any more.
      const report = await pair.attempt().catch((error: unknown) => error as { code: string });
      const code = 'code' in report ? report.code : report.streams[0]!.error?.code;
      if (code !== 'sql.not_ours') throw new Error(`expected sql.not_ours, found ${code}`);
      codes.add(code);
      const [row] = await pair.to.query('SELECT count(*) AS n FROM merged');
      if (Number(row!['n']) !== (JSON.parse(before) as string[]).length) throw new Error('rows were changed');
      await pair.to.query('DELETE FROM merged');
      await heals(arena, pair);
    }
    return `${[...codes].join(', ')}, whole when the table is emptied`;
  },
};

const restored: Attack<PostgresReplica> = {
  ...POSTGRES_TARGET,
  name: 'target-restored',
  tries: 'The database that is written to is restored from a backup that is some runs old',
  async run(arena) {
    const pair = await openReplica(arena, 200, ['appended', 'merged', 'replaced']);
    await pair.run();
    const name = new URL(pair.to.url).pathname.slice(1);
    await pair.to.close();
    await pair.to.server.createDatabase(`${name}_backup`, { template: name });
    await pair.to.reconnect();
    for (let run = 0; run < 3; run++) {
      await write(pair, 30);
      await pair.run();
    }
    await pair.to.close();
    await pair.from.query(`ALTER DATABASE ${name} RENAME TO ${name}_gone; `);
    await pair.from.query(`ALTER DATABASE ${name}_backup RENAME TO ${name}`);
    await pair.to.reconnect();
    arena.tally.faults++;
    await heals(arena, pair);
    await write(pair, 30);
    await heals(arena, pair);
    return 'whole';
  },
};

const notOurs: Attack<Replica> = {
  ...TARGET,
  name: 'target-not-ours',
  tries:
    'A table of that name is there with rows of somebody else, before the first run, after one that was killed, or made while a first load is under way',
  async run(arena) {
    for (const table of ['appended', 'merged', 'replaced']) {
      for (const moment of ['', 'event:stream-planned:1', 'after:note:1', 'event:step/staged:1', 'kill']) {
        arena.say(`${table} ${moment}`);
        const pair = await openReplica(arena, 100, [table]);
        const make = `CREATE TABLE ${table} (id int, note text, n int, updated_at timestamp); INSERT INTO ${table} VALUES (-1, 'mine', 1, now())`;
        arena.tally.faults++;
        if (moment === 'kill') await (await pauseAt(pair, 'after:note:1')).kill();
        let outcome: { status: string; code?: string } | undefined;
        if (moment === '' || moment === 'kill') await pair.to.query(make);
        else {
          const paused = await pauseAt(pair, moment);
          // An open load has made the table; then there is none to make.
          const made = await pair.to.query(make).then(
            () => true,
            () => false,
          );
          [outcome] = await paused.goOn();
          if (!made) continue;
        }
        const told = outcome?.code ?? (await toldBy(pair));
        if (told !== 'sql.not_ours')
          throw new Error(`${table}, ${moment}: expected sql.not_ours, found ${told}`);
        const rows = await pair.to.query(`SELECT note FROM ${table}`);
        if (rows.length !== 1 || rows[0]!['note'] !== 'mine')
          throw new Error(`${table}, ${moment}: the user's rows were changed`);
        await pair.to.query(`DROP TABLE ${table}`);
        await heals(arena, pair);
      }
    }
    return 'sql.not_ours, then whole';
  },
};

async function toldBy(pair: Replica): Promise<string | undefined> {
  const { streams } = await pair.attempt();
  return streams[0]!.error?.code;
}

export const TARGET_TABLES: readonly Attack<SqlPair>[] = [
  refusedRows,
  dependants,
  tableLost,
  booksLost,
  restored,
  notOurs,
];
