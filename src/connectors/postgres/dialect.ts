/** SQL of PostgreSQL for the tables that are written. */
import { createHash } from 'node:crypto';
import {
  type FoundTable,
  LOAD_ID,
  LOADED_AT,
  type LoadMark,
  type Shape,
  type ShapeJob,
  type SqlDialect,
  type SqlSession,
  type SqlSides,
  type TargetColumn,
  VALID_FROM,
  VALID_TO,
} from '../shared/sql/system.ts';
import { fitNames } from '../shared/sql/names.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import { postgresTrial } from './refusals.ts';
import { postgresComparison } from './compare-target.ts';
import type { History, LoadSizes } from '../../core/destination.ts';
import type { TableStructure } from '../../core/structure.ts';
import { BOOKS, BOOKS_TABLE, postgresParts } from './table-parts.ts';
import { detachViews } from './views.ts';
import { readStructure } from './structure.ts';
import {
  dropLoaded,
  gone,
  groups,
  merge,
  MOMENT,
  ONE_MOMENT,
  versions,
  windowCondition,
} from './target-rows.ts';
import { targetLimits } from './target-limits.ts';
import { keepsType, sameForm, targetType, widensType } from './target-types.ts';

const NAME_BYTES = 63;
/** So long the server waits in the midst of a commit for a client that has fallen silent. */
const SILENCE_MS = 30_000;
/** Numbers of locks are below this. */
const MOST = 2 ** 31;
const RECORDS = '_sluice.tables';
/** One at a time: what does not exist yet cannot be locked. */
const SET_UP_LOCK = `SELECT pg_catalog.pg_advisory_xact_lock(7095810)`;

const SET_UP = `CREATE TABLE ${RECORDS} (
  name text PRIMARY KEY, stream text NOT NULL, version int8 NOT NULL, fence int8 NOT NULL, row_count int8 NOT NULL,
  table_schema text NOT NULL, checkpoint text, shaped int4 NOT NULL)`;

const LOAD = `pg_catalog.current_setting('sluice.load_id', true)::bigint`;
/** Computed once in a statement: a default is computed for each of its rows. */
const STAMPS: SqlDialect['stamps'] = {
  loads: [
    { column: LOAD_ID, value: `(SELECT ${LOAD})` },
    { column: LOADED_AT, value: ONE_MOMENT },
  ],
  versions: [{ column: VALID_FROM, value: ONE_MOMENT }],
};

/** Columns of a table, whether it has rows, and its size. */
const COLUMNS = `
SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_catalog.pg_total_relation_size(c.oid)::float8 AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = $1 AND c.relname = $2
 ORDER BY a.attnum`;

/**
 * What is the user's and would go with the table, or keep it from going: whatever depends on it, on one of its columns or on
 * its row type, but for what a table has by itself (its key, indexes, defaults, the row type).
 */
const HOLDS_ON = `
SELECT pg_catalog.string_agg(DISTINCT d.what, ', ') AS reason FROM (
  SELECT pg_catalog.pg_describe_object(p.classid, p.objid, p.objsubid) AS what FROM pg_catalog.pg_depend p
   WHERE ((p.refclassid = 'pg_catalog.pg_class'::regclass AND p.refobjid = c.oid)
       OR (p.refclassid = 'pg_catalog.pg_type'::regclass AND p.refobjid IN (c.reltype, (SELECT t.typarray FROM pg_catalog.pg_type t WHERE t.oid = c.reltype))))
     AND p.deptype IN ('n', 'a')
     AND p.classid NOT IN ('pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_type'::regclass)
     AND NOT (p.classid = 'pg_catalog.pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_class o WHERE o.oid = p.objid AND (o.oid = c.oid OR o.relkind IN ('i', 't', 'S'))))
     AND NOT (p.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.oid = p.objid AND k.contype IN ('p', 'n', 'f')))
  UNION ALL SELECT 'foreign key ' || k.conname FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND c.oid IN (k.confrelid, k.conrelid)
     AND $3::bool
  UNION ALL SELECT 'inheritance' FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)
  UNION ALL SELECT 'partitions' WHERE c.relkind = 'p'
  UNION ALL SELECT 'row level security' WHERE c.relrowsecurity
  UNION ALL SELECT 'grants on columns' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
  UNION ALL SELECT 'another owner' WHERE c.relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)) d`;

