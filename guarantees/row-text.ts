/** One value as text that is the same from PostgreSQL, MySQL and DuckDB, so that rows can be compared. */
import type { LogicalType } from '../src/core/types.ts';

const NOTHING = `'∅'`;

export function postgresText(column: string, type: LogicalType): string {
  return `coalesce(${postgresForm(column, type)}, ${NOTHING})`;
}

/** `native` is the type of the source's column. */
export function mysqlText(column: string, type: LogicalType, native: string): string {
  return `coalesce(${mysqlForm(column, type, native)}, ${NOTHING})`;
}

export function duckText(column: string, type: LogicalType): string {
  return `coalesce(${duckForm(column, type)}, ${NOTHING})`;
}

function postgresForm(column: string, type: LogicalType): string {
  switch (type.kind) {
    case 'timestamp':
      return `CASE WHEN isfinite(${column}) THEN (extract(epoch FROM ${column}) * 1000000)::int8::text ELSE ${column}::text END`;
    case 'binary':
      return `encode(${column}, 'hex')`;
    case 'json':
      // Arrays and composites become JSON on the way.
      return `to_json(${column})::text`;
    case 'decimal':
      return `${column}::numeric(${type.precision},${type.scale})::text`;
    default:
      return `${column}::text`;
  }
}

function mysqlForm(column: string, type: LogicalType, native: string): string {
  switch (type.kind) {
    case 'timestamp':
      return whenDate(column, `CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${column}) AS CHAR)`);
    case 'date':
      return whenDate(column, `CAST(${column} AS CHAR)`);
    case 'binary':
      return /^(geometry|point|line|polygon|multi)/.test(native)
        ? `lower(hex(ST_AsWKB(${column})))`
        : `lower(hex(${column}))`;
    case 'bool':
      return `IF(${column} IS NULL, NULL, IF(${column} + 0, 'true', 'false'))`;
    case 'decimal':
      // DuckDB writes no zero before the point where the type has no room for one.
      return type.precision === type.scale
        ? `REGEXP_REPLACE(CAST(${column} AS CHAR), '0[.]', '.')`
        : `CAST(${column} + 0 AS CHAR)`;
    case 'int16':
    case 'int32':
    case 'int64':
      // Without the zeros of ZEROFILL, and of bits and years the number.
      return `CAST(${column} + 0 AS CHAR)`;
    default:
      return `CAST(${column} AS CHAR)`;
  }
}

/** MariaDB keeps dates that are none. */
function whenDate(column: string, text: string): string {
  return `IF(FROM_DAYS(TO_DAYS(${column})) = DATE(${column}), ${text}, NULL)`;
}

function duckForm(column: string, type: LogicalType): string {
  switch (type.kind) {
    case 'timestamp':
      return `CASE WHEN isfinite(${column}) THEN epoch_us(${column})::VARCHAR ELSE ${column}::VARCHAR END`;
    case 'binary':
      return `lower(hex(${column}))`;
    case 'date':
      return `replace(${column}::VARCHAR, ' (BC)', ' BC')`;
    default:
      return `${column}::VARCHAR`;
  }
}
