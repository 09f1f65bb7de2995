/** Rows of records that have come again: all that their group had go, and those of the stage are what it has now. */
import { asBytes } from '../../../core/batch-wire.ts';
import type { SliceReader } from '../../../core/source.ts';
import { insertAll, columnOf, type Place } from './table-shape.ts';
import { refuseDoubles } from './shape-table.ts';
import type { Stage } from './stage-rows.ts';
import type { SqlSession } from './system.ts';
import { expectTaken } from './table-check.ts';

/** Temporary. */
export const GROUPS = 'sluice_groups';

/** Which groups they are, for the transaction that the session is in. */
export async function loadGroups(
  session: SqlSession,
  place: Place,
  groups: SliceReader,
  signal: AbortSignal,
): Promise<void> {
  const { dialect } = place;
  const reader = groups.format === 'bytes' ? groups : asBytes(groups);
  const columns = reader.schema.fields.map(({ name }) => columnOf(place, name));
  const table = dialect.quote(GROUPS);
  const doing = `naming records of table "${place.table}"`;
  await session.query(dialect.createTable(table, columns, { history: undefined, temporary: true }), doing);
  await session.load({ doing, table, columns, stamped: undefined }, reader, () => undefined, signal);
}

/** How many rows the table has lost. */
export async function dropGroups(
  session: SqlSession,
  place: Place,
  stage: Stage,
  columns: readonly string[],
): Promise<number> {
  const { dialect, table } = place;
  const doing = `taking rows out of table "${table}"`;
  const { prepare, remove } = dialect.groups({
    groups: dialect.quote(GROUPS),
    stage: stage.table,
    table: dialect.table(table),
    columns: columns.map((field) => columnOf(place, field)),
    key: place.key,
    rows: stage.tableRows,
  });
  for (const sql of prepare) await refuseDoubles(place, () => session.query(sql, doing));
  return (await session.query(remove, doing)).count;
}

/** By how many rows the table has grown. */
export async function replaceGroups(
  session: SqlSession,
  place: Place,
  stage: Stage & { rows: number },
  columns: readonly string[],
): Promise<number> {
  const { dialect, table } = place;
  const removed = await dropGroups(session, place, stage, columns);
  const insert = insertAll(place, dialect.table(table), stage.table, stage.columns);
  const doing = `adding rows to table "${table}"`;
  const { count } = await refuseDoubles(place, () => session.query(insert, doing));
  expectTaken(count, stage.rows, doing);
  return count - removed;
}
