/** Types of DuckDB as a source, as data; what has no equal becomes text or JSON. docs/connectors/duckdb.md has the table. */
import { type LogicalType, parseType } from '../../../core/types.ts';
import { duckName, duckType } from '../../../duckdb/types.ts';
import type { Known } from './relation.ts';

/** How a column is read: its type here, and SQL around its name where DuckDB has to turn it. */
interface Rule {
  type: LogicalType;
  cast?: string;
}

const plain = (kind: Exclude<LogicalType['kind'], 'decimal' | 'timestamp'>, cast?: string): Rule => ({
  type: { kind },
  ...(cast !== undefined && { cast }),
});
const moment = (zone: boolean, cast?: string): Rule => ({
  type: { kind: 'timestamp', zone },
  ...(cast !== undefined && { cast }),
});

const RULES: Readonly<Record<string, Rule>> = {
  BOOLEAN: plain('bool'),
  TINYINT: plain('int16', 'SMALLINT'),
  UTINYINT: plain('int16', 'SMALLINT'),
  SMALLINT: plain('int16'),
  USMALLINT: plain('int32', 'INTEGER'),
  INTEGER: plain('int32'),
  UINTEGER: plain('int64', 'BIGINT'),
  BIGINT: plain('int64'),
  UBIGINT: { type: { kind: 'decimal', precision: 20, scale: 0 }, cast: 'DECIMAL(20,0)' },
  // Sums are of this type. It has a 39th digit, and a value with one is refused.
  HUGEINT: { type: { kind: 'decimal', precision: 38, scale: 0 }, cast: 'DECIMAL(38,0)' },
  FLOAT: plain('float32'),
  DOUBLE: plain('float64'),
  VARCHAR: plain('utf8'),
  JSON: plain('json', 'VARCHAR'),
  BLOB: plain('binary'),
  UUID: plain('uuid'),
  DATE: plain('date'),
  TIME: plain('time'),
  TIMESTAMP: moment(false),
  TIMESTAMP_S: moment(false, 'TIMESTAMP'),
  TIMESTAMP_MS: moment(false, 'TIMESTAMP'),
  'TIMESTAMP WITH TIME ZONE': moment(true),
};

/** Values within values, by the form of the type's name. */
const NESTED = /\]$|^(?:STRUCT|MAP|UNION)\(/;

export function mapColumn(column: { name: string; native: string; nullable: boolean }): Known {
  const { name, native, nullable } = column;
  return { name, ...mapExpression(duckName(name), native), nullable };
}

/** How an expression is read whose type DuckDB calls so. */
export function mapExpression(expression: string, native: string): Pick<Known, 'sql' | 'type'> {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(native);
  if (decimal) {
    const type = { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) } as const;
    return { sql: expression, type };
  }
  if (NESTED.test(native)) return { sql: `CAST(to_json(${expression}) AS VARCHAR)`, type: { kind: 'json' } };
  const rule = RULES[native] ?? plain('utf8', 'VARCHAR');
  const sql = rule.cast === undefined ? expression : `CAST(${expression} AS ${rule.cast})`;
  return { sql, type: rule.type };
}

/** The type that the stream wants. DuckDB converts, so a value that does not fit is its error. */
export function forcedColumn(
  { name, sql, type }: Known,
  wanted: string,
  mistakes: string[],
): Pick<Known, 'sql' | 'type'> {
  const to = parseType(wanted === 'text' ? 'utf8' : wanted);
  const quoted = duckName(name);
  if (!to) {
    mistakes.push(`types: "${wanted}" of "${name}" is not a type`);
    return { sql, type };
  }
  if (to.kind === 'utf8' && type.kind === 'binary') return { sql: `lower(hex(${quoted}))`, type: to };
  if (to.kind === 'binary' && type.kind !== 'binary')
    return { sql: `encode(CAST(${quoted} AS VARCHAR))`, type: to };
  return { sql: `CAST(${quoted} AS ${duckType(to)})`, type: to };
}
