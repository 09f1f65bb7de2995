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

/** SQL for a value's text in MySQL and MariaDB; {@link mysqlCell} makes it that of the others. */
export function mysqlText(column: string, type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return `IF(${column} IS NULL, NULL, IF(${column}, 'true', 'false'))`;
    case 'timestamp':
      return `CONCAT(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${column}))`;
    case 'binary':
      return `LOWER(HEX(${column}))`;
    case 'float32':
    case 'float64':
      // Without the factor a FLOAT shows six digits.
      return `CONCAT(${column} * 1e0)`;
    case 'utf8':
    case 'json':
      return column;
    default:
      return `CONCAT(${column})`;
  }
}

export function mysqlCell(text: string | null, type: LogicalType): string {
  if (text === null) return '∅';
  if (type.kind === 'time') return text.replace(/\.0+$|(?<=\.\d*[1-9])0+$/, '');
  if (type.kind === 'float32') return postgresFloat(shortestSingle(Number(text)), 6);
  if (type.kind === 'float64') return postgresFloat(String(Number(text)), 15);
  return text;
}

/** The fewest digits that give the same 32 bits. */
function shortestSingle(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === Math.fround(value)) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/** As PostgreSQL writes it: with an exponent from 10 to the `limit` on, and below 0.0001. */
function postgresFloat(text: string, limit: number): string {
  const value = Number(text);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < limit)) return text;
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
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
