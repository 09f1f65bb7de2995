/** One value as text that is the same from PostgreSQL and DuckDB, so that rows can be compared; mysql-row.ts has that of MySQL. */
import type { LogicalType } from '../src/core/types.ts';

const NOTHING = `'∅'`;

export function postgresText(column: string, type: LogicalType): string {
  return `coalesce(${postgresForm(column, type)}, ${NOTHING})`;
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

function duckForm(column: string, type: LogicalType): string {
  switch (type.kind) {
    case 'timestamp':
      return `CASE WHEN isfinite(${column}) THEN epoch_us(${column})::VARCHAR ELSE ${column}::VARCHAR END`;
    case 'binary':
      return `lower(hex(${column}))`;
    case 'decimal':
      // It writes no zero before the point where the type has no room for one.
      return `regexp_replace(${column}::VARCHAR, '^(-?)[.]', '\\10.')`;
    case 'date':
      return `replace(${column}::VARCHAR, ' (BC)', ' BC')`;
    default:
      return `${column}::VARCHAR`;
  }
}
