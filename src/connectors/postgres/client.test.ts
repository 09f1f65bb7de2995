import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthError, CancelledError, ConfigError, SluiceError, TransientError } from '../../core/errors.ts';
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts';
import { type Authority, issue, makeAuthority } from './certificates.fixture.ts';
import { connect, describeTarget, type Target, targetOf } from './client.ts';
import { postgresOptions, type PostgresOptionsInput } from './options.ts';

const PASSWORD = `p@ss w:rd/%?#'"\\`;

let folder: string;
let authority: Authority;
let stranger: Authority;
let plain: PostgresServer;
let secure: PostgresServer;
let expired: PostgresServer;
let strict: PostgresServer;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-client-test-'));
  authority = makeAuthority('the authority');
  stranger = makeAuthority('a stranger');
  writeFileSync(path.join(folder, 'ca.pem'), authority.cert);
  writeFileSync(path.join(folder, 'stranger.pem'), stranger.cert);
  [plain, secure, expired, strict] = await Promise.all([
    startPostgres({ password: PASSWORD }),
    startPostgres({ tls: issue(authority, { names: ['localhost'] }) }),
    startPostgres({ tls: issue(authority, { names: ['localhost'], days: -1 }) }),
    startPostgres({
      tls: { ...issue(authority, { names: ['localhost'], ips: ['127.0.0.1'] }), required: true },
    }),
  ]);
});

afterAll(async () => {
  await Promise.all([plain, secure, expired, strict].map((server) => server?.stop()));
  rmSync(folder, { recursive: true, force: true });
});

/** The machine's own variables and files must not decide a test. */
const NO_ENVIRONMENT = { HOME: '/nonexistent' };

function target(
  input: PostgresOptionsInput,
  env: Record<string, string | undefined> = NO_ENVIRONMENT,
): Target {
  return targetOf(postgresOptions.parse(input), env);
}

