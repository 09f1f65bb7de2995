/** What the server that is written to may do: restart, lose connections, be full, locked, read-only. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Attack } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import { pauseAt } from '../pause.ts';
import { mountDisk, NO_ROOT } from './destination-ground.ts';
import { errorOf, expectError } from './expect.ts';
import { Proxy, type Treatment } from './proxy.ts';
import {
  codeOf,
  type Each,
  heals,
  meetTargetFault,
  openReplica,
  OWN_SERVER,
  POSTGRES_TARGET,
  type PostgresReplica,
  type Replica,
  TARGET,
  type TargetFault,
} from './target-ground.ts';
import { TABLES, write } from './source-tables.ts';

/** The second where an attempt finds that the one before it has done all. */
const DONE = ['loaded', 'nothing-new'];
const PASS: Treatment = { kind: 'pass' };

function lost(pair: Replica): string[] {
  return ['connection_lost', 'shutting_down'].map((code) => codeOf(pair, code));
}

/** Tries again by itself, or says what is lost. */
async function comesThrough(pair: Replica, options: RunOptions = {}): Promise<string> {
  const error = await errorOf(pair, options);
  if (error) expectError(error, { codes: lost(pair), names: [] });
  return error?.code ?? 'works';
}

type Moments = readonly (readonly [table: string, moment: string])[];

const RESTARTED: Each<Moments> = {
  postgres: [
    ['appended', 'after:sent:2'],
    ['merged', 'after:sent:2'],
    ['merged', 'after:update:1'],
    ['merged', 'during:commit:1'],
    ['appended', 'during:commit:1'],
    ['replaced', 'after:commit-aside:1'],
    ['replaced', 'after:drop:1'],
    ['replaced', 'during:commit:1'],
  ],
  mysql: [
    ['appended', 'after:sent:1'],
    ['merged', 'after:sent:1'],
    ['merged', 'after:update:1'],
    ['merged', 'during:commit:1'],
    ['appended', 'during:commit:1'],
    ['replaced', 'after:commit-aside:1'],
    ['replaced', 'after:pending:1'],
    ['replaced', 'after:commit-aside:3'],
    ['replaced', 'after:lock-record:2'],
    ['replaced', 'during:rename-table:1'],
    ['replaced', 'after:rename-table:1'],
    ['replaced', 'during:commit:1'],
  ],
};

const restarts: Attack<Replica> = {
  ...TARGET,
  name: 'target-restarts',
  tries:
    'The server that is written to is restarted, by orderly shutdown or as after a crash, in the midst of a copy, of a merge, and when a COMMIT was sent and not yet answered',
  async run(arena) {
    for (const how of ['orderly', 'crash'] as const)
      for (let i = 0; ; i++) {
        const pair = await openReplica(arena, 3000, TABLES, OWN_SERVER);
        const [table, moment] = RESTARTED[pair.to.type][i] ?? [];
        if (table === undefined || moment === undefined) break;
        arena.say(`${how} ${moment} of ${table}`);
        pair.streams = { [table]: pair.streams[table]! };
        await pair.run();
        await write(pair, 500);
        const paused = await pauseAt(pair, moment);
        await pair.to.restart(how);
        arena.tally.faults++;
        const [outcome] = await paused.goOn();
        const { status, code } = outcome!;
        if (!DONE.includes(status) && !lost(pair).includes(code!))
          throw new Error(`${how} restart ${moment} of ${table}: ${JSON.stringify(outcome)}`);
        if (DONE.includes(status)) await arena.verify(pair, [table]);
        await write(pair, 5);
        await heals(arena, pair);
      }
    return 'tries again, then whole';
  },
};

const cuts: Attack<Replica> = {
  ...TARGET,
  name: 'target-cut-connections',
  tries:
    'Connections to the server that is written to end or are reset at random bytes in either direction, run after run',
  rounds: 10,
  brief: true,
  async run(arena) {
    const { random } = arena;
    const pair = await openReplica(arena, arena.brief ? 500 : 2000, arena.brief ? ['merged'] : TABLES);
    await using proxy = await Proxy.open(pair.to.server);
    pair.to.connection = { ...pair.to.connection, url: proxy.url(pair.to.url) };
    const runs = arena.brief ? 1 : 5;
    for (let run = 1; run <= runs; run++) {
      const first = proxy.connections + random.int(0, 8);
      const cut = random.int(1, 4);
      const struck = proxy.struck;
      proxy.treat = (n) =>
        n < first || n >= first + cut
          ? PASS
          : {
              kind: 'cut',
              direction: random.pick(['up', 'down'] as const),
              after: Math.round(2 ** (random.next() * 18)),
              how: random.pick(['end', 'reset'] as const),
            };
      const came = await comesThrough(pair);
      arena.tally.faults += proxy.struck - struck;
      proxy.heal();
      if (came === 'works') await arena.verify(pair, Object.keys(pair.streams));
      if (run < runs) await write(pair, random.int(0, 500));
    }
    await heals(arena, pair);
    return 'tries again, or connection_lost; then whole';
  },
};

