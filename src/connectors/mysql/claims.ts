/**
 * Who works on a table under which fence, told by names of user locks: they end with their sessions, and anybody may ask which
 * session holds one. Each session of a run takes the first of some names that is free.
 */
import { createHash } from 'node:crypto';
import { quoteEscaped } from '../shared/quote.ts';
import type { SqlSession } from '../shared/sql/system.ts';
import { errorNumber } from './errors.ts';

/** More sessions at work on one table than this are not found. */
const SESSIONS = 16;
/** So many runs back somebody is looked for, unless a later one has committed. */
const FENCES = 64;
/** ER_NO_SUCH_THREAD; ER_KILL_DENIED_ERROR: sessions of other accounts are left to the server. */
const NOT_KILLED: readonly (number | undefined)[] = [1094, 1095];

/** `table`: with its database, for the locks are those of the whole server. */
export async function claim(session: SqlSession, table: string, fence: number): Promise<void> {
  const tries = namesOf(table, fence).map((name) => `GET_LOCK(${name}, 0)`);
  await session.query(`SELECT ${tries.join(' OR ')} AS claimed`, 'claiming a table');
}

/** Ends sessions that work on the table under a fence that is older; none can be older than the one that has last committed. */
export async function evict(
  session: SqlSession,
  { table, fence, committed }: { table: string; fence: number; committed: number },
): Promise<void> {
  const names: string[] = [];
  for (let older = Math.max(committed, fence - FENCES); older < fence; older++)
    names.push(...namesOf(table, older));
  if (names.length === 0) return;
  const doing = 'looking for who holds a table';
  const holders = names.map((name) => `IS_USED_LOCK(${name})`).join(', ');
  const { rows } = await session.query(`SELECT CONCAT_WS(',', ${holders}) AS ids`, doing);
  const ids = String(rows[0]!['ids']).split(',').filter(Boolean);
  for (const id of ids)
    await session
      .query(`KILL ${Number(id)}`, 'ending a session that was shut out')
      .catch((error: unknown) => {
        if (!NOT_KILLED.includes(errorNumber(error))) throw error;
      });
}

function namesOf(table: string, fence: number): string[] {
  const hash = createHash('sha256').update(table).digest('hex').slice(0, 16);
  return Array.from({ length: SESSIONS }, (_, i) => quoteEscaped(`sluice_${hash}_${fence}_${i}`));
}
