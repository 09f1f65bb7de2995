/** A stream of a lake as one side of a comparison: SQL that hashes rows where they are. */
import type { Comparable, Within } from '../../core/compare.ts';
import { type AskRows, type CompareDialect, compareRelation } from '../shared/compare-relation.ts';
import { DUCK_DIALECT } from './canonical.ts';
import { literal, nullCondition, rangeCondition, type Relation } from './source-relation.ts';
import { oldVersionsSql, ofLoads, rowsSql } from './source-rows.ts';
import type { LakeSurvey } from './source-survey.ts';

const bucket = (digits: number): string => `CAST('0x' || left(k, ${digits}) AS INTEGER)`;

const DIALECT: CompareDialect = {
  rows: DUCK_DIALECT,
  text: (expression, type) =>
    type?.kind === 'binary' ? `lower(hex(${expression}))` : `CAST(${expression} AS VARCHAR)`,
  bucket,
  checksum: `sum(CAST('0x' || left(h, 15) AS BIGINT))`,
  fence: '',
  only: (buckets, digits) => ` WHERE ${bucket(digits)} IN (${buckets.join(', ')})`,
  order: 'k',
};

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
    DIALECT,
    ask,
  );
}

function withinCondition(relation: Relation, { column, from, to }: Within): string {
  const source = relation.columns.find(({ name }) => name === column)!.source;
  const { sql, type } = relation.known.get(source)!;
  const parts = [
    from === undefined ? undefined : `${sql} >= ${literal(from, type)}`,
    to === undefined ? undefined : `${sql} < ${literal(to, type)}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'true' : parts.join(' AND ');
}