/** Connects and says whether the connection is encrypted. */
async function encrypted(input: PostgresOptionsInput, env?: Record<string, string>): Promise<boolean> {
  const client = await connect(target(input, env), new AbortController().signal);
  try {
    const { rows } = await client.query<{ ssl: boolean }>(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    return rows[0]!.ssl;
  } finally {
    await client.end();
  }
}

async function refusal(input: PostgresOptionsInput, env?: Record<string, string>): Promise<SluiceError> {
  const outcome = await encrypted(input, env).catch((error: unknown) => error);
  if (!(outcome instanceof SluiceError)) throw new Error(`expected a refusal, found ${String(outcome)}`);
  return outcome;
}

const at = (server: PostgresServer, host: string, query = ''): string =>
  `postgres://postgres@${host}:${server.port}/postgres${query}`;
const ca = (name: string): string => path.join(folder, `${name}.pem`);

describe('TLS', () => {
  it('disable never encrypts, require always does and asks for no certificate', async () => {
    expect(await encrypted({ url: at(secure, 'localhost'), tls: 'disable' })).toBe(false);
    expect(await encrypted({ url: at(secure, '127.0.0.1'), tls: 'require' })).toBe(true);
    expect(await encrypted({ url: at(expired, 'localhost', '?sslmode=require') })).toBe(true);
  });

  it('prefer takes TLS where the server has it and goes without where it has not; on the loopback it begins without', async () => {
    // 0.0.0.0 reaches this machine and is not the loopback.
    expect(await encrypted({ url: at(secure, '0.0.0.0') })).toBe(true);
    expect(await encrypted({ url: at(plain, '0.0.0.0'), password: PASSWORD })).toBe(false);
    expect(await encrypted({ url: at(secure, 'localhost') })).toBe(false);
    expect(await encrypted({ url: at(strict, 'localhost') })).toBe(true);
  });

  it('require with an authority wants a certificate of that authority, as libpq does', async () => {
    expect(await encrypted({ url: at(secure, '127.0.0.1'), tls: 'require', tls_ca: ca('ca') })).toBe(true);
    expect(
      await refusal({ url: at(secure, 'localhost'), tls: 'require', tls_ca: ca('stranger') }),
    ).toMatchObject({ code: 'postgres.tls' });
  });

  it('verify-ca wants a certificate of a known authority, for whatever name', async () => {
    expect(await encrypted({ url: at(secure, 'localhost'), tls: 'verify-ca', tls_ca: ca('ca') })).toBe(true);
    expect(
      await encrypted({ url: at(secure, '127.0.0.1', `?sslmode=verify-ca&sslrootcert=${ca('ca')}`) }),
    ).toBe(true);
    expect(
      await refusal({ url: at(secure, 'localhost'), tls: 'verify-ca', tls_ca: ca('stranger') }),
    ).toMatchObject({ code: 'postgres.tls' });
    expect(await refusal({ url: at(secure, 'localhost'), tls: 'verify-ca' })).toMatchObject({
      code: 'postgres.tls',
    });
  });

  it('verify-full wants the name as well, also when it is an address', async () => {
    expect(await encrypted({ url: at(secure, 'localhost'), tls: 'verify-full', tls_ca: ca('ca') })).toBe(
      true,
    );
    expect(await encrypted({ url: at(strict, '127.0.0.1'), tls: 'verify-full', tls_ca: ca('ca') })).toBe(
      true,
    );
    const wrong = await refusal({ url: at(secure, '127.0.0.1'), tls: 'verify-full', tls_ca: ca('ca') });
    expect(wrong).toMatchObject({ code: 'postgres.tls', name: 'ConfigError' });
    expect(wrong.message).toMatch(/127\.0\.0\.1/);
    expect(wrong.remedy).toMatch(/host name/);
  });

  it.each(['verify-ca', 'verify-full'] as const)(
    '%s refuses an expired certificate and says so',
    async (tls) => {
      const error = await refusal({ url: at(expired, 'localhost'), tls, tls_ca: ca('ca') });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/expired/);
    },
  );

  it.each(['require', 'verify-ca', 'verify-full'] as const)(
    '%s refuses a server without TLS and names the way out',
    async (tls) => {
      const error = await refusal({ url: at(plain, 'localhost'), password: PASSWORD, tls });
      expect(error).toMatchObject({ code: 'postgres.no_tls', name: 'ConfigError' });
      expect(error.remedy).toMatch(/tls: disable/);
    },
  );

  it('a server that wants TLS refuses a connection without, with a hint', async () => {
    const error = await refusal({ url: at(strict, 'localhost'), tls: 'disable' });
    expect(error).toBeInstanceOf(AuthError);
    expect(error.remedy).toMatch(/tls.*pg_hba/);
  });

  it('files that cannot be read and modes that do not exist are mistakes of the configuration', async () => {
    const missing = await refusal({
      url: at(secure, 'localhost'),
      tls: 'verify-full',
      tls_ca: ca('nothing'),
    });
    expect(missing).toMatchObject({ code: 'postgres.tls', name: 'ConfigError' });
    expect(missing.message).toContain('nothing.pem');
    expect(() => target({ url: at(secure, 'localhost', '?sslmode=always') })).toThrow(
      '"always" is none of disable, prefer, require, verify-ca, verify-full',
    );
  });
});

