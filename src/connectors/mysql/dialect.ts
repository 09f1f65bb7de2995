/** SQL of MySQL and MariaDB for the tables that are written. */
import type { History, LoadSizes } from '../../core/destination.ts';
import { quoteBackticks, quoteEscaped } from '../shared/quote.ts';
import { fitNames } from '../shared/sql/names.ts';
import {
  type FoundTable,
  LOAD_ID,
  LOADED_AT,
  type LoadMark,
  type SqlDialect,
  type SqlSession,
  type SqlSides,
  type TargetColumn,
  VALID_FROM,
  VALID_TO,
  versionKey,
} from '../shared/sql/system.ts';
import { readRecord, type TableRecord } from '../shared/sql/table-record.ts';
import { claim, evict } from './claims.ts';
import { mysqlComparison } from './compare-target.ts';
import { BOOKS, BOOKS_TABLE, mysqlParts } from './table-parts.ts';
import { mysqlTrial, ROW } from './refusals.ts';
import { dropLoaded, gone, groups, merge, versions } from './target-compare.ts';
import { targetLimits } from './target-limits.ts';
import { shape, structureOf } from './target-structure.ts';
import {
  atLeast,
  ddlType,
  foundType,
  indexedType,
  isLonger,
  joinTypes,
  literal,
  targetType,
  widensType,
} from './target-types.ts';

/** What is known of the server after the first connection. */
export interface ServerFacts {
  mariadb: boolean;
  version: string;
  /** lower_case_table_names. */
  foldsTables: boolean;
  /** local_infile: LOAD DATA LOCAL is allowed. */
  takesFiles: boolean;
}

/** 64 characters, which have up to three bytes each; counted in bytes to be the same everywhere. */
const NAME_BYTES = 64;
const RECORDS = '`_sluice_tables`';
/** Begins the names of tables that readers do not look at. */
const HIDDEN = '_sluice_';

/** A session that commits may say nothing while another one of the same commit waits for a lock, and so much longer. */
const SILENCE_SECONDS = 30;

const TEXT = 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

const SET_UP = `CREATE TABLE IF NOT EXISTS ${RECORDS} (
  name VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, stream ${TEXT} NOT NULL,
  version BIGINT NOT NULL, fence BIGINT NOT NULL, row_count BIGINT NOT NULL, table_schema ${TEXT} NOT NULL,
  checkpoint ${TEXT}, shaped INT NOT NULL, pending ${TEXT}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`;

const STAMPS: SqlDialect['stamps'] = {
  loads: [
    { column: quoteBackticks(LOAD_ID), value: '@sluice_load_id' },
    { column: quoteBackticks(LOADED_AT), value: '@sluice_loaded_at' },
  ],
  versions: [{ column: quoteBackticks(VALID_FROM), value: '@sluice_loaded_at' }],
};

type ColumnSql = (column: TargetColumn, nullable: boolean) => string;

function createTable(
  columnSql: ColumnSql,
  ...[name, columns, { history, stamp, temporary, key = [], numbered = false }]: Parameters<
    SqlDialect['createTable']
  >
): string {
  const stage = temporary === true && key.length === 0;
  const unique = history === 'loads' ? [] : key;
  const all = [
    ...columns.map((column) =>
      columnSql(unique.includes(column) ? indexable(column) : column, column.nullable || stage),
    ),
    ...(stamp ? HISTORY[stamp].map(({ sql }) => sql) : []),
    ...(stage || numbered ? [`${ROW} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY`] : []),
    ...(key.length > 0 ? [indexSql(key, history)] : []),
  ];
  const mark = markOf(name);
  return `CREATE ${temporary === true ? 'TEMPORARY ' : ''}TABLE ${name} (${all.join(', ')}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC${mark === undefined ? '' : ` COMMENT=${quoteEscaped(mark)}`}`;
}

