import { readFileSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import mysql, { type Connection, type ConnectionOptions, type SslOptions } from 'mysql2';
import { ConfigError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import { createReusingSocket } from '../shared/reusing-socket.ts';
import { mysqlError } from './errors.ts';
import type { MysqlOptions } from './options.ts';

/** Where to connect, after the URL and the options are put together. Holds secrets: never log it. */
export interface Target {
  host: string;
  port: number;
  socket: string | undefined;
  database: string | undefined;
  user: string;
  password: string | undefined;
  tls: NonNullable<MysqlOptions['tls']>;
  tlsCa: string | undefined;
  tlsCert: string | undefined;
  tlsKey: string | undefined;
  applicationName: string;
  connectTimeoutMs: number;
  /** The server may ask for the file of a LOAD DATA LOCAL, which is what we send then and no file. */
  localFiles?: boolean;
}

const TLS_MODES: Readonly<Record<string, Target['tls']>> = {
  disabled: 'disable',
  disable: 'disable',
  preferred: 'prefer',
  prefer: 'prefer',
  required: 'require',
  require: 'require',
  verify_ca: 'verify-ca',
  'verify-ca': 'verify-ca',
  verify_identity: 'verify-full',
  'verify-full': 'verify-full',
};

/** The options, then the URL with the parameters that MySQL's own programs know, then MYSQL_PWD. */
export function targetOf(
  options: MysqlOptions,
  env: Record<string, string | undefined> = process.env,
): Target {
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  const parameter = (name: string): string | undefined => url?.searchParams.get(name) ?? undefined;
  const part = (text: string | undefined): string | undefined => (text ? decode(text) : undefined);
  return {
    host: options.host ?? part(url?.hostname.replace(/^\[|\]$/g, '')) ?? '127.0.0.1',
    port: options.port ?? Number(url?.port || 3306),
    socket: options.socket ?? (options.host === undefined ? parameter('socket') : undefined),
    database: options.database ?? part(url?.pathname.slice(1)),
    user: options.user ?? part(url?.username) ?? env['USER'] ?? 'root',
    password: options.password ?? part(url?.password) ?? env['MYSQL_PWD'],
    tls: options.tls ?? tlsMode(parameter('ssl-mode') ?? parameter('sslmode')),
    tlsCa: options.tls_ca ?? parameter('ssl-ca'),
    tlsCert: options.tls_cert ?? parameter('ssl-cert'),
    tlsKey: options.tls_key ?? parameter('ssl-key'),
    applicationName: options.application_name ?? 'sluice',
    connectTimeoutMs: options.connect_timeout * 1000,
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === 'mysql:' || url.protocol === 'mariadb:') return url;
  } catch {
    // The text may hold a password, so it is not repeated.
  }
  throw badUrl();
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl();
  }
}

function badUrl(): ConfigError {
  return new ConfigError(
    'reading the connection URL: it is not of the form mysql://user:password@host:port/database',
    { code: 'mysql.bad_url', remedy: 'special characters in user and password are written as %XX' },
  );
}

function tlsMode(mode: string | undefined): Target['tls'] {
  if (mode === undefined) return 'prefer';
  const known = TLS_MODES[mode.toLowerCase()];
  if (known !== undefined) return known;
  throw new ConfigError(
    `reading ssl-mode: "${mode}" is none of disabled, preferred, required, verify_ca, verify_identity`,
    { code: 'mysql.tls', remedy: 'correct it in the url' },
  );
}

/** The target for people; never with the password. */
export function describeTarget(target: Target): string {
  const place = target.socket ?? `${target.host}:${target.port}`;
  return `${target.user}@${place}/${target.database ?? ''}`;
}

/** One connection with promises; SQL values are bound by the driver, errors are the driver's. */
export class Client {
  readonly connection: Connection;
  /** The server's id of this connection, for KILL. */
  readonly id: number;
  readonly version: string;
  readonly mariadb: boolean;
  /** Statements that have not been answered. */
  waiting: number = 0;
  #ended = false;

