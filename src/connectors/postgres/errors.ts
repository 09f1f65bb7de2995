import {
  AuthError,
  ConfigError,
  DataError,
  type ErrorDetail,
  SluiceError,
  TransientError,
} from '../../core/errors.ts';
import { redactUrl } from '../../core/redact.ts';

type Kind = 'transient' | 'auth' | 'config' | 'data';
interface Known {
  /** SQLSTATE, its first characters, or a Node error code. */
  match: string;
  kind: Kind;
  code: string;
  remedy?: string;
}

const LOST = "is the server being restarted, or the network failing? the server's log says more";

/** Longest match wins. SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KNOWN: readonly Known[] = [
  {
    match: 'ECONNREFUSED',
    kind: 'transient',
    code: 'postgres.connection_refused',
    remedy: 'is the server up and reachable from here?',
  },
  {
    match: 'ENOENT',
    kind: 'transient',
    code: 'postgres.connection_refused',
    remedy: 'there is no socket at that path: is the server up?',
  },
  { match: 'ENOTFOUND', kind: 'transient', code: 'postgres.unknown_host', remedy: 'check the host name' },
  {
    match: 'EAI_AGAIN',
    kind: 'transient',
    code: 'postgres.unknown_host',
    remedy: 'the name service did not answer; check the host name',
  },
  { match: 'ETIMEDOUT', kind: 'transient', code: 'postgres.timeout', remedy: 'is a firewall in between?' },
  { match: 'ECONNRESET', kind: 'transient', code: 'postgres.connection_lost', remedy: LOST },
  { match: 'EPIPE', kind: 'transient', code: 'postgres.connection_lost', remedy: LOST },
  { match: '08', kind: 'transient', code: 'postgres.connection_lost', remedy: LOST },
  // Ended by a timeout of the server's for sessions or transactions.
  { match: '25P', kind: 'transient', code: 'postgres.connection_lost', remedy: LOST },
  {
    match: '57P',
    kind: 'transient',
    code: 'postgres.shutting_down',
    remedy: 'wait until the server is up; its log says who stopped it or ended our session',
  },
  {
    match: '55P03',
    kind: 'transient',
    code: 'postgres.locked',
    remedy:
      'somebody holds the table, for example ALTER TABLE in an open transaction; pg_locks and pg_stat_activity say who. `lock_timeout` of the connection waits longer',
  },
  {
    match: '53',
    kind: 'transient',
    code: 'postgres.exhausted',
    remedy: 'the server is out of connections, memory or disk',
  },
  {
    match: '40',
    kind: 'transient',
    code: 'postgres.conflict',
    remedy: 'on a replica raise max_standby_streaming_delay or set hot_standby_feedback = on',
  },
  {
    match: '40P01',
    kind: 'transient',
    code: 'postgres.deadlock',
    remedy:
      'another session changes rows of the table in another order; what was done is undone, and the next attempt may be luckier',
  },
  {
    match: '57014',
    kind: 'config',
    code: 'postgres.query_cancelled',
    remedy: 'raise statement_timeout, or find out who cancelled the query',
  },
  {
    match: '28',
    kind: 'auth',
    code: 'postgres.login_refused',
    remedy: 'check user and password (URL, PGPASSWORD, ~/.pgpass with mode 0600)',
  },
  {
    match: '28000',
    kind: 'auth',
    code: 'postgres.login_refused',
    remedy: "check user, database, tls and the server's pg_hba.conf",
  },
  {
    match: '42501',
    kind: 'auth',
    code: 'postgres.permission',
    remedy:
      'GRANT USAGE on the schema and SELECT on the table to this role; who writes needs CREATE on database and schema, and has to own the tables',
  },
  {
    match: '23505',
    kind: 'data',
    code: 'postgres.duplicate',
    remedy:
      'name columns with `key` that tell all rows apart; a unique index of yours that the message names may have to go',
  },
  {
    match: '23503',
    kind: 'data',
    code: 'postgres.foreign_key',
    remedy: 'rows of a foreign key and those that they refer to do not fit: drop it, or correct the rows',
  },
  {
    match: '23',
    kind: 'data',
    code: 'postgres.constraint',
    remedy: 'a constraint of the table refuses a row: drop it there, or correct the row at its source',
  },
  {
    match: 'P0001',
    kind: 'data',
    code: 'postgres.raised',
    remedy:
      'a trigger or rule of the table refuses a row: drop or correct it there, or correct the row at its source',
  },
  {
    match: '25006',
    kind: 'config',
    code: 'postgres.read_only',
    remedy:
      'writing needs the primary server, and a role and a database without default_transaction_read_only',
  },
  {
    match: '22P05',
    kind: 'data',
    code: 'postgres.encoding',
    remedy:
      'the encoding of the database lacks a character: write to a database in UTF8, or leave the row out',
  },
  {
    match: '22021',
    kind: 'data',
    code: 'postgres.encoding',
    remedy: 'a text is not valid in the encoding of the database: correct it at its source',
  },
  {
    match: '54',
    kind: 'config',
    code: 'postgres.too_large',
    remedy: 'a limit of the server is met: leave columns out with `columns`, or the row with `where`',
  },
  {
    match: '2BP01',
    kind: 'config',
    code: 'postgres.in_use',
    remedy: 'something of yours depends on it; the message of the server, or \\d+ in psql, says what',
  },
  { match: '3D000', kind: 'config', code: 'postgres.no_database', remedy: 'check the name of the database' },
  {
    match: '42P01',
    kind: 'config',
    code: 'postgres.no_table',
    remedy: 'it was dropped or renamed; `sluice discover` lists what is there',
  },
  {
    match: '42703',
    kind: 'config',
    code: 'postgres.no_column',
    remedy: 'it was dropped or renamed; `sluice discover` lists what is there',
  },
  {
    match: '42',
    kind: 'config',
    code: 'postgres.bad_sql',
    remedy: 'check `where`, `sql` and `types` of the stream',
  },
  {
    match: '22',
    kind: 'config',
    code: 'postgres.bad_value',
    remedy: 'check the watermark, `where` and `types` of the stream',
  },
  {
    match: '0A000',
    kind: 'config',
    code: 'postgres.unsupported',
    remedy: 'leave out what the message names, or update the server',
  },
];

/** Errors of pg and of TLS that carry no code. */
const KNOWN_TEXT: readonly { pattern: RegExp; kind: Kind; code: string; remedy?: string }[] = [
  {
    pattern:
      /Connection terminated|Client has encountered a connection error|not queryable|Client was closed/i,
    kind: 'transient',
    code: 'postgres.connection_lost',
    remedy: LOST,
  },
  {
    pattern: /timeout expired|read timeout/i,
    kind: 'transient',
    code: 'postgres.timeout',
    remedy: 'is a firewall in between?',
  },
  {
    pattern: /does not support SSL/i,
    kind: 'config',
    code: 'postgres.no_tls',
    remedy: 'the server speaks no TLS: set tls: disable, or turn it on there',
  },
  {
    pattern: /certificate|self.signed|altnames|SSL|TLS/i,
    kind: 'config',
    code: 'postgres.tls',
    remedy: 'check tls, tls_ca and the host name; an expired certificate has to be renewed on the server',
  },
  {
    pattern: /password must be a string|no password/i,
    kind: 'auth',
    code: 'postgres.login_refused',
    remedy: 'give a password by URL, PGPASSWORD or ~/.pgpass (mode 0600)',
  },
];

