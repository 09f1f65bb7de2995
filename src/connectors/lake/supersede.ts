/** Finds the committed rows that new loads take the place of. */
import { join } from 'node:path';
import type { ComparedColumn } from '../../core/compare.ts';
import { DELETED_AT, type GoneRows, KEY_HASH, type Supersede } from '../../core/destination.ts';
import { DataError, InternalError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import { DUCK_DIALECT } from '../shared/duckdb/canonical.ts';
import { fileScan } from '../shared/lane/hash-split.ts';
import {
  type FileOptions,
  type Matched,
  type StagedFile,
  FILE_NUMBER,
  ROW_NUMBER,
} from '../shared/lane/lane-protocol.ts';
import type { Lane } from '../shared/lane/lane.ts';
import { type Operand, rowText } from '../shared/row-hash.ts';
import type { FoldedState } from './records.ts';
import { DELETED, OPERATION, scanSql } from './records-sql.ts';
import { changedAmong, notAmong, notMeeting, type Replacement, rewrite, type Touched } from './rewrite.ts';
import { fileColumn, metaColumn, sameKey } from './stage-sql.ts';

export interface SupersedeJob {
  storage: ObjectStorage;
  state: FoldedState;
  schema: Schema;
  lane: Lane;
  /** The moment of the load. */
  at: string;
  /** Files of the new loads. */
  staged: StagedFile[];
  /** Of the groups that they name. */
  groups: StagedFile[];
  files: Omit<FileOptions, 'partitions'>;
}

const NOTHING: Replacement = { remove: [], kept: [] };

/** Whether rows of the table are looked at. */
export function readsTable({ kind }: Supersede): boolean {
  return kind !== 'nothing' && kind !== 'everything';
}

export async function supersede(job: SupersedeJob, how: Supersede): Promise<Replacement> {
  switch (how.kind) {
    case 'nothing':
      return NOTHING;
    case 'everything':
      return { ...NOTHING, remove: [...job.state.files] };
    case 'key':
      return job.staged.length === 0 ? NOTHING : byKey(job, how.key);
    case 'groups':
      return job.groups.length === 0 ? NOTHING : byGroups(job, how.columns);
    case 'window':
    case 'value':
      return job.state.files.length === 0 ? NOTHING : byWindow(job, windowCondition(job, how));
    case 'gone':
      return byHash(job, how);
    case 'versions':
      throw new InternalError('a lake keeps no versions of rows', { code: 'lake.versions' });
  }
}

/**
 * No two rows of the new files, and of those in the table that stay, may share the key: for the first load of a table, and
 * for the end of one whose parts did not look for rows of each other.
 */
export async function refuseShared(
  job: Omit<SupersedeJob, 'state'> & { state: FoldedState | undefined },
  key: string[],
): Promise<void> {
  const { lane, schema, staged, state, storage } = job;
  const names = key.map((field) => duckName(fileColumn(schema, field).name)).join(', ');
  const there = state?.files ?? [];
  const sources = [
    ...(staged.length > 0 ? [fileScan(...staged.map((file) => file.path))] : []),
    ...(state && there.length > 0 ? [scanSql({ storage, state, files: there })] : []),
  ];
  if (sources.length === 0) return;
  const rows = [...staged, ...there].reduce((total, file) => total + file.rows, 0);
  const { distinct } = await lane.match({
    keys: sources.map((source) => `SELECT ${names} FROM (${source})`).join('\nUNION ALL\n'),
    rows,
    table: undefined,
    hash: `hash(${names})`,
    met: 'false',
    files: { ...job.files, directory: join(job.files.directory, 'keys'), partitions: [] },
  });
  if (distinct < rows) throw notUnique(key, rows - distinct);
}

/** Only keys are compared, and what is found are places of rows, so that the width of the table does not count. */
async function byKey(job: SupersedeJob, key: string[]): Promise<Replacement> {
  const rows = job.staged.reduce((total, file) => total + file.rows, 0);
  const { distinct, places } = await matched(job, job.staged, key);
  if (distinct < rows) throw notUnique(key, rows - distinct);
  return without(job, places);
}

/** A group may be named more than once, and its rows have the same key as far as it goes. */
async function byGroups(job: SupersedeJob, columns: string[]): Promise<Replacement> {
  if (job.state.files.length === 0) return NOTHING;
  return without(job, (await matched(job, job.groups, columns)).places);
}

/** Rows of the table that have the values of new ones. */
function matched(job: SupersedeJob, files: readonly StagedFile[], key: string[]): Promise<Matched> {
  const { lane, schema, state } = job;
  const names = key.map((field) => duckName(fileColumn(schema, field).name)).join(', ');
  return lane.match({
    keys: `SELECT ${names} FROM (${fileScan(...files.map((file) => file.path))})`,
    rows: files.reduce((total, file) => total + file.rows, 0),
    table:
      state.files.length === 0
        ? undefined
        : `SELECT ${names}, ${FILE_NUMBER}, ${ROW_NUMBER} FROM (${placedRows(job)})`,
    hash: `hash(${names})`,
    met: sameKey(schema, key),
    files: { ...job.files, directory: join(job.files.directory, 'places'), partitions: [] },
  });
}

async function without(job: SupersedeJob, places: readonly string[]): Promise<Replacement> {
  if (places.length === 0) return NOTHING;
  const found = fileScan(...places);
  return rewrite(job, await touchedFiles(job, found), notAmong(job, found));
}

/** Hashes are made of the keys of all rows that are there. */
async function byHash(job: SupersedeJob, { how, columns }: GoneRows): Promise<Replacement> {
  const { lane, schema, staged, at } = job;
  const operation = metaColumn(schema, OPERATION).name;
  const operand = ({ name }: ComparedColumn): Operand => ({
    sql: duckName(fileColumn(schema, name).name),
    nullable: true,
  });
  const hash = DUCK_DIALECT.md5(rowText(columns, operand, DUCK_DIALECT));
  const alive = `${duckName(operation)} IS DISTINCT FROM '${DELETED}'`;
  const { places } = await lane.match({
    keys: fileScan(...staged.map((file) => file.path)),
    rows: staged.reduce((total, file) => total + file.rows, 0),
    table: `SELECT ${hash} AS ${KEY_HASH}, ${FILE_NUMBER}, ${ROW_NUMBER} FROM (${placedRows(job)}) WHERE ${alive}`,
    hash: `hash(${KEY_HASH})`,
    met: `new.${KEY_HASH} = old.${KEY_HASH}`,
    files: { ...job.files, directory: join(job.files.directory, 'places'), partitions: [] },
  });
  if (places.length === 0) return NOTHING;
  const found = fileScan(...places);
  const touched = await touchedFiles(job, found);
  const changed = touched.reduce((total, { lost }) => total + lost, 0);
  if (how === 'remove') return { ...(await rewrite(job, touched, notAmong(job, found))), changed };
  const flagged = changedAmong(job, found, [
    { column: fileColumn(schema, DELETED_AT).name, value: `${duckText(at)}::TIMESTAMPTZ` },
    { column: operation, value: duckText(DELETED) },
  ]);
  const kept = touched.map((each) => ({ ...each, lost: 0 }));
  return { ...(await rewrite(job, kept, flagged)), changed };
}

/** One of them would have to go, and nobody knows which. */
function notUnique(key: string[], surplus: number): DataError {
  return new DataError(
    `merging by (${key.join(', ')}): ${surplus} of the new rows share their key with others`,
    {
      code: 'lake.duplicate_key',
      remedy: 'name columns with `key` that tell all rows apart',
      details: { key },
    },
  );
}

async function byWindow(job: SupersedeJob, condition: string): Promise<Replacement> {
  const touched = await touchedFiles(job, `SELECT * FROM (${placedRows(job)}) WHERE ${condition}`);
  return rewrite(job, touched, notMeeting(job, condition));
}

function windowCondition(job: SupersedeJob, how: Extract<Supersede, { kind: 'window' | 'value' }>): string {
  const column = fileColumn(job.schema, how.column);
  if (how.kind === 'value')
    return `${duckName(column.name)} ${how.value === null ? 'IS NULL' : `= ${duckText(how.value)}`}`;
  const value = (text: string): string => `CAST(${duckText(text)} AS ${column.sqlType})`;
  return `${duckName(column.name)} >= ${value(how.from)} AND ${duckName(column.name)} < ${value(how.to)}`;
}

/** All rows of the table, with their places. */
function placedRows({ storage, state }: SupersedeJob): string {
  return scanSql({ storage, state, files: state.files, numbers: state.files.map((_, number) => number) });
}

/** The files of rows that are found, and how many each has of them. */
async function touchedFiles({ state, lane }: SupersedeJob, found: string): Promise<Touched[]> {
  const rows = await lane.query(
    `SELECT ${FILE_NUMBER} AS number, count(*) AS n FROM (${found}) GROUP BY number ORDER BY number`,
  );
  return rows.map((row) => {
    const number = Number(row['number']);
    return { number, file: state.files[number]!, lost: Number(row['n']) };
  });
}
