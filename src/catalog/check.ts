/** Whether a lake is what its commits say (files exist, sizes, row counts and contents match, schemas fit, nothing is missing). */
import { isDeepStrictEqual } from 'node:util';
import type { DuckDBConnection } from '@duckdb/node-api';
import { checksum } from '../connectors/shared/file-checksum.ts';
import { commitsPrefix, dataPrefix, nameKey, seqOfKey, snapshotsPrefix } from '../connectors/lake/layout.ts';
import { openTableLog, tablesWithCommits } from '../connectors/lake/log.ts';
import {
  type CommitRecord,
  type DataFile,
  Fold,
  type FoldedState,
  parseCommit,
  parseSnapshot,
} from '../connectors/lake/records.ts';
import { columnsOf } from '../connectors/lake/records-sql.ts';
import { findLeftovers, sweepLake } from '../connectors/lake/sweep.ts';
import { thisOwner } from '../connectors/shared/staging.ts';
import { SluiceError } from '../core/errors.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { readFooters } from './footers.ts';

interface Finding {
  /** error: data is missing or wrong. warning: look at it. info: harmless, takes up space. */
  severity: 'error' | 'warning' | 'info';
  /** Stable, for example `file-missing`. */
  code: string;
  table: string | undefined;
  /** Key of the object at fault. */
  file: string | undefined;
  message: string;
  remedy: string | undefined;
}

export interface CheckReport {
  tables: number;
  files: number;
  rows: number;
  bytes: number;
  findings: Finding[];
}

export interface CheckContext {
  storage: ObjectStorage;
  connection: DuckDBConnection;
  /** Opens the table's views and reads from them. */
  ask: (table: string) => Promise<void>;
  report: CheckReport;
}

/** Damage is a finding; only what keeps us from looking at all is thrown. */
export async function checkTable(context: CheckContext, table: string): Promise<void> {
  const { report, storage } = context;
  const add = (finding: Omit<Finding, 'table'>): void => void report.findings.push({ ...finding, table });
  report.tables++;
  const state = await checkLog(storage, table, add);
  if (!state) return;
  report.files += state.files.length;
  report.rows += state.rows;
  report.bytes += state.bytes;
  if (state.rows === 0)
    add({
      severity: 'warning',
      code: 'empty',
      file: undefined,
      message: 'the table has no rows',
      remedy: 'is the source empty, or its filter too narrow?',
    });
  const objects = await storage.list(dataPrefix(table));
  const sizes = new Map(objects.map((object) => [object.key, object.size]));
  const whole = state.files.filter((file) => checkSize(file, sizes.get(file.key), add));
  await checkFooters(context, { state, files: whole, add });
  for (const file of whole) if (sizes.get(file.key) === file.bytes) await checkContent(storage, file, add);
  if (whole.length === state.files.length) await checkAnswers(context, table, add);
  const { leftovers, strangers } = findLeftovers(state, objects);
  if (leftovers.length > 0) {
    const bytes = leftovers.reduce((sum, object) => sum + object.size, 0);
    add({
      severity: 'info',
      code: 'leftover-files',
      file: leftovers[0]!.key,
      message: `${leftovers.length} files (${bytes} bytes) are in no commit: a load is writing them, or one was interrupted`,
      remedy: '`sluice catalog sweep` removes what no writer needs',
    });
  }
  for (const { key } of strangers)
    add({
      severity: 'info',
      code: 'foreign-file',
      file: key,
      message: 'sluice did not write this file; it is not part of the table',
      remedy: undefined,
    });
}

/** What concerns no single table. */
export async function checkWholeLake(
  storage: ObjectStorage,
  names: readonly string[],
  report: CheckReport,
): Promise<void> {
  for (const table of await tablesWithCommits(storage)) {
    if (names.includes(table)) continue;
    const remedy = 'it comes back with one of the next loads, or put {"table": "<name>"} there';
    report.findings.push({
      severity: 'error',
      code: 'name-missing',
      table,
      file: nameKey(table),
      message: 'the table has commits but is not listed',
      remedy,
    });
  }
  const { staging } = await sweepLake(storage, { owner: thisOwner('check'), tables: [], dryRun: true });
  if (staging.length === 0) return;
  report.findings.push({
    severity: 'info',
    code: 'leftover-staging',
    table: undefined,
    file: staging[0],
    message: `${staging.length} scratch files of runs that are gone`,
    remedy: '`sluice catalog sweep` removes them',
  });
}

type Add = (finding: Omit<Finding, 'table'>) => void;

/** Reads every commit ever made, not only those after the newest snapshot; undefined when the table cannot be read. */
async function checkLog(storage: ObjectStorage, table: string, add: Add): Promise<FoldedState | undefined> {
  const seqs = (await storage.list(commitsPrefix(table))).map((object) => ({
    key: object.key,
    seq: seqOfKey(object.key),
  }));
  const commits = seqs.filter((each) => each.seq !== undefined) as { key: string; seq: number }[];
  const fold = new Fold();
  let whole = true;
  const failed = (error: unknown, file: string): void => {
    whole = false;
    add(fromError(error, file));
  };
  let expected = 1;
  for (const { key, seq } of commits) {
    if (seq !== expected) {
      whole = false;
      const range = seq - expected === 1 ? `commit ${expected} is` : `commits ${expected} to ${seq - 1} are`;
      add({
        severity: 'error',
        code: 'commit-missing',
        file: key,
        message: `${range} missing before "${key}"`,
        remedy: 'restore them from a backup or earlier versions of the objects',
      });
    }
    expected = seq + 1;
    try {
      const record = await readCommit(storage, key);
      if (whole && record) fold.apply(record, key);
    } catch (error) {
      failed(error, key);
    }
  }
  if (!whole) return undefined;
  const state = fold.state();
  await checkSnapshots(storage, table, add);
  try {
    const read = await openTableLog(storage, table).read();
    if (read && state && read.version === state.version && !isDeepStrictEqual(plain(read), plain(state))) {
      add({
        severity: 'error',
        code: 'snapshot-differs',
        file: undefined,
        message: 'the snapshots of the log do not say what its commits say',
        remedy: `delete ${snapshotsPrefix(table)}: it is made again`,
      });
    }
  } catch (error) {
    failed(error, snapshotsPrefix(table));
  }
  return state;
}

