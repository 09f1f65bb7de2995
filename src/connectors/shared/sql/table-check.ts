/** Whether the table is still the one that the record tells of. */
import { ConfigError, ConflictError, DataError } from '../../../core/errors.ts';
import type { TableState } from '../../../core/destination.ts';
import type { Schema } from '../../../core/schema.ts';
import type { FoundTable, SqlDialect, SqlSession, SqlSystem } from './system.ts';
import { targetColumns } from './table-shape.ts';
import { checkUnchanged, readRecord, type TableRecord } from './table-record.ts';

/** Somebody has dropped it or taken out all its rows, and with them what the record tells of. */
export function isLost(found: FoundTable | undefined, rows: number): boolean {
  return !found || (rows > 0 && !found.filled);
}

/** `rows`: as far as we know; undefined while it has none of ours. */
interface KnownTable {
  table: string;
  rows: number | undefined;
}

/** Until the transaction ends nobody can take it away. */
export async function expectTable(
  session: SqlSession,
  dialect: SqlDialect,
  { table, rows }: KnownTable,
): Promise<void> {
  if (rows === undefined) return;
  if (isLost(await dialect.find(session, table), rows)) throw tableLost(table);
}

/** While nothing of ours is there, rows are those of somebody else. */
export async function expectNobody(
  session: SqlSession,
  dialect: SqlDialect,
  { table, rows }: KnownTable,
): Promise<void> {
  if (rows !== undefined) return;
  if ((await dialect.find(session, table))?.filled === true) throw notOurs(table);
}

/** Whoever loads changes only would write down that nothing is missing. */
export function tableLost(table: string): ConflictError {
  return new ConflictError(
    `loading table "${table}": it was dropped or emptied while the run was under way`,
    {
      code: 'sql.table_lost',
      remedy: 'run again: all of it is loaded anew',
      details: { table },
    },
  );
}

/** A server says how many rows it took: all that were sent, or the load is none. */
export function expectTaken(taken: number, rows: number, doing: string): void {
  if (taken === rows) return;
  throw new DataError(`${doing}: the server took ${taken} of ${rows} rows`, {
    code: 'sql.rows_lost',
    remedy: 'does a trigger of the table leave rows out? load into a table without it',
  });
}

/** Of a table with rows that nobody has loaded: those of the fields that it has. */
export async function foreignState(
  session: SqlSession,
  dialect: SqlDialect,
  {
    table,
    found,
    fields,
    fence = 0,
  }: { table: string; found: FoundTable; fields: Schema; fence?: number | undefined },
): Promise<TableState> {
  const wanted = targetColumns(fields, dialect, false);
  const there = fields.fields.filter((_, i) => found.columns.some(({ name }) => name === wanted[i]!.name));
  const sql = `SELECT count(*) AS n FROM ${dialect.table(table)}`;
  const [counted] = (await session.query(sql, `counting the rows of table "${table}"`)).rows;
  const schema = { fields: there, key: [] };
  const { bytes } = found;
  return { schema, checkpoint: undefined, stream: '', rows: Number(counted!['n']), bytes, version: 0, fence };
}

export function notOurs(table: string): ConfigError {
  return new ConfigError(
    `loading table "${table}": it is there already, with rows that Sluice has not loaded`,
    {
      code: 'sql.not_ours',
      remedy:
        'give the stream another `table`, or empty or drop that one; if its rows are from the files of the stream, `sluice ledger rebuild`',
      details: { table },
    },
  );
}

/**
 * Whoever was shut out may have lost the connection first, or find rows of others: who has the table now tells more than that.
 * `latest`: the last version that we have committed, or may have, asked when that of the table is known; other loads go on meanwhile.
 */
export async function refuseOldFence(
  system: SqlSystem,
  { table, fence }: { table: string; fence: number },
  latest: () => number = () => Number.POSITIVE_INFINITY,
): Promise<void> {
  let record: TableRecord | undefined;
  try {
    const session = await system.connect(new AbortController().signal);
    try {
      record = await readRecord(session, system.dialect, table);
    } finally {
      await session.close();
    }
  } catch {
    return;
  }
  // What became of a commit whose answer is lost is for the next attempt to find out.
  checkUnchanged(record, { table, version: Math.min(record?.version ?? 0, latest()), fence });
}
