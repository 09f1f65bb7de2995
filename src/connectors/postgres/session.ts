import type pg from 'pg';
import { quoteText } from '../shared/quote.ts';

export interface SessionSettings {
  /** Milliseconds; 0 = none. */
  statementTimeoutMs: number;
  /**
   * Text as the database has it, whatever its bytes: where the database has no encoding (SQL_ASCII), the server would
   * refuse to send what is not UTF-8.
   */
  rawText?: boolean | undefined;
}

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
    ...(options.rawText ? [`SET LOCAL client_encoding = 'SQL_ASCII'`] : []),
    // We hold a snapshot on purpose while others read through it.
    `SET LOCAL idle_in_transaction_session_timeout = 0`,
  ].join('; ');
}

/** Begins a read-only transaction that sees one moment: its own, or that of an exported snapshot. */
export async function begin(client: pg.Client, options: SessionSettings, snapshot?: string): Promise<void> {
  const adopt = snapshot === undefined ? '' : `SET TRANSACTION SNAPSHOT ${quoteText(snapshot)};`;
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${adopt} ${settings(options)}`);
}
