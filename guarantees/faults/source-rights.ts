/** Rights, passwords and certificates that are wrong, or that are taken away. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { issue, makeAuthority } from '../../src/connectors/postgres/certificates.fixture.ts';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { meetFault, mustHeal } from './expect.ts';
import { whenPlanned } from './source-moments.ts';
import { openTables, TABLES, write } from './source-tables.ts';

interface Loss {
  what: string;
  take: string;
  giveBack: string;
  code: string;
  names: readonly (string | RegExp)[];
}

const GRANT = 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO CURRENT_DATABASE_READER';

const LOSSES: readonly Loss[] = [
  {
    what: 'SELECT on a table',
    take: 'REVOKE SELECT ON merged FROM CURRENT_DATABASE_READER',
    giveBack: GRANT,
    code: 'postgres.permission',
    names: ['merged'],
  },
  {
    what: 'SELECT on a column',
    take: `REVOKE SELECT ON merged FROM CURRENT_DATABASE_READER;
           GRANT SELECT (id, n, updated_at) ON merged TO CURRENT_DATABASE_READER`,
    giveBack: `REVOKE SELECT (id, n, updated_at) ON merged FROM CURRENT_DATABASE_READER; ${GRANT}`,
    code: 'postgres.permission',
    names: ['merged'],
  },
  {
    what: 'rows, by row level security',
    take: 'ALTER TABLE merged ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON merged USING (id % 2 = 0)',
    giveBack: 'DROP POLICY half ON merged; ALTER TABLE merged DISABLE ROW LEVEL SECURITY',
    code: 'postgres.row_security',
    names: ['merged'],
  },
];

/** Each pair has a role of its own, so that what one round takes is nobody else's. */
function forRole(sql: string, role: string): string {
  return sql.replaceAll('CURRENT_DATABASE_READER', role);
}

async function lostRights(arena: Arena): Promise<string> {
  await using pair = await openTables(arena, 500);
  const [{ name }] = (await pair.from.query('SELECT current_database() AS name')) as [{ name: string }];
  const role = `reader_${name}`;
  await pair.from.query(`CREATE ROLE ${role} LOGIN; ${forRole(GRANT, role)}`);
  pair.from.connection = { ...pair.from.connection, url: pair.from.urlOf(role) };
  const { connection } = pair.from;
  const codes = new Set<string>();
  for (const { what, take, giveBack, code, names } of LOSSES) {
    for (const moment of ['between runs', 'between planning and reading'] as const) {
      arena.say(`taking ${what} ${moment}`);
      const taking = async (): Promise<void> => void (await pair.from.query(forRole(take, role)));
      await using strike = await whenPlanned(pair, taking);
      if (moment === 'between runs') pair.from.connection = connection;
      pair.streams = { merged: pair.streams['merged'] ?? {} };
      const between = moment === 'between runs';
      // The server names the table only; what the plan finds out is told by column.
      const column = what.endsWith('column') && between ? ['"note"'] : [];
      codes.add(
        await meetFault(arena, pair, {
          tables: ['merged'],
          inject: async () => {
            await write(pair, 50);
            if (!between) return strike.options();
            await taking();
            return {};
          },
          expected: { codes: [code], names: [...names, ...column] },
          heal: async () => {
            await pair.from.query(forRole(giveBack, role));
            pair.from.connection = connection;
          },
        }),
      );
    }
  }
  await pair.from.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  return `${[...codes].join(', ')}, then whole`;
}

export const LOST_RIGHTS: Attack = {
  name: 'lost-rights',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The right to read a table or a column is taken away, or row level security begins to hide rows, between runs and between planning and reading',
  rounds: 1,
  brief: false,
  run: lostRights,
};

const PASSWORD = 'p:@ss "w\\rd';

/** A server that asks for a password, and shows a certificate when it has one. */
async function strangers(arena: Arena): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-faults-'));
  const authority = makeAuthority('the authority');
  writeFileSync(path.join(folder, 'ca.pem'), authority.cert);
  writeFileSync(path.join(folder, 'stranger.pem'), makeAuthority('a stranger').cert);
  const servers: PostgresServer[] = [];
  const start = async (names: string[], days?: number): Promise<PostgresServer> => {
    const tls = issue(authority, { names, ...(days !== undefined && { days }) });
    const server = await startPostgres({ password: PASSWORD, tls });
    servers.push(server);
    return server;
  };
  try {
    const [good, expired, other] = await Promise.all([
      start(['localhost']),
      start(['localhost'], -1),
      start(['elsewhere']),
    ]);
    await using pair = await openTables(arena, 200);
    return await meetStrangers(arena, pair, { folder, good, expired, other });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Strangers {
  folder: string;
  good: PostgresServer;
  expired: PostgresServer;
  other: PostgresServer;
}

/** The pair's own server is the one that is loaded before; the others are reached in its place while the fault lasts. */
async function meetStrangers(arena: Arena, pair: Pair, { folder, ...servers }: Strangers): Promise<string> {
  const { connection } = pair.from;
  await mustHeal(arena, pair, TABLES);
  const file = (name: string): string => path.join(folder, name);
  const verified = { tls: 'verify-full', tls_ca: file('ca.pem'), host: 'localhost', password: PASSWORD };
  const at = (server: PostgresServer): object => ({ port: server.port, database: 'postgres' });
  const faults: [what: string, code: string, change: object][] = [
    ['a wrong password', 'postgres.login_refused', { ...at(servers.good), ...verified, password: 'wrong' }],
    ['no password', 'postgres.login_refused', { ...at(servers.good), ...verified, password: undefined }],
    ['an expired certificate', 'postgres.tls', { ...at(servers.expired), ...verified }],
    [
      'an unknown authority',
      'postgres.tls',
      { ...at(servers.good), ...verified, tls_ca: file('stranger.pem') },
    ],
    ['a certificate for another host', 'postgres.tls', { ...at(servers.other), ...verified }],
    ['no such file', 'postgres.tls', { ...at(servers.good), ...verified, tls_ca: file('nothing.pem') }],
    ['a server without TLS', 'postgres.no_tls', { tls: 'require', host: 'localhost' }],
    // The certificate is good: this one is refused for what is not there, so that the other refusals prove something.
    ['another database', 'postgres.no_table', { ...at(servers.good), ...verified }],
  ];
  const codes = new Set<string>();
  for (const [what, code, change] of faults) {
    arena.say(what);
    await write(pair, 10);
    codes.add(
      await meetFault(arena, pair, {
        tables: TABLES,
        inject: async () => void (pair.from.connection = { ...connection, ...change }),
        expected: {
          codes: [code],
          names: [code === 'postgres.no_table' ? 'appended' : /localhost|nothing\.pem/],
        },
        heal: async () => void (pair.from.connection = connection),
      }),
    );
  }
  return `${[...codes].join(', ')}, then whole`;
}

export const STRANGERS: Attack = {
  name: 'logins-and-certificates',
  part: 'faults',
  promise: 'faults-heal',
  tries:
    'The password is wrong or missing; the certificate is expired, of an unknown authority or for another host; the server has no TLS; another database answers',
  rounds: 1,
  brief: false,
  run: strangers,
};
