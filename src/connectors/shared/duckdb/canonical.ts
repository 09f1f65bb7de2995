/** The canonical text of values in DuckDB's SQL; docs/concepts/verify.md says what it is. */
import type { LogicalType } from '../../../core/types.ts';
import { duckType } from '../../../duckdb/types.ts';
import type { RowDialect } from '../row-hash.ts';

export const DUCK_DIALECT: RowDialect = {
  value,
  orEmpty: (text) => `coalesce(${text}, '')`,
  inline: (long, type) => (type.kind === 'binary' ? `lower(hex(${long}))` : long),
  bytes: (long, type) => `${type.kind === 'binary' ? 'octet_length' : 'strlen'}(${long})`,
  withoutNul: (text) => `replace(${text}, chr(0), chr(65533))`,
  md5: (text) => `md5(${text})`,
  concat: (...parts) => `(${parts.join(' || ')})`,
  list: (parts) => `concat_ws(',', ${parts.join(', ')})`,
};

function value(x: string, type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return `CAST(CAST(${x} AS TINYINT) AS VARCHAR)`;
    case 'int16':
    case 'int32':
    case 'int64':
    case 'utf8':
    case 'json':
    case 'uuid':
      return `CAST(${x} AS VARCHAR)`;
    case 'decimal': {
      const text = `CAST(CAST(${x} AS ${duckType(type)}) AS VARCHAR)`;
      // Where no digit can stand before the point, DuckDB writes none.
      return type.precision > type.scale ? text : `regexp_replace(${text}, '^(-?)\\.', '\\10.')`;
    }
    case 'float32':
    case 'float64':
      return `CASE WHEN isnan(${x}) THEN '7ff8000000000000' ELSE lower(hex(CAST(CAST(CAST(${x} AS DOUBLE) AS BIT) AS BLOB))) END`;
    case 'binary':
      return x;
    case 'date':
      return `CASE WHEN isfinite(${x}) THEN CAST(${x} - DATE '1970-01-01' AS VARCHAR) ELSE CAST(${x} AS VARCHAR) END`;
    case 'time':
      return hex(`epoch_us(${x})`);
    case 'timestamp': {
      const moment = `CAST(${x} AS ${duckType(type)})`;
      const past = `'8000000000000000'`;
      const never = `CASE WHEN ${x} > '2000-01-01' THEN '7fffffffffffffff' WHEN ${x} < '2000-01-01' THEN ${past} END`;
      return `CASE WHEN isfinite(${moment}) THEN ${hex(`epoch_us(${moment}) - ${MICROS_OF_2000}`)} ELSE ${never} END`;
    }
  }
}

/** Microseconds from 1970 to 2000, where PostgreSQL counts from. */
const MICROS_OF_2000 = '946684800000000';

/** A 64-bit integer as 16 digits, negative ones as their complement. */
function hex(number: string): string {
  return `lower(lpad(to_hex(CAST(${number} AS BIGINT)), 16, '0'))`;
}
