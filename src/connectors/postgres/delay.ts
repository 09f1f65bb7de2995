/**
 * Rows that appear later than they were written, with the times of then: through foreign tables, from a subscription
 * (https://www.postgresql.org/docs/current/logical-replication.html), with the next refresh of a materialized view. What
 * is open where they were written cannot be seen here.
 */
import type pg from 'pg';
import type { Found } from './resolve.ts';
import { scansOf } from './scans.ts';

/** Why open transactions here do not tell which rows may still come; undefined when they do. `sql` reads them all. */
export async function delayOf(client: pg.Client, found: Found, sql: string): Promise<string | undefined> {
  const plain = found.table?.kind === 'r' && !found.table.hasChildren;
  const scans = plain ? [] : await scansOf(client, sql);
  if (scans.some((scan) => scan['Node Type'] === 'Foreign Scan'))
    return 'rows come through a foreign table: transactions that are open on its server cannot be seen';
  const named = scans.filter((scan) => scan['Relation Name'] !== undefined);
  const { rows } = await client.query<{ name: string; view: boolean }>(DELAYED, [
    found.relations ?? (found.table ? [found.table.oid] : []),
    named.map((scan) => scan.Schema),
    named.map((scan) => scan['Relation Name']),
  ]);
  if (rows[0] === undefined) return undefined;
  const { name, view } = rows[0];
  return view
    ? `${name} is a materialized view: rows come with its refresh, with older times`
    : `table ${name} is filled by logical replication: rows come late, with times of another server`;
}

const DELAYED = `
SELECT c.oid::regclass::text AS name, c.relkind = 'm' AS view
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.oid = ANY($1::oid[]) OR (n.nspname, c.relname) IN (SELECT * FROM unnest($2::name[], $3::name[])))
   AND (c.relkind = 'm' OR EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid))
 LIMIT 1`;