/** Without fields that are there but undefined. */
function plain(state: FoldedState): unknown {
  return JSON.parse(JSON.stringify(state));
}

async function readCommit(storage: ObjectStorage, key: string): Promise<CommitRecord | undefined> {
  const bytes = await storage.get(key);
  return bytes && parseCommit(new TextDecoder().decode(bytes), key);
}

async function checkSnapshots(storage: ObjectStorage, table: string, add: Add): Promise<void> {
  for (const { key } of await storage.list(snapshotsPrefix(table))) {
    const bytes = await storage.get(key);
    try {
      if (bytes) parseSnapshot(new TextDecoder().decode(bytes), key);
    } catch (error) {
      add({
        ...fromError(error, key),
        severity: 'warning',
        code: 'snapshot-unreadable',
        remedy: 'delete it: snapshots only save time',
      });
    }
  }
}

function checkSize(file: DataFile, size: number | undefined, add: Add): boolean {
  if (size === file.bytes) return true;
  const restore = 'restore the file from a backup, or load the stream again with --full-refresh';
  if (size === undefined)
    add({
      severity: 'error',
      code: 'file-missing',
      file: file.key,
      message: `the file is missing (${file.rows} rows)`,
      remedy: restore,
    });
  else
    add({
      severity: 'error',
      code: 'file-size',
      file: file.key,
      message: `the file has ${size} bytes, its commit says ${file.bytes}`,
      remedy: restore,
    });
  return size !== undefined;
}

/** Reads the whole file: most of what can change in one leaves it readable. */
async function checkContent(storage: ObjectStorage, file: DataFile, add: Add): Promise<void> {
  if (file.crc32 === undefined) return;
  try {
    const found = await checksum(storage.read(file.key));
    if (found === file.crc32) return;
    add({
      severity: 'error',
      code: 'file-changed',
      file: file.key,
      message: `the content of the file was changed after it was committed (checksum ${found}, its commit says ${file.crc32})`,
      remedy: 'restore the file from a backup, or load the stream again with --full-refresh',
    });
  } catch (error) {
    add(fromError(error, file.key));
  }
}

async function checkFooters(
  { storage, connection }: CheckContext,
  { state, files, add }: { state: FoldedState; files: readonly DataFile[]; add: Add },
): Promise<void> {
  const footers = await readFooters(
    connection,
    storage,
    files.map((file) => file.key),
  );
  const expected = state.schemas.map((version) => columnsOf(version.schema));
  const restore = 'restore the file from a backup, or load the stream again with --full-refresh';
  for (const file of files) {
    const footer = footers.get(file.key)!;
    if (footer instanceof Error) {
      add({
        severity: 'error',
        code: 'file-unreadable',
        file: file.key,
        message: `the file cannot be read: ${footer.message.split('\n')[0]}`,
        remedy: restore,
      });
      continue;
    }
    if (footer.rows !== file.rows)
      add({
        severity: 'error',
        code: 'row-count',
        file: file.key,
        message: `the file holds ${footer.rows} rows, its commit says ${file.rows}`,
        remedy: restore,
      });
    const wrong = expected[file.schema]!.filter(
      (column) => !sameDuckType(footer.columns.get(column.name), column.sqlType),
    );
    if (wrong.length === 0) continue;
    const names = wrong
      .slice(0, 5)
      .map(
        (column) =>
          `"${column.name}" ${footer.columns.get(column.name) ?? 'missing'} instead of ${column.sqlType}`,
      );
    add({
      severity: 'error',
      code: 'schema-differs',
      file: file.key,
      message: `${wrong.length} columns are not as the commit says: ${names.join(', ')}`,
      remedy: restore,
    });
  }
}

function sameDuckType(found: string | undefined, expected: string): boolean {
  if (found === undefined) return false;
  const plain = found === 'TIMESTAMP WITH TIME ZONE' ? 'TIMESTAMPTZ' : found === 'JSON' ? 'VARCHAR' : found;
  return plain === expected;
}

async function checkAnswers({ ask }: CheckContext, table: string, add: Add): Promise<void> {
  try {
    await ask(table);
  } catch (error) {
    add({ ...fromError(error, undefined), code: 'no-answer' });
  }
}

function fromError(error: unknown, file: string | undefined): Omit<Finding, 'table'> {
  const known = error instanceof SluiceError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return {
    severity: 'error',
    code: known?.code.replace(/^lake\./, '').replaceAll('_', '-') ?? 'unreadable',
    file,
    message,
    remedy: known?.remedy,
  };
}