  constructor(connection: Connection, version: string) {
    this.connection = connection;
    this.id = (connection as unknown as { threadId: number }).threadId;
    this.version = version;
    this.mariadb = /mariadb/i.test(version);
    connection.on('end', () => (this.#ended = true));
    connection.on('error', () => (this.#ended = true));
  }

  get alive(): boolean {
    return !this.#ended && !this.socket.destroyed;
  }

  /** Also of a connection with TLS. */
  get socket(): Socket {
    return (this.connection as unknown as { stream: Socket }).stream;
  }

  async query<T = Record<string, unknown>>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    this.waiting++;
    try {
      return await new Promise<T[]>((resolve, reject) => {
        this.connection.query(sql, [...values], (error, rows) => {
          // A stack of the driver's says nothing about who asked.
          if (error) reject(error);
          else resolve(rows as unknown as T[]);
        });
      });
    } finally {
      this.waiting--;
    }
  }

  /** Ends the connection, in good form where the server answers. Never throws. */
  async end(): Promise<void> {
    this.#ended = true;
    await new Promise<void>((resolve) => {
      const broken = setTimeout(() => this.socket.destroy(), GOODBYE_MS);
      this.socket.once('close', () => {
        clearTimeout(broken);
        resolve();
      });
      if (this.socket.destroyed) {
        clearTimeout(broken);
        resolve();
      } else this.connection.end(() => this.socket.end());
    });
  }

  destroy(reason?: Error): void {
    this.#ended = true;
    this.socket.destroy(reason);
  }
}

/** Long enough for a last word with a server that is there. */
const GOODBYE_MS = 1000;

/**
 * Opens one connection. Throws TransientError, AuthError or ConfigError. `prefer` tries TLS and goes on without only where the
 * server has none; on the loopback it begins without. Unix sockets never use TLS.
 */
export async function connect(target: Target, signal: AbortSignal): Promise<Client> {
  throwIfAborted(signal);
  if (target.tls === 'disable' || target.socket !== undefined) return open(target, undefined, signal);
  if (target.tls !== 'prefer') return open(target, tlsOptions(target), signal);
  const local = target.host === 'localhost' || target.host.startsWith('127.') || target.host === '::1';
  const [first, second] = local ? [undefined, tlsOptions(target)] : [tlsOptions(target), undefined];
  try {
    return await open(target, first, signal);
  } catch (error) {
    if (!wantsOther(error, first === undefined)) throw error;
    // Of two refusals the first says more: the second is about a way that the user did not choose.
    return open(target, second, signal).catch((other: unknown) => {
      throw wantsOther(other, true) ? error : other;
    });
  }
}

/** Whether the server may let us in with TLS where it was tried without, or the other way round. */
function wantsOther(error: unknown, plain: boolean): boolean {
  if (!(error instanceof SluiceError)) return false;
  // An account that requires TLS is refused as if its password were wrong. What was refused with TLS is not said in the clear.
  return plain
    ? ['mysql.no_tls', 'mysql.tls', 'mysql.login_refused'].includes(error.code)
    : error.code === 'mysql.no_tls';
}

async function open(target: Target, ssl: SslOptions | undefined, signal: AbortSignal): Promise<Client> {
  const connection = mysql.createConnection(driverOptions(target, ssl));
  // A connection that is lost while idle must not end the process; the next query reports it.
  connection.on('error', () => undefined);
  // Who gives up need not wait for a server that does not answer.
  const stop = (): void => void (connection as unknown as { stream: Socket }).stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const version = await new Promise<string>((resolve, reject) => {
      connection.once('error', reject);
      connection.connect((error) => {
        if (error) reject(error);
        else resolve(serverVersion(connection));
      });
    });
    return new Client(connection, version);
  } catch (error) {
    connection.destroy();
    throwIfAborted(signal);
    throw mysqlError(error, `connecting to ${describeTarget(target)}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function driverOptions(target: Target, ssl: SslOptions | undefined): ConnectionOptions {
  const { host, port, socket } = target;
  return {
    user: target.user,
    ...(target.password !== undefined && { password: target.password }),
    ...(target.database !== undefined && { database: target.database }),
    ...(socket === undefined ? { host, port } : { socketPath: socket }),
    charset: 'utf8mb4',
    connectTimeout: target.connectTimeoutMs,
    // Where we load nothing, no server may ask us for a file.
    flags: target.localFiles === true ? [] : ['-LOCAL_FILES'],
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    disableEval: true,
    connectAttributes: { program_name: target.applicationName },
    enableKeepAlive: true,
    keepAliveInitialDelay: 30_000,
    // TLS reads through buffers of its own.
    ...(ssl
      ? { ssl }
      : {
          stream: () => connectSocket(target),
        }),
  };
}

function connectSocket({ host, port, socket: path }: Target): Socket {
  const socket = createReusingSocket();
  if (path !== undefined) return socket.connect({ path });
  return socket.connect({ host, port }).setNoDelay(true);
}

/** `10.11.6-MariaDB`; some MariaDB servers put a `5.5.5-` before it for old clients. */
function serverVersion(connection: Connection): string {
  const { _handshakePacket: greeting } = connection as unknown as {
    _handshakePacket: { serverVersion: string };
  };
  return greeting.serverVersion.replace(/^5\.5\.5-/, '');
}

function tlsOptions(target: Target): SslOptions {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readTlsFile(path);
  // An authority that is named is meant to be used.
  const authority = target.tls === 'verify-ca' || (target.tls === 'require' && target.tlsCa !== undefined);
  const options: SslOptions = {
    rejectUnauthorized: authority || target.tls === 'verify-full',
    verifyIdentity: target.tls === 'verify-full',
  };
  const [ca, cert, key] = [file(target.tlsCa), file(target.tlsCert), file(target.tlsKey)];
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  if (target.tls === 'verify-full' && isIP(target.host))
    throw new ConfigError(
      `connecting to ${describeTarget(target)}: verify-full needs a host name, not an address`,
      {
        code: 'mysql.tls',
        remedy: 'use the name that is in the certificate, or verify-ca',
      },
    );
  return options;
}

function readTlsFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`reading ${path} for TLS: ${(error as Error).message}`, {
      code: 'mysql.tls',
      remedy: 'check tls_ca, tls_cert and tls_key, and the rights of this user',
      cause: error,
    });
  }
}

/** Long enough for a server that is there to end a statement. */
const INTERRUPT_MS = 3000;

/**
 * Asks the server, over a connection of its own, to end the statement that `client` waits for, and breaks the connection
 * when it does not answer. Never throws.
 */
export async function interrupt(target: Target, client: Client): Promise<void> {
  const broken = setTimeout(() => client.destroy(), INTERRUPT_MS);
  try {
    const other = await connect(target, new AbortController().signal);
    await other.query(`KILL QUERY ${client.id}`).catch(() => undefined);
    await other.end();
  } catch {
    // Without the connection the statement ends at its next write.
    client.destroy();
  } finally {
    clearTimeout(broken);
  }
}
