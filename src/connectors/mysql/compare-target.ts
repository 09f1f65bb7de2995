/** How tables that were written to MySQL and MariaDB are compared. */
import type { KeepingRule } from '../../core/compare.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { SqlComparison, SqlMoment, SqlSession } from '../shared/sql/system.ts';
import { COMPARE_DIALECT } from './compare.ts';
import type { ServerFacts } from './dialect.ts';
import { literal } from './target-types.ts';

const BEGIN = [
  // Of the next transaction only.
  'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
];

const MARKS =
  'SELECT TABLE_NAME AS name, TABLE_COMMENT AS mark FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()';

/** `place`: the name of a table in the database. */
export function mysqlComparison(place: (table: string) => string, server: () => ServerFacts): SqlComparison {
  return {
    begin: (session) => begin(session, place, server()),
    dialect: async () => COMPARE_DIALECT,
    savepoints: true,
    value: ({ name }) => quoteBackticks(name),
    within: ({ name, type }, { from, to, nulls }) => {
      const parts = [
        from === undefined ? undefined : `${quoteBackticks(name)} >= ${literal(from, type)}`,
        to === undefined ? undefined : `${quoteBackticks(name)} < ${literal(to, type)}`,
      ].filter((part) => part !== undefined);
      const inside = parts.join(' AND ') || 'true';
      return nulls === true ? `(${inside} OR ${quoteBackticks(name)} IS NULL)` : inside;
    },
  };
}

/**
 * Names lead to the tables of today, whatever the snapshot sees. A table that was emptied is refused by the server itself;
 * one that was swapped is known by its mark, see dialect.ts: marks are looked at before the snapshot is taken.
 */
async function begin(
  session: SqlSession,
  place: (table: string) => string,
  { mariadb }: ServerFacts,
): Promise<SqlMoment> {
  const marks = await marksOf(session);
  for (const sql of BEGIN) await session.query(sql, 'beginning to compare');
  return {
    dialect: COMPARE_DIALECT,
    keeping: new Set<KeepingRule>([
      'finite',
      'four-digit-years',
      ...(mariadb ? ['unsigned-zero' as const] : []),
    ]),
    unchanged: async (table) => {
      const found = await marksOf(session, place(table));
      return found.size > 0 && [...found].every(([name, mark]) => marks.get(name) === mark);
    },
  };
}

/** By name, also of tables whose names differ in capitals only. */
async function marksOf(session: SqlSession, name?: string): Promise<Map<string, string>> {
  const one = name === undefined ? '' : ' AND TABLE_NAME = ?';
  const values = name === undefined ? [] : [name];
  const { rows } = await session.query(MARKS + one, 'looking at the tables to compare', values);
  return new Map(rows.map((row) => [String(row['name']), String(row['mark'])]));
}
