/** A relation of MySQL or MariaDB as one side of a comparison: SQL that hashes rows where they are. */
import type { Comparable, ComparedColumn, NamedRow, Within } from '../../core/compare.ts';
import { type AskRows, type CompareDialect, compareRelation } from '../shared/compare-relation.ts';
import { quoteBackticks, quoteEscaped } from '../shared/quote.ts';
import { comparedSql, MYSQL_DIALECT } from './canonical.ts';
import { literal } from './cursor-sql.ts';
import { noValue, nullCondition, rangeCondition, type Relation } from './relation.ts';

export interface MysqlComparison {
  relation: Relation;
  /** Leaves out rows whose cursor is NULL. */
  skipNulls: boolean;
  ask: AskRows;
}

export function compareMysql({ relation, skipNulls, ask }: MysqlComparison): Comparable {
  const conditions = [
    relation.where === undefined ? undefined : `(${relation.where})`,
    skipNulls && relation.cursor ? `NOT (${nullCondition(relation)})` : undefined,
  ].filter((condition) => condition !== undefined);
  const source = (column: string): string =>
    relation.columns.find(({ name }) => name === column)?.source ?? column;
  const without = relation.columns.filter(({ mapping }) => comparedSql(mapping) === undefined);
  return compareRelation(
    {
      from: relation.from,
      conditions,
      column: ({ name }) => {
        const { mapping } = relation.columns.find((each) => each.name === name)!;
        const { nullable } = relation.schema.fields.find((field) => field.name === name)!;
        return { sql: comparedSql(mapping)!, nullable };
      },
      plain: (column) => quoteBackticks(source(column)),
      within: (within) => withinCondition(relation, source(within.column), within),
      waiting: (range) => rangeCondition(relation, range),
      find: (keys, rows) => namedCondition(relation, keys, rows),
      without: new Set(without.map(({ name }) => name)),
    },
    COMPARE_DIALECT,
    ask,
  );
}

const bucket = (digits: number): string => `CAST(CONV(LEFT(k, ${digits}), 16, 10) AS UNSIGNED)`;

export const COMPARE_DIALECT: CompareDialect = {
  rows: MYSQL_DIALECT,
  text: (expression, type) =>
    type?.kind === 'binary' ? `LOWER(HEX(${expression}))` : `CAST(${expression} AS CHAR)`,
  bucket,
  checksum: 'SUM(CAST(CONV(LEFT(h, 15), 16, 10) AS UNSIGNED))',
  // Whatever is kept apart is written down first, all rows of it.
  fence: '',
  only: (buckets, digits) => ` WHERE ${bucket(digits)} IN (${buckets.join(', ')})`,
  list: (hashes) => hashes.map(quoteEscaped).join(', '),
  order: 'k',
};

function withinCondition(relation: Relation, column: string, { from, to, nulls }: Within): string {
  const name = quoteBackticks(column);
  const type = relation.types[column]!;
  const parts = [
    from === undefined ? undefined : `${name} >= ${literal(from, type)}`,
    to === undefined ? undefined : `${name} < ${literal(to, type)}`,
  ].filter((part) => part !== undefined);
  const inside = parts.length === 0 ? 'true' : parts.join(' AND ');
  return nulls === true ? `(${inside} OR ${noValue(relation, column)})` : inside;
}

/** Types of which a comparison with text finds at least the rows with that value, by an index where there is one. */
const FOUND_BY_TEXT: ReadonlySet<string> = new Set('int16 int32 int64 decimal utf8 date'.split(' '));

/** Undefined where rows cannot be found by the text of their keys. */
function namedCondition(
  relation: Relation,
  keys: readonly ComparedColumn[],
  rows: readonly NamedRow[],
): string | undefined {
  const columns = keys.map(({ name }) => relation.columns.find((each) => each.name === name)!);
  const plain = columns.every(
    ({ mapping, source }) =>
      mapping.select === quoteBackticks(source) &&
      mapping.format !== 'bit' &&
      FOUND_BY_TEXT.has(mapping.type.kind),
  );
  // NULL stands for values that are NULL by rule too.
  if (columns.length === 0 || !plain || rows.some(({ names }) => names.includes(null))) return undefined;
  const row = ({ names }: NamedRow): string =>
    columns.map(({ mapping }, i) => `${mapping.select} = ${quoteEscaped(names[i]!)}`).join(' AND ');
  return `(${rows.map((each) => `(${row(each)})`).join(' OR ')})`;
}
