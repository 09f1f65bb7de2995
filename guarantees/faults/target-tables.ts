/** What users do to the tables that are written to: constraints, triggers, changes, older backups. */
import type { Arena, Attack } from '../attack.ts';
import { pauseAt } from '../pause.ts';
import { heals, meetTargetFault, openReplica, type Replica, TARGET } from './target-ground.ts';
import { write } from './source-tables.ts';

interface Refusal {
  inject: string;
  /** A row of the source that is refused. */
  row: string;
  heal: string;
  codes: readonly string[];
  names: readonly string[];
}

const REFUSALS: readonly Refusal[] = [
  {
    inject: 'ALTER TABLE merged ADD CONSTRAINT few CHECK (n < 900000) NOT VALID',
    row: `INSERT INTO merged SELECT max(id) + 1000000, 'x', 1000000 FROM merged`,
    heal: 'ALTER TABLE merged DROP CONSTRAINT few',
    codes: ['postgres.constraint'],
    names: ['merged', 'few'],
  },
  {
    inject: 'ALTER TABLE merged ALTER note SET NOT NULL',
    row: 'INSERT INTO merged SELECT max(id) + 1, NULL, 2 FROM merged',
    heal: 'ALTER TABLE merged ALTER note DROP NOT NULL',
    codes: ['postgres.constraint'],
    names: ['merged', 'note'],
  },
  {
    inject: 'CREATE UNIQUE INDEX lone ON merged (note) WHERE id >= 1000000',
    row: `INSERT INTO merged SELECT max(id) + 1, 'x', 3 FROM merged`,
    heal: 'DROP INDEX lone',
    codes: ['postgres.duplicate'],
    names: ['merged', 'lone'],
  },
  {
    inject: `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = -4 THEN RAISE EXCEPTION 'not on Sundays'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuses BEFORE INSERT OR UPDATE ON merged FOR EACH ROW EXECUTE FUNCTION refuse()`,
    row: `INSERT INTO merged SELECT max(id) + 1, 'y', -4 FROM merged`,
    heal: 'DROP TRIGGER refuses ON merged; DROP FUNCTION refuse',
    codes: ['postgres.raised'],
    names: ['merged', 'not on Sundays'],
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
    const codes = new Set<string>();
    for (const { row, ...fault } of REFUSALS.slice(0, arena.brief ? 2 : 4)) {
      await pair.from.query(row);
      codes.add(await meetTargetFault(arena, pair, fault));
    }
    return `${[...codes].join(', ')}, then whole`;
  },
};

/** What the user has made around a table, and a query that finds it. */
const AROUND: readonly (readonly [made: string, found: string])[] = [
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

const dependants: Attack<Replica> = {
  ...TARGET,
  name: 'target-with-dependants',
  tries:
    "Around a table that is replaced there is something of the user's: a view, a function, a column of its row type, a foreign key, a table that inherits, a constraint, a rule, statistics, a publication, grants, a comment",
  async run(arena) {
    const wrong: string[] = [];
    for (const [made, found] of AROUND) {
      arena.say(made);
      const pair = await openReplica(arena, 50, ['replaced']);
      await pair.run();
      await pair.to.db.query(made);
      arena.tally.faults++;
      await write(pair, 20);
      try {
        await heals(arena, pair);
        if ((await pair.to.db.query(found)).rows.length === 0) throw new Error('it is gone');
      } catch (error) {
        wrong.push(`${made}: ${(error as Error).message}`);
      }
    }
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    return 'works, and nothing of it is lost';
  },
};

/** What happens to a table between two runs or in the midst of one, so that the next run has to load all of it again. */
const LOSSES: Readonly<Record<string, string>> = {
  'drops it': 'DROP TABLE merged',
  'renames it': 'ALTER TABLE merged RENAME TO merged_old',
  'empties it': 'TRUNCATE merged',
  'moves it to another schema': 'CREATE SCHEMA other; ALTER TABLE merged SET SCHEMA other',
  'makes it anew, empty':
    'CREATE TABLE same (LIKE merged); DROP TABLE merged; ALTER TABLE same RENAME TO merged',
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
    for (const [what, sql] of Object.entries(LOSSES).slice(0, arena.brief ? 1 : undefined))
      for (const moment of arena.brief ? moments.slice(0, 1) : moments)
        await loseTable(arena, { what, sql, moment }).catch((error: Error) => {
          throw new Error(`the user ${what}, ${moment || 'between runs'}: ${error.message}`, {
            cause: error,
          });
        });
    return arena.brief ? 'whole' : 'sql.table_lost or postgres.no_table when a run is under way, then whole';
  },
};

