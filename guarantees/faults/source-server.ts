/** A server that is restarted, that ends our sessions, or that has no room for us. */
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { errorOf, expectError, expectVisible, meetFault, mustHeal, seen } from './expect.ts';
import { openTables, TABLES, write } from './source-tables.ts';
import { atEvent, duringCopy, whenPlanned } from './source-moments.ts';

/** A server of one's own, which may be restarted. */
const OWN_SERVER = { settings: { cluster_name: 'restarted' } };

const MOMENTS = { 'while a table is copied': duringCopy, 'between planning and reading': whenPlanned };

const LOST = ['postgres.connection_lost', 'postgres.shutting_down', 'postgres.connection_refused'];

/** The fault passes within the run, so that its own attempts come through, or later, so that the next run does. */
async function passing(
  arena: Arena,
  pair: Pair,
  run: () => Promise<RunOptions>,
  may: 'fail' | 'not fail' = 'fail',
): Promise<void> {
  const before = await seen(pair, Object.keys(pair.streams));
  const options = await run();
  const error = await errorOf(pair, options);
  arena.tally.faults++;
  if (error && may === 'not fail') throw new Error(`the run was given up: ${error.code}: ${error.message}`);
  if (error) {
    expectError(error, { codes: LOST, names: [/postgres@127\.0\.0\.1:\d+|appended|merged|replaced/] });
    await expectVisible(pair, Object.keys(pair.streams), before, 'part');
  } else if (!pair.events.some(({ kind }) => kind === 'retry')) {
    throw new Error('the run did not notice the fault, so this proves nothing');
  }
}

async function restart(arena: Arena): Promise<string> {
  const modes = arena.brief ? (['immediate'] as const) : (['fast', 'immediate'] as const);
  const moments = Object.entries(MOMENTS).slice(0, arena.brief ? 1 : 2);
  for (const [when, moment] of moments) {
    for (const mode of modes) {
      arena.say(`restarting the server ${when} (${mode})`);
      await using pair = await openTables(arena, arena.brief ? 5000 : 20_000, OWN_SERVER);
      pair.from.connection = { ...pair.from.connection, slice_size: arena.brief ? '1 GiB' : '2 MB' };
      const server = pair.from.server;
      const again = async (): Promise<void> => {
        await server.restart(mode);
        await pair.from.reconnect();
      };
      await using strike = await moment(pair, again);
      await passing(arena, pair, strike.options);
      if (!arena.brief) {
        await write(pair, 20_000);
        await passing(arena, pair, strike.options);
      }
      await mustHeal(arena, pair, Object.keys(pair.streams));
    }
  }
  return 'tries again, then whole';
}

export const RESTARTS: Attack = {
  name: 'server-restarts',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The server is restarted, by orderly shutdown or as after a crash, while a table is copied and between planning and reading',
  rounds: 1,
  brief: true,
  run: restart,
};

/** Ends sessions of ours: those that hold a snapshot sit idle in their transaction, the others read. */
async function terminate(pair: Pair, which: 'holder' | 'reader' | 'all'): Promise<void> {
  const state = { holder: `= 'idle in transaction'`, reader: `= 'active'`, all: 'IS NOT NULL' }[which];
  const ended = await pair.from.query(
    `SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'sluice' AND state ${state}`,
  );
  if (ended.length === 0) throw new Error(`there is no session to end (${which})`);
}

async function terminated(arena: Arena): Promise<string> {
  for (const [when, moment] of Object.entries(MOMENTS)) {
    for (const which of ['holder', 'reader', 'all'] as const) {
      if (which === 'reader' && moment !== duringCopy) continue;
      arena.say(`ending sessions ${when} (${which})`);
      await using pair = await openTables(arena, 10_000);
      pair.from.connection = { ...pair.from.connection, slice_size: '2 MB' };
      await using strike = await moment(pair, () => terminate(pair, which));
      await passing(arena, pair, strike.options, 'not fail');
      await write(pair, 20_000);
      await passing(arena, pair, strike.options, 'not fail');
      await mustHeal(arena, pair, Object.keys(pair.streams));
    }
  }
  return 'tries again, then whole';
}

export const TERMINATED: Attack = {
  name: 'ended-sessions',
  part: 'faults',
  promise: 'faults-heal',
  tries: 'An administrator ends the session that holds the snapshot, the one that copies, or all of them',
  rounds: 1,
  brief: false,
  run: terminated,
};

