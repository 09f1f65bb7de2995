/**
 * Where everything in a lake lies. Names are pure functions of what they name, and two different tables or
 * partition values never share a folder: what is not plain is percent-encoded, what is too long ends in a hash.
 *
 *     <table folder>/<partition folders>/<table>_<slice>_<n>.parquet
 *     _sluice/names/<table folder>.json              says that there is such a table
 *     _sluice/tables/<table folder>/commits/<20-digit seq>.json
 *     _sluice/tables/<table folder>/snapshots/<20-digit seq>.json
 *     _sluice/staging/<owner>/…
 */
import { ConfigError, InternalError } from '../../core/errors.ts';
import type { PartitionBy } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { duckName } from '../../duckdb/types.ts';
import { encodeBytes, encodeName, shorten } from '../shared/object-names.ts';

export const TABLES_PREFIX = '_sluice/tables/';
export const NAMES_PREFIX = '_sluice/names/';

/** What Hive, Spark, Athena and DuckDB read as NULL. */
export const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';

/** A file name has 255 bytes; these leave room for slice, number and extension. */
const FOLDER_LIMIT = 200;
const FILE_TABLE_LIMIT = 90;
const SLICE_LIMIT = 130;
const VALUE_LIMIT = 150;

/** The folder of a table; letters, digits, `_`, `-` and single dots inside stay readable. */
export function tableFolder(table: string): string {
  if (table === '')
    throw new ConfigError('naming a table folder: the table name is empty', { code: 'lake.table_name' });
  return shorten(encodeName(table), FOLDER_LIMIT);
}

/** The table that a folder belongs to; undefined when the name was too long to be kept whole. */
export function tableOfFolder(folder: string): string | undefined {
  if (folder.includes('~')) return undefined;
  try {
    const table = decodeURIComponent(folder);
    return tableFolder(table) === folder ? table : undefined;
  } catch {
    return undefined;
  }
}

export function dataPrefix(table: string): string {
  return `${tableFolder(table)}/`;
}

function tablePrefix(table: string): string {
  return `${TABLES_PREFIX}${tableFolder(table)}/`;
}

/** Tables are listed by these, so that listing them does not walk through all their commits. */
export function nameKey(table: string): string {
  return `${NAMES_PREFIX}${tableFolder(table)}.json`;
}

export function commitsPrefix(table: string): string {
  return `${tablePrefix(table)}commits/`;
}

export function snapshotsPrefix(table: string): string {
  return `${tablePrefix(table)}snapshots/`;
}

export function commitKey(table: string, seq: number): string {
  return `${commitsPrefix(table)}${seqName(seq)}`;
}

export function snapshotKey(table: string, seq: number): string {
  return `${snapshotsPrefix(table)}${seqName(seq)}`;
}

/** The number in a commit's or snapshot's key; undefined for any other file, for example a half-written one. */
export function seqOfKey(key: string): number | undefined {
  const digits = /(?:^|\/)(\d{20})\.json$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export interface DataFileName {
  table: string;
  /** Partition levels in order; empty for a table without partitions. */
  partition: Record<string, string | null>;
  /** What wrote the file: slice and load, so that a retry writes the same name and another load never does. */
  slice: string;
  part: number;
}

export function dataKey(name: DataFileName): string {
  const table = shorten(tableFolder(name.table), FILE_TABLE_LIMIT);
  const slice = shorten(encodeName(name.slice), SLICE_LIMIT);
  return `${dataPrefix(name.table)}${partitionFolder(name.partition)}${table}_${slice}_${name.part}.parquet`;
}

/** Whether a key has the form that {@link dataKey} makes for the table; anything else in its folder is not ours. */
export function isDataKey(table: string, key: string): boolean {
  const file = key.slice(key.lastIndexOf('/') + 1);
  const begin = `${shorten(tableFolder(table), FILE_TABLE_LIMIT)}_`;
  return key.startsWith(dataPrefix(table)) && file.startsWith(begin) && /_\d+\.parquet$/.test(file);
}

/** `year=2026/month=01/day=15/`, or nothing for a table without partitions. */
export function partitionFolder(partition: Record<string, string | null>): string {
  return Object.entries(partition)
    .map(([level, value]) => `${shorten(encodeName(level), VALUE_LIMIT / 2)}=${partitionValue(value)}/`)
    .join('');
}

/** One text per partition, for grouping files; no two partitions share it. */
export function partitionKey(partition: Record<string, string | null>): string {
  return JSON.stringify(Object.entries(partition));
}

export interface PartitionLevel {
  name: string;
  /** Text expression over the columns of a file; NULL for the NULL partition. */
  sql: string;
}

const TIME_LEVELS = [
  { name: 'year', format: '%Y' },
  { name: 'month', format: '%m' },
  { name: 'day', format: '%d' },
  { name: 'hour', format: '%H' },
] as const;

function timeLevels(by: Exclude<PartitionBy['by'], 'value'>): readonly (typeof TIME_LEVELS)[number][] {
  return TIME_LEVELS.slice(0, TIME_LEVELS.findIndex((level) => level.name === by) + 1);
}

/** The levels of a partitioning with the DuckDB expressions that compute their values; instants count in UTC. */
export function partitionLevels(by: PartitionBy, type: LogicalType): PartitionLevel[] {
  const column = duckName(by.column);
  const value = type.kind === 'timestamp' && type.zone ? `(${column} AT TIME ZONE 'UTC')` : column;
  if (by.by === 'value') return [{ name: by.column, sql: `CAST(${value} AS VARCHAR)` }];
  if (type.kind !== 'date' && type.kind !== 'timestamp') {
    throw new ConfigError(
      `partitioning by ${by.by} of "${by.column}": the column is ${type.kind}, not a date or timestamp`,
      {
        code: 'lake.partition_type',
        remedy: 'use `by: value`, or a column that holds dates',
      },
    );
  }
  return timeLevels(by.by).map(({ name, format }) => ({ name, sql: `strftime(${value}, '${format}')` }));
}

const TIME_TEXT = /^(-?\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00(?::?00)?)?)?$/;
const BC = / (?:\(BC\)|BC)/;

/**
 * The partition of one value given as text (dates and timestamps in UTC, as DuckDB or PostgreSQL print them).
 * Agrees with {@link partitionLevels}.
 */
export function partitionOf(by: PartitionBy, value: string | null): Record<string, string | null> {
  if (by.by === 'value') return { [by.column]: value };
  const levels = timeLevels(by.by);
  const endless = value === null || value === 'infinity' || value === '-infinity';
  if (endless) return Object.fromEntries(levels.map((level) => [level.name, value]));
  const [, year, month, day, hour = '00'] = TIME_TEXT.exec(value.replace(BC, '')) ?? [];
  if (year === undefined) {
    throw new InternalError(
      `partitioning by ${by.by} of "${by.column}": a value is not a date or timestamp in UTC`,
      { code: 'lake.partition_value' },
    );
  }
  // The year before 1 is 1 BC, which counts as 0.
  const values = [BC.test(value) ? String(1 - Number(year)) : year, month, day, hour];
  return Object.fromEntries(levels.map((level, i) => [level.name, values[i]!]));
}

function seqName(seq: number): string {
  return `${String(seq).padStart(20, '0')}.json`;
}

function partitionValue(value: string | null): string {
  if (value === null) return NULL_PARTITION;
  return shorten(encodeBytes(value, /[^A-Za-z0-9_.-]|^_(?=_HIVE)/gu), VALUE_LIMIT);
}
