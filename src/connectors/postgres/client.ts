import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { ConfigError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import { postgresError } from './errors.ts';
import type { PostgresOptions } from './options.ts';
import { passwordFromFile } from './password-file.ts';
import { createReusingSocket } from '../shared/reusing-socket.ts';
import { backendOf, disconnect } from './watch.ts';

/** Where to connect, after the URL, the options and the environment are put together. Holds secrets: never log it. */
export interface Target {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string | undefined;
  tls: NonNullable<PostgresOptions['tls']>;
  tlsCa: string | undefined;
  tlsCert: string | undefined;
  tlsKey: string | undefined;
  applicationName: string;
  connectTimeoutMs: number;
}

const TLS_MODES: readonly Target['tls'][] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];
/** Stands for the host in a URL that has a user but none, which the URL parser would refuse. */
const NO_HOST = '-';

/** The options, then the URL (libpq's form and parameters), then the PG* environment, then ~/.pgpass for the password. */
export function targetOf(
  options: PostgresOptions,
  env: Record<string, string | undefined> = process.env,
): Target {
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  const parameter = (name: string): string | undefined => url?.searchParams.get(name) ?? undefined;
  const part = (text: string | undefined): string | undefined => (text ? decode(text) : undefined);
  const user =
    options.user ?? part(url?.username) ?? parameter('user') ?? env['PGUSER'] ?? env['USER'] ?? 'postgres';
  const named = url?.hostname === NO_HOST ? undefined : part(url?.hostname.replace(/^\[|\]$/g, ''));
  const host = options.host ?? parameter('host') ?? named ?? env['PGHOST'] ?? '127.0.0.1';
  const port = options.port ?? Number(parameter('port') ?? (url?.port ? url.port : (env['PGPORT'] ?? 5432)));
  const database =
    options.database ?? part(url?.pathname.slice(1)) ?? parameter('dbname') ?? env['PGDATABASE'] ?? user;
  const password = options.password ?? part(url?.password) ?? parameter('password') ?? env['PGPASSWORD'];
  return {
    host,
    port,
    database,
    user,
    password: password ?? passwordFromFile({ host, port, database, user }, parameter('passfile'), env),
    tls: options.tls ?? tlsMode(parameter('sslmode') ?? env['PGSSLMODE']),
    tlsCa: options.tls_ca ?? parameter('sslrootcert'),
    tlsCert: options.tls_cert ?? parameter('sslcert'),
    tlsKey: options.tls_key ?? parameter('sslkey'),
    applicationName: options.application_name ?? parameter('application_name') ?? 'sluice',
    connectTimeoutMs: (options.connect_timeout ?? 10) * 1000,
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text.replace(/^(\w+:\/\/[^/?#]*@)(?=[/?#]|$)/, `$1${NO_HOST}`));
    if (url.protocol === 'postgres:' || url.protocol === 'postgresql:') return url;
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
    'reading the connection URL: it is not of the form postgres://user:password@host:port/database',
    {
      code: 'postgres.bad_url',
      remedy: 'special characters in user and password are written as %XX',
    },
  );
}

function tlsMode(sslmode: string | undefined): Target['tls'] {
  if (sslmode === undefined || sslmode === 'allow') return 'prefer';
  const mode = TLS_MODES.find((each) => each === sslmode);
  if (mode !== undefined) return mode;
  throw new ConfigError(`reading sslmode: "${sslmode}" is none of ${TLS_MODES.join(', ')}`, {
    code: 'postgres.tls',
    remedy: 'correct it in the url or in PGSSLMODE',
  });
}

/** The target for people; never with the password. */
export function describeTarget(target: Target): string {
  return `${target.user}@${target.host}${target.host.startsWith('/') ? '' : `:${target.port}`}/${target.database}`;
}

/**
 * Opens one connection. Throws TransientError, AuthError or ConfigError. `prefer` tries TLS and goes on without
 * only where the server has none; on the loopback it begins without. As in libpq, sockets never use TLS.
 */
export async function connect(target: Target, signal: AbortSignal): Promise<pg.Client> {
  throwIfAborted(signal);
  if (target.tls === 'disable' || target.host.startsWith('/')) return open(target, false, signal);
  if (target.tls !== 'prefer') return open(target, tlsOptions(target), signal);
  const local = target.host === 'localhost' || target.host.startsWith('127.') || target.host === '::1';
  const [first, second] = local ? [false as const, tlsOptions(target)] : [tlsOptions(target), false as const];
  try {
    return await open(target, first, signal);
  } catch (error) {
    if (!wantsOther(error)) throw error;
    // Of two refusals the first says more: the second is about a way that the user did not choose.
    return open(target, second, signal).catch((other: unknown) => {
      throw wantsOther(other) ? error : other;
    });
  }
}

/** Whether the server may let us in with TLS where it was tried without, or the other way round. */
function wantsOther(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  // 28000: no line of pg_hba.conf lets this connection in.
  return (
    error.code === 'postgres.no_tls' || (error.cause as { code?: unknown } | undefined)?.code === '28000'
  );
}

async function open(target: Target, ssl: ConnectionOptions | false, signal: AbortSignal): Promise<pg.Client> {
  const { host, port, database, user, password } = target;
  const client = new pg.Client({
    host,
    port,
    database,
    user,
    password,
    ssl,
    application_name: target.applicationName,
    connectionTimeoutMillis: target.connectTimeoutMs,
    // TLS reads through buffers of its own.
    ...(ssl === false && { stream: createReusingSocket }),
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  });
  // A connection that is lost while idle must not end the process; the next query reports it.
  client.on('error', () => undefined);
  // Who gives up need not wait for a server that does not answer.
  const stop = (): void =>
    void (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await disconnect(client);
    throwIfAborted(signal);
    throw postgresError(error, `connecting to ${describeTarget(target)}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function tlsOptions(target: Target): ConnectionOptions {
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readTlsFile(path);
  // An authority that is named is meant to be used: libpq treats `require` with one as verify-ca.
  const authority = target.tls === 'verify-ca' || (target.tls === 'require' && target.tlsCa !== undefined);
  const options: ConnectionOptions = { rejectUnauthorized: authority || target.tls === 'verify-full' };
  const [ca, cert, key] = [file(target.tlsCa), file(target.tlsCert), file(target.tlsKey)];
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  if (authority) options.checkServerIdentity = () => undefined;
  return options;
}

function readTlsFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`reading ${path} for TLS: ${(error as Error).message}`, {
      code: 'postgres.tls',
      remedy: 'check tls_ca, tls_cert and tls_key, and the rights of this user',
      cause: error,
    });
  }
}

/** Asks the server, over a connection of its own, to cancel what `client` is doing. Never throws. */
export async function cancel(target: Target, client: pg.Client): Promise<void> {
  const pid = backendOf(client);
  if (pid === null) return;
  try {
    const other = await connect(target, new AbortController().signal);
    await other.query('SELECT pg_catalog.pg_cancel_backend($1)', [pid]);
    await disconnect(other);
  } catch {
    // The connection is closed next, which ends the query at its next write.
  }
}
