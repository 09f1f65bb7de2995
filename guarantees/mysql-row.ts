/** Rows of MySQL and MariaDB as the text that row-text.ts makes of the same values in PostgreSQL. */
import type { LogicalType } from '../src/core/types.ts';

/** SQL for the text of a column. */
export function mysqlColumn(column: string, type: LogicalType): string {
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
      return column;
    default:
      return `CONCAT(${column})`;
  }
}

/** The text as PostgreSQL would show it. */
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
