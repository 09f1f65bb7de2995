/**
 * A table beside that of readers takes its place where renaming ends the transaction: as swap-apart.ts does it, but that it has its
 * own name until then, and gets the mark of a hidden one, by which it is known afterwards.
 */
import { randomBytes } from 'node:crypto';
import { swapApart } from './swap-apart.ts';
import type { SqlDialect, SqlSession, SqlSystem } from './system.ts';
import { checkUnchanged, dropRecord, ensureRecord, readRecord, type TableRecord } from './table-record.ts';
import { targetColumns } from './table-shape.ts';

interface ApartJob {
  table: string;
  /** Places. */
  from: string;
  to: string;
  versions: { from: number; readers: number | undefined };
  /** Of the readers' table. */
  after: TableRecord;
  /** There is one for readers. */
  found: boolean;
}

/** `session` is in no transaction. */
export async function exchangeApart(system: SqlSystem, session: SqlSession, job: ApartJob): Promise<void> {
  const { table, from, to, versions, after, found } = job;
  const { dialect } = system;
  const [comes, goes] = [dialect.sides!.at(from), dialect.sides!.at(to)];
  const doing = `promoting table "${table}"`;
  const hidden = dialect.hidden(`load_${randomBytes(6).toString('hex')}_0`);
  await dropRecord(session, goes, table);
  await session.query(`DROP TABLE IF EXISTS ${goes.table(table)}`, doing);
  await session.query(dialect.ddlApart!.mark(comes.table(table), hidden), doing);
  if (!found) {
    // A swap needs two tables.
    const columns = targetColumns(after.schema, dialect, false);
    const how = { history: undefined };
    await session.query(dialect.createTable(dialect.table(table), columns, how), doing);
    await ensureRecord(session, dialect, table, after);
  }
  for (const sql of dialect.begin(undefined)) await session.query(sql, doing);
  await expectVersion(session, comes, table, versions.from);
  await expectVersion(session, dialect, table, versions.readers ?? 0);
  await swapApart(system, session, { table, hidden, old: goes.table(table), places: { from, to }, after });
  if (!found) await session.query(`DROP TABLE IF EXISTS ${goes.table(table)}`, doing);
}

async function expectVersion(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
  version: number,
): Promise<void> {
  const record = await readRecord(session, dialect, table, true);
  checkUnchanged(record, { table, version, fence: record?.fence ?? 0 });
}
