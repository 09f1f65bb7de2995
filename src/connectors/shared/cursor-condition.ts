import type { SliceRange } from '../../core/stream.ts';

/** How a system writes the parts of a condition on cursors. */
export interface CursorSql {
  /** One per cursor column. */
  expressions: string[];
  /** A literal of the cursor's type. */
  value(text: string): string;
  /** Whether an expression has no value. */
  missing(expression: string): string;
  /** Rows of the lookback window. */
  since(column: string, from: string): string;
}

type CursorRange = Extract<SliceRange, { kind: 'cursor' }>;

/** The cursor of a row is the greatest of its columns, NULLs ignored. */
export function cursorCondition(sql: CursorSql, range: CursorRange): string | undefined {
  const some = (operator: string, text: string): string =>
    `(${sql.expressions.map((e) => `${e} ${operator} ${sql.value(text)}`).join(' OR ')})`;
  const allNull = `(${sql.expressions.map((e) => sql.missing(e)).join(' AND ')})`;
  const upper: string[] = [];
  if (range.upTo !== undefined) upper.push(`${some('>', range.upTo)} IS NOT TRUE`);
  if (range.to !== undefined) upper.push(`${some('>=', range.to)} IS NOT TRUE`);
  const lower: string[] = [];
  if (range.above !== undefined) lower.push(some('>', range.above));
  else if (range.from !== undefined) lower.push(some('>=', range.from));
  // Without a lower bound every row with a cursor value qualifies.
  if (lower.length === 0) {
    if (!range.nulls) upper.push(`NOT ${allNull}`);
    return upper.join(' AND ') || undefined;
  }
  // An index on a single column ends where the range does; of several, none of a row may lie beyond it.
  if (sql.expressions.length === 1) {
    if (range.upTo !== undefined) lower.push(some('<=', range.upTo));
    if (range.to !== undefined) lower.push(some('<', range.to));
  }
  const ways = [lower.length > 1 ? `(${lower.join(' AND ')})` : lower[0]!];
  if (range.nulls) ways.push(allNull);
  if (range.since) ways.push(sql.since(range.since.column, range.since.from));
  const bounded = sql.expressions.length === 1 && !range.since ? [] : upper;
  return [...bounded, ways.length > 1 ? `(${ways.join(' OR ')})` : ways[0]!].join(' AND ');
}
