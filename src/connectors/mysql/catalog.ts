import type { Client } from './client.ts';
import type { NativeType } from '../shared/mysql-types.ts';

/** One column as the catalog has it. */
export interface CatalogColumn {
  name: string;
  /** COLUMN_TYPE: `decimal(12,2)`, `int(10) unsigned`. */
  native: string;
  type: NativeType;
  nullable: boolean;
  /** Its numbers are given out by AUTO_INCREMENT. */
  rising: boolean;
  /** This account may SELECT it. */
  readable: boolean;
  comment: string;
}

export interface CatalogTable {
  schema: string;
  name: string;
  view: boolean;
  /** `InnoDB`, `MyISAM`; undefined for views. */
  engine: string | undefined;
  partitioned: boolean;
  /** The engine's estimate. */
  rows: number | undefined;
  bytes: number;
  /** Changes when the table is made anew, for most ALTER TABLE and for TRUNCATE. */
  created: string | undefined;
  comment: string;
  columns: CatalogColumn[];
  /** Columns of the primary key, or of a unique index over NOT NULL columns. */
  key: string[];
  /** The primary key, whose order is that of the rows in InnoDB. */
  primary: string[];
  /** First columns of BTREE indexes. */
  indexed: string[];
}

/** Which tables: of some databases, of all that are the user's, or one of a name. Only by its name one of Sluice's own is found. */
export interface CatalogScope {
  schemas?: string[] | undefined;
  table?: { schema: string; name: string } | undefined;
}

const SYSTEM = ['mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo'];

function scoped(alias: string, scope: CatalogScope): { sql: string; values: unknown[] } {
  const { schemas, table } = scope;
  if (table)
    return {
      sql: `${alias}.TABLE_SCHEMA = ? AND ${alias}.TABLE_NAME = ?`,
      values: [table.schema, table.name],
    };
  const ours = `${alias}.TABLE_NAME LIKE '\\_sluice\\_%'`;
  if (schemas) return { sql: `${alias}.TABLE_SCHEMA IN (?) AND NOT ${ours}`, values: [schemas] };
  return { sql: `${alias}.TABLE_SCHEMA NOT IN (?) AND NOT ${ours}`, values: [SYSTEM] };
}

/** Everything that can be read, or one table; in order of name. */
export async function readCatalog(client: Client, scope: CatalogScope): Promise<CatalogTable[]> {
  const t = scoped('t', scope);
  const tables = await client.query<TableRow>(
    `SELECT t.TABLE_SCHEMA AS \`schema\`, t.TABLE_NAME AS name, t.TABLE_TYPE AS type, t.ENGINE AS engine,
            t.TABLE_ROWS AS estimate, t.DATA_LENGTH AS bytes, t.CREATE_TIME AS created, t.TABLE_COMMENT AS comment,
            t.CREATE_OPTIONS AS options
       FROM information_schema.TABLES t
      WHERE ${t.sql} AND t.TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
      ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME`,
    t.values,
  );
  const c = scoped('c', scope);
  const columns = await client.query<ColumnRow>(
    `SELECT c.TABLE_SCHEMA AS \`schema\`, c.TABLE_NAME AS \`table\`, c.COLUMN_NAME AS name, c.DATA_TYPE AS type,
            c.COLUMN_TYPE AS native, c.IS_NULLABLE AS nullable, c.NUMERIC_PRECISION AS prec, c.NUMERIC_SCALE AS scale, c.DATETIME_PRECISION AS fraction,
            c.EXTRA AS extra, c.PRIVILEGES AS rights, c.COLUMN_COMMENT AS comment
       FROM information_schema.COLUMNS c WHERE ${c.sql} ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION`,
    c.values,
  );
  const s = scoped('s', scope);
  const indexes = await client.query<IndexRow>(
    `SELECT s.TABLE_SCHEMA AS \`schema\`, s.TABLE_NAME AS \`table\`, s.INDEX_NAME AS name, s.NON_UNIQUE AS repeats,
            s.SEQ_IN_INDEX AS position, s.COLUMN_NAME AS \`column\`, s.SUB_PART AS part, s.NULLABLE AS nullable, s.INDEX_TYPE AS method
       FROM information_schema.STATISTICS s WHERE ${s.sql}
      ORDER BY s.TABLE_SCHEMA, s.TABLE_NAME, s.INDEX_NAME <> 'PRIMARY', s.INDEX_NAME, s.SEQ_IN_INDEX`,
    s.values,
  );
  const json = client.mariadb ? await jsonColumns(client, scope) : new Set<string>();
  const columnsOf = Map.groupBy(columns, placeOf);
  const indexesOf = Map.groupBy(indexes, placeOf);
  return tables.map((row): CatalogTable => {
    const place = JSON.stringify([row.schema, row.name]);
    const own = indexesOf.get(place) ?? [];
    const view = row.type === 'VIEW';
    return {
      schema: row.schema,
      name: row.name,
      view,
      engine: row.engine ?? undefined,
      partitioned: /partitioned/i.test(row.options ?? ''),
      rows: row.estimate === null ? undefined : Number(row.estimate),
      bytes: Number(row.bytes ?? 0),
      created: row.created ?? undefined,
      comment: view ? '' : row.comment,
      columns: (columnsOf.get(place) ?? []).map((column) => toColumn(column, json)),
      key: keyOf(own),
      primary: own.filter(({ name }) => name === 'PRIMARY').map(({ column }) => column!),
      indexed: [
        ...new Set(
          own
            .filter((each) => Number(each.position) === 1 && each.column !== null && each.method === 'BTREE')
            .map((each) => each.column!),
        ),
      ],
    };
  });
}