/**
 * Statements spare the trip in which a COPY begins, and cost the server more for each row. Where a trip takes 1 ms, 200 rows of 10
 * columns take 5.3 ms against 6.1, and 500 rows 9.5 against 9; where it takes 5, 7.9 against 13.5 and 16 against 11; on one machine
 * 3.4 against 1.3 and 7.5 against 3.2.
 */
export const LOAD_SIZES: LoadSizes = { rows: 200, bytes: 64 << 10 };

/** `readers`: the schema that these tables are beside of. */
export function postgresDialect(schema: string, readers: string = schema): SqlDialect {
  const table = (name: string): string => `${quoteName(schema)}.${quoteName(short(name))}`;
  return {
    name: 'postgres',
    nameBytes: NAME_BYTES,
    foldsNames: false,
    plainNames: false,
    ddlApart: undefined,
    snapshots: false,
    loadSizes: LOAD_SIZES,
    enforcesKeys: true,
    rowLock: ' FOR UPDATE',
    stamps: STAMPS,
    begin,
    claims: {
      claim: (session, name, fence) =>
        session.query(
          `SELECT pg_catalog.pg_advisory_xact_lock_shared(${lockOf(table(name))}, ${fence % MOST})`,
          `loading table "${name}"`,
        ),
      evict: (session, name, fence) =>
        session.query(evict(lockOf(table(name)), fence % MOST), `taking over table "${name}"`),
    },
    hurry: `SET LOCAL idle_in_transaction_session_timeout = ${SILENCE_MS}`,
    setUp: [setUp(schema)],
    recordsExist: `SELECT 1 AS n WHERE pg_catalog.to_regclass(${quoteText(RECORDS)}) IS NOT NULL`,
    records: RECORDS,
    recordName: table,
    table,
    hidden: (name) => `_sluice.${quoteName(name)}`,
    quote: quoteName,
    parameter: (position) => `$${position}`,
    insertUnlessThere: (into, rest) => `INSERT INTO ${into} ${rest} ON CONFLICT DO NOTHING`,
    type: (field, { schema: { dialect } }) => targetType(field, dialect),
    widens: widensType,
    holds: keepsType,
    copies: sameForm,
    limits: targetLimits,
    find: (session, name) => find(session, schema, short(name)),
    createTable,
    addColumn: (name, column) => `ALTER TABLE ${name} ADD COLUMN ${quoteName(column.name)} ${column.type}`,
    ownColumns: HISTORY,
    changeType: (name, column) =>
      `ALTER TABLE ${name} ALTER COLUMN ${quoteName(column.name)} TYPE ${column.type} USING ${quoteName(column.name)}::${column.type}`,
    dropNotNull: (name, column) => `ALTER TABLE ${name} ALTER COLUMN ${quoteName(column.name)} DROP NOT NULL`,
    addKey,
    parts: postgresParts(),
    shape: (job) => shape(job, { schema: quoteName(schema), user: table(job.name) }),
    structure: (session, name, columns) => structureOf(session, { schema, name: short(name) }, columns),
    grants: (session, name) => grantsOf(session, schema, short(name)),
    dropLoaded,
    merge,
    groups,
    gone,
    trial: postgresTrial,
    versions,
    windowCondition,
    swap: (hidden, name) => [
      `DROP TABLE IF EXISTS ${table(name)}`,
      `ALTER TABLE ${hidden} SET SCHEMA ${quoteName(schema)}`,
      `ALTER TABLE ${quoteName(schema)}.${hidden.slice(hidden.indexOf('.') + 1)} RENAME TO ${quoteName(short(name))}`,
      renameKey(`${quoteName(schema)}.${quoteName(short(name))}`, short(`${name}_pkey`)),
    ],
    sides: sidesOf(schema, readers),
    holdsOn: (session, name, how) => holdsOn(session, [schema, short(name), how?.keysMove !== true]),
    tryLock: (owner) =>
      `SELECT pg_catalog.pg_try_advisory_lock(${parseInt(owner.slice(0, 12), 16)}::int8)::int4 AS locked`,
    comparison: postgresComparison((name) => ({ schema, name: short(name) })),
    listHidden: `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = '_sluice' AND c.relkind = 'r'`,
  };
}