async function loseTable(
  arena: Arena<Replica>,
  { what, sql, moment }: { what: string; sql: string; moment: string },
): Promise<void> {
  arena.say(`${what} ${moment}`);
  const pair = await openReplica(arena, 200, ['merged']);
  await pair.run();
  await write(pair, 20);
  arena.tally.faults++;
  if (moment === '') await pair.to.db.query(sql);
  else {
    const paused = await pauseAt(pair, moment);
    // Where a load has looked at the table, the user has to wait for it.
    const waits = await pair.to.db.query(`SET lock_timeout = '300ms'; ${sql}`).then(
      () => false,
      (error: { code?: string }) => error.code === '55P03',
    );
    const [outcome] = await paused.goOn();
    // It may have begun again by itself.
    if (outcome!.status === 'loaded') await arena.verify(pair, ['merged']);
    else if (waits) throw new Error(`nothing was done to the table, and the run ended with ${outcome!.code}`);
    else if (!['sql.table_lost', 'postgres.no_table'].includes(String(outcome!.code)))
      throw new Error(`ended with ${outcome!.code}`);
  }
  await heals(arena, pair);
  await write(pair, 5);
  await heals(arena, pair);
}

const booksLost: Attack<Replica> = {
  ...TARGET,
  name: 'target-books-lost',
  tries: 'The user drops the schema "_sluice", between two runs and while one is under way',
  async run(arena) {
    const codes = new Set<string>();
    for (const moment of ['', 'event:stream-planned:1', 'event:step/staged:1']) {
      const pair = await openReplica(arena, 100, ['appended', 'merged']);
      pair.streams = { merged: pair.streams['merged']! };
      await pair.run();
      await write(pair, 20);
      const before = JSON.stringify(await pair.to.lines('merged', 'history'));
      arena.tally.faults++;
      const drop = (): Promise<unknown> => pair.to.db.query('DROP SCHEMA _sluice CASCADE');
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
      const { rows } = await pair.to.db.query('SELECT count(*)::int AS n FROM merged');
      if (rows[0]!['n'] !== (JSON.parse(before) as string[]).length) throw new Error('rows were changed');
      await pair.to.db.query('TRUNCATE merged');
      await heals(arena, pair);
    }
    return `${[...codes].join(', ')}, whole when the table is emptied`;
  },
};

const restored: Attack<Replica> = {
  ...TARGET,
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
        const make = `CREATE TABLE ${table} (id int, note text, n int, updated_at timestamptz); INSERT INTO ${table} VALUES (-1, 'mine', 1, now())`;
        arena.tally.faults++;
        if (moment === 'kill') await (await pauseAt(pair, 'after:note:1')).kill();
        let outcome: { status: string; code?: string } | undefined;
        if (moment === '' || moment === 'kill') await pair.to.db.query(make);
        else {
          const paused = await pauseAt(pair, moment);
          // An open load has made the table; then there is none to make.
          const made = await pair.to.db.query(make).then(
            () => true,
            () => false,
          );
          [outcome] = await paused.goOn();
          if (!made) continue;
        }
        const told = outcome?.code ?? (await codeOf(pair));
        if (told !== 'sql.not_ours')
          throw new Error(`${table}, ${moment}: expected sql.not_ours, found ${told}`);
        const { rows } = await pair.to.db.query(`SELECT note FROM ${table}`);
        if (rows.length !== 1 || rows[0]!['note'] !== 'mine')
          throw new Error(`${table}, ${moment}: the user's rows were changed`);
        await pair.to.db.query(`DROP TABLE ${table}`);
        await heals(arena, pair);
      }
    }
    return 'sql.not_ours, then whole';
  },
};

async function codeOf(pair: Replica): Promise<string | undefined> {
  const { streams } = await pair.attempt();
  return streams[0]!.error?.code;
}

export const TARGET_TABLES: readonly Attack<Replica>[] = [
  refusedRows,
  dependants,
  tableLost,
  booksLost,
  restored,
  notOurs,
];
