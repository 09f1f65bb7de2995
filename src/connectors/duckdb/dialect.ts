/** SQL of DuckDB for the tables that are written. */
import type { History } from '../../core/destination.ts';
import type { TableStructure } from '../../core/structure.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import { fitNames } from '../shared/sql/names.ts';
import type { PartsDialect } from '../shared/sql/parts.ts';
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
import { duckdbComparison } from './compare-target.ts';
import type { DatabaseFile } from './file.ts';
import { attach, OWNERS } from './file-sql.ts';
import {
  dropLoaded,
  gone,
  groups,
  literal,
  LOAD_NUMBER,
  merge,
  MOMENT,
  refuseSharedKeys,
  versions,
} from './target-rows.ts';
import { duckdbTrial } from './refusals.ts';
import { columnType, decimalOf, keepsType, widensType } from './target-types.ts';

/** DuckDB has no limit; other programs that read the file may have. */
const NAME_BYTES = 255;
const BOOKS = '_sluice';
/** Tables of ours that readers do not look at lie beside the user's: a table cannot change its schema. */
const HIDDEN = '_sluice_';

/** A place in the file, as the catalog's functions are asked for it. */
interface Place {
  database: string;
  schema: string;
}

/** `beside`: of tables beside those of readers, which a table cannot join from another schema. */
export function duckdbDialect(file: DatabaseFile, schema: string, beside: string = ''): SqlDialect {
  const place = { database: file.name, schema };
  const short = (name: string): string => fitName(beside === '' ? name : `${HIDDEN}${beside}_${name}`);
  const inSchema = (name: string): string => `${duckName(file.name)}.${duckName(schema)}.${duckName(name)}`;
  const table = (name: string): string => inSchema(short(name));
  const books = `${duckName(file.name)}.${BOOKS}`;
  return {
    name: 'duckdb',
    nameBytes: NAME_BYTES,
    foldsNames: true,
    plainNames: false,
    ddlApart: undefined,
    snapshots: true,
    enforcesKeys: false,
    rowLock: '',
    begin,
    stamps: {
      loads: [
        { column: LOAD_ID, value: LOAD_NUMBER },
        { column: LOADED_AT, value: MOMENT },
      ],
      versions: [{ column: VALID_FROM, value: MOMENT }],
    },
    // Nobody else has the file.
    claims: { claim: async () => undefined, evict: async () => undefined },
    setUp: [
      attach(file),
      `CREATE SCHEMA IF NOT EXISTS ${books}`,
      `CREATE SCHEMA IF NOT EXISTS ${duckName(file.name)}.${duckName(schema)}`,
      `CREATE TABLE IF NOT EXISTS ${books}.tables (
  name VARCHAR PRIMARY KEY, stream VARCHAR NOT NULL, version BIGINT NOT NULL, fence BIGINT NOT NULL, row_count BIGINT NOT NULL,
  table_schema VARCHAR NOT NULL, checkpoint VARCHAR, shaped INTEGER NOT NULL)`,
    ],
    recordsExist: `SELECT 1 AS n FROM duckdb_tables() WHERE database_name = ${duckText(file.name)} AND schema_name = ${duckText(BOOKS)} AND table_name = 'tables'`,
    records: `${books}.tables`,
    // That of the database goes by that of the file, which may be renamed.
    recordName: (name) => `${duckName(schema)}.${duckName(short(name))}`,
    table,
    hidden: (name) => inSchema(HIDDEN + name),
    quote: duckName,
    parameter: (position) => `$${position}`,
    insertUnlessThere: (into, rest) => `INSERT INTO ${into} ${rest} ON CONFLICT DO NOTHING`,
    type: (field) => columnType(field.type),
    widens: widensType,
    holds: keepsType,
    limits: () => [],
    find: (session, name) => find(session, place, short(name)),
    createTable,
    addColumn: (name, column) => `ALTER TABLE ${name} ADD COLUMN ${duckName(column.name)} ${column.type}`,
    ownColumns: HISTORY,
    changeType: (name, column) =>
      `ALTER TABLE ${name} ALTER COLUMN ${duckName(column.name)} SET DATA TYPE ${column.type}`,
    dropNotNull: (name, column) => `ALTER TABLE ${name} ALTER COLUMN ${duckName(column.name)} DROP NOT NULL`,
    // An index would have to fit into memory as a whole.
    addKey: (name, _, key, added) => refuseSharedKeys(name, key, added),
    parts: NO_PARTS,
    shape,
    structure: (session, name, columns) => structureOf(session, place, short(name), columns),
    grants: async () => [],
    dropLoaded,
    merge,
    groups,
    gone,
    trial: duckdbTrial,
    versions,
    windowCondition: ({ name, type }, window) =>
      window.kind === 'value'
        ? `${duckName(name)} ${window.value === null ? 'IS NULL' : `= ${duckText(window.value)}`}`
        : `${duckName(name)} >= ${literal(window.from, type)} AND ${duckName(name)} < ${literal(window.to, type)}`,
    swap: (hidden, name) => [
      `DROP TABLE IF EXISTS ${table(name)}`,
      `ALTER TABLE ${hidden} RENAME TO ${duckName(short(name))}`,
    ],
    sides: sidesOf(table, (other) => duckdbDialect(file, schema, other)),
    holdsOn: (session, name) => holdsOn(session, place, short(name)),
    // Whoever has the file is alone with it: others that live are those of this engine.
    tryLock: (owner) =>
      `INSERT INTO ${OWNERS} VALUES (${duckText(owner)}) ON CONFLICT DO NOTHING RETURNING 1 AS locked`,
    comparison: duckdbComparison,
    listHidden: `SELECT substring(table_name, ${HIDDEN.length + 1}) AS name FROM duckdb_tables() WHERE ${at(place)} AND starts_with(table_name, '${HIDDEN}load_')`,
  };
}

