/** What others do to the tables that are written to while they are written: locks, deadlocks, statements that go on. */
import type { Attack } from '../attack.ts';
import { killAt } from '../pause.ts';
import { errorOf, expectError } from './expect.ts';
import { TABLES, write } from './source-tables.ts';
import {
  codeOf,
  type Each,
  heals,
  meetTargetFault,
  openReplica,
  OWN_SERVER,
  type Replica,
  TARGET,
} from './target-ground.ts';

const LOCKS: Each<readonly (readonly [table: string, lock: string])[]> = {
  postgres: [
    ['merged', 'ALTER TABLE merged ADD COLUMN mine int'],
    ['replaced', 'SELECT count(*) FROM replaced'],
    ['appended', 'LOCK TABLE appended IN SHARE MODE'],
    ['merged', 'SELECT 1 FROM merged FOR UPDATE'],
    ['merged', 'SELECT 1 FROM _sluice.tables FOR UPDATE'],
  ],
  mysql: [
    ['merged', 'LOCK TABLES merged WRITE'],
    ['replaced', 'SELECT count(*) FROM replaced'],
    ['appended', 'LOCK TABLES appended READ'],
    ['merged', 'SELECT 1 FROM merged FOR UPDATE'],
    ['merged', 'SELECT 1 FROM _sluice_tables FOR UPDATE'],
    ['replaced', 'SELECT 1 FROM _sluice_tables FOR UPDATE'],
  ],
};
const UNLOCK: Each<string> = { postgres: 'ROLLBACK', mysql: 'ROLLBACK; UNLOCK TABLES' };

const locked: Attack<Replica> = {
  ...TARGET,
  name: 'target-locked',
  tries:
    'Somebody holds a lock on the table that is written to, on its rows or on the record of what is loaded, for longer than lock_timeout',
  async run(arena) {
    const codes = new Set<string>();
    for (let i = 0; ; i++) {
      const pair = await openReplica(arena, 200, TABLES);
      const [table, lock] = LOCKS[pair.to.type][i] ?? [];
      if (table === undefined || lock === undefined) break;
      pair.streams = { [table]: pair.streams[table]! };
      arena.say(lock);
      await pair.run();
      const other = await pair.to.session();
      const code = await meetTargetFault(arena, pair, {
        inject: () => other.query(`BEGIN; ${lock}`),
        heal: () => other.query(UNLOCK[pair.to.type]),
        codes: ['locked'],
        names: [table],
      });
      await other.end();
      codes.add(code);
    }
    return `${[...codes].join(', ')}, then whole`;
  },
};

const QUICK_TO_FIND: Each<readonly string[]> = {
  // Several statements at once would be a transaction, in which the first one cannot run.
  postgres: [`ALTER SYSTEM SET deadlock_timeout = '50ms'`, 'SELECT pg_reload_conf()'],
  // It looks at every wait.
  mysql: [],
};
const A_MOMENT: Each<string> = { postgres: 'SELECT pg_sleep(0.01)', mysql: 'DO SLEEP(0.01)' };

const deadlocks: Attack<Replica> = {
  ...TARGET,
  name: 'target-deadlocks',
  tries: 'Four sessions lock and change rows of the table in the opposite order while merges go on',
  rounds: 3,
  async run(arena) {
    const pair = await openReplica(arena, 300, ['merged'], OWN_SERVER);
    for (const sql of QUICK_TO_FIND[pair.to.type]) await pair.to.query(sql);
    pair.to.connection = { ...pair.to.connection, lock_timeout: '20 s' };
    await pair.run();
    let going = true;
    const met = { deadlocks: 0 };
    const others = Array.from({ length: 4 }, async () => {
      const client = await pair.to.session();
      while (going) {
        // What is changed stays as it is, so that the two can be compared.
        const ids = Array.from({ length: 3 }, () => 7 * arena.random.int(1, 42)).toSorted((a, b) => b - a);
        await client
          .query(
            `BEGIN; ${ids.map((id) => `UPDATE merged SET n = n WHERE id = ${id}; ${A_MOMENT[pair.to.type]};`).join(' ')} COMMIT`,
          )
          .catch(({ code }: { code?: string }) => {
            if (code === '40P01' || code === 'ER_LOCK_DEADLOCK') met.deadlocks++;
            return client.query('ROLLBACK');
          });
      }
      await client.end();
    });
    const codes = new Set<string>();
    try {
      for (let run = 0; run < 12; run++) {
        await write(pair, 5);
        const error = await errorOf(pair);
        if (!error) continue;
        expectError(error, { codes: [codeOf(pair, 'deadlock')], names: ['merged'] });
        codes.add(error.code);
      }
    } finally {
      going = false;
      await Promise.all(others);
    }
    arena.tally.faults += met.deadlocks;
    await heals(arena, pair);
    return 'tries again, or deadlock; then whole';
  },
};

const SLOW_ROWS: Each<string> = {
  postgres: `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
       CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON merged FOR EACH ROW EXECUTE FUNCTION slow()`,
  mysql: 'CREATE TRIGGER slow BEFORE UPDATE ON merged FOR EACH ROW SET @slow = SLEEP(0.02)',
};

const zombie: Attack<Replica> = {
  ...TARGET,
  name: 'target-zombie',
  tries:
    'A run is killed while the server is at work on a long statement of its own; the next one comes at once',
  async run(arena) {
    const pair = await openReplica(arena, 200, ['merged', 'replaced']);
    await pair.run();
    await write(pair, 20);
    await pair.to.query(SLOW_ROWS[pair.to.type]);
    pair.to.connection = { ...pair.to.connection, lock_timeout: '20 s' };
    await killAt(pair, 'during:update:1');
    arena.tally.kills++;
    await heals(arena, pair);
    return 'works';
  },
};

export const TARGET_LOCKS: readonly Attack<Replica>[] = [locked, deadlocks, zombie];