/** What the server raises instead of leaving rows out; its text is in the server's language, the routine is not. */
const ROW_SECURITY = {
  routine: 'check_enable_rls',
  kind: 'auth' as const,
  code: 'postgres.row_security',
  remedy:
    'rows that the role may not see would be missing: ALTER ROLE … BYPASSRLS, or `row_security: true` in the connection to load only what the policies show',
};

/** Said by poolers, under codes that mean something else. */
const POOLER = {
  pattern: /statement pooling/i,
  kind: 'config' as const,
  code: 'postgres.pooler',
  remedy:
    'a snapshot needs a transaction: connect to the server itself, or set pool_mode = transaction in the pooler',
};

/** Translates whatever pg threw; the one place that knows its codes. `doing` begins the message. */
export function postgresError(error: unknown, doing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const thrown = error as { code?: unknown; message?: string; errors?: unknown[]; routine?: string };
  // Node tries every address of a name and throws them together.
  if (thrown.errors?.length && !thrown.code) return postgresError(thrown.errors[0], doing);
  const found = redactUrl((thrown.message ?? String(error)).split('\n')[0]!);
  const known =
    thrown.routine === ROW_SECURITY.routine
      ? ROW_SECURITY
      : classify(typeof thrown.code === 'string' ? thrown.code : '', found);
  const detail: ErrorDetail = {
    code: known?.code ?? 'postgres.failed',
    remedy: known?.remedy ?? "see the message; the server's log may say more",
    cause: error,
  };
  const message = `${doing}: ${found}`;
  if (known?.kind === 'transient') return new TransientError(message, detail);
  if (known?.kind === 'auth') return new AuthError(message, detail);
  if (known?.kind === 'data') return new DataError(message, detail);
  return new ConfigError(message, detail);
}

function classify(
  code: string,
  text: string,
): { kind: Kind; code: string; remedy?: string | undefined } | undefined {
  if (POOLER.pattern.test(text)) return POOLER;
  const matches = code === '' ? [] : KNOWN.filter((known) => code.startsWith(known.match));
  matches.sort((a, b) => b.match.length - a.match.length);
  return matches[0] ?? KNOWN_TEXT.find((known) => known.pattern.test(text));
}
