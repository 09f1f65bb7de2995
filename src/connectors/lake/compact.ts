/**
 * Merges small files of a partition into larger ones with the same rows. What comes out is written by the table's
 * current schema, ordered by load, checked by count and then committed in one step: files added, files removed.
 * Queries that began before still find the old files until the sweep takes them.
 *
 * Loads go on meanwhile: one that only adds files does not get in the way. When a load removed a file that was being
 * merged, that merge is thrown away and planned anew on the new state.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { ConflictError, DataError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Session } from '../../duckdb/session.ts';
import { duckName, duckText, literalPattern } from '../../duckdb/types.ts';
import { mergedCursor } from './compact-cursor.ts';
import { fileChecksum } from '../shared/file-checksum.ts';
import { dataKey, partitionKey } from './layout.ts';
import type { StagingOwner } from '../shared/staging.ts';
import { withFiles } from '../shared/local-files.ts';
import type { TableLog } from './log.ts';
import { type CommitDraft, currentSchema, type DataFile, type FoldedState } from './records.ts';
import { columnsOf, filesSql, LOAD_ID, scanSql } from './records-sql.ts';
import { queryRowBytes, rowGroupRows } from '../shared/lane/row-groups.ts';

export interface CompactOptions {
  storage: ObjectStorage;
  session: Session;
  /** Local folder for files until they are whole; made when needed, removed when nothing else is in it. */
  scratch: string;
  owner: StagingOwner;
  /** Files are merged up to this size. */
  targetBytes?: number | undefined;
  compression?: string | undefined;
  rowGroupRows?: number | undefined;
  now?: (() => number) | undefined;
  signal?: AbortSignal | undefined;
  onMerged?: ((merged: { files: number; rows: number; bytes: number }) => void) | undefined;
}

export interface CompactReport {
  filesBefore: number;
  filesAfter: number;
  /** Rows of merged files. */
  rows: number;
  bytesBefore: number;
  bytesAfter: number;
  /** Merges that were given up because a load had removed one of their files. */
  conflicts: number;
  version: number;
}

const TARGET_BYTES = 192 << 20;
/** A file at least this full is left alone, or merging would rewrite the same rows again and again. */
const FULL = 0.5;
const ROUNDS = 3;
/** Merges of one commit; more would be lost at once by a crash, fewer would make the log long. */
const COMMIT_MERGES = 32;
const COMMIT_BYTES = 1 << 30;

/** Groups of at least two small files of one partition, each together not much larger than the target. Pure. */
export function planCompaction(state: FoldedState, targetBytes: number): DataFile[][] {
  const small = state.files.filter((file) => file.bytes < targetBytes * FULL);
  const merges: DataFile[][] = [];
  for (const files of Map.groupBy(small, (file) => partitionKey(file.partition)).values()) {
    let merge: DataFile[] = [];
    let bytes = 0;
    for (const file of files) {
      if (bytes + file.bytes > targetBytes) {
        merges.push(merge);
        [merge, bytes] = [[], 0];
      }
      merge.push(file);
      bytes += file.bytes;
    }
    merges.push(merge);
  }
  return merges.filter((merge) => merge.length > 1);
}

/** Merges what is worth merging; does nothing for a table without commits. */
export async function compactTable(log: TableLog, options: CompactOptions): Promise<CompactReport> {
  const state = await log.read();
  const report: CompactReport = {
    filesBefore: state?.files.length ?? 0,
    filesAfter: state?.files.length ?? 0,
    rows: 0,
    bytesBefore: state?.bytes ?? 0,
    bytesAfter: state?.bytes ?? 0,
    conflicts: 0,
    version: state?.version ?? 0,
  };
  if (!state || !currentSchema(state)) return report;
  await mkdir(options.scratch, { recursive: true });
  const scratch = await mkdtemp(path.join(options.scratch, 'compact-'));
  try {
    let current: FoldedState | undefined = state;
    for (let round = 0; round < ROUNDS && current; round++)
      current = await compactOnce(log, current, { ...options, scratch, report });
  } finally {
    await rm(scratch, { recursive: true, force: true });
    // Only when nobody else has anything in it.
    await rmdir(options.scratch).catch(() => undefined);
  }
  const after = (await log.read())!;
  return { ...report, filesAfter: after.files.length, bytesAfter: after.bytes, version: after.version };
}

