/** SQL of one stage: incoming columns as the table has them, and what the table holds of them already. Pure. */
import { InternalError } from '../../core/errors.ts';
import { schemaToJson, type Schema } from '../../core/schema.ts';
import type { StageOptions } from '../../core/destination.ts';
import { sourceColumn } from '../../duckdb/batch-source.ts';
import { duckName, duckText, duckType } from '../../duckdb/types.ts';
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

/** A condition on rows called `old`: their key is among those of `table`. NULLs in a key that may hold them equal each other. */
export function keyIn(schema: Schema, key: readonly string[], table: string): string {
  const same = key.map((field) => {
    const { name, nullable } = fileColumn(schema, field);
    return `new.${duckName(name)} ${nullable ? 'IS NOT DISTINCT FROM' : '='} old.${duckName(name)}`;
  });
  return `EXISTS (SELECT 1 FROM ${table} AS new WHERE ${same.join(' AND ')})`;
}

/**
 * Rows of the table that an overlapping slice may bring again. With a key: the newest version of each incoming key,
 * so that a row that went from A to B and back to A is loaded again. Without: every committed row.
 */
export function minusSql(
  table: Schema,
  scan: string,
  distinct: NonNullable<StageOptions['distinct']>,
): string {
  const list = dataColumns(table)
    .map((column) => duckName(column.name))
    .join(', ');
  const filter = cursorFilter(table, distinct);
  if (distinct.key.length === 0)
    return `SELECT ${list} FROM (${scan})${filter === undefined ? '' : ` WHERE ${filter}`}`;
  const key = distinct.key.map((field) => duckName(fileColumn(table, field).name)).join(', ');
  const conditions = [
    keyIn(table, distinct.key, 'sluice_incoming'),
    ...(filter === undefined ? [] : [filter]),
  ];
  return `SELECT ${list} FROM (${scan}) AS old WHERE ${conditions.join(' AND ')} QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY ${LOAD_ID} DESC) = 1`;
}

/** Committed rows below the incoming window cannot be met again; Parquet statistics skip them. */
function cursorFilter(table: Schema, distinct: NonNullable<StageOptions['distinct']>): string | undefined {
  const { from, cursor } = distinct;
  // DuckDB writes years before Christ in another way; without the filter more is compared, and the result is the same.
  if (from === undefined || from.endsWith('BC') || cursor.length === 0) return undefined;
  const columns = cursor.map((field) => fileColumn(table, field));
  return `(${columns.map((column) => `${duckName(column.name)} >= CAST(${duckText(from)} AS ${column.sqlType})`).join(' OR ')})`;
}
