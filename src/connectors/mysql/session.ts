/** Settings of every connection of ours, and the transaction that sees one moment. */
import type { Client } from './client.ts';

export interface SessionSettings {
  /** Milliseconds; 0 = none. */
  statementTimeoutMs: number;
  lockTimeoutSeconds: number;
}

/** A day: the server gives up on who does not read for a minute, and we are as slow as what we write to. */
const PATIENCE_SECONDS = 86_400;

/**
 * Text in UTF-8, instants in UTC, and one meaning of SQL, whatever the server's defaults are: modes change what quotes and
 * backslashes are, and how CHAR is padded.
 */
export async function prepareSession(client: Client, options: SessionSettings): Promise<void> {
  await client.query(
    `SET SESSION time_zone = '+00:00', sql_mode = '', character_set_results = utf8mb4,
     net_write_timeout = ${PATIENCE_SECONDS}, wait_timeout = ${PATIENCE_SECONDS}, sql_big_selects = 1, sql_select_limit = DEFAULT,
     lock_wait_timeout = ${Math.max(1, Math.ceil(options.lockTimeoutSeconds))}`,
  );
  await client.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  const limit = client.mariadb
    ? `max_statement_time = ${options.statementTimeoutMs / 1000}`
    : `max_execution_time = ${options.statementTimeoutMs}`;
  await client.query(`SET SESSION ${limit}`);
  if (client.mariadb) {
    // We hold a snapshot on purpose while others read through theirs.
    await client.query('SET SESSION idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0');
  }
}

/** Read-only, so that those who look for open writers, other runs among them, need not wait for us. */
const BEGIN = 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY';

export async function begin(client: Client): Promise<void> {
  await client.query(BEGIN);
}

/**
 * Does what reads, and gives back the locks on the tables it read: held until the run ends, an ALTER TABLE would wait for
 * them, and everybody else, our own readers too, for the ALTER. The snapshot stays.
 */
export async function releasingLocks<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query(BEGIN_LOCKS);
  try {
    return await work();
  } finally {
    await giveLocksBack(client);
  }
}

/** Locks from here on are given back by {@link giveLocksBack}. */
export const BEGIN_LOCKS = 'SAVEPOINT sluice';

export async function giveLocksBack(client: Client): Promise<void> {
  // Without the savepoint the transaction is gone, and with it the snapshot: nothing may be read here any more.
  if (client.alive) await client.query('ROLLBACK TO SAVEPOINT sluice').catch(() => client.destroy());
}
