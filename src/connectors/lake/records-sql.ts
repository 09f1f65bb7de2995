/**
 * SQL that reads data files as the table is now: files that were written before a column existed give NULL for
 * it, files with a narrower type are cast. Only the files that are named are read, whatever lies beside them.
 */
import { ConfigError } from '../../core/errors.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { parseType } from '../../core/types.ts';
import { distinctNames, duckName, duckText, duckType, literalPattern } from '../../duckdb/types.ts';
import { FILE_NUMBER, ROW_NUMBER } from '../shared/lane/lane-protocol.ts';
import { currentSchema, type DataFile, type FoldedState } from './records.ts';

/** Columns that every data file has after those of the source. */
export const LOADED_AT = '_sluice_loaded_at';
export const LOAD_ID = '_sluice_load_id';
export const OPERATION = '_sluice_op';
/** What {@link OPERATION} is of rows that are gone from the source. */
export const DELETED = 'delete';

const META_TYPES: readonly [string, string][] = [
  [LOADED_AT, 'timestamptz'],
  [LOAD_ID, 'utf8'],
  [OPERATION, 'utf8'],
];

export interface SqlColumn {
  /** The name in the schema. */
  field: string;
  /** The name in files and queries. */
  name: string;
  /** As in the schema: `decimal(12,2)`. */
  type: string;
  sqlType: string;
  nullable: boolean;
  native: string | undefined;
  /** Added by the lake, not by the source. */
  meta: boolean;
}

/** Columns of the files of one schema version. Names that differ only in capitals get numbers, as DuckDB writes them. */
export function columnsOf(schema: SchemaJson): SqlColumn[] {
  const own = schema.fields.filter((field) => META_TYPES.every(([name]) => name !== field.name));
  const columns = own.map((field) => column(field, false));
  for (const [name, type] of META_TYPES)
    columns.push(column({ name, type, nullable: name === OPERATION, native: undefined }, true));
  const names = distinctNames(columns.map(({ field }) => field));
  return columns.map((each, i) => ({ ...each, name: names[i]! }));
}

function column(field: SchemaJson['fields'][number], meta: boolean): SqlColumn {
  const type = parseType(field.type);
  if (!type) {
    throw new ConfigError(
      `reading a table of the lake: column "${field.name}" has type "${field.type}", which this version of sluice does not know`,
      {
        code: 'lake.format_newer',
        remedy: 'update sluice on this machine',
        details: { column: field.name, type: field.type },
      },
    );
  }
  return {
    field: field.name,
    name: field.name,
    type: field.type,
    sqlType: duckType(type),
    nullable: field.nullable,
    native: field.native,
    meta,
  };
}

/** Most files of one scan; DuckDB plans a few long lists faster than one very long one. */
const FILES_PER_SCAN = 2000;

export interface Scan {
  storage: ObjectStorage;
  state: FoldedState;
  /** Read in this order. */
  files: readonly DataFile[];
  /** Numbers of `files`: adds columns with the number of the file that a row comes from and its place in that file. */
  numbers?: readonly number[] | undefined;
}

/** DuckDB's names for both, unless a file has columns that are called so. */
const DUCK_FILE = 'file_index';
const DUCK_ROW = 'file_row_number';

/** A query over `files` with all columns of the table's current schema. Without files it has no rows, but its columns. */
export function scanSql({ storage, state, files, numbers }: Scan): string {
  const target = columnsOf(currentSchema(state)!);
  const versions = state.schemas.map((version) => columnsOf(version.schema));
  const places = numbers === undefined ? undefined : { numbers, names: versions.flat() };
  let first = 0;
  const scans = runs(files, places && !hasPlaces(places.names) ? 1 : FILES_PER_SCAN).map((run) => {
    const have = new Map(versions[run[0]!.schema]!.map((each) => [each.field, each]));
    const list = target.map((to) => expression(have.get(to.field), to));
    if (places) list.push(...placeColumns(places.numbers.slice(first, first + run.length), places.names));
    first += run.length;
    return `SELECT ${list.join(', ')} FROM ${filesSql(
      storage,
      run.map((file) => file.key),
    )}`;
  });
  if (scans.length > 0) return scans.join('\nUNION ALL\n');
  return `SELECT ${target.map((to) => expression(undefined, to)).join(', ')} WHERE false`;
}

/** Whether DuckDB can tell the places of rows; a column of the same name would come instead. */
function hasPlaces(columns: readonly SqlColumn[]): boolean {
  return columns.every(({ name }) => ![DUCK_FILE, DUCK_ROW].includes(name.toLowerCase()));
}

/** Of one scan. Rows of a single file are counted as they come; its scan leaves none out, since no filter gets past the count. */
function placeColumns(numbers: readonly number[], columns: readonly SqlColumn[]): string[] {
  const [file, row] = hasPlaces(columns)
    ? [`[${numbers.join(', ')}][CAST(${DUCK_FILE} AS BIGINT) + 1]`, DUCK_ROW]
    : [String(numbers[0]!), 'row_number() OVER () - 1'];
  return [`CAST(${file} AS INTEGER) AS ${FILE_NUMBER}`, `CAST(${row} AS BIGINT) AS ${ROW_NUMBER}`];
}

/** A table expression over exactly these files; folder names give no columns. */
export function filesSql(storage: ObjectStorage, keys: readonly string[], options = ''): string {
  return `read_parquet([${keys.map((key) => pathSql(storage, key)).join(', ')}], hive_partitioning = false${options})`;
}

/** The path of an object as a literal for DuckDB. */
export function pathSql(storage: ObjectStorage, key: string): string {
  return duckText(literalPattern(storage.localPath(key)));
}

function expression(have: SqlColumn | undefined, to: SqlColumn): string {
  const name = duckName(to.name);
  if (!have) return `CAST(NULL AS ${to.sqlType}) AS ${name}`;
  if (have.sqlType !== to.sqlType) return `CAST(${duckName(have.name)} AS ${to.sqlType}) AS ${name}`;
  return have.name === to.name ? name : `${duckName(have.name)} AS ${name}`;
}

/** Cuts the list wherever the schema changes, so that the order stays, and after so many. */
function runs(files: readonly DataFile[], most: number): DataFile[][] {
  const result: DataFile[][] = [];
  for (const file of files) {
    const last = result.at(-1);
    if (last && last[0]!.schema === file.schema && last.length < most) last.push(file);
    else result.push([file]);
  }
  return result;
}
