/** Which files there are, which of them are new, and which wait. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { FileLedger, FileMark, FilePart, FilesConfig } from '../../core/ledger.ts';
import { compareKeys, type ObjectStorage, type StoredObject } from '../../core/storage.ts';
import { OWN_FOLDER } from '../shared/object-names.ts';
import { parseGlob } from './glob.ts';
import { nameColumns } from './name-columns.ts';

export interface FoundFile extends StoredObject {
  /** Columns from its name. */
  columns: Record<string, string | null>;
}

export interface FoundFiles {
  /** All, in the order in which they are loaded. */
  files: FoundFile[];
  /** Names of the columns that come from the names. */
  columns: string[];
  /** Grew while we looked: their writers are not done. */
  waiting: string[];
  /** Without bytes: some writers make files before they fill them. */
  empty: string[];
  /** Their names cannot be read. */
  unnamed: string[];
}

/** Whoever writes to a file does it more often than this, or is taken for done. */
const SETTLED_MS = 2000;
const LOOK_AGAIN_MS = 500;

export async function findFiles(
  storage: ObjectStorage,
  stream: string,
  config: FilesConfig,
  signal: AbortSignal,
): Promise<FoundFiles> {
  const glob = parseGlob(config.path);
  const deep = /\/|\*\*/.test(config.path.slice(glob.prefix.length));
  const unnamed = new Set<string>();
  const onUnnamed = (name: string): void => {
    if (glob.matches(name) || (deep && name.endsWith('/'))) unnamed.add(name);
  };
  const list = async (): Promise<StoredObject[]> =>
    (await storage.list(glob.prefix, { empty: true, onUnnamed })).filter(
      ({ key }) => glob.matches(key) && !key.startsWith(OWN_FOLDER),
    );
  let objects = await list();
  const waiting = new Set<string>();
  if (objects.some(({ modifiedAt }) => Math.abs(Date.now() - modifiedAt) < SETTLED_MS)) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => throwIfAborted(signal));
    const before = new Map(objects.map((object) => [object.key, object]));
    objects = await list();
    for (const object of objects) {
      const was = before.get(object.key);
      if (!was || was.size !== object.size || was.modifiedAt !== object.modifiedAt) waiting.add(object.key);
    }
  }
  const settled = objects.filter(({ key }) => !waiting.has(key));
  const filled = settled.filter(({ size }) => size > 0);
  const names = nameColumns(
    filled.map(({ key }) => key),
    { stream, pattern: config.name },
  );
  const files = filled.map((object, i) => ({ ...object, columns: names.values[i]! }));
  return {
    files: files.toSorted((a, b) => inOrder(a, b, names.columns)),
    columns: names.columns,
    waiting: [...waiting],
    empty: settled.filter(({ size }) => size === 0).map(({ key }) => key),
    unnamed: [...unnamed].toSorted(),
  };
}

function inOrder(a: FoundFile, b: FoundFile, columns: readonly string[]): number {
  for (const column of columns) {
    const [x, y] = [a.columns[column] ?? '', b.columns[column] ?? ''];
    if (x === y) continue;
    // Numbers in names come with zeros before them, or without.
    const numbers = /^\d+$/.test(x) && /^\d+$/.test(y) ? BigInt(x) - BigInt(y) : 0n;
    if (numbers !== 0n) return numbers < 0n ? -1 : 1;
    return compareKeys(x, y);
  }
  return compareKeys(a.key, b.key);
}

export interface SortedFiles {
  fresh: FoundFile[];
  /** Loaded, and others since. */
  changed: FoundFile[];
  loaded: FoundFile[];
  /** Loaded, with another time and the same bytes: among `loaded`. */
  touched: FoundFile[];
  /** Loaded, and not there any more. */
  gone: string[];
}

