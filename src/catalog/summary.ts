/** What the catalog tells of a table, from its log alone. */
import { currentRule } from '../connectors/lake/current.ts';
import { partitionKey } from '../connectors/lake/layout.ts';
import { currentSchema, type FoldedState } from '../connectors/lake/records.ts';
import { columnsOf } from '../connectors/lake/records-sql.ts';
import type { PartitionBy } from '../core/stream.ts';
import { explainRule, type ViewNames } from './views.ts';

export interface TableSummary {
  name: string;
  /** The stream that loads it; undefined for files that others wrote. */
  stream: string | undefined;
  /** Rows in the files, all versions counted. */
  rows: number;
  bytes: number;
  files: number;
  partitions: number;
  /** When the newest commit was made, by the clock of the machine that made it. */
  committedAt: string | undefined;
  /** Database time that the newest load read. */
  loadedAt: string | undefined;
  watermark: string | undefined;
}

export interface ColumnInfo {
  name: string;
  /** Sluice's type: `decimal(12,2)`; for files that others wrote DuckDB's. */
  type: string;
  sqlType: string;
  nullable: boolean;
  /** The type in the source. */
  native: string | undefined;
  key: boolean;
}

export interface SchemaChange {
  /** Number of the commit. */
  version: number;
  /** Database time of the load that brought it. */
  at: string;
  changes: string[];
}

export interface TableDescription extends TableSummary {
  /** Names to use in queries, and what they show. */
  views: { name: string; shows: string }[];
  columns: ColumnInfo[];
  /** Columns that only the history has. */
  metaColumns: ColumnInfo[];
  key: string[];
  partitionBy: PartitionBy | undefined;
  /** Changes of columns, oldest first; the first entry is the first load. */
  history: SchemaChange[];
}

export interface PartitionSummary {
  /** `year=2026/month=01/day=15`, values as they are; empty for a table without partitions. */
  partition: string;
  values: Record<string, string | null>;
  rows: number;
  bytes: number;
  files: number;
}

export function summarize(state: FoldedState): TableSummary {
  return {
    name: state.table,
    stream: state.stream,
    rows: state.rows,
    bytes: state.bytes,
    files: state.files.length,
    partitions: new Set(state.files.map((file) => partitionKey(file.partition))).size,
    committedAt: new Date(state.last.wallMs).toISOString(),
    loadedAt: state.loadedAt,
    watermark: state.checkpoint?.watermark,
  };
}

export function describeTable(state: FoldedState, names: ViewNames): TableDescription {
  const schema = currentSchema(state);
  const columns = schema ? columnsOf(schema) : [];
  const key = schema?.key ?? [];
  const info = (meta: boolean): ColumnInfo[] =>
    columns
      .filter((column) => column.meta === meta)
      .map(({ name, type, sqlType, nullable, native, field }) => ({
        name,
        type,
        sqlType,
        nullable,
        native,
        key: !meta && key.includes(field),
      }));
  return {
    ...summarize(state),
    views: [
      { name: names.current, shows: explainRule(currentRule(state)) },
      { name: names.history, shows: 'all rows as they were loaded, with the _sluice columns' },
    ],
    columns: info(false),
    metaColumns: info(true),
    key,
    partitionBy: state.partitionBy,
    history: state.schemas.map((version, i) => ({
      version: version.seq,
      at: version.at,
      changes: i === 0 ? [`first load, ${version.schema.fields.length} columns`] : version.changes,
    })),
  };
}

function partitionName(values: Record<string, string | null>): string {
  return Object.entries(values)
    .map(([level, value]) => `${level}=${value ?? 'NULL'}`)
    .join('/');
}

/** Rows, bytes and files per partition, sorted by name. */
export function sumPartitions(
  files: readonly { partition: Record<string, string | null>; rows: number; bytes: number }[],
): PartitionSummary[] {
  const groups = Map.groupBy(files, (file) => partitionKey(file.partition));
  const summaries = [...groups.values()].map((group): PartitionSummary => ({
    partition: partitionName(group[0]!.partition),
    values: group[0]!.partition,
    rows: group.reduce((sum, file) => sum + file.rows, 0),
    bytes: group.reduce((sum, file) => sum + file.bytes, 0),
    files: group.length,
  }));
  return summaries.sort((a, b) => (a.partition < b.partition ? -1 : 1));
}