function sidesOf(table: (name: string) => string, at: SqlSides['at']): SqlSides {
  return {
    at,
    foreignKeys: false,
    moveTo: (name, other) => {
      // In the same schema.
      const to = /"(?:[^"]|"")*"$/.exec(other.table(name))![0];
      return [`ALTER TABLE ${table(name)} RENAME TO ${to}`];
    },
    drop: (names) => names.map((name) => `DROP TABLE IF EXISTS ${table(name)}`),
  };
}

/** Indexes and foreign keys are the user's own here, and few. */
const NO_PARTS: PartsDialect = {
  books: '',
  booksExist: 'SELECT 1 AS n WHERE false',
  list: async () => [],
  drop: () => [],
  add: () => [],
  atOnce: false,
  later: () => [],
  foreignKey: () => undefined,
};

function at({ database, schema }: Place): string {
  return `database_name = ${duckText(database)} AND schema_name = ${duckText(schema)}`;
}

function fitName(name: string): string {
  return fitNames([name], { bytes: NAME_BYTES, folds: true })[0]!;
}

function begin(load: LoadMark | undefined): readonly string[] {
  const marks = load
    ? [
        `SET VARIABLE sluice_load_id = CAST(${load.loadId} AS BIGINT)`,
        `SET VARIABLE sluice_loaded_at = ${literal(load.loadedAt, 'TIMESTAMPTZ')}`,
      ]
    : [];
  return [...marks, 'BEGIN TRANSACTION'];
}

/** The API drops a byte order mark that begins a text, so that none may begin one. */
const COLUMNS = `SELECT '=' || column_name AS name, data_type AS type, is_nullable AS nullable FROM duckdb_columns()`;

async function find(session: SqlSession, place: Place, name: string): Promise<FoundTable | undefined> {
  const doing = `looking for table "${name}"`;
  const { rows } = await session.query(
    `${COLUMNS} WHERE ${at(place)} AND lower(table_name) = lower($1) ORDER BY column_index`,
    doing,
    [name],
  );
  if (rows.length === 0) return undefined;
  const quoted = [place.database, place.schema, name].map(duckName).join('.');
  const some = await session.query(`SELECT EXISTS (SELECT 1 FROM ${quoted}) AS filled`, doing);
  return {
    columns: rows.map((row) => ({
      name: String(row['name']).slice(1),
      type: String(row['type']),
      nullable: row['nullable'] === true,
    })),
    filled: some.rows[0]!['filled'] === true,
    // Known of the file only.
    bytes: 0,
  };
}

const HISTORY: SqlDialect['ownColumns'] = {
  loads: [{ sql: `${LOAD_ID} BIGINT` }, { sql: `${LOADED_AT} TIMESTAMPTZ` }],
  versions: [{ sql: `${VALID_FROM} TIMESTAMPTZ NOT NULL` }, { sql: `${VALID_TO} TIMESTAMPTZ` }],
};