interface Merge {
  remove: DataFile[];
  add: DataFile;
}

type Work = CompactOptions & { report: CompactReport };

/** One pass over the merges of a state; the newer state when some of them were lost and there is more to do. */
async function compactOnce(log: TableLog, state: FoldedState, work: Work): Promise<FoldedState | undefined> {
  const plan = planCompaction(state, work.targetBytes ?? TARGET_BYTES);
  let waiting: Merge[] = [];
  let lost = false;
  const flush = async (): Promise<void> => {
    const merges = waiting;
    // When a commit fails in a way that leaves open whether it happened, its files must stay.
    waiting = [];
    lost = !(await commit(log, state, { work, merges })) || lost;
  };
  try {
    for (const files of plan) {
      if (work.signal) throwIfAborted(work.signal);
      waiting.push(await merge(state, files, work));
      const bytes = waiting.reduce((sum, each) => sum + each.add.bytes, 0);
      if (waiting.length >= COMMIT_MERGES || bytes >= COMMIT_BYTES) await flush();
    }
    await flush();
  } catch (error) {
    await discard(work.storage, waiting);
    throw error;
  }
  return lost ? log.read() : undefined;
}

/** Commits all merges at once, or, when a load got in the way of some, those that are still possible. */
async function commit(
  log: TableLog,
  state: FoldedState,
  { work, merges }: { work: Work; merges: Merge[] },
): Promise<boolean> {
  if (merges.length === 0) return true;
  const newest = (await log.read())!;
  const live = new Set(newest.files.map((file) => file.key));
  const possible = merges.filter((each) => each.remove.every((file) => live.has(file.key)));
  const lost = merges.filter((each) => !possible.includes(each));
  work.report.conflicts += lost.length;
  await discard(work.storage, lost);
  if (possible.length === 0) return false;
  const draft: CommitDraft = {
    ...work.owner,
    kind: 'compact',
    stream: state.stream,
    load: work.owner.run,
    fence: 0,
    at: new Date((work.now ?? Date.now)()).toISOString(),
    add: possible.map((each) => each.add),
    remove: possible.flatMap((each) => each.remove.map((file) => file.key)),
    slices: [],
  };
  try {
    await appendSurely(log, draft, newest.version);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    work.report.conflicts += possible.length;
    await discard(work.storage, possible);
    return false;
  }
  for (const { add, remove } of possible) {
    work.report.rows += add.rows;
    work.onMerged?.({ files: remove.length, rows: add.rows, bytes: add.bytes });
  }
  return lost.length === 0;
}

/** The log recognises a commit that was made although its answer was lost. */
async function appendSurely(log: TableLog, draft: CommitDraft, version: number): Promise<void> {
  try {
    await log.append(draft, version);
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    await log.append(draft, version);
  }
}

/** Writes one merged file to its final name; nobody knows of it until the commit. */
async function merge(state: FoldedState, files: readonly DataFile[], work: Work): Promise<Merge> {
  const { storage, signal } = work;
  const { file, rows, bytes } = await withFiles({ storage, files, signal }, () =>
    writeMerged(state, files, work),
  );
  const { partition } = files[0]!;
  const crc32 = await fileChecksum(file);
  const key = dataKey({ table: state.table, partition, slice: `compact-${randomUUID()}`, part: 0 });
  await storage.upload(key, file);
  const origins = new Set(files.map((file) => file.origin));
  const add: DataFile = {
    key,
    rows,
    bytes,
    partition,
    crc32,
    schema: state.schemas.length - 1,
    cursor: mergedCursor(files.map((file) => file.cursor)),
    origin: origins.size === 1 ? files[0]!.origin : 0,
  };
  return { remove: [...files], add };
}