/** Defaults of role or database that would end our transactions. */
async function timeouts(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 20_000);
  const [{ name, version }] = (await pair.from.query(
    `SELECT current_database() AS name, current_setting('server_version_num')::int AS version`,
  )) as [{ name: string; version: number }];
  const settings = [
    'idle_in_transaction_session_timeout',
    'lock_timeout',
    ...(version >= 170_000 ? ['transaction_timeout'] : []),
  ];
  for (const setting of settings) await pair.from.query(`ALTER DATABASE "${name}" SET ${setting} = '150 ms'`);
  arena.tally.faults += settings.length;
  await using slow = await duringCopy(pair, () => new Promise((resolve) => setTimeout(resolve, 600)));
  await pair.run(await slow.options());
  if (pair.events.some(({ kind }) => kind === 'retry'))
    throw new Error('a setting of the database ended a session');
  await mustHeal(arena, pair, Object.keys(pair.streams));

  await pair.from.query(`ALTER TABLE merged ADD COLUMN slow int`);
  pair.streams = { merged: { ...pair.streams['merged'], where: 'pg_sleep(0.01) IS NOT NULL' } };
  const code = await meetFault(arena, pair, {
    tables: ['merged'],
    inject: async () => {
      pair.from.connection = { ...pair.from.connection, statement_timeout: '1 s' };
      await write(pair, 200);
    },
    expected: { codes: ['postgres.query_cancelled'], names: ['merged'] },
    heal: async () => {
      delete pair.from.connection['statement_timeout'];
      pair.streams = { merged: { load: 'merge', cursor: 'updated_at' } };
    },
  });
  return `works; ${code} for statement_timeout, then whole`;
}

export const TIMEOUTS: Attack = {
  name: 'server-timeouts',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The database ends idle transactions, long transactions and long statements after a moment: with settings of its own, and with statement_timeout',
  rounds: 1,
  brief: false,
  run: timeouts,
};

/** Somebody who has altered a table and forgotten to commit. */
async function locked(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 500);
  pair.from.connection = { ...pair.from.connection, lock_timeout: '1 s' };
  const codes: string[] = [];
  for (const moment of ['before', 'planned'] as const) {
    arena.say(`locking a table (${moment})`);
    const other = await pair.from.session();
    const lock = async (): Promise<void> =>
      void (await other.query('BEGIN; LOCK TABLE merged IN ACCESS EXCLUSIVE MODE'));
    const code = await meetFault(arena, pair, {
      // The others are loaded.
      tables: ['merged'],
      inject: async () => {
        if (moment === 'planned')
          return atEvent((event) => event.kind === 'stream-planned' && event.stream === 'merged', lock);
        await lock();
        return {};
      },
      expected: { codes: ['postgres.locked'], names: ['merged'] },
      heal: async () => void (await other.query('COMMIT')),
    });
    codes.push(code);
    await write(pair, 50);
  }
  await mustHeal(arena, pair, Object.keys(pair.streams));
  return `${codes[0]}, then whole`;
}

export const LOCKED: Attack = {
  name: 'locked-table',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'Somebody holds an exclusive lock on a table for longer than lock_timeout, before a run or in the midst of it',
  rounds: 1,
  brief: false,
  run: locked,
};

/** Everything that a server can say to somebody who only wants in. */
async function refused(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 200, {
    settings: { cluster_name: 'full', max_connections: '8', superuser_reserved_connections: '2' },
  });
  await pair.from.query(
    'DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader',
  );
  const url = pair.from.urlOf('reader');
  const connection = { ...pair.from.connection, url };
  pair.from.connection = connection;
  const sessions: { end(): Promise<void> }[] = [];
  const codes: string[] = [];
  const meet = async (
    inject: () => Promise<void>,
    code: string,
    heal: () => Promise<void>,
  ): Promise<void> => {
    arena.say(code);
    await write(pair, 20);
    codes.push(
      await meetFault(arena, pair, {
        tables: TABLES,
        inject,
        expected: { codes: [code], names: [/127\.0\.0\.1|no-such-host|pair_/] },
        heal,
      }),
    );
  };
  const changed =
    (change: object): (() => Promise<void>) =>
    async () =>
      void (pair.from.connection = { ...connection, ...change });
  const back = changed({});
  await mustHeal(arena, pair, Object.keys(pair.streams));
  await meet(
    async () => {
      try {
        for (;;) sessions.push(await pair.from.connect(url));
      } catch {
        // That was the last one.
      }
    },
    'postgres.exhausted',
    async () => void (await Promise.all(sessions.map((session) => session.end()))),
  );
  await meet(changed({ database: 'pair_nothing' }), 'postgres.no_database', back);
  await meet(changed({ user: 'nobody_at_all' }), 'postgres.login_refused', back);
  await meet(changed({ port: 1 }), 'postgres.connection_refused', back);
  await meet(changed({ host: 'no-such-host.invalid' }), 'postgres.unknown_host', back);
  await meet(
    async () => void (await pair.from.query('ALTER ROLE reader CONNECTION LIMIT 0')),
    'postgres.exhausted',
    async () => void (await pair.from.query('ALTER ROLE reader CONNECTION LIMIT -1')),
  );
  await meet(
    async () => void (await pair.from.query(`ALTER ROLE reader NOLOGIN`)),
    'postgres.login_refused',
    async () => void (await pair.from.query('ALTER ROLE reader LOGIN')),
  );
  return `${[...new Set(codes)].join(', ')}, then whole`;
}

export const REFUSED: Attack = {
  name: 'refused-connections',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The server has no connection left, for anybody or for the role; database, role, host or port do not exist; the role may not log in',
  rounds: 1,
  brief: false,
  run: refused,
};
