/**
 * Which rows of a table's files a stream consists of, as SQL: those of all loads or of the newest ones, all versions or the
 * newest of each key. Versions are told apart by key and load alone, in a query of its own, and what it finds are the places
 * of old ones: rows themselves are never sorted. Pure.
 */
import type { ObjectStorage } from '../../core/storage.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import { currentRule } from './current.ts';
import { columnsOf, DELETED, LOAD_ID, LOADED_AT, OPERATION, scanSql } from './records-sql.ts';
import { FILE_NUMBER, ROW_NUMBER } from '../shared/lane/lane-protocol.ts';
import { type CommitRecord, currentSchema, type DataFile, type FoldedState } from './records.ts';

export interface Rows {
  storage: ObjectStorage;
  state: FoldedState;
  /** Those that may hold some of the rows; read in this order. */
  files: readonly DataFile[];
  /** Only rows of these loads, where a file holds others too; undefined: of all loads. */
  loads: readonly string[] | undefined;
  /** Columns by which only the newest version counts; undefined: all rows do. */
  key: readonly string[] | undefined;
}

/** Everything that the table holds. */
export function allRows(storage: ObjectStorage, state: FoldedState, history: boolean): Rows {
  const rule = currentRule(state);
  const versions = !history && rule.kind === 'last-by-key';
  return { storage, state, files: state.files, loads: undefined, key: versions ? rule.key : undefined };
}

/** What the loads of `commits`, all that there were since, brought and is still there. Older files hold none of it. */
export function rowsSince(all: Rows, commits: readonly CommitRecord[]): Rows {
  const brought = commits.filter(({ kind, slices }) => kind === 'load' && slices.length > 0);
  const loads = new Set(brought.map(({ seq }) => seq));
  const added = new Set(commits.flatMap(({ add }) => add.map(({ key }) => key)));
  const files = all.files.filter(
    ({ key, origin }) => loads.has(origin) || (loads.size > 0 && origin === 0 && added.has(key)),
  );
  // One load brings a row once.
  return { ...all, files, loads: brought.flatMap(loadIds), key: brought.length > 1 ? all.key : undefined };
}

/** Ids of the rows of a load: each slice has its own. */
function loadIds({ load, slices }: CommitRecord): string[] {
  const [first] = slices;
  if (first === undefined || !load.endsWith(first)) return [load];
  const head = load.slice(0, load.length - first.length);
  return slices.map((slice) => head + slice);
}

/** Rows of certain files, with the numbers of their places where they are asked for. */
function scan({ storage, state, files, loads }: Rows, numbered: boolean): string {
  const numbers = new Map(state.files.map(({ key }, i) => [key, i]));
  const part = (some: readonly DataFile[]): string =>
    scanSql({
      storage,
      state,
      files: some,
      ...(numbered && { numbers: some.map(({ key }) => numbers.get(key)!) }),
    });
  const mixed = loads === undefined ? [] : files.filter(({ origin }) => origin === 0);
  if (mixed.length === 0) return part(files);
  const some = `SELECT * FROM (${part(mixed)}) WHERE ${ofLoads(loads!)}`;
  return mixed.length === files.length
    ? some
    : `${part(files.filter(({ origin }) => origin !== 0))}\nUNION ALL\n${some}`;
}

/** A condition on rows. */
export function ofLoads(loads: readonly string[]): string {
  return loads.length === 0 ? 'false' : `${LOAD_ID} IN (${loads.map(duckText).join(', ')})`;
}

/** A query for the places of rows that a newer version stands for, or that were deleted. */
export function oldVersionsSql(rows: Rows, key: readonly string[]): string {
  const columns = columnsOf(currentSchema(rows.state)!);
  const names = key.map((field) => duckName(columns.find((column) => column.field === field)!.name));
  const newest = `row_number() OVER (PARTITION BY ${names.join(', ')} ORDER BY ${LOAD_ID} DESC, ${LOADED_AT} DESC)`;
  return `SELECT ${FILE_NUMBER} AS f, ${ROW_NUMBER} AS r FROM (
    SELECT ${FILE_NUMBER}, ${ROW_NUMBER}, ${newest} AS nth, ${OPERATION} AS op FROM (${scan(rows, true)})
  ) WHERE nth > 1 OR op = '${DELETED}'`;
}

/** A query for how many of the old rows lie in these files. */
export function oldRowsSql({ state, files }: Rows, old: string): string {
  const wanted = new Set(files.map(({ key }) => key));
  const numbers = state.files.flatMap(({ key }, i) => (wanted.has(key) ? [i] : []));
  return `SELECT count(*)::VARCHAR AS n FROM ${old} WHERE f IN (${numbers.join(', ')})`;
}

/** A query for the rows, with all columns of the files; `old` is the table that holds what {@link oldVersionsSql} found. */
export function rowsSql(rows: Rows, old: string | undefined): string {
  if (old === undefined) return scan(rows, false);
  return `SELECT * FROM (${scan(rows, true)}) AS s ANTI JOIN ${old} AS o ON o.f = s.${FILE_NUMBER} AND o.r = s.${ROW_NUMBER}`;
}