const unanswered: Attack<Replica> = {
  ...TARGET,
  name: 'target-commit-unanswered',
  tries:
    'The connection ends when the server has done a COMMIT, and before it can say so, in a first load and in later ones',
  async run(arena) {
    for (const table of TABLES) {
      const pair = await openReplica(arena, 300, [table]);
      await using proxy = await Proxy.open(pair.to.server);
      pair.to.connection = { ...pair.to.connection, url: proxy.url(pair.to.url) };
      for (let nth = 1; nth <= 4; nth++) {
        let commits = 0;
        const struck = proxy.struck;
        proxy.treat = () => ({ kind: 'deaf', text: 'COMMIT', isIt: () => ++commits === 1 + (nth % 2) });
        await comesThrough(pair);
        arena.tally.faults += proxy.struck - struck;
        proxy.heal();
        await write(pair, 50);
      }
      await heals(arena, pair);
    }
    return 'tries again, then whole';
  },
};

const rights: Attack<PostgresReplica> = {
  ...POSTGRES_TARGET,
  name: 'target-rights',
  tries:
    'The role may not create schemas or tables, not write to the table, or nothing at all: the session, the role or the whole server is read-only',
  async run(arena) {
    const codes = new Set<string>();
    const pair = await openReplica(arena, 100, ['merged']);
    const role = `writer_${new URL(pair.to.url).pathname.slice(1)}`;
    const database = new URL(pair.to.url).pathname.slice(1);
    const owned = pair.to.connection;
    await pair.to.db.query(`CREATE ROLE ${role} LOGIN`);
    pair.to.connection = { ...owned, url: pair.to.urlOf(role) };
    const refuse = async (wanted: readonly string[], names: readonly string[]): Promise<void> => {
      arena.tally.faults++;
      const error = await errorOf(pair);
      if (!error) throw new Error(`the run went well; expected ${wanted.join(' or ')}`);
      expectError(error, { codes: wanted, names });
      codes.add(error.code);
    };
    await refuse(['postgres.permission'], [database]);
    await pair.to.db.query(`GRANT CREATE ON DATABASE ${database} TO ${role}`);
    await refuse(['postgres.permission'], ['public']);
    await pair.to.db.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
    await heals(arena, pair);
    await pair.to.db.query(`ALTER TABLE merged OWNER TO postgres; GRANT SELECT ON merged TO ${role}`);
    await write(pair, 5);
    await refuse(['postgres.permission'], ['merged']);
    await pair.to.db.query(`ALTER TABLE merged OWNER TO ${role}`);
    await heals(arena, pair);
    await pair.to.db.query(`ALTER ROLE ${role} SET default_transaction_read_only = on`);
    await write(pair, 5);
    await refuse(['postgres.read_only'], []);
    await pair.to.db.query(`ALTER ROLE ${role} RESET default_transaction_read_only`);
    await heals(arena, pair);
    return `${[...codes].join(', ')}, then whole`;
  },
};

