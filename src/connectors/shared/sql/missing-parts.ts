/**
 * Takes indexes and foreign keys away from tables and puts them back:
 *
 *   1. what they are is written into the books; committed
 *   2. they are dropped
 *   3. after the load they are made again, and crossed out
 *
 * Whoever finds something in the books makes it, unless it is there: so a process may be killed between any two steps. A part
 * is made by whoever holds the lock of its line, and crossed out under that lock: two cannot make the same.
 */
import type { RestoredPart } from '../../../core/destination.ts';
import {
  AuthError,
  CancelledError,
  DataError,
  SluiceError,
  throwIfAborted,
  TransientError,
} from '../../../core/errors.ts';
import { MISSING, type TablePart } from './parts.ts';
import type { SqlDialect, SqlSession, SqlSystem } from './system.ts';
import { checkUnchanged, readRecord } from './table-record.ts';

/** A line of the books. */
export interface Missing extends Pick<TablePart, 'table' | 'kind' | 'name' | 'sql' | 'refers'> {
  taken: boolean;
}

interface Owner {
  table: string;
  fence: number;
}

/** Writes down what tables shall get; what is written down already stays as it is. */
export async function noteMissing(
  system: SqlSystem,
  session: SqlSession,
  parts: readonly Missing[],
): Promise<void> {
  const { dialect } = system;
  for (const part of parts) {
    const values = [part.table, part.kind, part.name, part.sql, part.refers ?? null, part.taken ? 1 : 0];
    const list = values.map((_, i) => dialect.parameter(i + 1)).join(', ');
    await session.query(
      dialect.insertUnlessThere(dialect.parts.books, `(${MISSING.join(', ')}) VALUES (${list})`),
      'writing down what tables are to get',
      values,
    );
  }
}

/** Whether they are gone now. They stay where somebody does not let go of the table, or we may not change it. */
export async function takeAway(
  system: SqlSystem,
  owner: Owner,
  parts: readonly TablePart[],
  signal: AbortSignal,
): Promise<boolean> {
  if (parts.length === 0) return false;
  const session = await system.connect(signal);
  try {
    await begin(system, session, owner);
    await noteMissing(
      system,
      session,
      parts.map((part) => ({ ...part, taken: true })),
    );
    await session.query('COMMIT', doingOff(owner));
    await begin(system, session, owner);
    await ddlIn(system, session, async (ddl) => {
      for (const [table, own] of Map.groupBy(parts, (part) => part.table))
        for (const sql of system.dialect.parts.drop(table, own)) await ddl.query(sql, doingOff(owner));
    });
    await session.query('COMMIT', doingOff(owner));
    return true;
  } catch (error) {
    if (!canDoWithout(error)) throw error;
    await session.close();
    await crossOutThere(system, parts, signal);
    return false;
  } finally {
    await session.close();
  }
}

function canDoWithout(error: unknown): boolean {
  return (
    error instanceof AuthError || (error instanceof TransientError && /\.(locked|deadlock)$/.test(error.code))
  );
}

function doingOff({ table }: Owner): string {
  return `taking indexes and foreign keys of table "${table}" away`;
}

/** Whoever was shut out does not get to change the table. */
async function begin(system: SqlSystem, session: SqlSession, { table, fence }: Owner): Promise<void> {
  for (const sql of system.dialect.begin(undefined)) await session.query(sql, doingOff({ table, fence }));
  const record = await readRecord(session, system.dialect, table, true);
  checkUnchanged(record, { table, version: record?.version ?? 0, fence });
}

/** What was not taken away after all. */
async function crossOutThere(
  system: SqlSystem,
  parts: readonly TablePart[],
  signal: AbortSignal,
): Promise<void> {
  const session = await system.connect(signal);
  try {
    for (const [table, own] of Map.groupBy(parts, (part) => part.table)) {
      const found =
        (await inTransaction(system, session, () => system.dialect.parts.list(session, table))) ?? [];
      await crossOut(
        system,
        session,
        own.filter((part) => isThere({ ...part, taken: true }, found)),
      );
    }
  } finally {
    await session.close();
  }
}

/** Lines of the books, all or those of some tables; foreign keys also of tables that refer to these. */
export async function readMissing(
  system: SqlSystem,
  session: SqlSession,
  tables?: readonly string[],
): Promise<Missing[]> {
  const { books } = system.dialect.parts;
  const { rows } = await session.query(
    `SELECT ${MISSING.join(', ')} FROM ${books} ORDER BY name, kind, part`,
    'reading what tables are to get',
  );
  const all = rows.map(missingOf);
  return tables === undefined
    ? all
    : all.filter(({ table, refers }) => tables.includes(table) || tables.includes(refers ?? ''));
}

function missingOf(row: Record<string, unknown>): Missing {
  return {
    table: String(row['name']),
    kind: row['kind'] === 'index' ? 'index' : 'foreign key',
    name: String(row['part']),
    sql: String(row['statement']),
    refers: typeof row['refers'] === 'string' ? row['refers'] : undefined,
    taken: Number(row['taken']) === 1,
  };
}

export async function crossOut(
  system: SqlSystem,
  session: SqlSession,
  parts: readonly Pick<Missing, 'table' | 'kind' | 'name'>[],
): Promise<void> {
  const { dialect } = system;
  for (const { table, kind, name } of parts)
    await session.query(
      `DELETE FROM ${dialect.parts.books} WHERE ${sameLine(dialect)}`,
      'crossing out what a table has got',
      [table, kind, name],
    );
}