describe('a password', () => {
  const login = (text: string): string => `postgres://postgres${text}@127.0.0.1:${plain.port}/postgres`;
  const ESCAPED = PASSWORD.replaceAll('\\', '\\\\').replaceAll(':', '\\:');

  function passwordFile(name: string, text: string, mode = 0o600): string {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  it('comes from the option, the URL, its parameter, PGPASSWORD or ~/.pgpass, in this order', async () => {
    const encoded = encodeURIComponent(PASSWORD);
    expect(await encrypted({ url: login(':wrong'), password: PASSWORD })).toBe(false);
    expect(await encrypted({ url: login(`:${encoded}`) }, { PGPASSWORD: 'wrong' })).toBe(false);
    expect(await encrypted({ url: `${login('')}?password=${encoded}` }, { PGPASSWORD: 'wrong' })).toBe(false);
    const wrong = passwordFile('wrong', '*:*:*:*:wrong\n');
    expect(await encrypted({ url: login('') }, { PGPASSWORD: PASSWORD, PGPASSFILE: wrong })).toBe(false);
    passwordFile('.pgpass', `*:*:*:postgres:${ESCAPED}\n`);
    expect(await encrypted({ url: login('') }, { HOME: folder })).toBe(false);
    const named = passwordFile('named', `*:*:*:*:${ESCAPED}\n`);
    expect(await encrypted({ url: `${login('')}?passfile=${named}` }, { HOME: '/nonexistent' })).toBe(false);
  });

  it('in a file is that of the first line that fits host, port, database and user', () => {
    const lines = [
      '# a comment',
      'broken line',
      '',
      'other:*:*:*:no',
      '*:1:*:*:no',
      '*:*:other:*:no',
      '*:*:*:other:no',
      'db\\:x:5432:shop:app:first:ignored',
      '*:*:*:*:second',
      '/run/pg:*:*:*:never',
    ];
    const file = passwordFile('lines', lines.join('\r\n'));
    const password = (options: PostgresOptionsInput): string | undefined =>
      target({ database: 'shop', user: 'app', ...options }, { PGPASSFILE: file }).password;
    expect(password({ host: 'db:x' })).toBe('first');
    expect(password({ host: 'db:x', port: 5433 })).toBe('second');
    expect(password({ host: 'elsewhere' })).toBe('second');
    expect(password({ host: 'elsewhere', user: 'other' })).toBe('no');
  });

  it('for a socket is found under its path or under localhost', () => {
    const file = passwordFile('socket', '/run/pg:*:*:*:by path\nlocalhost:*:*:*:by name\n');
    expect(target({ host: '/run/pg' }, { PGPASSFILE: file }).password).toBe('by path');
    expect(target({ host: '/tmp' }, { PGPASSFILE: file }).password).toBe('by name');
    expect(target({ host: 'db' }, { PGPASSFILE: file }).password).toBeUndefined();
  });

  it('in a file that others may read is not taken', () => {
    const file = passwordFile('open', '*:*:*:*:open\n', 0o640);
    expect(target({ host: 'db' }, { PGPASSFILE: file }).password).toBeUndefined();
    expect(target({ host: 'db' }, { PGPASSFILE: folder }).password).toBeUndefined();
  });

  it('that is wrong or missing is an AuthError with a remedy, and shows up nowhere', async () => {
    const secret = 'sEcr3t-w0rd';
    for (const input of [
      { url: login(`:${secret}`) },
      { url: login(''), password: secret },
      { url: login('') },
    ]) {
      const error = await refusal(input, { PGPASSFILE: '/nonexistent' });
      expect(error).toBeInstanceOf(AuthError);
      expect(error).toMatchObject({ code: 'postgres.login_refused', recovery: 'auth' });
      expect(error.message).toContain(`postgres@127.0.0.1:${plain.port}/postgres`);
      expect(error.remedy).toMatch(/PGPASSWORD/);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret);
    }
  });
});

describe('a server that accepts and says nothing', () => {
  async function silent(work: (port: number) => Promise<void>): Promise<void> {
    const sockets: Socket[] = [];
    const listener = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    try {
      await work((listener.address() as AddressInfo).port);
    } finally {
      for (const socket of sockets) socket.destroy();
      listener.close();
    }
  }

  it.each(['disable', 'require'] as const)('is given up after connect_timeout (tls: %s)', (tls) =>
    silent(async (port) => {
      await expect(
        connect(target({ host: '127.0.0.1', port, tls, connect_timeout: 0.3 }), new AbortController().signal),
      ).rejects.toMatchObject({
        name: 'TransientError',
        code: 'postgres.timeout',
      });
    }),
  );

  it.each(['disable', 'require'] as const)('does not keep who wants to stop (tls: %s)', (tls) =>
    silent(async (port) => {
      const controller = new AbortController();
      const connecting = connect(
        target({ host: '127.0.0.1', port, tls, connect_timeout: 600 }),
        controller.signal,
      );
      setTimeout(() => controller.abort(), 50);
      await expect(connecting).rejects.toThrow(CancelledError);
    }),
  );
});