/** Tables of a place are in a schema of their own. */
function sidesOf(schema: string, readers: string): SqlSides {
  const table = (name: string): string => `${quoteName(schema)}.${quoteName(short(name))}`;
  return {
    at: (place) => postgresDialect(place === '' ? readers : `${readers}_${place}`, readers),
    foreignKeys: true,
    moveTo: (name, other) => {
      const there = other.table(name).slice(0, -quoteName(short(name)).length - 1);
      return [`ALTER TABLE ${table(name)} SET SCHEMA ${there}`];
    },
    drop: (names) => [`DROP TABLE IF EXISTS ${names.map(table).join(', ')}`],
    detachViews: (session, names) => detachViews(session, names.map(table)),
  };
}

/** `place`: schema, name, and whether foreign keys count. */
async function holdsOn(session: SqlSession, place: [string, string, boolean]): Promise<string | undefined> {
  const { rows } = await session.query(
    `SELECT h.reason FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL (${HOLDS_ON}) h WHERE n.nspname = $1 AND c.relname = $2`,
    `looking at what depends on table "${place[1]}"`,
    place,
  );
  const reason = rows[0]?.['reason'];
  return typeof reason === 'string' ? reason : undefined;
}

/** Shared locks with a table's number and a fence; they end with their transactions. */
function lockOf(table: string): number {
  return createHash('sha256').update(table).digest().readUInt32BE() % MOST;
}

/** Sessions of other roles, which a role may not end, are left to the server. */
function evict(lock: number, fence: number): string {
  return `SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.database = a.datid AND a.datname = pg_catalog.current_database()
   AND l.classid::int8 = ${lock} AND l.objid::int8 < ${fence} AND pg_catalog.pg_has_role(a.usesysid, 'USAGE')`;
}

/** What is there needs no right to make it. In one transaction, as others may be at it. */
function setUp(schema: string): string {
  const statements = ['_sluice', schema].map((name) => {
    const there = `SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ${quoteText(name)}`;
    return `IF NOT EXISTS (${there}) THEN CREATE SCHEMA ${quoteName(name)}; END IF;`;
  });
  const books = [
    [RECORDS, SET_UP],
    [BOOKS, BOOKS_TABLE],
  ].map(([name, sql]) => `IF pg_catalog.to_regclass(${quoteText(name!)}) IS NULL THEN ${sql}; END IF;`);
  return `${SET_UP_LOCK}; DO LANGUAGE plpgsql ${quoteText(`BEGIN ${[...statements, ...books].join(' ')} END`)}`;
}

function short(name: string): string {
  return fitNames([name], { bytes: NAME_BYTES, folds: false })[0]!;
}

/**
 * What nobody has set: the server's defaults are those of a spinning disk and little memory, and would have it read all of a
 * table to find a hundredth of its rows.
 */
const PLANNER = `SELECT pg_catalog.set_config(name, CASE name WHEN 'work_mem' THEN '64MB' ELSE '1.1' END, true) FROM pg_catalog.pg_settings WHERE name IN ('random_page_cost', 'work_mem') AND source = 'default'`;

function begin(load: LoadMark | undefined): readonly string[] {
  const statements = [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    `SET LOCAL search_path = pg_catalog, pg_temp`,
    `SET LOCAL TimeZone = 'UTC'`,
    `SET LOCAL DateStyle = 'ISO, YMD'`,
    `SET LOCAL IntervalStyle = 'postgres'`,
    `SET LOCAL extra_float_digits = 1`,
    `SET LOCAL idle_in_transaction_session_timeout = 0`,
    `SET LOCAL client_min_messages = warning`,
    PLANNER,
    ...(load
      ? [
          `SET LOCAL sluice.load_id = ${quoteText(String(load.loadId))}`,
          `SET LOCAL sluice.loaded_at = ${quoteText(load.loadedAt)}`,
        ]
      : []),
  ];
  return [statements.join('; ')];
}