/** Swaps of tables are known by the mark that a hidden one is made with. */
function ddlApart(
  short: (name: string) => string,
  table: (name: string) => string,
): NonNullable<SqlDialect['ddlApart']> {
  return {
    wasHidden: async (session, name, hidden) =>
      hasMark(await commentOf(session, short(name)), markOf(hidden)!),
    restore: async (session, name, old) => {
      const { rows } = await session.query(EXISTS, 'looking for leftovers', [unquoted(old)]);
      if (rows.length > 0)
        await session.query(`RENAME TABLE ${old} TO ${table(name)}`, `restoring table "${name}"`);
    },
    mark: (name, hidden) => `ALTER TABLE ${name} COMMENT=${quoteEscaped(markOf(hidden)!)}`,
  };
}

/**
 * Statements spare the trip in which the server asks for the file. Where a trip takes 1 ms, 500 rows of 10 columns take 7.3 ms against
 * 7.4, and 2,000 rows 24 against 15; where it takes 5, 10 against 12 and 38 against 27; on one machine 8 against 6 and 17 against 11.
 */
function loadSizes(server: ServerFacts | undefined): LoadSizes {
  const sizes = { rows: 500, bytes: 64 << 10 };
  return server?.takesFiles === false ? { ...sizes, noBulk: 'local_infile is off on the server' } : sizes;
}

/**
 * `server` is asked when a statement is made, which is after the first connection; `lockSeconds` is how long one waits for locks;
 * `beside`: of tables beside those of readers.
 */
export function mysqlDialect(
  database: string,
  lockSeconds: number,
  server: () => ServerFacts,
  beside: string = '',
): SqlDialect {
  const called = (name: string): string => (beside === '' ? name : `${HIDDEN}${beside}_${name}`);
  const short = (name: string): string => fitName(called(name));
  const quoted = (name: string): string => `${quoteBackticks(database)}.${quoteBackticks(name)}`;
  const table = (name: string): string => quoted(short(name));
  const columnSql = (column: TargetColumn, nullable: boolean): string =>
    `${quoteBackticks(column.name)} ${ddlType(column.type, server())}${nullable ? ' NULL' : ' NOT NULL'}`;
  const change = (name: string, column: TargetColumn): string =>
    `ALTER TABLE ${name} MODIFY COLUMN ${columnSql(column, column.nullable)}`;
  const dialect: SqlDialect = {
    name: 'mysql',
    nameBytes: NAME_BYTES,
    foldsNames: true,
    plainNames: true,
    ddlApart: ddlApart(short, table),
    snapshots: false,
    get loadSizes() {
      return loadSizes(server());
    },
    lengths: true,
    enforcesKeys: true,
    rowLock: ' FOR UPDATE',
    begin,
    stamps: STAMPS,
    claims: claimsOf(table, (session, name) => readRecord(session, dialect, name)),
    setUp: [SET_UP, BOOKS_TABLE],
    recordsExist: EXISTS.replace('?', quoteEscaped(unquoted(RECORDS))),
    records: RECORDS,
    recordName: called,
    table,
    hidden: (name) => quoted(HIDDEN + name),
    quote: quoteBackticks,
    parameter: () => '?',
    insertUnlessThere: (into, rest) => `INSERT INTO ${into} ${rest} ON DUPLICATE KEY UPDATE name = name`,
    type: (field, place) => targetType(field, place, server().mariadb),
    widens: widensType,
    joins: joinTypes,
    holds: (found, wanted) => found === wanted || widensType(wanted, found),
    limits: (type, logical) => targetLimits(type, logical, server().mariadb),
    find: (session, name) => find(session, short(name), server().foldsTables),
    createTable: (...asked) => createTable(columnSql, ...asked),
    addColumn: (name, column) => `ALTER TABLE ${name} ADD COLUMN ${columnSql(column, true)}`,
    ownColumns: HISTORY,
    changeType: change,
    dropNotNull: change,
    addKey: (name, _, key) => `ALTER TABLE ${name} ADD ${keySql(key)}`,
    parts: mysqlParts(EXISTS.replace('?', quoteEscaped(unquoted(BOOKS)))),
    shape: (job) =>
      shape(job, {
        columnSql: (column) => columnSql(column, column.nullable),
        mark: markOf(job.table),
        longDefaults: server().mariadb || atLeast(server().version, [8, 0, 13]),
      }),
    structure: (session, name, columns) => structureOf(session, short(name), columns, server().mariadb),
    // They go by the name.
    grants: async () => [],
    dropLoaded,
    merge,
    groups,
    gone,
    trial: mysqlTrial,
    versions,
    windowCondition,
    swap: (hidden, name, old) => [`RENAME TABLE ${table(name)} TO ${old}, ${hidden} TO ${table(name)}`],
    sides: sidesOf(table, (place) => mysqlDialect(database, lockSeconds, server, place)),
    holdsOn: (session, name) => holdsOn(session, short(name), server().mariadb),
    hurry: `SET SESSION wait_timeout = ${lockSeconds + SILENCE_SECONDS}`,
    tryLock: (owner) => `SELECT GET_LOCK(${quoteEscaped(`sluice_${owner}`)}, 0) AS locked`,
    comparison: mysqlComparison(short, server),
    listHidden: `SELECT SUBSTRING(TABLE_NAME, ${HIDDEN.length + 1}) AS name FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '\\_sluice\\_load\\_%'`,
  };
  return dialect;
}

