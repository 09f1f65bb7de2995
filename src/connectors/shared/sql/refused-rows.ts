/**
 * Finds the rows that a table does not take, after one of them has failed a load: all rows go to a temporary table with their
 * numbers, and from there to the user's, in a transaction that is undone.
 */
import { DataError, type SluiceError } from '../../../core/errors.ts';
import { type RefusedRow, RowsRefused } from '../../../core/quarantine.ts';
import type { BytesReader } from '../../../core/source.ts';
import { ROW, type SqlSession, type TargetColumn } from './system.ts';
import type { Place } from './table-shape.ts';

export interface Trial {
  place: Place;
  /** Of the rows. */
  columns: TargetColumn[];
  reader: BytesReader;
  /** Rows take the place of those with their key. */
  merges: boolean;
  signal: AbortSignal;
}

/** The error of a load, with the rows at fault where they can be told; `within` gives a session in a transaction of ours. */
export async function refusedRows(
  trial: Trial,
  error: unknown,
  within: <T>(work: (session: SqlSession) => Promise<T>) => Promise<T>,
): Promise<unknown> {
  if (!(error instanceof DataError) || !mayBeRows(error)) return error;
  const rows = await within((session) => find(session, trial));
  return rows.length === 0 ? error : new RowsRefused(rows, error);
}

/** A foreign key is taken away, and a row without memory for it is refused by whoever has none. */
function mayBeRows({ code }: SluiceError): boolean {
  return !code.endsWith('.foreign_key') && !code.startsWith('data.') && !code.startsWith('files.');
}

async function find(
  session: SqlSession,
  { place, columns, reader, merges, signal }: Trial,
): Promise<RefusedRow[]> {
  const { dialect, table, history } = place;
  const doing = `looking for rows that table "${table}" refuses`;
  const stage = dialect.quote('sluice_tried');
  const ask = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await session.query(sql, doing)).rows;
  await ask(dialect.createTable(stage, columns, { history: undefined, temporary: true }));
  await ask(`ALTER TABLE ${stage} ADD COLUMN ${ROW} bigint GENERATED ALWAYS AS IDENTITY`);
  await session.load({ doing, table: stage, columns, stamped: undefined }, reader, () => undefined, signal);
  const doubles = merges ? await takeDoubles(ask, stage, place) : [];
  const stamps = history ? dialect.stamps[history] : [];
  const job = { stage, table: dialect.table(table), columns, stamps, key: merges ? place.key : [] };
  let refused: Record<string, unknown>[] = [];
  for (const sql of dialect.refusals!(job)) refused = await ask(sql);
  const rows = refused.map(({ row, reason }): RefusedRow => ({
    row: Number(row),
    code: 'row.refused',
    reason: `the target refuses it: ${String(reason)}`,
  }));
  return [...doubles, ...rows].toSorted((a, b) => a.row - b.row);
}

/** The first row of a key stays. */
async function takeDoubles(
  ask: (sql: string) => Promise<Record<string, unknown>[]>,
  stage: string,
  { dialect, key, schema }: Place,
): Promise<RefusedRow[]> {
  const names = key.map(({ name }) => dialect.quote(name)).join(', ');
  const numbered = `SELECT ${ROW}, row_number() OVER (PARTITION BY ${names} ORDER BY ${ROW}) AS nth FROM ${stage}`;
  const rows = await ask(
    `DELETE FROM ${stage} WHERE ${ROW} IN (SELECT ${ROW} FROM (${numbered}) n WHERE nth > 1) RETURNING ${ROW} AS row`,
  );
  const reason = `an earlier record of the load has its key (${schema.key.join(', ')})`;
  return rows.map(({ row }) => ({ row: Number(row), code: 'row.duplicate', reason }));
}
