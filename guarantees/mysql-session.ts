/** Sessions with MySQL and MariaDB for those who attack, and for those who compare. */
import mysql, { type Connection } from 'mysql2/promise';

/** Not the account that Sluice has: by that it can be seen whether a session of ours is still there. */
export const VISITOR = 'visitor';

/** Whatever the server's settings: times in UTC, as text; dates that are none are let in; `||` joins texts, as elsewhere. */
export async function mysqlSession(url: string): Promise<Connection> {
  const client = await mysql.createConnection({
    uri: url,
    dateStrings: true,
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  // An attack that ends the server on purpose must not end this process.
  client.on('error', () => undefined);
  await client.query(
    `SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES,PIPES_AS_CONCAT', lock_wait_timeout = 5, autocommit = 1,
      wait_timeout = 28800, max_statement_time = 0, idle_transaction_timeout = 0, idle_write_transaction_timeout = 0`,
  );
  return client;
}

/** Rows of the last one of the statements. */
export async function mysqlRows(
  client: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const [result] = await client.query(sql, [...values]);
  const last: unknown = Array.isArray(result) && Array.isArray(result.at(-1)) ? result.at(-1) : result;
  return Array.isArray(last) ? (last as Record<string, unknown>[]) : [];
}

/** The URL for another account. */
export function urlAs(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  return changed.href;
}
