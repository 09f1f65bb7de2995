/**
 * How a hidden table takes the place of the user's on systems where renaming ends the transaction, so that the names and
 * the record cannot change in one step:
 *
 *   1. the record is told what is *pending*: what it is to become, and the names of the tables; committed
 *   2. the tables change their names, in one atomic statement
 *   3. the record becomes what is pending; committed
 *
 * A table that was made under a hidden name carries a mark of it. So whoever finds something pending can see whether the
 * second step has happened: if so, what is pending counts, and if not, what the record says. Nobody has to write for that.
 * Who wants to write settles it first. The one who swaps holds the lock of the record from before the second step to the
 * end of the third, and the second step is impossible without the hidden table: once that is dropped, under the lock, the
 * answer cannot change any more. So a process may be killed, and a connection be lost, at any point.
 */
import { ConflictError } from '../../../core/errors.ts';
import type { SqlDialect, SqlSession, SqlSystem } from './system.ts';
import {
  COLUMNS,
  dropRecord,
  ensureRecord,
  readRecord,
  recordOf,
  type TableRecord,
  valuesOf,
  writeRecord,
} from './table-record.ts';

interface Pending {
  /** Hidden names, quoted. */
  hidden: string;
  old: string;
  /** Of an exchange: places of the table that comes, which has but the mark of the hidden one, and of the one that goes, which is `old`. */
  places?: Places | undefined;
  after: TableRecord;
}

interface Places {
  from: string;
  to: string;
}

/** The steps of a swap as they are done, for tests that stop between them. */
export type SwapStep = 'pending' | 'locked' | 'renamed' | 'recorded';

/** Called before each step; whoever throws there stops the swap as a lost connection would. */
export type OnSwapStep = (step: SwapStep) => Promise<void>;

/** The record as it counts now. Changes nothing. */
export async function effectiveRecord(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
): Promise<TableRecord | undefined> {
  // First: when nothing is pending, the record that is read afterwards is not older than that.
  const pending = await readPending(session, dialect, table);
  if (pending && (await dialect.ddlApart!.wasHidden(session, table, pending.hidden))) return pending.after;
  return readRecord(session, dialect, table);
}

/** Locks the record in the session's transaction, after what is pending was settled. */
export async function lockRecord(
  system: SqlSystem,
  session: SqlSession,
  table: string,
): Promise<TableRecord | undefined> {
  const { dialect } = system;
  const record = await readRecord(session, dialect, table, true);
  const pending = await readPending(session, dialect, table);
  if (!pending) return record;
  const { places } = pending;
  const done = await (places ? settleExchange : settleTables)(system, table, pending);
  const settled = done ? pending.after : record!;
  if (done && places) await moveRecords(session, dialect, { table, places, before: record! });
  await writeRecord(session, dialect, table, settled);
  await writePending(session, dialect, { table, value: null });
  return settled;
}

/** Settles what is pending and commits that, before a table is looked at by someone who will write to it. */
export async function settle(system: SqlSystem, session: SqlSession, table: string): Promise<void> {
  const { dialect } = system;
  if (!(await readPending(session, dialect, table))) return;
  for (const sql of dialect.begin(undefined)) await session.query(sql, 'settling a swap');
  await lockRecord(system, session, table);
  await session.query('COMMIT', 'settling a swap');
}

/** Hidden tables that a swap still needs, quoted. */
export async function pendingTables(session: SqlSession, dialect: SqlDialect): Promise<Set<string>> {
  if (!dialect.ddlApart) return new Set();
  const { rows } = await session.query(
    `SELECT pending FROM ${dialect.records} WHERE pending IS NOT NULL`,
    'looking for swaps that were cut short',
  );
  return new Set(
    rows.flatMap((row) => {
      const { hidden, old } = JSON.parse(String(row['pending'])) as { hidden: string; old: string };
      return [hidden, old];
    }),
  );
}

export interface SwapJob {
  table: string;
  hidden: string;
  old: string;
  places?: Places | undefined;
  after: TableRecord;
  onStep?: OnSwapStep | undefined;
}

