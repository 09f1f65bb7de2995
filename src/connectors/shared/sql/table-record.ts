/** What Sluice knows of a table that it loads, kept in the same database and changed in the same transaction as the rows. */
import { ConflictError } from '../../../core/errors.ts';
import { schemaFromJson, type SchemaJson, schemaToJson } from '../../../core/schema.ts';
import type { Schema } from '../../../core/schema.ts';
import type { Checkpoint } from '../../../core/stream.ts';
import type { SqlDialect, SqlSession } from './system.ts';

export interface TableRecord {
  stream: string;
  /** Counts commits; 0: the table was made, and nothing is committed yet. */
  version: number;
  fence: number;
  rows: number;
  schema: Schema;
  checkpoint: Checkpoint | undefined;
  /** The table has its key and its indexes. */
  shaped: boolean;
}

export const COLUMNS = [
  'stream',
  'version',
  'fence',
  'row_count',
  'table_schema',
  'checkpoint',
  'shaped',
] as const;

export async function readRecord(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
  lock: boolean = false,
): Promise<TableRecord | undefined> {
  const { rows } = await session.query(
    `SELECT ${COLUMNS.join(', ')} FROM ${dialect.records} WHERE name = ${dialect.parameter(1)}${lock ? dialect.rowLock : ''}`,
    `reading what is known of table "${table}"`,
    [dialect.recordName(table)],
  );
  return rows[0] && recordOf(rows[0]);
}

export function recordOf(row: Record<string, unknown>): TableRecord {
  const checkpoint = row['checkpoint'] as string | null;
  return {
    stream: String(row['stream']),
    version: Number(row['version']),
    fence: Number(row['fence']),
    rows: Number(row['row_count']),
    schema: schemaFromJson(JSON.parse(String(row['table_schema'])) as SchemaJson),
    checkpoint: checkpoint === null ? undefined : (JSON.parse(checkpoint) as Checkpoint),
    shaped: Number(row['shaped']) === 1,
  };
}

/** Makes sure that there is a record to lock; harmless when there is one. */
export async function ensureRecord(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
  first: { stream: string; schema: Schema },
): Promise<void> {
  const { stream, schema } = first;
  const record = { stream, version: 0, fence: 0, rows: 0, schema, checkpoint: undefined, shaped: false };
  const values = [...valuesOf(record), dialect.recordName(table)];
  const list = values.map((_, i) => dialect.parameter(i + 1)).join(', ');
  await session.query(
    dialect.insertUnlessThere(dialect.records, `(${COLUMNS.join(', ')}, name) VALUES (${list})`),
    `writing down that table "${table}" is loaded`,
    values,
  );
}

export async function writeRecord(
  session: SqlSession,
  dialect: SqlDialect,
  table: string,
  record: TableRecord,
): Promise<void> {
  const set = COLUMNS.map((column, i) => `${column} = ${dialect.parameter(i + 1)}`).join(', ');
  await session.query(
    `UPDATE ${dialect.records} SET ${set} WHERE name = ${dialect.parameter(COLUMNS.length + 1)}`,
    `writing down what is loaded into table "${table}"`,
    [...valuesOf(record), dialect.recordName(table)],
  );
}

/** In the order of {@link COLUMNS}. */
export function valuesOf(record: TableRecord): unknown[] {
  return [
    record.stream,
    record.version,
    record.fence,
    record.rows,
    JSON.stringify(schemaToJson(record.schema)),
    record.checkpoint === undefined ? null : JSON.stringify(record.checkpoint),
    record.shaped ? 1 : 0,
  ];
}

/** Whether a commit with this checkpoint ends a load of several slices, or the first one. */
export function completes(checkpoint: Checkpoint | undefined, before: TableRecord | undefined): boolean {
  if (!checkpoint || checkpoint.unfinished) return false;
  return !before?.checkpoint || before.checkpoint.unfinished !== undefined;
}

/** Throws ConflictError when somebody else has committed, or holds a newer lease. */
export function checkUnchanged(
  record: TableRecord | undefined,
  expected: { table: string; version: number; fence: number },
): void {
  const { table, version, fence } = expected;
  if (record && record.fence > fence) {
    throw new ConflictError(`committing to "${table}": somebody with a newer lease has taken it over`, {
      code: 'sql.fenced',
      remedy: 'the other run goes on with it; run again when it has ended',
      details: { table },
    });
  }
  if ((record?.version ?? 0) !== version) {
    throw new ConflictError(`loading table "${table}": somebody else has committed since the plan was made`, {
      code: 'sql.conflict',
      remedy: 'run again',
      details: { table },
    });
  }
}