async function find(session: SqlSession, schema: string, name: string): Promise<FoundTable | undefined> {
  const doing = `looking for table "${name}"`;
  const { rows } = await session.query(COLUMNS, doing, [schema, name]);
  if (rows.length === 0) return undefined;
  const some = await session.query(
    `SELECT EXISTS (SELECT 1 FROM ${quoteName(schema)}.${quoteName(name)}) AS filled`,
    doing,
  );
  return {
    columns: rows.map((row) => ({
      name: String(row['name']),
      type: String(row['type']),
      nullable: row['nullable'] === true,
    })),
    filled: some.rows[0]!['filled'] === true,
    bytes: Number(rows[0]!['bytes']),
  };
}

/** Columns of ours get their values from settings of the session, where nothing brings them. */
const HISTORY: SqlDialect['ownColumns'] = {
  loads: [
    { sql: `${LOAD_ID} bigint`, default: LOAD },
    { sql: `${LOADED_AT} timestamp with time zone`, default: MOMENT },
  ],
  versions: [
    { sql: `${VALID_FROM} timestamp with time zone NOT NULL`, default: MOMENT },
    { sql: `${VALID_TO} timestamp with time zone` },
  ],
};

function createTable(
  name: string,
  columns: readonly TargetColumn[],
  { stamp, temporary }: { stamp?: History | undefined; temporary?: boolean },
): string {
  const list = columns.map(
    (column) =>
      `${quoteName(column.name)} ${column.type}${column.nullable || temporary === true ? '' : ' NOT NULL'}`,
  );
  const own = (stamp ? HISTORY[stamp] : []).map(({ sql, default: value }) =>
    value === undefined ? sql : `${sql} DEFAULT ${value}`,
  );
  const all = [...list, ...own].join(', ');
  return temporary === true
    ? `CREATE TEMPORARY TABLE ${name} (${all}) ON COMMIT DROP`
    : `CREATE TABLE ${name} (${all})`;
}

/**
 * A table that was emptied, or made by the user, may have the key already. The server finds a name for the index: that of
 * the table may be taken, for example by the index of a table renamed since.
 */
function addKey(table: string, _name: string, key: readonly TargetColumn[]): string {
  const list = key.map((column) => quoteName(column.name)).join(', ');
  const names = key.map((column) => quoteText(column.name)).join(', ');
  const index = (more: string): string =>
    `EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = ${quoteText(table)}::regclass AND ${more})`;
  const unique = `CREATE UNIQUE INDEX ON ${table} (${list})`;
  const primary = `ALTER TABLE ${table} ADD PRIMARY KEY (${list})`;
  const same = `i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname COLLATE "C") FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
      = (SELECT pg_catalog.array_agg(n ORDER BY n COLLATE "C") FROM unnest(ARRAY[${names}]) n)`;
  const add = key.some((column) => column.nullable)
    ? `${unique};`
    : `IF ${index('i.indisprimary')} THEN ${unique}; ELSE ${primary}; END IF;`;
  return `DO LANGUAGE plpgsql ${quoteText(`BEGIN IF NOT ${index(same)} THEN ${add} END IF; END`)}`;
}

/** Its index was named after the hidden table; where the usual name is taken it keeps that. */
function renameKey(table: string, name: string): string {
  const body = `DECLARE key regclass := (SELECT i.indexrelid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
   WHERE i.indrelid = ${quoteText(table)}::regclass AND i.indisunique AND k.relname LIKE 'load\\_%' LIMIT 1);
BEGIN IF key IS NOT NULL THEN EXECUTE pg_catalog.format('ALTER INDEX %s RENAME TO %I', key, ${quoteText(name)}); END IF;
EXCEPTION WHEN duplicate_table THEN NULL; END`;
  return `DO LANGUAGE plpgsql ${quoteText(body)}`;
}

