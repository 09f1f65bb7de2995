/** How tables that were written to DuckDB are compared. */
import type { Within } from '../../core/compare.ts';
import { duckName } from '../../duckdb/types.ts';
import { DUCK_COMPARE } from '../shared/duckdb/compare.ts';
import type { SqlComparison, TargetColumn } from '../shared/sql/system.ts';
import { literal } from './target-rows.ts';

export const duckdbComparison: SqlComparison = {
  begin: async (session) => {
    await session.query('BEGIN TRANSACTION', 'beginning to compare');
    // A transaction sees one moment of everything, also of the names of tables.
    return { dialect: DUCK_COMPARE, keeping: new Set(), unchanged: async () => true };
  },
  dialect: async () => DUCK_COMPARE,
  savepoints: false,
  value: ({ name }) => duckName(name),
  within: withinCondition,
};

function withinCondition({ name, type }: TargetColumn, { from, to, nulls }: Omit<Within, 'column'>): string {
  const column = duckName(name);
  const parts = [
    from === undefined ? undefined : `${column} >= ${literal(from, type)}`,
    to === undefined ? undefined : `${column} < ${literal(to, type)}`,
  ].filter((part) => part !== undefined);
  const inside = parts.join(' AND ') || 'true';
  return nulls === true ? `(${inside} OR ${column} IS NULL)` : inside;
}
