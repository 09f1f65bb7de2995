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
  /** Error numbers of the server, or codes of Node and the driver. */
  match: readonly (number | string)[];
  kind: Kind;
  code: string;
  remedy: string;
}

const LOST = "is the server being restarted, or the network failing? the server's log says more";
const NARROWER =
  'a table has at most 1017 columns and 65,535 bytes in a row without its long texts, and a key 3072 bytes: leave columns out with `columns`';
const GONE = 'it was dropped or renamed; `sluice discover` lists what is there';

/** Numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html; above 1900 MariaDB has its own. */
const KNOWN: readonly Known[] = [
  {
    match: ['ECONNREFUSED', 'ENOENT'],
    kind: 'transient',
    code: 'mysql.connection_refused',
    remedy: 'is the server up and reachable from here?',
  },
  {
    match: ['ENOTFOUND', 'EAI_AGAIN'],
    kind: 'transient',
    code: 'mysql.unknown_host',
    remedy: 'check the host name',
  },
  { match: ['ETIMEDOUT'], kind: 'transient', code: 'mysql.timeout', remedy: 'is a firewall in between?' },
  {
    // 1927: killed; 4031: idle for too long; 1158 to 1161: the network.
    match: [
      'ECONNRESET',
      'EPIPE',
      'PROTOCOL_CONNECTION_LOST',
      'PROTOCOL_SEQUENCE_TIMEOUT',
      1152,
      1158,
      1159,
      1160,
      1161,
      1184,
      1927,
      2006,
      2013,
      4031,
    ],
    kind: 'transient',
    code: 'mysql.connection_lost',
    remedy: LOST,
  },
  {
    match: [1053, 1077, 1079],
    kind: 'transient',
    code: 'mysql.shutting_down',
    remedy: 'wait until the server is up; its log says who stopped it',
  },
  {
    match: [1040, 1203, 1226, 1461],
    kind: 'transient',
    code: 'mysql.exhausted',
    remedy: 'fewer `--workers`, or raise max_connections (max_user_connections, max_prepared_stmt_count)',
  },
  {
    match: [1021, 1030, 1037, 1038, 1041, 1114, 3, 28],
    kind: 'transient',
    code: 'mysql.exhausted',
    remedy: 'the server is out of memory, disk or temporary space; its log says which',
  },
  {
    match: [1205, 1206],
    kind: 'transient',
    code: 'mysql.locked',
    remedy:
      'somebody holds the table, for example ALTER TABLE or LOCK TABLES; SHOW PROCESSLIST says who. `lock_timeout` of the connection waits longer',
  },
  { match: [1213, 1614], kind: 'transient', code: 'mysql.deadlock', remedy: 'it is tried again' },
  {
    match: [1412],
    kind: 'transient',
    code: 'engine.old_snapshot',
    remedy: 'run again when nobody changes the table any more',
  },
  {
    match: [1317, 1969, 3024, 1028],
    kind: 'config',
    code: 'mysql.query_cancelled',
    remedy: 'raise `statement_timeout` (or the limit of the server), or find out who ended the query',
  },
  {
    match: [1045, 1044, 1130, 1131, 1132, 1251, 1275, 1524, 1698, 1820, 1862, 3118, 3878, 4151],
    kind: 'auth',
    code: 'mysql.login_refused',
    remedy: 'check user, password, the host that the account is for, and its rights on the database',
  },
  {
    match: [1142, 1143, 1227, 1345, 1356, 1370, 1410],
    kind: 'auth',
    code: 'mysql.permission',
    remedy:
      'GRANT SELECT on the table to this account; who writes needs all rights on the tables of the database, with CREATE, ALTER, DROP, INDEX and CREATE TEMPORARY TABLES',
  },
  {
    match: [1062, 1586],
    kind: 'data',
    code: 'mysql.duplicate',
    remedy:
      'name columns with `key` that tell all rows apart; a unique index of yours that the message names may have to go',
  },
  {
    // NOT NULL, CHECK of MySQL and of MariaDB.
    match: [1048, 1364, 3819, 4025],
    kind: 'data',
    code: 'mysql.constraint',
    remedy: 'a constraint of the table refuses a row: drop it there, or correct the row at its source',
  },
  {
    match: [1644],
    kind: 'data',
    code: 'mysql.raised',
    remedy:
      'a trigger of the table refuses a row: drop or correct it there, or correct the row at its source',
  },
  {
    match: [1290, 1792, 1836],
    kind: 'config',
    code: 'mysql.read_only',
    remedy: 'writing needs the primary server; `read_only` of the server says what it is',
  },
  {
    match: [1216, 1217, 1451, 1452],
    kind: 'data',
    code: 'mysql.foreign_key',
    remedy: 'rows of a foreign key and those that they refer to do not fit: drop it, or correct the rows',
  },
  {
    match: [1153, 1162],
    kind: 'data',
    code: 'data.row_too_large',
    remedy: 'raise max_allowed_packet of the server, or leave the column with the largest values out',
  },
  {
    match: [1117, 1118, 1070, 1071],
    kind: 'config',
    code: 'mysql.too_wide',
    remedy: NARROWER,
  },
  { match: [1049], kind: 'config', code: 'mysql.no_database', remedy: 'check the name of the database' },
  { match: [1146, 1051, 1109], kind: 'config', code: 'mysql.no_table', remedy: GONE },
  { match: [1054], kind: 'config', code: 'mysql.no_column', remedy: GONE },
  {
    match: [1060, 1064, 1065, 1149, 1235, 1248, 1305, 1052, 1055, 1111, 1210, 1222, 1295, 1615],
    kind: 'config',
    code: 'mysql.bad_sql',
    remedy: 'check `where`, `sql` and `types` of the stream',
  },
  {
    match: [1264, 1292, 1365, 1366, 1411, 1525, 1690, 3140, 3141],
    kind: 'config',
    code: 'mysql.bad_value',
    remedy: 'check the watermark, `where` and `types` of the stream',
  },
  {
    match: ['HANDSHAKE_NO_SSL_SUPPORT'],
    kind: 'config',
    code: 'mysql.no_tls',
    remedy: 'the server speaks no TLS: set tls: disable, or turn it on there',
  },
  {
    match: [3159, 'HANDSHAKE_SSL_ERROR'],
    kind: 'config',
    code: 'mysql.tls',
    remedy: 'check tls, tls_ca and the host name; the server may want TLS (tls: require)',
  },
];