function claimsOf(
  table: (name: string) => string,
  read: (session: SqlSession, name: string) => Promise<TableRecord | undefined>,
): SqlDialect['claims'] {
  return {
    claim: (session, name, fence) => claim(session, table(name), fence),
    evict: async (session, name, fence) => {
      const record = await read(session, name);
      await evict(session, { table: table(name), fence, committed: record?.fence ?? 0 });
    },
  };
}

function windowCondition(...[{ name, type }, window]: Parameters<SqlDialect['windowCondition']>): string {
  const column = quoteBackticks(name);
  if (window.kind === 'value')
    return `${column} ${window.value === null ? 'IS NULL' : `= BINARY ${quoteEscaped(window.value)}`}`;
  return `${column} >= ${literal(window.from, type)} AND ${column} < ${literal(window.to, type)}`;
}

function sidesOf(table: (name: string) => string, at: SqlSides['at']): SqlSides {
  return {
    at,
    // Names of constraints are those of the database.
    foreignKeys: false,
    moveTo: (name, other) => [`RENAME TABLE ${table(name)} TO ${other.table(name)}`],
    drop: (names) => names.map((name) => `DROP TABLE IF EXISTS ${table(name)}`),
  };
}

function fitName(name: string): string {
  return fitNames([name], { bytes: NAME_BYTES, folds: true, plain: true })[0]!;
}

/** What was not to have an index in the table gets one in a stage. */
function indexable(column: TargetColumn): TargetColumn {
  return { ...column, type: indexedType(column.type) };
}

/** The last part of a quoted name. */
function unquoted(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).slice(1, -1);
}

/** By it a table is known after it was renamed; only tables of ours that are made under a hidden name have one. */
function markOf(name: string): string | undefined {
  const plain = unquoted(name);
  return plain.startsWith(`${HIDDEN}load_`) ? `Sluice ${plain}` : undefined;
}

function hasMark(comment: string | undefined, mark: string): boolean {
  return comment === mark || comment?.endsWith(`(${mark})`) === true;
}

function keySql(key: readonly TargetColumn[]): string {
  const list = key.map(({ name }) => quoteBackticks(name)).join(', ');
  return key.some(({ nullable }) => nullable)
    ? `UNIQUE KEY \`sluice_key\` (${list})`
    : `PRIMARY KEY (${list})`;
}

function indexSql(key: readonly TargetColumn[], history: History | undefined): string {
  if (history === 'loads') return historyKey(key);
  return keySql(history === 'versions' ? versionKey(key) : key);
}

/** Characters or bytes of a long text that go into an index. */
const PREFIX = 100;

/** Versions of a row lie together, the newest last. */
function historyKey(key: readonly TargetColumn[]): string {
  const list = key.map(
    ({ name, type }) => quoteBackticks(name) + (isLonger(type, PREFIX) ? `(${PREFIX})` : ''),
  );
  return `KEY \`sluice_key\` (${list.join(', ')}, \`${LOAD_ID}\`)`;
}

function begin(load: LoadMark | undefined): readonly string[] {
  if (!load) return ['START TRANSACTION'];
  const at = literal(load.loadedAt, 'datetime(6)');
  return [`SET @sluice_load_id = ${load.loadId}, @sluice_loaded_at = ${at}`, 'START TRANSACTION'];
}

