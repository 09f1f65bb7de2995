/**
 * Tables whose rows tell whether a reader sees whole transactions: pairs of accounts whose balances come to nothing, moved
 * about in transactions. All rows of `replaced` change with every transaction.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Streams } from '../pair.ts';
import { endWith } from '../pause.ts';
import type { Random } from '../random.ts';
import type { ReaderTask } from './reader.ts';
import type { SqlPair } from '../pair.ts';
import type { SourceSql } from '../source-sql.ts';

export const BANK: readonly string[] = ['appended', 'merged', 'replaced', 'parted'];

export const BANK_STREAMS: Streams = {
  appended: { cursor: 'at' },
  merged: { cursor: 'at', load: 'merge' },
  replaced: { load: 'replace' },
  parted: {
    cursor: 'at',
    load: 'merge',
    partition_by: { column: 'day', by: 'day' },
  },
};

const ACCOUNTS = 1000;

export const bankSql = ({ stamp, now, numbers, laterDay, analyze }: SourceSql): string =>
  BANK.map(
    (table) => `
  CREATE TABLE ${table} (id int PRIMARY KEY, balance int NOT NULL, gen int NOT NULL, day date NOT NULL, pad text,
    at ${stamp});
  CREATE INDEX ${table}_at ON ${table} (at);
  INSERT INTO ${table} SELECT g, CASE g % 2 WHEN 0 THEN 10 ELSE -10 END, 0, ${laterDay(`date '2026-01-01'`, 'g % 4')}, repeat('p', 100), ${now}
    FROM ${numbers(ACCOUNTS)};
  ${analyze(table)}`,
  ).join(';');

/** A few transactions on each table: money is moved, accounts are opened in pairs. */
export async function doBusiness(pair: SqlPair, random: Random): Promise<void> {
  const { now, numbers, laterDay } = pair.from.sql;
  for (const table of BANK) {
    const amount = random.int(1, 100);
    const [from, to] = [random.int(1, ACCOUNTS / 2), random.int(ACCOUNTS / 2 + 1, ACCOUNTS)];
    await pair.from.query(`
      BEGIN;
      UPDATE ${table} SET balance = balance + CASE id WHEN ${from} THEN -${amount} ELSE ${amount} END,
        day = ${laterDay('day', '1')}, at = ${now} WHERE id IN (${from}, ${to});
      INSERT INTO ${table} SELECT max(id) + g, CASE g WHEN 1 THEN ${amount} ELSE -${amount} END, max(gen), '2026-01-05', 'new',
        ${now} FROM ${table}, ${numbers(2)} GROUP BY g;
      ${table === 'replaced' ? `UPDATE replaced SET gen = gen + 1, at = ${now};` : ''}
      COMMIT`);
  }
}

export interface Reader {
  /** Throws when it saw an error or a half load; returns how often it looked. */
  stop(): Promise<number>;
}

const SCRIPT = fileURLToPath(new URL('reader.ts', import.meta.url));

/** Reads all tables of the bank in a process of its own, from now on; they have to be there. */
export function startReader(pair: SqlPair): Reader {
  const task: ReaderTask = {
    by: pair.to.readBy,
    tables: BANK,
    replaced: ['replaced'],
    versions: ['appended'],
  };
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  endWith(pair, child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  const closed = once(child, 'close');
  return {
    async stop() {
      child.stdin.end();
      await closed;
      const lines = output.trimEnd().split('\n');
      const reads = Number(lines.pop());
      if (lines.length > 0)
        throw new Error(`a reader saw, in ${reads} reads:\n${lines.slice(0, 10).join('\n')}`);
      return reads;
    },
  };
}