describe('a target', () => {
  it('over a Unix socket is reached by URL or option, and never by TLS', async () => {
    const socket = encodeURIComponent(secure.socketDir);
    for (const url of [
      `postgres://postgres@/postgres?host=${secure.socketDir}&port=${secure.port}`,
      `postgres:///postgres?host=${socket}&port=${secure.port}&user=postgres`,
      `postgres://postgres@${socket}:${secure.port}/postgres`,
    ]) {
      expect(await encrypted({ url, tls: 'verify-full' }), url).toBe(false);
    }
    expect(
      await encrypted({ host: secure.socketDir, port: secure.port, user: 'postgres', database: 'postgres' }),
    ).toBe(false);
    expect(describeTarget(target({ host: '/tmp', user: 'u', database: 'd' }))).toBe('u@/tmp/d');
  });

  it('takes options before the URL, the URL before the environment, the environment before what is usual', () => {
    const env = {
      PGHOST: 'envhost',
      PGPORT: '1111',
      PGUSER: 'envuser',
      PGDATABASE: 'envdb',
      PGPASSWORD: 'envpw',
      PGSSLMODE: 'require',
    };
    expect(target({}, env)).toMatchObject({
      host: 'envhost',
      port: 1111,
      user: 'envuser',
      database: 'envdb',
      password: 'envpw',
      tls: 'require',
    });
    const url = 'postgres://u%40x:p%2Fw@h:2222/d%20b?sslmode=verify-ca&application_name=app';
    expect(target({ url }, env)).toMatchObject({
      host: 'h',
      port: 2222,
      user: 'u@x',
      database: 'd b',
      password: 'p/w',
      tls: 'verify-ca',
      applicationName: 'app',
    });
    expect(
      target(
        {
          url,
          host: 'o',
          port: 3333,
          user: 'ou',
          database: 'od',
          password: 'op',
          tls: 'disable',
          application_name: 'oa',
        },
        env,
      ),
    ).toMatchObject({
      host: 'o',
      port: 3333,
      user: 'ou',
      database: 'od',
      password: 'op',
      tls: 'disable',
      applicationName: 'oa',
    });
    expect(target({}, { HOME: '/nonexistent', USER: 'me' })).toMatchObject({
      host: '127.0.0.1',
      port: 5432,
      user: 'me',
      database: 'me',
      password: undefined,
      tls: 'prefer',
      applicationName: 'sluice',
      connectTimeoutMs: 10_000,
    });
    expect(target({ url: 'postgres://[::1]:5433/x' })).toMatchObject({ host: '::1', port: 5433 });
    expect(target({ url: 'postgres://u@/x' }, { PGHOST: 'envhost' })).toMatchObject({
      host: 'envhost',
      user: 'u',
      database: 'x',
    });
  });

  it('whose URL cannot be read is refused without repeating it', () => {
    for (const url of [
      'postgres://u:sEcr3t#x@h/db',
      'postgres://u:sEcr3t@h:99999/db',
      'postgres://u:sEcr3t%zz@h/db',
    ]) {
      const attempt = (): Target => target({ url });
      expect(attempt).toThrow(ConfigError);
      expect(attempt).toThrow(/not of the form postgres:\/\//);
      expect(attempt).not.toThrow(/sEcr3t/);
    }
  });

  it('that does not answer is worth another try; one that has no such database or user is not', async () => {
    const signal = new AbortController().signal;
    await expect(connect(target({ host: '127.0.0.1', port: 1 }), signal)).rejects.toThrow(TransientError);
    await expect(connect(target({ host: 'no-such-host.invalid' }), signal)).rejects.toMatchObject({
      code: 'postgres.unknown_host',
    });
    await expect(connect(target({ host: path.join(folder, 'no-socket') }), signal)).rejects.toMatchObject({
      code: 'postgres.connection_refused',
    });
    await expect(
      connect(target({ url: at(secure, '127.0.0.1').replace(/postgres$/, 'nothing') }), signal),
    ).rejects.toMatchObject({ code: 'postgres.no_database' });
    await expect(connect(target({ url: at(secure, '127.0.0.1'), user: 'nobody' }), signal)).rejects.toThrow(
      AuthError,
    );
  });
});
