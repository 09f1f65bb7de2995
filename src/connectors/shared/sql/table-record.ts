/** What Sluice knows of a table that it loads, kept in the same database and changed in the same transaction as the rows. */
import type { TableSpec } from '../../../core/destination.ts';
import { ConflictError } from '../../../core/errors.ts';
import { nextVersions, type SchemaVersion } from '../../../core/schema-changes.ts';
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
  /** Every version that the schema had; of records of earlier programs none. */
  schemas: readonly SchemaVersion[];
  checkpoint: Checkpoint | undefined;
  /** The table has its key and its indexes. */
  shaped: boolean;
}

type StoredSchema = SchemaJson & { versions?: readonly SchemaVersion[] };

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
  const { versions = [], ...schema } = JSON.parse(String(row['table_schema'])) as StoredSchema;
  return {
    stream: String(row['stream']),
    version: Number(row['version']),
    fence: Number(row['fence']),
    rows: Number(row['row_count']),
    schema: schemaFromJson(schema),
    schemas: versions,
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
  const record = {
    stream,
    version: 0,
    fence: 0,
    rows: 0,
    schema,
    schemas: [],
    checkpoint: undefined,
    shaped: false,
  };
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

export async function dropRecord(session: SqlSession, dialect: SqlDialect, table: string): Promise<void> {
  await session.query(
    `DELETE FROM ${dialect.records} WHERE name = ${dialect.parameter(1)}`,
    `forgetting table "${table}"`,
    [dialect.recordName(table)],
  );
}

/** In the order of {@link COLUMNS}. */
export function valuesOf(record: TableRecord): unknown[] {
  return [
    record.stream,
    record.version,
    record.fence,
    record.rows,
    JSON.stringify({ ...schemaToJson(record.schema), versions: record.schemas } satisfies StoredSchema),
    record.checkpoint === undefined ? null : JSON.stringify(record.checkpoint),
    record.shaped ? 1 : 0,
  ];
}

/** The record after a commit, but for its rows; `idle`: it only shuts out others. */
export function nextRecord(
  before: TableRecord | undefined,
  spec: Pick<TableSpec, 'stream' | 'schema' | 'fence' | 'run' | 'loadedAt' | 'adopts'>,
  after: { version: number; checkpoint: Checkpoint | undefined; shaped: boolean; idle: boolean },
): TableRecord {
  const { stream, schema, fence, run, loadedAt: at, adopts } = spec;
  const { version, checkpoint = before?.checkpoint, idle } = after;
  const { schemas = [], rows = 0 } = before ?? {};
  const shaped = after.shaped || adopts !== undefined;
  const record = { stream, version, fence, rows: adopts ?? rows, checkpoint, shaped };
  if (idle) return { ...record, schema: before?.schema ?? schema, schemas };
  const loaded = before && before.version > 0 ? before.schema : undefined;
  const versions = nextVersions(schemas, { before: loaded, after: schema }, { commit: version, at, run });
  return { ...record, schema, schemas: versions };
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
