/** Types of the tables that are written, as duckdb_columns() spells them. */
import type { LogicalType } from '../../core/types.ts';
import { duckType } from '../../duckdb/types.ts';

export function columnType(type: LogicalType): string {
  return type.kind === 'timestamp' && type.zone ? 'TIMESTAMP WITH TIME ZONE' : duckType(type);
}

const WHOLE = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'];
const DIGITS: Readonly<Record<string, number>> = {
  TINYINT: 3,
  SMALLINT: 5,
  INTEGER: 10,
  BIGINT: 19,
  HUGEINT: 39,
};

/** Whether a column of type `from` can be changed to `to` and keep every value. */
export function widensType(from: string, to: string): boolean {
  const [a, b] = [WHOLE.indexOf(from), WHOLE.indexOf(to)];
  if (a >= 0 && b >= 0) return a < b;
  if (to === 'VARCHAR') return from === 'UUID' || from === 'JSON' || from.startsWith('ENUM(');
  if (to === 'DOUBLE') return ['TINYINT', 'SMALLINT', 'INTEGER', 'FLOAT'].includes(from);
  if (to === 'FLOAT') return ['TINYINT', 'SMALLINT'].includes(from);
  if (to === 'TIMESTAMP') return from === 'DATE';
  const target = decimalOf(to);
  if (!target) return false;
  const whole = DIGITS[from];
  const source = whole === undefined ? decimalOf(from) : { whole, scale: 0 };
  return source !== undefined && from !== to && source.whole <= target.whole && source.scale <= target.scale;
}

/** Whether a column of type `found` keeps every value of `wanted`. */
export function keepsType(found: string, wanted: string): boolean {
  if (found === wanted || widensType(wanted, found)) return true;
  // It says which texts it does not take.
  return found === 'JSON' && wanted === 'VARCHAR';
}

/** Digits before and after the point; undefined for other types. */
export function decimalOf(type: string): { whole: number; scale: number } | undefined {
  const match = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  return match ? { whole: Number(match[1]) - Number(match[2]), scale: Number(match[2]) } : undefined;
}