function sameLine(dialect: SqlDialect): string {
  return ['name', 'kind', 'part'].map((column, i) => `${column} = ${dialect.parameter(i + 1)}`).join(' AND ');
}

type Outcome = Pick<RestoredPart, 'status' | 'reason'>;
export type Restored = Missing & Outcome;

/** `loading`: whether a table, quoted, is not loaded to its end yet. */
export async function restoreMissing(
  system: SqlSystem,
  parts: readonly Missing[],
  loading: (table: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<Restored[]> {
  const { atOnce } = system.dialect.parts;
  const groups = [
    ...Map.groupBy(parts, (part) =>
      part.kind === 'index' && atOnce ? part.table : JSON.stringify([part.table, part.kind, part.name]),
    ).values(),
  ];
  const done: Restored[] = [];
  const work = async (): Promise<void> => {
    for (let group = groups.shift(); group; group = groups.shift()) {
      throwIfAborted(signal);
      done.push(...(await restoreGroup(system, group, loading, signal)));
    }
  };
  const workers = Math.max(1, Math.min(groups.length, system.workers));
  const ends = await Promise.allSettled(Array.from({ length: workers }, work));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return done;
}

/** What fails together is tried one by one, so that each is told of by itself. */
async function restoreGroup(
  system: SqlSystem,
  group: readonly Missing[],
  loading: (table: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<Restored[]> {
  try {
    const outcome = await restoreOnce(system, group, loading, signal);
    return group.map((part) => ({ ...part, ...outcome }));
  } catch (error) {
    if (error instanceof CancelledError || !(error instanceof SluiceError)) throw error;
    if (error instanceof TransientError && !canDoWithout(error)) throw error;
    if (group.length === 1) return [{ ...group[0]!, status: 'failed', reason: error.message }];
    const each: Restored[] = [];
    for (const part of group) each.push(...(await restoreGroup(system, [part], loading, signal)));
    return each;
  }
}

async function restoreOnce(
  system: SqlSystem,
  group: readonly Missing[],
  loading: (table: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<Outcome> {
  const { table, kind, refers, name } = group[0]!;
  const doing =
    group.length === 1
      ? `making ${kind} "${name}" of ${table}`
      : `making ${group.length} indexes of ${table}`;
  if (kind === 'foreign key' && ((await loading(table)) || (await loading(refers!))))
    return { status: 'waits' };
  const session = await system.connect(signal);
  const stop = (): void => void session.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await inTransaction(system, session, async () => {
      const left = await lockLines(system, session, group);
      if (left.length === 0) return { status: 'restored' };
      return ddlIn(system, session, async (ddl) => {
        signal.addEventListener('abort', () => void ddl.close(), { once: true });
        const found = await system.dialect.parts.list(ddl, table);
        if (!found) {
          await crossOut(system, session, left);
          return { status: 'gone' };
        }
        await make(system, ddl, { left, found, doing });
        await crossOut(system, session, left);
        return { status: 'restored' };
      });
    });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    await session.close();
  }
}

async function make(
  system: SqlSystem,
  ddl: SqlSession,
  { left, found, doing }: { left: readonly Missing[]; found: readonly TablePart[]; doing: string },
): Promise<void> {
  const { parts } = system.dialect;
  const { table } = left[0]!;
  const add = left.filter((part) => !isThere(part, found));
  if (add.length > 0) for (const sql of parts.add(table, add)) await ddl.query(sql, doing);
  for (const part of left) {
    if (part.kind !== 'foreign key' || !parts.broken) continue;
    if ((await ddl.query(parts.broken(part), doing)).rows.length === 0) continue;
    const own = { ...part, loose: false };
    for (const sql of parts.drop(table, [own])) await ddl.query(sql, doing);
    throw new DataError(`${doing}: rows refer to rows that are not in ${part.refers ?? ''}`, {
      code: 'sql.broken_reference',
    });
  }
}

/** Another one of the same name that somebody has made is not what was there: the server will say so. */
function isThere(part: Missing, found: readonly TablePart[]): boolean {
  return found.some(
    ({ table, kind, name, sql }) =>
      table === part.table && kind === part.kind && name === part.name && (!part.taken || sql === part.sql),
  );
}

/** Those that nobody has made meanwhile. */
async function lockLines(
  { dialect }: SqlSystem,
  session: SqlSession,
  group: readonly Missing[],
): Promise<Missing[]> {
  const left: Missing[] = [];
  for (const part of group) {
    const { rows } = await session.query(
      `SELECT 1 AS n FROM ${dialect.parts.books} WHERE ${sameLine(dialect)} FOR UPDATE`,
      'reading what tables are to get',
      [part.table, part.kind, part.name],
    );
    if (rows.length > 0) left.push(part);
  }
  return left;
}

async function inTransaction<T>(
  { dialect }: SqlSystem,
  session: SqlSession,
  work: () => Promise<T>,
): Promise<T> {
  const doing = 'looking after indexes and foreign keys';
  for (const sql of dialect.begin(undefined)) await session.query(sql, doing);
  const result = await work();
  await session.query('COMMIT', doing);
  return result;
}

/** Where DDL ends transactions, it has a session of its own. */
async function ddlIn<T>(
  system: SqlSystem,
  session: SqlSession,
  work: (ddl: SqlSession) => Promise<T>,
): Promise<T> {
  if (!system.dialect.ddlApart) return work(session);
  const other = await system.connect(new AbortController().signal);
  try {
    return await work(other);
  } finally {
    await other.close();
  }
}
