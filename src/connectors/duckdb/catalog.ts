/** What DuckDB's catalog says of the tables and views of the file. */
import type { IndexStructure, TableStructure } from '../../core/structure.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';

export interface CatalogTable {
  schema: string;
  name: string;
  view: boolean;
  comment: string | undefined;
  /** Of a table, without those that were deleted lately. */
  rows: number | undefined;
  columns: CatalogColumn[];
  /** The primary key; of a table that Sluice has loaded, what it knows of it. */
  key: readonly string[];
}

interface CatalogColumn {
  name: string;
  native: string;
  nullable: boolean;
  comment: string | undefined;
  default: string | undefined;
}

/** The API drops a byte order mark that begins a text, so that none may begin one. */
const marked = (name: string): string => `'=' || ${name}`;
const unmarked = (value: unknown): string => String(value).slice(1);
const optional = (value: unknown): string | undefined => (value === null ? undefined : unmarked(value));

/** Ours, and what Sluice has not finished. */
const OURS = `schema_name <> '_sluice' AND NOT starts_with(table_name, '_sluice_')`;

export interface Wanted {
  schema: string;
  name: string;
}

/** All of the file, by name, or one of them. */
export async function readCatalog(
  engine: SourceEngine,
  database: string,
  signal: AbortSignal,
  one?: Wanted,
): Promise<CatalogTable[]> {
  const here = `database_name = ${duckText(database)} AND NOT internal`;
  const named = one
    ? ` AND schema_name = ${duckText(one.schema)} AND lower(table_name) = lower(${duckText(one.name)})`
    : '';
  const tables = await engine.rows(
    `SELECT ${marked('schema_name')} AS schema, ${marked('table_name')} AS name, * EXCLUDE (schema_name, table_name) FROM (
       SELECT schema_name, table_name, false AS view, ${marked('comment')} AS comment, estimated_size::DOUBLE AS size FROM duckdb_tables() WHERE ${here} AND NOT temporary
       UNION ALL SELECT schema_name, view_name, true, ${marked('comment')}, NULL FROM duckdb_views() WHERE ${here} AND NOT temporary)
     WHERE ${OURS}${named} ORDER BY 1, 2`,
    signal,
  );
  const columns = await engine.rows(
    `SELECT ${marked('schema_name')} AS schema, ${marked('table_name')} AS parent, ${marked('column_name')} AS name, data_type AS type, is_nullable AS nullable,
            ${marked('comment')} AS comment, ${marked('column_default')} AS value
       FROM duckdb_columns() WHERE ${here} AND ${OURS}${named} ORDER BY column_index`,
    signal,
  );
  const keys = await keysOf(engine, database, signal);
  const place = (row: Record<string, unknown>, name: string): string =>
    JSON.stringify([row['schema'], row[name]]);
  const byTable = Map.groupBy(columns, (row) => place(row, 'parent'));
  return tables.map((row) => {
    const [schema, name] = [unmarked(row['schema']), unmarked(row['name'])];
    return {
      schema,
      name,
      view: row['view'] === true,
      comment: optional(row['comment']),
      rows: row['size'] === null ? undefined : Number(row['size']),
      columns: (byTable.get(place(row, 'name')) ?? []).map((column) => ({
        name: unmarked(column['name']),
        native: String(column['type']),
        nullable: column['nullable'] === true,
        comment: optional(column['comment']),
        default: optional(column['value']),
      })),
      key: keys.get(JSON.stringify([schema, name])) ?? [],
    };
  });
}

/** Declared keys; Sluice itself declares none, and writes down what it knows. */
async function keysOf(
  engine: SourceEngine,
  database: string,
  signal: AbortSignal,
): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  const books = await engine.rows(
    `SELECT 1 AS n FROM duckdb_tables() WHERE database_name = ${duckText(database)} AND schema_name = '_sluice' AND table_name = 'tables'`,
    signal,
  );
  const records =
    books.length === 0
      ? []
      : await engine.rows(
          `SELECT ${marked('name')} AS name, table_schema FROM ${duckName(database)}._sluice.tables WHERE version > 0`,
          signal,
        );
  for (const row of records) {
    const parts = /^"((?:[^"]|"")*)"\."((?:[^"]|"")*)"$/s.exec(unmarked(row['name']));
    const { key } = JSON.parse(String(row['table_schema'])) as { key: string[] };
    const [schema, name] = (parts?.slice(1) ?? []).map((part) => part.replaceAll('""', '"'));
    if (schema !== undefined) found.set(JSON.stringify([schema, name]), key);
  }
  const declared = await engine.rows(
    `SELECT ${marked('schema_name')} AS schema, ${marked('table_name')} AS name, constraint_column_names AS columns
       FROM duckdb_constraints() WHERE database_name = ${duckText(database)} AND constraint_type = 'PRIMARY KEY'`,
    signal,
  );
  for (const row of declared)
    found.set(
      JSON.stringify([unmarked(row['schema']), unmarked(row['name'])]),
      (row['columns'] as string[]).map(String),
    );
  return found;
}

/** Defaults that mean the same everywhere. */
const DEFAULT = /^(?:'(?:[^']|'')*'|\(?-?[\d.]+\)?|true|false|now\(\)|CURRENT_(?:TIMESTAMP|DATE|TIME))$/i;

/** `fieldOf` gives the field that a column has become; undefined when it is not loaded. */
export async function readStructure(
  engine: SourceEngine,
  { database, table }: { database: string; table: CatalogTable },
  fieldOf: (column: string) => string | undefined,
  signal: AbortSignal,
): Promise<TableStructure> {
  const indexes = await engine.rows(
    `SELECT ${marked('index_name')} AS name, is_unique AS unique, ${marked('expressions')} AS expressions FROM duckdb_indexes()
      WHERE database_name = ${duckText(database)} AND schema_name = ${duckText(table.schema)} AND table_name = ${duckText(table.name)}`,
    signal,
  );
  return {
    comment: table.comment,
    columns: table.columns.flatMap(({ name, comment, default: value }) => {
      const field = fieldOf(name);
      const literal = value !== undefined && DEFAULT.test(value) ? value : undefined;
      return field === undefined ? [] : [{ field, comment, default: literal }];
    }),
    indexes: indexes.flatMap((row): IndexStructure[] => {
      // `[a, b]`; an expression, or a name that is not plain, is in quotes.
      const list = /^\[(\w+(?:, \w+)*)\]$/.exec(unmarked(row['expressions']))?.[1]?.split(', ');
      const fields = list?.map(fieldOf);
      if (!fields?.every((field) => field !== undefined)) return [];
      return [{ name: unmarked(row['name']), unique: row['unique'] === true, fields }];
    }),
  };
}