const HISTORY: SqlDialect['ownColumns'] = {
  loads: [{ sql: `\`${LOAD_ID}\` BIGINT NULL` }, { sql: `\`${LOADED_AT}\` DATETIME(6) NULL` }],
  versions: [{ sql: `\`${VALID_FROM}\` DATETIME(6) NOT NULL` }, { sql: `\`${VALID_TO}\` DATETIME(6) NULL` }],
};

const EXISTS = `SELECT 1 AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`;

async function commentOf(session: SqlSession, name: string): Promise<string | undefined> {
  const { rows } = await session.query(
    'SELECT TABLE_COMMENT AS mark FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
    `looking for table "${name}"`,
    [name],
  );
  return rows[0] && String(rows[0]['mark']);
}

/** Where the names of tables keep their capitals, information_schema compares without them. */
async function find(session: SqlSession, name: string, folds: boolean): Promise<FoundTable | undefined> {
  const doing = `looking for table "${name}"`;
  const same = (column: string): string =>
    `${column} = ?${folds ? '' : ` AND CAST(${column} AS BINARY) = CAST(? AS BINARY)`}`;
  const values = folds ? [name] : [name, name];
  const { rows: tables } = await session.query(
    `SELECT TABLE_NAME AS name, DATA_LENGTH + INDEX_LENGTH AS bytes FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND ${same('TABLE_NAME')}`,
    doing,
    values,
  );
  if (tables.length === 0) return undefined;
  const { rows } = await session.query(
    `SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, CHARACTER_SET_NAME AS charset, IS_NULLABLE AS nullable FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND ${same('TABLE_NAME')} ORDER BY ORDINAL_POSITION`,
    doing,
    values,
  );
  const some = await session.query(`SELECT EXISTS (SELECT 1 FROM ${quoteBackticks(name)}) AS filled`, doing);
  return {
    columns: rows.map((row) => ({
      name: String(row['name']),
      type: foundType(String(row['type']), row['charset']),
      nullable: row['nullable'] === 'YES',
    })),
    filled: Number(some.rows[0]!['filled']) === 1,
    bytes: Number(tables[0]!['bytes'] ?? 0),
  };
}

/** Views and rights go by the name, and indexes are made anew; the rest would stay with the old table, or be gone. */
async function holdsOn(session: SqlSession, name: string, mariadb: boolean): Promise<string | undefined> {
  const doing = `looking at what depends on table "${name}"`;
  const its = 'TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?';
  // MariaDB checks its JSON, with a constraint of each such column.
  const checks = mariadb
    ? `SELECT CONCAT('check ', CONSTRAINT_NAME) AS reason FROM information_schema.CHECK_CONSTRAINTS
        WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NOT CHECK_CLAUSE LIKE 'json_valid(%'`
    : `SELECT CONCAT('check ', CONSTRAINT_NAME) AS reason FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'CHECK' AND ${its}`;
  const { rows } = await session.query(
    `${checks}
     UNION ALL SELECT CONCAT('foreign key ', CONSTRAINT_NAME) FROM information_schema.KEY_COLUMN_USAGE
      WHERE REFERENCED_TABLE_NAME IS NOT NULL AND ((${its})
         OR (REFERENCED_TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = ?))
     UNION ALL SELECT CONCAT('trigger ', TRIGGER_NAME) FROM information_schema.TRIGGERS
      WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = ?
     UNION ALL SELECT 'partitions' FROM information_schema.PARTITIONS WHERE PARTITION_NAME IS NOT NULL AND ${its}
     UNION ALL SELECT CONCAT('index ', INDEX_NAME) FROM information_schema.STATISTICS WHERE COLUMN_NAME IS NULL AND ${its}
     UNION ALL SELECT 'versions, a comment or another storage' FROM information_schema.TABLES
      WHERE (TABLE_TYPE <> 'BASE TABLE' OR ENGINE <> 'InnoDB' OR ROW_FORMAT <> 'Dynamic' OR (TABLE_COMMENT <> '' AND TABLE_COMMENT NOT LIKE 'Sluice ${HIDDEN.replaceAll('_', '\\_')}load\\_%')) AND ${its}`,
    doing,
    Array.from({ length: 7 }, () => name),
  );
  return rows[0] && String(rows[0]['reason']);
}