/** JSON of MariaDB is longtext with a check; `database`, `table` and `column` of each as JSON. */
async function jsonColumns(client: Client, scope: CatalogScope): Promise<Set<string>> {
  const rows = await client.query<{ schema: string; table: string; clause: string }>(
    `SELECT k.CONSTRAINT_SCHEMA AS \`schema\`, k.TABLE_NAME AS \`table\`, k.CHECK_CLAUSE AS clause
       FROM information_schema.CHECK_CONSTRAINTS k WHERE k.CHECK_CLAUSE LIKE 'json\\_valid(%'`,
  );
  const { table } = scope;
  return new Set(
    rows
      .filter((row) => !table || (row.schema === table.schema && row.table === table.name))
      .flatMap((row) => {
        const column = /^json_valid\(`((?:[^`]|``)+)`\)$/i.exec(row.clause)?.[1]?.replaceAll('``', '`');
        return column === undefined ? [] : [JSON.stringify([row.schema, row.table, column])];
      }),
  );
}

interface TableRow {
  schema: string;
  name: string;
  type: string;
  engine: string | null;
  estimate: string | number | null;
  bytes: string | number | null;
  created: string | null;
  comment: string;
  options: string | null;
}

interface ColumnRow {
  schema: string;
  table: string;
  name: string;
  type: string;
  native: string;
  nullable: string;
  prec: string | number | null;
  scale: string | number | null;
  fraction: string | number | null;
  extra: string;
  rights: string;
  comment: string;
}

interface IndexRow {
  schema: string;
  table: string;
  name: string;
  repeats: string | number;
  position: string | number;
  column: string | null;
  part: string | number | null;
  nullable: string;
  method: string;
}

function placeOf(row: { schema: string; table: string }): string {
  return JSON.stringify([row.schema, row.table]);
}

function toColumn(row: ColumnRow, json: Set<string>): CatalogColumn {
  const name = row.type.toLowerCase();
  const display = /^\w+\((\d+)\)/.exec(row.native)?.[1];
  return {
    name: row.name,
    native: row.native,
    type: {
      name: json.has(JSON.stringify([row.schema, row.table, row.name])) ? 'json' : name,
      unsigned: /\bunsigned\b|\bzerofill\b/i.test(row.native),
      precision: Number(row.prec ?? row.fraction ?? 0),
      scale: Number(row.scale ?? 0),
      display: display === undefined ? undefined : Number(display),
    },
    nullable: row.nullable === 'YES',
    rising: /auto_increment/i.test(row.extra),
    readable: row.rights === '' || /\bselect\b/i.test(row.rights),
    comment: row.comment,
  };
}

/** Rows come with the primary key first: the first index whose columns are whole, unique and never NULL is the key. */
function keyOf(rows: IndexRow[]): string[] {
  for (const index of Map.groupBy(rows, (row) => row.name).values()) {
    const usable = index.every(
      (row) =>
        Number(row.repeats) === 0 && row.column !== null && row.part === null && row.nullable !== 'YES',
    );
    if (usable) return index.map((row) => row.column!);
  }
  return [];
}
