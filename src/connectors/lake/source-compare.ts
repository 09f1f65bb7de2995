/** A stream of a lake as one side of a comparison: SQL that hashes rows where they are. */
import type { Comparable } from '../../core/compare.ts';
import { type AskRows, compareRelation } from '../shared/compare-relation.ts';
import { DUCK_COMPARE } from '../shared/duckdb/compare.ts';
import { nullCondition, rangeCondition, withinCondition } from '../shared/duckdb/relation.ts';
import { oldVersionsSql, ofLoads, rowsSql } from './source-rows.ts';
import type { LakeSurvey } from './source-survey.ts';

export function compareLake(
  { relation, all, fresh }: LakeSurvey,
  skipNulls: boolean,
  ask: AskRows,
): Comparable {
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    skipNulls && relation.cursor ? `NOT (${nullCondition(relation)})` : undefined,
  ].filter((condition) => condition !== undefined);
  const old = all.key && `(${oldVersionsSql(all, all.key)})`;
  const sqlOf = (column: string): string => relation.columns.find(({ name }) => name === column)!.sql;
  return compareRelation(
    {
      from: `(${rowsSql(all, old)}) AS sluice_rows`,
      conditions,
      column: ({ name }) => ({ sql: sqlOf(name), nullable: true }),
      plain: sqlOf,
      within: (within) => withinCondition(relation, within),
      waiting: (range) =>
        range.kind === 'cursor' && fresh ? ofLoads(fresh.loads!) : rangeCondition(relation, range),
    },
    DUCK_COMPARE,
    ask,
  );
}