const settings: Attack<PostgresReplica> = {
  ...POSTGRES_TARGET,
  name: 'target-settings',
  tries:
    'The role that writes has timeouts for idle sessions, transactions and statements, another time zone, style of dates, search path and isolation',
  async run(arena) {
    const pair = await openReplica(arena, 3000, TABLES);
    const role = `set_${new URL(pair.to.url).pathname.slice(1)}`;
    const odd = {
      statement_timeout: `'300ms'`,
      idle_in_transaction_session_timeout: `'300ms'`,
      idle_session_timeout: `'300ms'`,
      transaction_timeout: `'300ms'`,
      TimeZone: `'Asia/Kathmandu'`,
      DateStyle: `'German'`,
      IntervalStyle: `'iso_8601'`,
      extra_float_digits: `'-10'`,
      bytea_output: `'escape'`,
      default_transaction_isolation: `'serializable'`,
      search_path: `'nowhere'`,
      client_encoding: `'LATIN1'`,
      row_security: `'off'`,
      synchronous_commit: `'off'`,
    };
    const set = Object.entries(odd).map(([name, value]) => `ALTER ROLE ${role} SET ${name} = ${value}`);
    await pair.to.db.query([`CREATE ROLE ${role} LOGIN SUPERUSER`, ...set].join(';'));
    pair.to.connection = { ...pair.to.connection, url: pair.to.urlOf(role) };
    const proxied = pair.from.connection;
    await using proxy = await Proxy.open(pair.from.server);
    // Long enough for all of these timeouts.
    proxy.treat = () => ({ kind: 'slow', bytes: 200_000, pauseMs: 500 });
    pair.from.connection = { ...proxied, url: proxy.url(pair.from.url) };
    for (let run = 0; run < 2; run++) {
      arena.tally.faults++;
      await heals(arena, pair);
      await write(pair, 1000);
    }
    await heals(arena, pair);
    return 'works';
  },
};

const full: Attack<Replica> = {
  ...TARGET,
  name: 'target-disk-full',
  tries: 'The disk that the tables are on becomes full in the midst of a copy and of a merge',
  async run(arena) {
    const codes = new Set<string>();
    for (const table of TABLES) {
      arena.say(table);
      const pair = await openReplica(arena, 100, [table], OWN_SERVER);
      const folder = path.join(pair.folder, 'disk');
      using disk = mountDisk(folder, 'size=24m,mode=777');
      if (!disk) return NO_ROOT;
      // A server does not take the folder of somebody else, nor look into that of root.
      const { uid } = owner(pair.to.server.pid);
      const space = path.join(folder, 'space');
      mkdirSync(space);
      spawnSync('chmod', ['755', pair.folder]);
      spawnSync('chown', [`${uid}:${uid}`, space]);
      const leave = await MOVE_TO[pair.to.type](pair, space);
      await pair.run();
      await write(pair, 6000);
      codes.add(
        await meetTargetFault(arena, pair, {
          inject: async () => disk.fill(100),
          heal: async () => {
            disk.free();
            if (pair.to.type === 'mysql') await pair.to.restart('crash');
          },
          ...TOLD[pair.to.type](table),
        }),
      );
      await leave();
    }
    return `${[...codes].join(', ')}, then whole`;
  },
};

/** MariaDB 10.11 was seen to end itself while it takes back what it had no room for. */
const TOLD: Each<(table: string) => Pick<TargetFault, 'codes' | 'names'>> = {
  postgres: (table) => ({ codes: ['exhausted'], names: [table, /space/] }),
  mysql: () => ({ codes: ['exhausted', 'connection_lost', 'connection_refused'], names: [] }),
};

/** Has the tables of the database made in a folder from now on; returns what takes them away from there. */
const MOVE_TO: Each<(pair: Replica, folder: string) => Promise<() => Promise<void>>> = {
  postgres: async ({ to, streams }, folder) => {
    const database = new URL(to.url).pathname.slice(1);
    const name = `small_${database}`;
    await to.query(`CREATE TABLESPACE ${name} LOCATION '${folder}'`);
    await to.query(
      `ALTER DATABASE ${database} SET default_tablespace = ${name}; ALTER DATABASE ${database} SET temp_tablespaces = ${name}`,
    );
    return async () => {
      await to.query(
        `ALTER DATABASE ${database} RESET default_tablespace; ALTER DATABASE ${database} RESET temp_tablespaces`,
      );
      await to.query(`DROP SCHEMA _sluice CASCADE; DROP TABLE ${Object.keys(streams).join(', ')}`);
      await to.query(`DROP TABLESPACE ${name}`);
    };
  },
  mysql: async ({ to }, folder) => {
    const database = new URL(to.url).pathname.slice(1);
    const [row] = await to.query('SELECT @@datadir AS folder');
    const place = path.join(String(row!['folder']), database);
    cpSync(place, folder, { recursive: true });
    rmSync(place, { recursive: true });
    symlinkSync(folder, place);
    return async () => void (await to.query(`DROP DATABASE ${database}`));
  },
};

function owner(pid: number): { uid: string } {
  return { uid: /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]! };
}

export const TARGET_SERVER: readonly Attack<SqlPair>[] = [restarts, cuts, unanswered, rights, settings, full];
