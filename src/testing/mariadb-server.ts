/**
 * A real MariaDB server of one's own, for tests: private folder, socket and port, gone afterwards, at the latest when our
 * process ends. npm has none, so the programs have to be on this machine (Debian: mariadb-server-core).
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ConfigError } from '../core/errors.ts';
import { type Account, makeFolder, startGuard } from './postgres-folder.ts';

export interface MariadbServerOptions {
  /** Further arguments of the server: `--log-bin=bin`. */
  settings?: string[];
  /** Data folder of a stopped server of the same version: copied, which is faster than making one. */
  template?: string;
  /** Variables of its environment; TZ is its system time zone. */
  env?: Record<string, string>;
}

export interface MariadbServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly socket: string;
  readonly dataDir: string;
  readonly pid: number;
  url(database?: string, user?: string): string;
  /** Runs statements as root and returns the rows of the last one. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** Creates a database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** Stops the server and starts it again on the same port; after a crash, which is the default, it has to recover. */
  restart(how?: 'orderly' | 'crash'): Promise<void>;
  stop(): Promise<void>;
  log(): string;
}

const HOST = '127.0.0.1';
const execute = promisify(execFile);
const START_TIMEOUT_MS = 60_000;
const FOLDERS = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];

function find(...names: string[]): string | undefined {
  return names
    .flatMap((name) => FOLDERS.map((folder) => path.join(folder, name)))
    .find((file) => existsSync(file));
}

/** Why no server can be started here; undefined when one can. */
export function mariadbMissing(): string | undefined {
  if (process.platform === 'win32') return 'test servers run on Linux and macOS only';
  if (find('mariadbd', 'mysqld') && find('mariadb-install-db', 'mysql_install_db')) return undefined;
  return 'MariaDB is not installed (Debian: apt-get install mariadb-server-core)';
}

export async function startMariadb(options: MariadbServerOptions = {}): Promise<MariadbServer> {
  const missing = mariadbMissing();
  if (missing !== undefined)
    throw new ConfigError(`starting MariaDB: ${missing}`, { code: 'mariadb_server.not_installed' });
  const account = await serverAccount();
  const folder = await makeFolder(account);
  const dataDir = path.join(folder, 'data');
  try {
    for (const each of [dataDir, path.join(folder, 'tmp')]) await makeOwned(each, account);
    if (options.template === undefined) await install(dataDir, path.join(folder, 'tmp'), account);
    else await execute('cp', ['-a', `${options.template}/.`, dataDir], { cwd: '/' });
    const server = new RunningServer({ folder, dataDir, account, options, port: await freePort() });
    await server.start();
    return server;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Makes a {@link MariadbServerOptions.template} in a new folder below one that the server's account may pass through. */
export async function makeMariadbTemplate(dataDir: string): Promise<void> {
  const account = await serverAccount();
  const scratch = `${dataDir}-tmp`;
  for (const each of [dataDir, scratch]) await makeOwned(each, account);
  await install(dataDir, scratch, account);
}

async function makeOwned(folder: string, account: Installation['account']): Promise<void> {
  await mkdir(folder);
  if (account) await chown(folder, account.uid, account.gid);
}

async function install(dataDir: string, scratch: string, account: Installation['account']): Promise<void> {
  // The script gives the data to the account itself; it cannot when it is not root.
  await execute(
    find('mariadb-install-db', 'mysql_install_db')!,
    [
      '--no-defaults',
      `--datadir=${dataDir}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      ...(account ? [`--user=${account.name}`] : []),
    ],
    { cwd: '/', env: { ...process.env, TMPDIR: scratch } },
  );
}

interface Installation {
  folder: string;
  dataDir: string;
  account: (Account & { name: string }) | undefined;
  options: MariadbServerOptions;
  port: number;
}

class RunningServer implements MariadbServer {
  readonly host: string = HOST;
  readonly port: number;
  readonly socket: string;
  readonly dataDir: string;
  readonly #installation: Installation;
  #process: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  #log = '';

  constructor(installation: Installation) {
    this.#installation = installation;
    this.port = installation.port;
    this.dataDir = installation.dataDir;
    this.socket = path.join(installation.dataDir, 'sluice.sock');
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  url(database: string = '', user: string = 'root'): string {
    return `mysql://${encodeURIComponent(user)}@${HOST}:${this.port}/${encodeURIComponent(database)}`;
  }

  async query(sql: string, database?: string): Promise<Record<string, unknown>[]> {
    // The driver is loaded here only: the server itself can be started without it.
    const { default: mysql } = await import('mysql2/promise');
    const client = await mysql.createConnection({
      socketPath: this.socket,
      user: 'root',
      multipleStatements: true,
      dateStrings: true,
      ...(database !== undefined && { database }),
    });
    try {
      const [result] = await client.query(sql);
      const last: unknown = Array.isArray(result) && Array.isArray(result.at(-1)) ? result.at(-1) : result;
      return Array.isArray(last) ? (last as Record<string, unknown>[]) : [];
    } finally {
      await client.end();
    }
  }

  async createDatabase(name: string): Promise<string> {
    await this.query(`CREATE DATABASE \`${name.replaceAll('`', '``')}\` CHARACTER SET utf8mb4`);
    return this.url(name);
  }

  async start(): Promise<void> {
    const { folder, dataDir, account, options } = this.#installation;
    const log = openSync(this.#logFile, 'a', 0o600);
    this.#process = spawn(
      find('mariadbd', 'mysqld')!,
      [
        '--no-defaults',
        ...(account ? [`--user=${account.name}`] : []),
        `--datadir=${dataDir}`,
        `--socket=${this.socket}`,
        `--pid-file=${path.join(dataDir, 'server.pid')}`,
        // A server that starts removes temporary tables that it finds: those of another one, in a folder for all.
        `--tmpdir=${path.join(folder, 'tmp')}`,
        `--port=${this.port}`,
        `--bind-address=${HOST}`,
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-buffer-pool-size=64M',
        '--skip-name-resolve=0',
        ...(options.settings ?? []),
      ],
      // Detached, so that Ctrl-C in a terminal reaches the host program only.
      { cwd: '/', detached: true, env: { ...process.env, ...options.env }, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    this.#guard = startGuard(this.#process.pid!, folder);
    this.#process.unref();
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline && this.#process!.exitCode === null) {
      const up = await this.query('SELECT 1').then(
        () => true,
        () => false,
      );
      if (up) return;
      await sleep(20);
    }
    throw new ConfigError(`starting MariaDB: it is not ready; its log ends with\n${this.log()}`, {
      code: 'mariadb_server.failed',
    });
  }

  async restart(how: 'orderly' | 'crash' = 'crash'): Promise<void> {
    await this.#kill(how === 'orderly' ? 'SIGTERM' : 'SIGKILL');
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#kill();
    this.#log = this.log();
    await rm(this.#installation.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** What it has on disk is not wanted any more, or is to be recovered. */
  async #kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const server = this.#process;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.ref();
    server.kill(signal);
    await exited;
    this.#guard?.kill('SIGKILL');
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8').slice(-16_384) : this.#log;
  }

  get #logFile(): string {
    return path.join(this.#installation.folder, 'server.log');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The server refuses to run as root: there it takes the account that Debian's package or the system has for it. */
async function serverAccount(): Promise<Installation['account']> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const line = ['mysql', 'nobody'].map((name) => lines.find((each) => each[0] === name)).find(Boolean);
  if (!line)
    throw new ConfigError('starting MariaDB: there is no account for it', { code: 'mariadb_server.root' });
  return { name: line[0]!, uid: Number(line[2]), gid: Number(line[3]) };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
