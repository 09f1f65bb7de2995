/** SQL of one stage: incoming columns as the table has them, and what the table holds of them already. Pure. */
import { InternalError } from '../../core/errors.ts';
import { schemaToJson, type Schema } from '../../core/schema.ts';
import type { StageOptions } from '../../core/destination.ts';
import { duckName, duckText, duckType, sourceColumn } from '../../duckdb/types.ts';
import type { Minus } from '../shared/lane/lane-protocol.ts';
import { columnsOf, LOAD_ID, LOADED_AT, OPERATION, type SqlColumn } from './records-sql.ts';

/** The data columns of a table, as they are named in its files. */
function dataColumns(schema: Schema): SqlColumn[] {
  return columnsOf(schemaToJson(schema)).filter((column) => !column.meta);
}

/** Every column of the table from the incoming ones: cast where the table is wider, NULL where the source has none. */
export function dataSelect(table: Schema, incoming: Schema): string {
  return dataColumns(table)
    .map((column) => {
      const index = incoming.fields.findIndex((field) => field.name === column.field);
      const name = duckName(column.name);
      if (index < 0) return `CAST(NULL AS ${column.sqlType}) AS ${name}`;
      const source = sourceColumn(index);
      const same = duckType(incoming.fields[index]!.type) === column.sqlType;
      return same ? `${source} AS ${name}` : `CAST(${source} AS ${column.sqlType}) AS ${name}`;
    })
    .join(', ');
}

export interface LoadMark {
  loadedAt: string;
  loadId: string;
  operation: string;
}

export function metaSelect(mark: LoadMark): string {
  return `${duckText(mark.loadedAt)}::TIMESTAMPTZ AS ${LOADED_AT}, ${duckText(mark.loadId)} AS ${LOAD_ID}, ${duckText(mark.operation)} AS ${OPERATION}`;
}

/** Name in files of a column of the schema. */
export function fileColumn(schema: Schema, field: string): SqlColumn {
  const column = dataColumns(schema).find((each) => each.field === field);
  if (!column) throw new InternalError(`column "${field}" is not in the table`, { code: 'lake.no_column' });
  return column;
}

/** Name in files of a column that the lake adds. */
export function metaColumn(schema: Schema, field: string): SqlColumn {
  return columnsOf(schemaToJson(schema)).find((column) => column.meta && column.field === field)!;
}

/**
 * That rows `old` and `new` have the same key, for a join: of `EXISTS` over rows that meet a condition, DuckDB would first keep all
 * their different keys. NULLs in a key that may hold them equal each other.
 */
export function sameKey(schema: Schema, key: readonly string[]): string {
  const same = key.map((field) => {
    const { name, nullable } = fileColumn(schema, field);
    return `new.${duckName(name)} ${nullable ? 'IS NOT DISTINCT FROM' : '='} old.${duckName(name)}`;
  });
  return same.join(' AND ');
}

type Distinct = NonNullable<StageOptions['distinct']>;

/**
 * Rows of the table that an overlapping slice may bring again. With a key: the newest version of each incoming key,
 * so that a row that went from A to B and back to A is loaded again. Without: every committed row that looks like an
 * incoming one, so that the comparison needs memory for incoming rows only, however large the table is.
 */
export function minusSql(table: Schema, scan: string, distinct: Distinct): Minus {
  const columns = dataColumns(table);
  const floats = columns.filter(({ sqlType }) => sqlType === 'FLOAT' || sqlType === 'DOUBLE');
  const list = columns.map((column) => duckName(column.name)).join(', ');
  const key = distinct.key.map((field) => duckName(fileColumn(table, field).name)).join(', ');
  // One scan for each: of two conditions with OR between them, Parquet statistics would skip nothing.
  const filters = cursorFilters(table, distinct).map((filter) => ` WHERE ${filter}`);
  const signed = freshSql(table, distinct, floats);
  return {
    hash: `hash(${key === '' ? list : key})`,
    committed: (filters.length === 0 ? [''] : filters)
      .map((filter) => `SELECT ${list}, ${LOAD_ID} FROM (${scan})${filter}`)
      .join(' UNION ALL '),
    plain: freshSql(table, distinct, []),
    signed:
      floats.length === 0 ? signed : `SELECT *${replace(floats, ({ sqlType }) => sqlType)} FROM (${signed})`,
  };
}

function freshSql(table: Schema, distinct: Distinct, asText: readonly SqlColumn[]): string {
  const list = dataColumns(table)
    .map((column) => duckName(column.name))
    .join(', ');
  const key = distinct.key.map((field) => duckName(fileColumn(table, field).name)).join(', ');
  const read = (from: string): string => `SELECT *${replace(asText, () => 'VARCHAR')} FROM ${from}`;
  const incoming = read('sluice_incoming');
  const met =
    key === ''
      ? `WHERE hash(${list}) IN (SELECT hash(${list}) FROM (${incoming}))`
      : `SEMI JOIN (${incoming}) AS new ON ${sameKey(table, distinct.key)}`;
  const newest =
    key === '' ? '' : ` QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY ${LOAD_ID} DESC) = 1`;
  const committed = `SELECT ${list} FROM (${read('sluice_committed')}) AS old ${met}${newest}`;
  return `${incoming} EXCEPT ALL (${committed})`;
}

function replace(columns: readonly SqlColumn[], type: (column: SqlColumn) => string): string {
  if (columns.length === 0) return '';
  const casts = columns.map((column) => {
    const name = duckName(column.name);
    return `CAST(${name} AS ${type(column)}) AS ${name}`;
  });
  return ` REPLACE (${casts.join(', ')})`;
}

/**
 * Committed rows below the incoming window cannot be met again; Parquet statistics skip them. Those without a cursor value
 * are in no window, but may be the newest version of a key, which the incoming row is then no repetition of.
 */
function cursorFilters(table: Schema, distinct: Distinct): string[] {
  const { from, cursor } = distinct;
  // DuckDB writes years before Christ in another way; without the filter more is compared, and the result is the same.
  if (from === undefined || from.endsWith('BC') || cursor.length === 0) return [];
  const columns = cursor.map((field) => fileColumn(table, field));
  const some = columns.map(
    (column) => `${duckName(column.name)} >= CAST(${duckText(from)} AS ${column.sqlType})`,
  );
  const none = columns.map((column) => `${duckName(column.name)} IS NULL`);
  const empty = distinct.key.length > 0 && columns.every((column) => column.nullable);
  return [`(${some.join(' OR ')})`, ...(empty ? [none.join(' AND ')] : [])];
}
