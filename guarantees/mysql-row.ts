/** Rows of MySQL and MariaDB as lines of the text that row-text.ts makes of the same values elsewhere. */
import type { LogicalType } from '../src/core/types.ts';

export interface MysqlColumn {
  /** Quoted. */
  name: string;
  type: LogicalType;
  /** Type of the source's column. */
  native: string | undefined;
}

/** Sorted; `query` runs SQL and gives rows. */
export async function mysqlLines(
  query: (sql: string) => Promise<Record<string, unknown>[]>,
  from: string,
  columns: readonly MysqlColumn[],
): Promise<string[]> {
  const list = columns.map((column, i) => `${mysqlForm(column)} AS c${i}`);
  const rows = await query(`SELECT ${list.join(', ')} FROM ${from}`);
  return rows
    .map((row) => columns.map(({ type }, i) => cellText(row[`c${i}`] as string | null, type)).join('|'))
    .toSorted();
}

function mysqlForm({ name, type, native = '' }: MysqlColumn): string {
  switch (type.kind) {
    case 'timestamp':
      return whenDate(name, `CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${name}) AS CHAR)`);
    case 'date':
      return whenDate(name, `CAST(${name} AS CHAR)`);
    case 'binary':
      return /^(geometry|point|line|polygon|multi)/.test(native)
        ? `LOWER(HEX(ST_AsWKB(${name})))`
        : `LOWER(HEX(${name}))`;
    case 'bool':
      return `IF(${name} IS NULL, NULL, IF(${name} + 0, 'true', 'false'))`;
    case 'decimal':
    case 'int16':
    case 'int32':
    case 'int64':
      // Without the zeros of ZEROFILL, and of bits and years the number.
      return `CAST(${name} + 0 AS CHAR)`;
    case 'float32':
    case 'float64':
      // Without the factor a FLOAT shows six digits.
      return `CONCAT(${name} * 1e0)`;
    default:
      return `CAST(${name} AS CHAR)`;
  }
}

/** MariaDB keeps dates that are none. */
function whenDate(column: string, text: string): string {
  return `IF(FROM_DAYS(TO_DAYS(${column})) = DATE(${column}), ${text}, NULL)`;
}

/** As PostgreSQL shows the value. */
function cellText(text: string | null, type: LogicalType): string {
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

/** With an exponent from 10 to the `limit` on, and below 0.0001. */
function postgresFloat(text: string, limit: number): string {
  const value = Number(text);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < limit)) return text;
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