/** Statements that give a table what it has beside columns and key; those of indexes can run side by side. */
function shape(
  { table, name, columns, structure, history }: ShapeJob,
  { schema, user }: { schema: string; user: string },
): Shape {
  const column = (field: string): string =>
    quoteName(columns.find((each) => each.field === field)?.name ?? field);
  const typeOf = (field: string): string => columns.find((each) => each.field === field)?.type ?? '';
  const alter = (field: string, what: string): string =>
    `ALTER TABLE ${table} ALTER COLUMN ${column(field)} ${what}`;
  const first = structure.columns.flatMap(({ field, comment, default: value, identity }) => [
    ...(comment === undefined
      ? []
      : [`COMMENT ON COLUMN ${table}.${column(field)} IS ${quoteText(comment)}`]),
    ...(value === undefined || history ? [] : [whereItFits(alter(field, `SET DEFAULT ${value}`))]),
    ...(identity === true && !history && WHOLE.test(typeOf(field))
      ? countUp(table, column(field), alter(field, 'ADD GENERATED BY DEFAULT AS IDENTITY'))
      : []),
  ]);
  if (structure.comment !== undefined)
    first.push(`COMMENT ON TABLE ${table} IS ${quoteText(structure.comment)}`);
  const wanted = structure.indexes.filter((index) => !(history && index.unique));
  return {
    first,
    indexes: wanted.map((index) => {
      const called = quoteName(short(index.name.startsWith(name) ? index.name : `${name}_${index.name}`));
      const list = index.fields?.map(column).join(', ');
      const tail = index.definition?.dialect === 'postgres' ? index.definition.sql : `(${list})`;
      const create = (as: string): string =>
        `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${as} ON ${table} ${tail};`;
      const named = (
        more: string,
      ): string => `EXISTS (SELECT 1 FROM pg_catalog.pg_class k LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.oid
 WHERE k.oid = to_regclass(${quoteText(`${schema}.${called}`)}) AND ${more})`;
      // A table that was emptied, or made by the user, may have it already.
      const there = named(`i.indrelid = ${quoteText(table)}::regclass`);
      // Where the name is taken by an index of another table, the server finds one.
      const taken = named(`i.indrelid IS DISTINCT FROM to_regclass(${quoteText(user)})`);
      const add = `IF ${taken} THEN ${create('')} ELSE ${create(called)} END IF;`;
      return `DO LANGUAGE plpgsql ${quoteText(`BEGIN IF NOT ${there} THEN ${add} END IF; END`)}`;
    }),
  };
}

/** Types that count up. */
const WHOLE = /^(smallint|integer|bigint)$/;

/** A default may be no value of the type that the column has here. */
function whereItFits(sql: string): string {
  const body = `BEGIN ${sql}; EXCEPTION WHEN data_exception OR datatype_mismatch THEN NULL; END`;
  return `DO LANGUAGE plpgsql ${quoteText(body)}`;
}

/**
 * The next number is after those that are there; a column that may be NULL cannot be counted up. A table that was emptied, or
 * made by the user, may count already.
 */
function countUp(table: string, column: string, add: string): string[] {
  const its = `FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${quoteText(table)}::regclass AND pg_catalog.quote_ident(a.attname) = pg_catalog.quote_ident(${quoteText(column.slice(1, -1).replaceAll('""', '"'))})`;
  const adds = `BEGIN IF EXISTS (SELECT 1 ${its} AND a.attidentity = '' AND NOT a.atthasdef) THEN ${add}; END IF; END`;
  return [
    `ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL`,
    `DO LANGUAGE plpgsql ${quoteText(adds)}`,
    `SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(${quoteText(table)}, a.attname), greatest((SELECT max(${column}) FROM ${table}), 1)) ${its}`,
  ];
}

/** That of a table of the user's, which a new one is to take over. */
async function structureOf(
  session: SqlSession,
  { schema, name }: { schema: string; name: string },
  columns: readonly TargetColumn[],
): Promise<TableStructure> {
  const doing = `looking at the indexes of table "${name}"`;
  const ask = async (sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> =>
    (await session.query(sql, doing, values)).rows;
  const [row] = await ask(
    'SELECT c.oid::int8 AS oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2',
    [schema, name],
  );
  return readStructure(
    ask,
    Number(row!['oid']),
    (column) => columns.find((each) => each.name === column)?.field,
  );
}

/** Statements that grant what others may do with a table; `{}` stands for its name. */
async function grantsOf(session: SqlSession, schema: string, name: string): Promise<string[]> {
  const { rows } = await session.query(
    `SELECT pg_catalog.format('GRANT %s ON {} TO %s%s', a.privilege_type,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
      WHERE n.nspname = $1 AND c.relname = $2 AND a.grantee <> c.relowner`,
    `looking at who may use table "${name}"`,
    [schema, name],
  );
  return rows.map((row) => row['sql'] as string);
}
