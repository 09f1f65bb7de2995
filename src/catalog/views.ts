/** The tables of a lake as views: `orders` shows how things are, `orders_history` all rows as they were loaded. */
import { type CurrentRule, currentRule } from '../connectors/lake/current.ts';
import { currentSchema, type FoldedState } from '../connectors/lake/records.ts';
import {
  columnsOf,
  DELETED,
  LOAD_ID,
  LOADED_AT,
  OPERATION,
  scanSql,
  type SqlColumn,
} from '../connectors/lake/records-sql.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { duckName } from '../duckdb/types.ts';

export interface ViewNames {
  current: string;
  history: string;
}

/**
 * View names of all tables. DuckDB does not tell capitals apart and a table may be called like another one's
 * history, so names that are taken get a number; the same set of tables always gives the same names.
 */
export function viewNames(tables: readonly string[]): Map<string, ViewNames> {
  const taken = new Set<string>();
  const take = (name: string): string => {
    let free = name;
    for (let i = 2; taken.has(free.toLowerCase()); i++) free = `${name}_${i}`;
    taken.add(free.toLowerCase());
    return free;
  };
  const sorted = tables.toSorted();
  const current = sorted.map(take);
  return new Map(
    sorted.map((table, i) => [table, { current: current[i]!, history: take(`${current[i]!}_history`) }]),
  );
}

export function explainRule(rule: CurrentRule): string {
  switch (rule.kind) {
    case 'all':
      return 'all rows: the table has no key';
    case 'single-load':
      return 'all rows: one load brought them, each key occurs once';
    case 'last-by-key':
      return `the last loaded version of each row by key (${rule.key.join(', ')}); deleted rows are hidden`;
  }
}

/** Statements that make the views of one table; none for a table that has no columns yet. */
export function viewStatements(storage: ObjectStorage, state: FoldedState, names: ViewNames): string[] {
  const schema = currentSchema(state);
  if (!schema) return [];
  const history = `main.${duckName(names.history)}`;
  return [
    `CREATE OR REPLACE VIEW ${history} AS ${scanSql({ storage, state, files: state.files })}`,
    `CREATE OR REPLACE VIEW main.${duckName(names.current)} AS ${currentSql(columnsOf(schema), currentRule(state), history)}`,
    ...schemaStatements(names.current),
    ...schemaStatements(names.history),
  ];
}

function currentSql(columns: readonly SqlColumn[], rule: CurrentRule, history: string): string {
  const meta = (field: string): string =>
    duckName(columns.find((column) => column.meta && column.field === field)!.name);
  const own = columns.filter((column) => !column.meta).map((column) => duckName(column.name));
  const alive = `${meta(OPERATION)} IS DISTINCT FROM '${DELETED}'`;
  // A table always has columns; a view without any could not be made.
  const select = `SELECT ${own.length > 0 ? own.join(', ') : '*'} FROM ${history}`;
  if (rule.kind !== 'last-by-key') return `${select} WHERE ${alive}`;
  const key = rule.key
    .map((field) => duckName(columns.find((column) => column.field === field)!.name))
    .join(', ');
  const newest = `row_number() OVER (PARTITION BY ${key} ORDER BY ${meta(LOAD_ID)} DESC, ${meta(LOADED_AT)} DESC)`;
  return `${select} QUALIFY ${newest} = 1 AND ${alive}`;
}

const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  'main',
  'temp',
  'system',
  'information_schema',
  'pg_catalog',
]);

/** A table called `shop.orders` also answers to `shop.orders` without quotes. */
export function schemaStatements(view: string): string[] {
  const [schema, name, ...rest] = view.split('.');
  if (!schema || !name || rest.length > 0 || RESERVED_SCHEMAS.has(schema.toLowerCase())) return [];
  return [
    `CREATE SCHEMA IF NOT EXISTS ${duckName(schema)}`,
    `CREATE OR REPLACE VIEW ${duckName(schema)}.${duckName(name)} AS SELECT * FROM main.${duckName(view)}`,
  ];
}