/** Errors of the driver and of TLS that carry no code of their own. */
const KNOWN_TEXT: readonly { pattern: RegExp; kind: Kind; code: string; remedy: string }[] = [
  {
    pattern: /closed state|connection lost|server has gone away|connection is closed|silent/i,
    kind: 'transient',
    code: 'mysql.connection_lost',
    remedy: LOST,
  },
  { pattern: /too many columns/i, kind: 'config', code: 'mysql.too_wide', remedy: NARROWER },
  {
    pattern: /certificate|self.signed|altnames|SSL|TLS/i,
    kind: 'config',
    code: 'mysql.tls',
    remedy: 'check tls, tls_ca and the host name; an expired certificate has to be renewed on the server',
  },
  {
    pattern: /plugin/i,
    kind: 'auth',
    code: 'mysql.login_refused',
    remedy: 'give the account another authentication plugin, for example caching_sha2_password',
  },
];

/** Translates whatever the driver threw; the one place that knows its codes. `doing` begins the message. */
export function mysqlError(error: unknown, doing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const thrown = error as { code?: unknown; message?: string; errors?: unknown[] };
  // Node tries every address of a name and throws them together.
  if (thrown.errors?.length && !thrown.code) return mysqlError(thrown.errors[0], doing);
  const found = redactUrl(withoutValues(thrown.message || String(thrown.code ?? error)).split('\n')[0]!);
  const known = classify(error, found);
  const detail: ErrorDetail = {
    code: known?.code ?? 'mysql.failed',
    remedy: known?.remedy ?? "see the message; the server's log may say more",
    cause: error,
  };
  const message = `${doing}: ${found}`;
  if (known?.kind === 'transient') return new TransientError(message, detail);
  if (known?.kind === 'auth') return new AuthError(message, detail);
  if (known?.kind === 'data') return new DataError(message, detail);
  return new ConfigError(message, detail);
}

/** Some messages show the value that was refused: `Duplicate entry 'x' for key 'k'`. */
function withoutValues(message: string): string {
  return message
    .replace(/(Duplicate entry|value:?) '.*'(?= for (key|column|function) )/s, '$1')
    .replace(/(value:) '.*'$/s, '$1');
}

function classify(error: unknown, text: string): Omit<Known, 'match'> | undefined {
  const { code } = error as { code?: unknown };
  const number = errorNumber(error);
  return (
    KNOWN.find(
      ({ match }) => (number !== undefined && match.includes(number)) || match.includes(code as string),
    ) ?? KNOWN_TEXT.find(({ pattern }) => pattern.test(text))
  );
}

/** The server's number of an error, also of one that was translated; undefined for others. */
export function errorNumber(error: unknown): number | undefined {
  const { errno, cause } = error as { errno?: unknown; cause?: unknown };
  // Node's own have negative numbers.
  if (typeof errno === 'number' && errno > 0) return errno;
  return error instanceof SluiceError && cause !== undefined ? errorNumber(cause) : undefined;
}