interface Merged {
  file: string;
  rows: number;
  bytes: number;
}

/** Writes the rows of all files into one, which is not in the lake yet. */
async function writeMerged(state: FoldedState, files: readonly DataFile[], work: Work): Promise<Merged> {
  const { storage, session } = work;
  const local = path.join(work.scratch, `${randomUUID()}.parquet`);
  const { sorted, disjoint } = await byLoad(files, work);
  const columns = columnsOf(currentSchema(state)!);
  const loadId = columns.find((each) => each.meta && each.field === LOAD_ID)!;
  const order = disjoint ? '' : ` ORDER BY ${duckName(loadId.name)}`;
  const select = scanSql({ storage, state, files: sorted });
  const doing = `merging ${files.length} files of table "${state.table}"`;
  const rowGroup = work.rowGroupRows ?? rowGroupRows(await queryRowBytes(session, select));
  const [written] = await session.rows(
    `COPY (SELECT * FROM (${select})${order}) TO ${duckText(local)} (FORMAT parquet, COMPRESSION ${work.compression ?? 'zstd'}, ROW_GROUP_SIZE ${rowGroup}, RETURN_STATS, WRITE_BLOOM_FILTER false)`,
    doing,
  );
  const rows = await footerRows(session, local, doing);
  const expected = files.reduce((sum, file) => sum + file.rows, 0);
  if (rows !== expected) {
    throw new DataError(
      `${doing}: the files hold ${rows} rows, their commits say ${expected}; nothing was changed`,
      {
        code: 'lake.row_count',
        remedy: 'a file was changed after it was committed: `sluice catalog check` names it',
        details: { table: state.table, files: files.map((file) => file.key) },
      },
    );
  }
  return { file: local, rows, bytes: Number(written!['file_size_bytes']) };
}

interface LoadRange {
  path: string;
  lo: string;
  hi: string;
}

/** Load ids are plain ASCII, so this is DuckDB's order, too. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The files in the order of their loads, and whether no two of them hold loads that are interleaved. */
async function byLoad(
  files: readonly DataFile[],
  { storage, session }: Work,
): Promise<{ sorted: DataFile[]; disjoint: boolean }> {
  const id = duckName(LOAD_ID);
  const scan = filesSql(
    storage,
    files.map((file) => file.key),
    ", filename = '_sluice_path'",
  );
  const found = await session.rows(
    `SELECT _sluice_path AS path, min(${id}) AS lo, max(${id}) AS hi FROM ${scan} GROUP BY 1`,
    'reading the loads of files',
  );
  const byPath = new Map((found as unknown as LoadRange[]).map((range) => [range.path, range]));
  const ranges = files.map((file) => ({
    file,
    ...(byPath.get(storage.localPath(file.key)) ?? { lo: '', hi: '' }),
  }));
  ranges.sort((a, b) => compare(a.lo, b.lo) || compare(a.hi, b.hi));
  // Only a file without rows has no loads.
  let disjoint = ranges.every(({ lo, file }) => lo !== '' || file.rows === 0);
  let reached = '';
  for (const { lo, hi } of ranges) {
    if (lo !== '' && compare(lo, reached) < 0) disjoint = false;
    if (compare(hi, reached) > 0) reached = hi;
  }
  return { sorted: ranges.map((range) => range.file), disjoint };
}

async function footerRows(session: Session, file: string, doing: string): Promise<number> {
  const [row] = await session.rows(
    `SELECT num_rows AS rows FROM parquet_file_metadata(${duckText(literalPattern(file))})`,
    doing,
  );
  return Number(row!['rows']);
}

async function discard(storage: ObjectStorage, merges: readonly Merge[]): Promise<void> {
  // What stays is a leftover, which the sweep removes.
  await storage.delete(merges.map((each) => each.add.key)).catch(() => undefined);
}
