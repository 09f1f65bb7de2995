/**
 * What is committed of a stream whose exports build on each other: how far it is loaded. Lies in the folder of the exports as
 * `_sluice/exports/<table>/<20-digit number>.json`; the newest counts, and each is created once, so of two writers one is told.
 */
import { ConfigError } from '../../core/errors.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint } from '../../core/stream.ts';
import { encodeName, shorten } from '../shared/object-names.ts';

interface ExportRecord {
  format: 1;
  stream: string;
  schema: SchemaJson;
  checkpoint: Checkpoint | undefined;
  fence: number;
  run: string;
  /** Database time of the snapshot that was read last. */
  at: string;
  /** Of the load that was published last. */
  rows: number;
  bytes: number;
  files: string[];
}

export interface StoredRecord {
  version: number;
  record: ExportRecord;
}

const FOLDER_LIMIT = 200;

function prefixOf(table: string): string {
  return `_sluice/exports/${shorten(encodeName(table), FOLDER_LIMIT)}/`;
}

function keyOf(table: string, version: number): string {
  return `${prefixOf(table)}${String(version).padStart(20, '0')}.json`;
}

async function versionsOf(storage: ObjectStorage, table: string): Promise<number[]> {
  const objects = await storage.list(prefixOf(table));
  return objects
    .map(({ key }) => /\/(\d{20})\.json$/.exec(key)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number);
}

/** Undefined when no load of the table has needed one. */
export async function readRecord(storage: ObjectStorage, table: string): Promise<StoredRecord | undefined> {
  for (;;) {
    const version = (await versionsOf(storage, table)).at(-1);
    if (version === undefined) return undefined;
    const bytes = await storage.get(keyOf(table, version));
    // Somebody has written the next one, and this one is gone.
    if (bytes) return { version, record: parse(bytes, keyOf(table, version)) };
  }
}

export async function newestVersion(storage: ObjectStorage, table: string): Promise<number> {
  return (await versionsOf(storage, table)).at(-1) ?? 0;
}

/** False when somebody else has written one since; then nothing has changed. */
export async function writeRecord(
  storage: ObjectStorage,
  table: string,
  { version, record }: StoredRecord,
): Promise<boolean> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
  if (!(await storage.putIfAbsent(keyOf(table, version), bytes))) return false;
  const older = (await versionsOf(storage, table)).filter((each) => each < version);
  // What stays is read by nobody, and goes with the next one.
  await storage.delete(older.map((each) => keyOf(table, each))).catch(() => undefined);
  return true;
}

function parse(bytes: Uint8Array, key: string): ExportRecord {
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    found = undefined;
  }
  const record = found as ExportRecord | undefined;
  if (record?.format === 1) return record;
  throw new ConfigError(`reading "${key}": this version of sluice does not know what is written there`, {
    code: 'files.export_record',
    remedy: 'update sluice on this machine; or delete the file, and all days are exported again',
  });
}
