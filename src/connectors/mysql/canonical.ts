/** The canonical text of values in the SQL of MySQL and MariaDB; docs/concepts/verify.md says what it is. */
import type { LogicalType } from '../../core/types.ts';
import type { RowDialect } from '../shared/row-hash.ts';

/** For a session with `time_zone = '+00:00'` and utf8mb4. */
export const MYSQL_DIALECT: RowDialect = {
  value,
  orEmpty: (text) => `COALESCE(${text}, '')`,
  inline: (long, type) => (type.kind === 'binary' ? `LOWER(HEX(${long}))` : long),
  bytes: (long) => `LENGTH(${long})`,
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
      return `(TO_DAYS(${x}) - ${DAYS_TO_1970})`;
    case 'time':
      // MariaDB gives a fraction of the seconds as well, MySQL does not.
      return hex(`FLOOR(TIME_TO_SEC(${x})) * 1000000 + MICROSECOND(${x})`);
    case 'timestamp':
      return hex(`TIMESTAMPDIFF(MICROSECOND, TIMESTAMP '2000-01-01 00:00:00', ${x})`);
  }
}

/** TO_DAYS('1970-01-01') */
const DAYS_TO_1970 = 719_528;

/** A 64-bit integer as 16 digits, negative ones as their complement. */
function hex(number: string): string {
  return `LOWER(LPAD(HEX(CAST(${number} AS SIGNED)), 16, '0'))`;
}