/** How the files that are chosen compare with those that are loaded. */
export function sortFiles(
  all: readonly FoundFile[],
  chosen: readonly FoundFile[],
  ledger: FileLedger | undefined,
): SortedFiles {
  const sorted: SortedFiles = { fresh: [], changed: [], loaded: [], touched: [], gone: [] };
  const there = new Set(all.map(({ key }) => key));
  for (const file of chosen) {
    const mark = markOf(ledger, file.key);
    if (!mark) sorted.fresh.push(file);
    else if (hasChanged(file, mark)) sorted.changed.push(file);
    else if (mark.left && mark.left.length > 0) sorted.fresh.push(file);
    else sorted.loaded.push(file);
  }
  for (const key of Object.keys(ledger?.files ?? {})) if (!there.has(key)) sorted.gone.push(key);
  return sorted;
}

export function markOf(ledger: FileLedger | undefined, key: string): FileMark | undefined {
  return ledger && Object.hasOwn(ledger.files, key) ? ledger.files[key] : undefined;
}

/** What the storage says of the content goes before times, which a copy or a touch changes. */
function hasChanged(file: StoredObject, mark: FileMark): boolean {
  if (mark.again === true) return true;
  if (file.size !== mark.size) return true;
  if (file.etag !== undefined && mark.etag !== undefined) return file.etag !== mark.etag;
  return file.modifiedAt !== mark.modifiedAt;
}

/** Reads files that have another time than when they were loaded: a copy or a touch changes nothing in them. */
export async function withoutTouched(
  sorted: SortedFiles,
  ledger: FileLedger | undefined,
  checksumOf: (file: FoundFile) => Promise<string | undefined>,
): Promise<SortedFiles> {
  const touched: FoundFile[] = [];
  for (const file of sorted.changed) {
    const mark = markOf(ledger, file.key)!;
    if (mark.again === true || mark.size !== file.size || mark.crc32 === undefined) continue;
    if ((await checksumOf(file)) === mark.crc32) touched.push(file);
  }
  const changed = sorted.changed.filter((file) => !touched.includes(file));
  return { ...sorted, changed, touched, loaded: [...sorted.loaded, ...touched] };
}

export function changed(name: string): TransientError {
  return new TransientError(`reading "${name}": it has changed since it was looked at`, {
    code: 'engine.old_snapshot',
    remedy: 'run again when its writer is done',
  });
}

/** Throws when the file is another one than it was when it was looked at. */
export async function unchanged(
  { path, size, modifiedAt, etag }: FilePart,
  storage: ObjectStorage,
): Promise<void> {
  const now = await foundFile(path, storage);
  if (now.size !== size || now.modifiedAt !== modifiedAt || now.etag !== etag) throw changed(path);
}

/** A file as it is now. */
export async function foundFile(path: string, storage: ObjectStorage): Promise<StoredObject> {
  const found = (await storage.list(path)).find(({ key }) => key === path);
  if (found) return found;
  throw changed(path);
}

export function unreadableNames(names: readonly string[]): { error: ConfigError }[] {
  return names.map((name) => ({
    error: new ConfigError(`reading ${JSON.stringify(name)}: a name like this leads to no file`, {
      code: 'files.unnamed',
      remedy: 'rename it: no empty, "." or ".." parts in a bucket, and UTF-8 on a disk',
    }),
  }));
}

/** Throws when there is nothing to load from, which an empty folder is once its files are loaded. */
export function checkThere(
  { files, empty, waiting }: FoundFiles,
  loaded: boolean,
  {
    stream,
    storage,
    config: { path: wanted },
  }: { stream: string; storage: ObjectStorage; config: FilesConfig },
): void {
  if (files.length > 0 || (loaded && empty.length + waiting.length > 0)) return;
  if (storage.onDisk === true && !existsSync(path.dirname(storage.localPath('any'))))
    throw new ConfigError(`looking at ${stream}: ${storage.describe()} does not exist`, {
      code: 'files.none',
      remedy: 'correct `path` of the connection, or mount what should be there',
    });
  if (loaded) return;
  throw new ConfigError(`looking at ${stream}: no file fits "${wanted}" in ${storage.describe()}`, {
    code: 'files.none',
    remedy:
      'correct `path` of the connection or `files` of the stream; `sluice discover` lists what is there',
  });
}
