/**
 * Versions of rows. A row of the table was valid from `_sluice_valid_from` on and up to, but not at, `_sluice_valid_to`, which is
 * NULL for the version that is valid now. Both are moments of snapshots of the source. A load ends versions and begins others
 * at its own moment, in one transaction, so those of one key follow each other and never overlap; done again, it finds
 * nothing to do.
 */
import type { Supersede } from '../../../core/destination.ts';
import { ConfigError } from '../../../core/errors.ts';
import { refuseDoubles, refuseNullDoubles } from './shape-table.ts';
import { type FoundTable, type SqlSession, type TargetColumn, VALID_FROM, VALID_TO } from './system.ts';
import type { Stage } from './stage-rows.ts';
import { columnOf, type Place } from './table-shape.ts';

/** What a commit has done to versions. */
export interface VersionCounts {
  begun: number;
  /** Keys that are gone. */
  gone: number;
  /** That an earlier load of the same moment had begun. */
  removed: number;
}

export function hasVersions(found: FoundTable): boolean {
  return found.columns.some(({ name }) => name === VALID_TO);
}

/** For a table that somebody has made for us: it may be used as it is when rows are all it needs. */
export function refuseWithoutVersions(table: string, found: FoundTable | undefined): void {
  if (!found || hasVersions(found)) return;
  throw new ConfigError(
    `loading table "${table}": it is there already, without the columns ${VALID_FROM} and ${VALID_TO}`,
    {
      code: 'stream.history',
      remedy: 'give the stream another `table`, or drop that one',
      details: { table },
    },
  );
}

/** What tells versions apart: not columns of ours, for a row that was written again as it was gets another xmin. */
export function comparedColumns({ columns, history }: Place): readonly TargetColumn[] {
  return history === 'versions' ? columns.filter(({ field }) => !field.startsWith('_sluice_')) : columns;
}

/** Takes the rows of a stage into the table, in a transaction of the load's moment. */
export async function addVersions(
  session: SqlSession,
  place: Place,
  stage: Stage & { again: boolean },
  how: Extract<Supersede, { kind: 'versions' }>,
): Promise<VersionCounts> {
  const { dialect, table, columns } = place;
  const key = how.key.map((field) => columnOf(place, field));
  const doing = `adding versions to table "${table}"`;
  const { prepare, gone, changed, replaced, insert } = dialect.versions({
    stage: stage.table,
    table: dialect.table(table),
    columns,
    staged: new Set(stage.columns.map(({ name }) => name)),
    key,
    compared: comparedColumns(place),
    rows: stage.tableRows,
  });
  await refuseDoubles(place, async () => {
    for (const sql of prepare) await session.query(sql, doing);
  });
  await refuseNullDoubles(session, place, stage.table);
  const ended = how.gone ? (await session.query(gone, `ending versions of table "${table}"`)).count : 0;
  await session.query(changed, `ending versions of table "${table}"`);
  const removed = stage.again ? (await session.query(replaced, doing)).count : 0;
  const begun = await refuseDoubles(place, () => session.query(insert, doing));
  return { begun: begun.count, gone: ended, removed };
}
