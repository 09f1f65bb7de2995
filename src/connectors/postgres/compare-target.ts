/** How tables that were written to PostgreSQL are compared. */
import type { CompareDialect } from '../shared/compare-relation.ts';
import type { SqlComparison, SqlMoment, SqlSession } from '../shared/sql/system.ts';
import { quoteName } from '../shared/quote.ts';
import { compareDialect, withinCondition } from './compare.ts';

const BEGIN = [
  'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  'SET LOCAL search_path = pg_catalog, pg_temp',
  `SET LOCAL TimeZone = 'UTC'`,
  `SET LOCAL DateStyle = 'ISO, YMD'`,
  `SET LOCAL IntervalStyle = 'postgres'`,
  'SET LOCAL extra_float_digits = 1',
  // Rows that are hidden from us would seem to be missing.
  'SET LOCAL row_security = off',
  'SET LOCAL idle_in_transaction_session_timeout = 0',
].join('; ');

const ENCODING = `SELECT pg_catalog.current_setting('server_encoding') AS encoding`;

/** pg_class as the transaction sees it, against the names and files of today. */
const UNCHANGED = `
SELECT 1 AS yes FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND c.oid = pg_catalog.to_regclass($3)
   AND nullif(c.relfilenode, 0) IS NOT DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)`;

/** Types whose cast to text is what the server prints. */
const CASTABLE = /^(text|character varying|json|jsonb)\b/;

/** `place`: where a table is by its name. */
export function postgresComparison(
  place: (table: string) => { schema: string; name: string },
): SqlComparison {
  return {
    begin: (session) => begin(session, place),
    dialect,
    savepoints: true,
    value: ({ name, type }, { kind }) => {
      const column = quoteName(name);
      if ((kind !== 'utf8' && kind !== 'json') || (CASTABLE.test(type) && !type.endsWith('[]')))
        return column;
      // A cast to text may differ from what is printed: character(n) loses its blanks.
      return `CASE WHEN ${column} IS NOT NULL THEN pg_catalog.format('%s', ${column}) END`;
    },
    within: ({ name }, within) => withinCondition(quoteName(name), within),
  };
}

async function begin(
  session: SqlSession,
  place: (table: string) => { schema: string; name: string },
): Promise<SqlMoment> {
  await session.query(BEGIN, 'beginning to compare');
  return {
    dialect: await dialect(session),
    keeping: new Set(['no-nul'] as const),
    unchanged: async (table) => {
      const { schema, name } = place(table);
      const values = [schema, name, `${quoteName(schema)}.${quoteName(name)}`];
      return (await session.query(UNCHANGED, `comparing table "${table}"`, values)).rows.length > 0;
    },
  };
}

async function dialect(session: SqlSession): Promise<CompareDialect> {
  const { rows } = await session.query(ENCODING, 'asking for the encoding');
  const encoding = String(rows[0]!['encoding']);
  return compareDialect(encoding === 'UTF8' || encoding === 'SQL_ASCII');
}
