import type pg from 'pg';
import { quoteText } from '../shared/quote.ts';
import { BACKEND_SQL, type Backend, setBackend } from './watch.ts';

export interface SessionSettings {
  /** Milliseconds; 0 = none. */
  statementTimeoutMs: number;
  /** The same for one lock on a table. */
  lockTimeoutMs: number;
  /** Whether rows that row level security hides may be missing; otherwise they are an error. */
  rowSecurity: boolean;
  /**
   * Text as the database has it, whatever its bytes: where the database has no encoding (SQL_ASCII), the server would
   * refuse to send what is not UTF-8.
   */
  rawText?: boolean | undefined;
}

/**
 * Names of ours mean what is in pg_catalog, also where a role's search_path puts other schemas before it; those of the
 * user's own SQL are looked for where they always were. For the transaction, or for the one text of several statements.
 */
export const CATALOG_FIRST: string = `SELECT pg_catalog.set_config('search_path',
  pg_catalog.concat_ws(', ', 'pg_catalog', nullif(pg_catalog.current_setting('search_path'), '')), true)`;

/**
 * Settings of every transaction of ours, as SET LOCAL so that they also hold behind a pooler in transaction
 * mode: text forms that do not depend on the role's or the database's defaults.
 */
function settings(options: SessionSettings): string {
  return [
    `SET LOCAL TimeZone = 'UTC'`,
    `SET LOCAL DateStyle = 'ISO, YMD'`,
    `SET LOCAL IntervalStyle = 'postgres'`,
    `SET LOCAL extra_float_digits = 1`,
    `SET LOCAL bytea_output = 'hex'`,
    `SET LOCAL standard_conforming_strings = on`,
    `SET LOCAL statement_timeout = ${options.statementTimeoutMs}`,
    `SET LOCAL lock_timeout = ${options.lockTimeoutMs}`,
    `SET LOCAL row_security = ${options.rowSecurity ? 'on' : 'off'}`,
    ...(options.rawText ? [`SET LOCAL client_encoding = 'SQL_ASCII'`] : []),
    // We hold a snapshot on purpose while others read through it.
    `SET LOCAL idle_in_transaction_session_timeout = 0`,
  ].join('; ');
}

/** The same where it takes a query, and with it the snapshot. */
const QUERIED: string = [
  CATALOG_FIRST,
  // Servers before 17 do not know it.
  `SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'`,
].join('; ');

const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** Begins a read-only transaction that sees the moment of an exported snapshot. */
export async function join(client: pg.Client, options: SessionSettings, snapshot: string): Promise<void> {
  const adopt = `SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`;
  await send(client, [BEGIN, adopt, settings(options), QUERIED]);
}

/**
 * Begins a read-only transaction that sees one moment: that of `query`, whose first row is returned. It runs before the
 * search path is set, so it names the schema of all it calls.
 */
export async function begin<T extends pg.QueryResultRow>(
  client: pg.Client,
  options: SessionSettings,
  query: string,
): Promise<T> {
  const results = await send(client, [BEGIN, settings(options), query, QUERIED]);
  return (results as pg.QueryResult<T>[]).find(({ command }) => command === 'SELECT')!.rows[0]!;
}

async function send(client: pg.Client, statements: readonly string[]): Promise<unknown[]> {
  const results: unknown = await client.query([...statements, BACKEND_SQL].join('; '));
  setBackend(client, (results as pg.QueryResult<Backend>[]).at(-1)!.rows[0]!);
  return results as unknown[];
}
