/** Takes rows of a temporary table into the user's, by key. */
import { DataError, TransientError } from '../../../core/errors.ts';
import { refuseDoubles, refuseNullDoubles } from './shape-table.ts';
import type { Stage } from './stage-rows.ts';
import { OWN_COLUMNS, type SqlResult, type SqlSession } from './system.ts';
import { columnOf, type Place } from './table-shape.ts';

/** By how many rows the table has grown. */
export async function mergeRows(
  session: SqlSession,
  place: Place,
  stage: Stage,
  key: readonly string[],
): Promise<number> {
  const { dialect, table, columns, stamp } = place;
  const doing = `adding rows to table "${table}"`;
  const names = new Set([...columns.map(({ name }) => name), ...(stamp ? OWN_COLUMNS[stamp] : [])]);
  const found = await dialect.find(session, table);
  const { prepare, remove, add } = dialect.merge({
    stage: stage.table,
    table: dialect.table(table),
    columns,
    stamps: stamp ? dialect.stamps[stamp] : [],
    others: found?.columns.some(({ name }) => !names.has(name)) === true,
    staged: new Set(stage.columns.map(({ name }) => name)),
    key: key.map((field) => columnOf(place, field)),
    rows: stage.tableRows,
  });
  await refuseNullDoubles(session, place, stage.table);
  for (const sql of prepare) {
    const run = (): Promise<SqlResult> => session.query(sql, doing);
    // Doubles show among the rows of the load; what the table refuses, it refuses by an index of the user's.
    await (sql.includes(dialect.table(table)) ? run() : refuseDoubles(place, run));
  }
  const removed = remove === undefined ? 0 : (await session.query(remove, doing)).count;
  return (await session.query(add, doing)).count - removed;
}

/**
 * What a load of a window says when a key is in the table already: most likely a row of another window has got a date of this
 * one. Whether rows of the load share a key shows when it is merged.
 */
export function rowHasMoved(error: unknown, { table }: Place): unknown {
  if (!(error instanceof DataError) || error.code !== 'sql.duplicate_key') return error;
  return new TransientError(
    `loading table "${table}": rows have moved here from days that are not loaded now`,
    { code: 'sql.moved_rows', remedy: 'they are merged by key', next: 'at-once', cause: error },
  );
}

/** When the connection was lost, nobody knows whether the rows are in a table that others load into as well. */
export function inDoubt(error: unknown): unknown {
  if (!(error instanceof TransientError)) return error;
  const { message, code, remedy, details } = error;
  return new TransientError(message, { code, remedy, details, next: 'replan', cause: error });
}
