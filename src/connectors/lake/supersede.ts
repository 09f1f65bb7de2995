/** Finds the committed files that new loads take the place of, and rewrites what has to stay of them. */
import { join } from 'node:path';
import type { Supersede } from '../../core/destination.ts';
import { DataError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { duckName, duckText } from '../../duckdb/types.ts';
import type { FileOptions, StagedFile } from './lane-protocol.ts';
import type { Lane } from './lane.ts';
import { partitionKey } from './layout.ts';
import type { DataFile, FoldedState } from './records.ts';
import { literalPattern, scanSql } from './records-sql.ts';
import { fileColumn, keyIn } from './stage-sql.ts';

export interface Replacement {
  remove: DataFile[];
  /** What is left of removed files, by partition. */
  kept: { partition: Record<string, string | null>; file: StagedFile; origin: DataFile[] }[];
}

export interface SupersedeJob {
  storage: ObjectStorage;
  state: FoldedState;
  schema: Schema;
  lane: Lane;
  /** Files of the new loads. */
  staged: StagedFile[];
  files: Omit<FileOptions, 'partitions'>;
}

export async function supersede(job: SupersedeJob, how: Supersede): Promise<Replacement> {
  switch (how.kind) {
    case 'nothing':
      return { remove: [], kept: [] };
    case 'everything':
      return { remove: [...job.state.files], kept: [] };
    case 'key':
      return job.staged.length === 0 ? { remove: [], kept: [] } : byKey(job, how.key);
    case 'window':
      return rewrite(job, windowCondition(job, how));
  }
}

/** The keys that the loads bring go into a temporary table, so that staged files are read once. */
async function byKey(job: SupersedeJob, key: string[]): Promise<Replacement> {
  const { lane, schema, staged } = job;
  const names = key.map((field) => duckName(fileColumn(schema, field).name)).join(', ');
  const paths = staged.map((file) => duckText(literalPattern(file.path))).join(', ');
  await lane.query(
    `CREATE OR REPLACE TEMP TABLE sluice_keys AS SELECT DISTINCT ${names} FROM read_parquet([${paths}], hive_partitioning = false)`,
  );
  try {
    const [found] = await lane.query('SELECT count(*) AS n FROM sluice_keys');
    const rows = staged.reduce((total, file) => total + file.rows, 0);
    if (Number(found!['n']) < rows) throw notUnique(key, rows - Number(found!['n']));
    return await rewrite(job, keyIn(schema, key, 'sluice_keys'));
  } finally {
    await lane.query('DROP TABLE IF EXISTS sluice_keys').catch(() => undefined);
  }
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

function windowCondition(job: SupersedeJob, how: Extract<Supersede, { kind: 'window' }>): string {
  const column = fileColumn(job.schema, how.column);
  const value = (text: string): string => `CAST(${duckText(text)} AS ${column.sqlType})`;
  return `${duckName(column.name)} >= ${value(how.from)} AND ${duckName(column.name)} < ${value(how.to)}`;
}

/**
 * Drops the rows (called `old`) that meet the condition: files without any stay, the others are written again, partition
 * by partition.
 */
async function rewrite(job: SupersedeJob, drop: string): Promise<Replacement> {
  const { storage, state, lane } = job;
  const result: Replacement = { remove: [], kept: [] };
  if (state.files.length === 0) return result;
  const hit = await touchedFiles(job, drop);
  if (hit.size === 0) return result;
  const groups = Map.groupBy(
    state.files.filter((file) => hit.has(file.key)),
    (file) => partitionKey(file.partition),
  );
  let number = 0;
  for (const files of groups.values()) {
    result.remove.push(...files);
    // A file that loses all its rows leaves nothing to write.
    const remaining = files.filter((file) => hit.get(file.key)! < file.rows);
    if (remaining.length === 0) continue;
    const scan = scanSql({ storage, state, files: remaining });
    const written = await lane.copy({
      before: [],
      query: `SELECT * FROM (${scan}) AS old WHERE (${drop}) IS NOT TRUE`,
      after: [],
      files: { ...job.files, directory: join(job.files.directory, `kept${number++}`), partitions: [] },
    });
    for (const file of written) result.kept.push({ partition: files[0]!.partition, file, origin: remaining });
  }
  return result;
}

/** Keys of committed files with rows that meet the condition, and how many. */
async function touchedFiles(job: SupersedeJob, drop: string): Promise<Map<string, number>> {
  const { storage, state, lane } = job;
  const hit = new Map<string, number>();
  // One scan per file would be slow for many files, one scan for all would not tell them apart when types differ.
  const byPath = new Map(state.files.map((file) => [storage.localPath(file.key), file]));
  const scan = scanSql({ storage, state, files: state.files, pathColumn: 'sluice_path' });
  const rows = await lane.query(
    `SELECT sluice_path, count(*) AS n FROM (${scan}) AS old WHERE ${drop} GROUP BY sluice_path`,
  );
  for (const row of rows) hit.set(byPath.get(String(row['sluice_path']))!.key, Number(row['n']));
  return hit;
}
