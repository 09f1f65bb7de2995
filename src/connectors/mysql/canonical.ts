/** The canonical text of values in the SQL of MySQL and MariaDB; docs/concepts/verify.md says what it is. */
import type { LogicalType } from '../../core/types.ts';
import type { RowDialect } from '../shared/row-hash.ts';
import { hasDate } from './cursor-sql.ts';
import type { ColumnMapping } from './types.ts';

/** For a session with `time_zone = '+00:00'` and utf8mb4. */
export const MYSQL_DIALECT: RowDialect = {
  value,
  orEmpty: (text) => `COALESCE(${text}, '')`,
  inline: (long, type) => (type.kind === 'binary' ? `LOWER(HEX(${long}))` : long),
  bytes: (long) => `LENGTH(${long})`,
  withoutNul: (text) => `REPLACE(${text}, _utf8mb4 X'00', _utf8mb4 X'EFBFBD')`,
  md5: (text) => `MD5(${text})`,
  concat: (...parts) => `CONCAT(${parts.join(', ')})`,
  list: (parts) => `CONCAT_WS(',', ${parts.join(', ')})`,
};

function value(x: string, type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return `(${x} <> 0)`;
    case 'int16':
    case 'int32':
    case 'int64':
      return x;
    case 'decimal':
      return `CAST(${x} AS DECIMAL(${type.precision},${type.scale}))`;
    case 'float32':
    case 'float64':
      // No function gives the bits of a number, but a point is made of them: a byte for their order, four for its kind, then x.
      return `LOWER(HEX(REVERSE(SUBSTR(ST_AsBinary(POINT(${x}, 0)), 6, 8))))`;
    case 'utf8':
    case 'json':
      return `CONVERT(${x} USING utf8mb4)`;
    case 'uuid':
      return `LOWER(CAST(${x} AS CHAR))`;
    case 'binary':
      return x;
    case 'date':
      return `(TO_DAYS(${x}) - ${DAYS_TO_1970} - ${inShortYear(x)})`;
    case 'time':
      // MariaDB gives a fraction of the seconds as well, MySQL does not.
      return hex(`FLOOR(TIME_TO_SEC(${x})) * 1000000 + MICROSECOND(${x})`);
    case 'timestamp':
      return hex(
        `TIMESTAMPDIFF(MICROSECOND, TIMESTAMP '2000-01-01 00:00:00', ${x}) - ${inShortYear(x)} * 86400000000`,
      );
  }
}

/** TO_DAYS('1970-01-01') */
const DAYS_TO_1970 = 719_528;

/** MySQL's year 0 has no 29 February, that of everybody else has. */
function inShortYear(x: string): string {
  return `(YEAR(${x}) = 0 AND MONTH(${x}) < 3)`;
}

/** A 64-bit integer as 16 digits, negative ones as their complement. */
function hex(number: string): string {
  return `LOWER(LPAD(HEX(CAST(${number} AS SIGNED)), 16, '0'))`;
}

/** What a column is read as, with what becomes NULL by rule; undefined where only the decoder can tell what it becomes. */
export function comparedSql({ select, format, type }: ColumnMapping): string | undefined {
  switch (format) {
    case 'parsed':
      return type.kind === 'uuid' && select.startsWith('`') ? select : undefined;
    case 'date':
    case 'datetime':
      return `CASE WHEN ${hasDate(select)} THEN ${select} END`;
    case 'bit':
    case 'int1':
    case 'uint1':
    case 'int2':
    case 'uint2':
    case 'int4':
    case 'uint4':
    case 'int8':
    case 'uint8':
      // Without the zeros that some columns are filled up with, and bits as a number.
      return `(${select} + 0)`;
    default:
      return select;
  }
}
