/** How the rows of a stage meet those of the table, in the transaction of their load. */
import type { StageOptions, Supersede } from '../../../core/destination.ts';
import { removeGone } from './gone-rows.ts';
import { replaceGroups } from './group-rows.ts';
import { refuseDoubles } from './shape-table.ts';
import type { SqlSession, TargetColumn } from './system.ts';
import { mergeRows } from './merge-rows.ts';
import { expectTaken } from './table-check.ts';
import { columnOf, insertAll, type Place } from './table-shape.ts';
import { addVersions, comparedColumns } from './versions.ts';

/** A table with rows of a load. */
export interface Stage {
  /** Quoted. */
  table: string;
  columns: readonly TargetColumn[];
  /** Of the table that they go to, as far as we know. */
  tableRows: number;
}

export interface LoadedStage extends Stage {
  rows: number;
  at: string;
  /** A load of the same moment was committed before. */
  again: boolean;
  distinct?: StageOptions['distinct'];
}

/** Takes away what the table holds already; how many rows that were. */
export async function dropLoaded(
  session: SqlSession,
  place: Place,
  stage: Stage,
  distinct: StageOptions['distinct'],
): Promise<number> {
  const { dialect, table } = place;
  const found = distinct && (await dialect.find(session, table));
  if (!found) return 0;
  const { from, cursor, key } = distinct;
  const column = (field: string): TargetColumn => columnOf(place, field);
  const statements = dialect.dropLoaded({
    stage: stage.table,
    table: dialect.table(table),
    columns: comparedColumns(place),
    staged: new Set(stage.columns.map(({ name }) => name)),
    there: new Set(found.columns.map(({ name }) => name)),
    key: key.map(column),
    from: from === undefined ? undefined : { columns: cursor.map(column), value: from },
    history: place.history,
    rows: stage.tableRows,
  });
  let dropped = 0;
  for (const sql of statements)
    dropped += (await session.query(sql, `comparing rows with those of table "${table}"`)).count;
  return dropped;
}

/** How many rows that were. */
export async function deleteWindow(session: SqlSession, place: Place, how: Supersede): Promise<number> {
  if (how.kind !== 'window' && how.kind !== 'value') return 0;
  const { dialect, table } = place;
  const condition = dialect.windowCondition(columnOf(place, how.column), how);
  const sql = `DELETE FROM ${dialect.table(table)} WHERE ${condition}`;
  return (await session.query(sql, `emptying a window of table "${table}"`)).count;
}

/** Takes a stage into the table; by how many rows it has grown, and how many keys have other versions now. */
export async function addStage(
  session: SqlSession,
  place: Place,
  stage: LoadedStage,
  how: Supersede,
): Promise<{ rows: number; changed?: number }> {
  if (how.kind === 'versions') {
    const { begun, gone, removed } = await addVersions(session, place, stage, how);
    return { rows: begun - removed, changed: begun + gone };
  }
  if (how.kind === 'gone') {
    const count = await removeGone(session, place, stage, { how, at: stage.at });
    return { rows: how.how === 'remove' ? -count : 0, changed: count };
  }
  if (how.kind === 'groups') return { rows: await replaceGroups(session, place, stage, how.columns) };
  if (how.kind === 'key') return { rows: await mergeRows(session, place, stage, how.key) };
  const { dialect, table } = place;
  const deleted = await deleteWindow(session, place, how);
  const dropped = stage.distinct ? await dropLoaded(session, place, stage, stage.distinct) : 0;
  const insert = insertAll(place, dialect.table(table), stage.table, stage.columns);
  const doing = `adding rows to table "${table}"`;
  const { count } = await refuseDoubles(place, () => session.query(insert, doing));
  expectTaken(count, stage.rows - dropped, doing);
  return { rows: count - deleted, ...(stage.distinct && { changed: count }) };
}