/** Does all three steps. `session` is in a transaction that holds the lock of the record and has read nothing else. */
export async function swapApart(system: SqlSystem, session: SqlSession, job: SwapJob): Promise<void> {
  const { dialect } = system;
  const { table, hidden, old, places, after, onStep } = job;
  const doing = `replacing table "${table}"`;
  const value = JSON.stringify({ hidden, old, places, values: valuesOf(after) });
  await onStep?.('pending');
  await writePending(session, dialect, { table, value });
  await session.query('COMMIT', doing);
  await onStep?.('locked');
  for (const sql of dialect.begin(undefined)) await session.query(sql, doing);
  const before = await readRecord(session, dialect, table, true);
  if ((await readPending(session, dialect, table))?.hidden !== hidden) throw overtaken(table);
  await onStep?.('renamed');
  await elsewhere(system, async (other) => {
    const comes = places ? dialect.sides!.at(places.from).table(table) : hidden;
    for (const sql of dialect.swap(comes, table, old)) await other.query(sql, doing);
  }).catch(async (error: unknown) => {
    // Without the lock anybody may have settled it; a session that was ended says so itself.
    if ((await readPending(session, dialect, table))?.hidden !== hidden) throw overtaken(table);
    throw error;
  });
  await onStep?.('recorded');
  if (places) await moveRecords(session, dialect, { table, places, before: before! });
  await writeRecord(session, dialect, table, after);
  await writePending(session, dialect, { table, value: null });
  await session.query('COMMIT', doing);
}

/** Makes sure that the second step has happened or never will; whether it has. */
async function settleTables(system: SqlSystem, table: string, { hidden, old }: Pending): Promise<boolean> {
  const { dialect } = system;
  const apart = dialect.ddlApart!;
  const doing = `settling what a killed run has begun with table "${table}"`;
  return elsewhere(system, async (other) => {
    await other.query(`DROP TABLE IF EXISTS ${hidden}`, doing);
    if (await apart.wasHidden(other, table, hidden)) {
      await other.query(`DROP TABLE IF EXISTS ${old}`, doing);
      return true;
    }
    if (!(await dialect.find(other, table))) await apart.restore(other, table, old);
    return false;
  });
}

/** The same where the second step is impossible once the name is taken that the user's table was to have. */
async function settleExchange(system: SqlSystem, table: string, { hidden, old }: Pending): Promise<boolean> {
  const apart = system.dialect.ddlApart!;
  return elsewhere(system, async (other) => {
    const doing = `settling what a killed call has begun with table "${table}"`;
    await other.query(`CREATE TABLE IF NOT EXISTS ${old} (taken INT)`, doing);
    return apart.wasHidden(other, table, hidden);
  });
}

/** What is known of a table goes where it went. A table that was made to have one to swap was none. */
async function moveRecords(
  session: SqlSession,
  dialect: SqlDialect,
  { table, places, before }: { table: string; places: Places; before: TableRecord },
): Promise<void> {
  await dropRecord(session, dialect.sides!.at(places.from), table);
  if (before.version === 0) return;
  const to = dialect.sides!.at(places.to);
  await ensureRecord(session, to, table, before);
  await writeRecord(session, to, table, before);
}

/** The transaction that holds the lock would end with the first rename of its own session. */
async function elsewhere<T>(system: SqlSystem, work: (other: SqlSession) => Promise<T>): Promise<T> {
  const other = await system.connect(new AbortController().signal);
  try {
    return await work(other);
  } finally {
    await other.close();
  }
}

async function readPending(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
): Promise<Pending | undefined> {
  if (!dialect.ddlApart) return undefined;
  const { rows } = await session.query(
    `SELECT pending FROM ${dialect.records} WHERE name = ${dialect.parameter(1)}`,
    `reading what is known of table "${table}"`,
    [dialect.recordName(table)],
  );
  const text = rows[0]?.['pending'];
  if (typeof text !== 'string') return undefined;
  const { values, ...names } = JSON.parse(text) as Omit<Pending, 'after'> & { values: unknown[] };
  return { ...names, after: recordOf(Object.fromEntries(COLUMNS.map((name, i) => [name, values[i]]))) };
}

async function writePending(
  session: SqlSession,
  dialect: SqlDialect,
  { table, value }: { table: string; value: string | null },
): Promise<void> {
  await session.query(
    `UPDATE ${dialect.records} SET pending = ${dialect.parameter(1)} WHERE name = ${dialect.parameter(2)}`,
    `writing down what is loaded into table "${table}"`,
    [value, dialect.recordName(table)],
  );
}

function overtaken(table: string): ConflictError {
  return new ConflictError(`replacing table "${table}": somebody else has taken it over`, {
    code: 'sql.conflict',
    remedy: 'run again',
    details: { table },
  });
}