function createTable(
  name: string,
  columns: readonly TargetColumn[],
  { stamp, temporary }: { stamp?: History | undefined; temporary?: boolean },
): string {
  const list = columns.map(
    (column) =>
      `${duckName(column.name)} ${column.type}${column.nullable || temporary === true ? '' : ' NOT NULL'}`,
  );
  const own = stamp ? HISTORY[stamp].map(({ sql }) => sql) : [];
  const all = [...list, ...own].join(', ');
  return `CREATE ${temporary === true ? 'TEMPORARY ' : ''}TABLE ${name} (${all})`;
}

function shape({ table, columns, structure, history }: ShapeJob): Shape {
  const first = structure.columns.flatMap(({ field, comment, default: value }) => {
    const column = columns.find((each) => each.field === field);
    if (!column) return [];
    const name = duckName(column.name);
    const fits = value !== undefined && !history && isDefaultOf(value, column.type);
    return [
      ...(comment === undefined ? [] : [`COMMENT ON COLUMN ${table}.${name} IS ${duckText(comment)}`]),
      ...(fits ? [`ALTER TABLE ${table} ALTER COLUMN ${name} SET DEFAULT ${value}`] : []),
    ];
  });
  if (structure.comment !== undefined)
    first.push(`COMMENT ON TABLE ${table} IS ${duckText(structure.comment)}`);
  return { first, indexes: [] };
}

/** Whether a default is a value of a type: DuckDB would say it only when a row comes. */
function isDefaultOf(value: string, type: string): boolean {
  if (type === 'VARCHAR') return /^'(?:[^']|'')*'$/s.test(value);
  if (type === 'BOOLEAN') return /^(?:true|false)$/i.test(value);
  const digits = /^\(?-?(\d+)(?:\.(\d+))?\)?$/.exec(value);
  const decimal =
    digits && (/^(?:SMALLINT|INTEGER|BIGINT)$/.test(type) ? { whole: 4, scale: 0 } : decimalOf(type));
  if (decimal) return digits[1]!.length <= decimal.whole && (digits[2] ?? '').length <= decimal.scale;
  if (/^(?:FLOAT|DOUBLE)$/.test(type)) return digits !== null;
  if (type.startsWith('TIMESTAMP')) return /^(?:now\(\)|CURRENT_TIMESTAMP)$/i.test(value);
  return type === 'DATE' && /^CURRENT_DATE$/i.test(value);
}

/** That of a table of the user's, which a new one is to take over. */
async function structureOf(
  session: SqlSession,
  place: Place,
  name: string,
  columns: readonly TargetColumn[],
): Promise<TableStructure> {
  const doing = `looking at table "${name}"`;
  const { rows } = await session.query(
    `SELECT '=' || column_name AS name, comment, column_default AS value FROM duckdb_columns() WHERE ${at(place)} AND lower(table_name) = lower($1)`,
    doing,
    [name],
  );
  const tables = await session.query(
    `SELECT comment FROM duckdb_tables() WHERE ${at(place)} AND lower(table_name) = lower($1)`,
    doing,
    [name],
  );
  return {
    comment: (tables.rows[0]?.['comment'] as string | null | undefined) ?? undefined,
    columns: rows.flatMap((row) => {
      const column = columns.find((each) => each.name === String(row['name']).slice(1));
      if (!column) return [];
      return [
        {
          field: column.field,
          comment: (row['comment'] as string | null) ?? undefined,
          default: (row['value'] as string | null) ?? undefined,
        },
      ];
    }),
    indexes: [],
  };
}

/** Views go by the name. What else a user has given a table would be lost with it. */
async function holdsOn(session: SqlSession, place: Place, name: string): Promise<string | undefined> {
  const doing = `looking at what depends on table "${name}"`;
  const { rows } = await session.query(
    `SELECT 'index ' || index_name AS reason FROM duckdb_indexes() WHERE ${at(place)} AND lower(table_name) = lower($1)
     UNION ALL SELECT 'constraint ' || lower(constraint_type) FROM duckdb_constraints() WHERE ${at(place)} AND constraint_type <> 'NOT NULL'
       AND (lower(table_name) = lower($1) OR lower(referenced_table) = lower($1))`,
    doing,
    [name],
  );
  if (rows[0]) return String(rows[0]['reason']);
  const { rows: columns } = await session.query(
    `SELECT data_type AS type, column_default AS value FROM duckdb_columns() WHERE ${at(place)} AND lower(table_name) = lower($1) AND column_default IS NOT NULL`,
    doing,
    [name],
  );
  const kept = columns.every(({ value, type }) => isDefaultOf(String(value), String(type)));
  return kept ? undefined : 'a default';
}
