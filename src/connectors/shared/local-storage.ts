import { randomBytes } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import {
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InternalError, TransientError } from '../../core/errors.ts';
import {
  type ByteRange,
  compareKeys,
  type ListOptions,
  type LocalCopies,
  type ObjectStorage,
  type StoredObject,
} from '../../core/storage.ts';
import { syncFile, syncFolder } from '../../core/sync.ts';
import { checkKey, checkPrefix, UNFINISHED } from './object-key.ts';
import { readFileRange } from './read-file-range.ts';
import { isMissing, storageError, systemCode } from './storage-error.ts';

/** Objects as files below one folder, which is made when the first object is written. */
export function openLocalStorage(root: string): ObjectStorage {
  return new LocalStorage(path.resolve(root));
}

/** Nobody writes to one file for so long without touching it: its writer was killed. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
/** How often a folder may vanish under us because others remove their last object from it. */
const FOLDER_ATTEMPTS = 20;
/** Between claiming a name and filling it lies one rename. */
const CLAIM_PATIENCE_MS = 3000;
const PARALLEL = 32;

const NO_LINKS: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EXDEV',
  'EMLINK',
]);

/** Objects are files already. */
const HERE: LocalCopies = { release: () => undefined };

class LocalStorage implements ObjectStorage {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  get onDisk(): boolean {
    return true;
  }

  describe(): string {
    return `folder "${this.#root}"`;
  }

  async fetch(): Promise<LocalCopies> {
    return HERE;
  }

  localPath(key: string): string {
    checkKey(key);
    return path.join(this.#root, key);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const file = this.localPath(key);
    try {
      const bytes = await readFile(file);
      return bytes.length === 0 ? undefined : bytes;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storageError(error, `reading "${file}"`);
    }
  }

  read(key: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return readFileRange(this.localPath(key), range, signal);
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const target = this.localPath(key);
    return attempt(`writing "${target}"`, async () => {
      if ((await sizeOf(target)) > 0) return false;
      const unfinished = await writeBeside(target, (file) => writeDurably(file, bytes));
      let won: boolean;
      try {
        won = await claim(unfinished, target);
      } finally {
        await discard(unfinished);
      }
      if (won) await syncFolder(path.dirname(target));
      return won;
    });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const target = this.localPath(key);
    await attempt(`writing "${target}"`, async () => {
      const unfinished = await writeBeside(target, (file) => writeDurably(file, bytes));
      await replace(unfinished, target);
    });
  }

  async upload(key: string, localPath: string): Promise<void> {
    const target = this.localPath(key);
    await attempt(`moving "${localPath}" to "${target}"`, async () => {
      await syncFile(localPath);
      if (await moveInto(localPath, target)) return syncFolder(path.dirname(target));
      const unfinished = await writeBeside(target, async (file) => {
        await copyFile(localPath, file);
        await syncFile(file);
      });
      await replace(unfinished, target);
      await unlink(localPath);
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoredObject[]> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    checkPrefix(prefix);
    const query = { ...options, prefix };
    const found: StoredObject[] = [];
    await attempt(`listing "${path.join(this.#root, prefix)}"`, async () => {
      await this.#walk(folder, query, [], found);
      // A folder that is not there yet is an empty storage; a file is none.
      if (found.length === 0 && (await statusOf(this.#root))?.isDirectory() === false)
        await readdir(this.#root);
    });
    return found.sort((a, b) => compareKeys(a.key, b.key));
  }

  /** `above`: real paths of the folders on the way here that were entered through a symbolic link. */
  async #walk(folder: string, query: Query, above: readonly string[], found: StoredObject[]): Promise<void> {
    const here = path.join(this.#root, folder);
    const { files, folders } = await this.#readFolder(folder, query);
    found.push(...files);
    for (const { key, linked } of folders) {
      if (!wantsFolder(`${key}/`, query)) continue;
      const real = linked ? await realpath(path.join(this.#root, key)) : undefined;
      // A stream may live on another disk behind a link; a link to a folder around it would never end.
      if (real !== undefined && (above.includes(real) || isInside(here, real))) continue;
      await this.#walk(`${key}/`, query, real === undefined ? above : [...above, real], found);
    }
  }

  /** What lies in one folder, as it was at one moment. */
  async #readFolder(folder: string, query: Query): Promise<Folder> {
    for (let round = 1; ; round++) {
      const found: Folder = { files: [], folders: [] };
      let vanished = false;
      await inParallel(await entriesOf(path.join(this.#root, folder)), async (entry) => {
        const key = folder + entry.name;
        if (await isUnreadable(path.join(this.#root, key)))
          return query.onUnnamed?.(entry.isDirectory() ? `${key}/` : key);
        if (entry.isDirectory()) return void found.folders.push({ key, linked: false });
        if (entry.name.startsWith(UNFINISHED)) return sweep(path.join(this.#root, key));
        if (!entry.isSymbolicLink() && !wantsKey(key, query)) return;
        const status = await statusOf(path.join(this.#root, key));
        if (status?.isDirectory() === true) found.folders.push({ key, linked: true });
        else if (status === undefined) vanished ||= !entry.isSymbolicLink();
        else if (status.isFile() && (status.size > 0 || query.empty === true) && wantsKey(key, query)) {
          found.files.push({ key, size: status.size, modifiedAt: Math.floor(status.mtimeMs) });
        }
      });
      // A file was deleted after its name was read; what its deleter wrote in its place would be missing, too.
      if (!vanished || round === FOLDER_ATTEMPTS) return found;
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const files = keys.map((key) => this.localPath(key));
    const folders = new Set<string>();
    const errors: unknown[] = [];
    await inParallel(files, async (file) => {
      try {
        await unlink(file);
        folders.add(path.dirname(file));
      } catch (error) {
        if (!isMissing(error)) errors.push(storageError(error, `deleting "${file}"`));
      }
    });
    for (const folder of folders) await this.#removeEmpty(folder);
    if (errors.length > 0) throw errors[0];
  }

  /** Only empty folders can be removed, and whoever is about to write into one makes it again. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at !== this.#root && isInside(at, this.#root); at = path.dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return;
      }
    }
  }
}

interface Folder {
  files: StoredObject[];
  folders: { key: string; linked: boolean }[];
}

interface Query extends ListOptions {
  prefix: string;
}

function wantsKey(key: string, { prefix, startAfter }: Query): boolean {
  return key.startsWith(prefix) && (startAfter === undefined || compareKeys(key, startAfter) > 0);
}

/** Whether keys that start with `folder` can be wanted. */
function wantsFolder(folder: string, { prefix, startAfter }: Query): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return startAfter === undefined || startAfter.startsWith(folder) || compareKeys(folder, startAfter) > 0;
}

function isInside(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(path.sep) ? outer : outer + path.sep);
}

/** Runs file system calls and translates what they throw. */
async function attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, doing);
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
}

/** Whether a name has bytes that are no UTF-8, for which Node gives a character that leads to no file. */
async function isUnreadable(file: string): Promise<boolean> {
  return path.basename(file).includes('\uFFFD') && (await statusOf(file)) === undefined;
}

async function statusOf(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await statusOf(file))?.size ?? 0;
}

/** Empty when the folder was removed or never there. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Has `write` make a file beside `target` and returns its path. The folder cannot be removed while it lies there. */
async function writeBeside(target: string, write: (file: string) => Promise<void>): Promise<string> {
  const folder = path.dirname(target);
  for (let round = 1; ; round++) {
    const file = path.join(folder, `${UNFINISHED}${process.pid}-${randomBytes(8).toString('hex')}`);
    try {
      await makeFolder(folder);
      await write(file);
      return file;
    } catch (error) {
      await discard(file);
      // Somebody deleted the last object in the folder after we made it.
      if (systemCode(error) !== 'ENOENT' || round === FOLDER_ATTEMPTS) throw error;
    }
  }
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0)
    throw new InternalError('writing an object: it has no bytes', { code: 'storage.empty_object' });
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a finished file its name unless the name is taken; true when it did. */
async function claim(unfinished: string, target: string): Promise<boolean> {
  let linked = true;
  for (;;) {
    try {
      if (linked) {
        await link(unfinished, target);
      } else {
        await claimEmpty(unfinished, target);
      }
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (linked && NO_LINKS.has(code)) {
        linked = false;
        continue;
      }
      if (code !== 'EEXIST') throw error;
    }
    // NFS repeats a request whose answer got lost, and the repetition finds our own link.
    if ((await stat(unfinished)).nlink > 1) return true;
    if (await isFilled(target)) return false;
  }
}

/**
 * For file systems without hard links: an empty file claims the name, then the finished one replaces it. Readers take an
 * empty file for none. A process that dies in between blocks the name until somebody deletes the file; taking it over
 * after a while could make two winners.
 */
async function claimEmpty(unfinished: string, target: string): Promise<void> {
  await (await open(target, 'wx')).close();
  try {
    await rename(unfinished, target);
  } catch (error) {
    await discard(target);
    throw error;
  }
}

/** Waits until the name holds an object; false when it became free again. */
async function isFilled(target: string): Promise<boolean> {
  for (let waited = 0; waited < CLAIM_PATIENCE_MS; waited += 20) {
    const status = await statusOf(target);
    if (status === undefined) return false;
    if (status.size > 0 || !status.isFile()) return true;
    await sleep(20);
  }
  throw new TransientError(`writing "${target}": an empty file is there, which its writer does not fill`, {
    code: 'storage.unfinished',
    remedy: 'if no other sluice process is running, delete that file and run again',
  });
}

/** Renames a file into a folder that may have to be made; false when the two lie on different disks. */
async function moveInto(file: string, target: string): Promise<boolean> {
  for (let round = 1; ; round++) {
    try {
      await makeFolder(path.dirname(target));
      await rename(file, target);
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EXDEV') return false;
      if (code !== 'ENOENT' || round === FOLDER_ATTEMPTS) throw error;
    }
  }
}

async function replace(unfinished: string, target: string): Promise<void> {
  try {
    await rename(unfinished, target);
  } catch (error) {
    await discard(unfinished);
    throw error;
  }
  await syncFolder(path.dirname(target));
}

async function discard(file: string): Promise<void> {
  // It is gone already, or the error that brought us here tells more than this one would.
  await unlink(file).catch(() => undefined);
}

/** Removes what a killed process left. */
async function sweep(file: string): Promise<void> {
  const status = await statusOf(file);
  if (status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER_MS) await discard(file);
}

/** Makes a folder so that a power cut cannot take it away together with what is put into it. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true }).catch(async (error: unknown) => {
    // Node says ENOENT as well when the file system is read-only.
    if (systemCode(error) === 'ENOENT') await makeMissing(folder);
    throw error;
  });
  if (first === undefined) return;
  const top = path.dirname(first);
  for (let at = path.dirname(folder); isInside(at, top); at = path.dirname(at)) {
    await syncFolder(at);
    if (at === top) return;
  }
}

/** Makes the uppermost folder that is missing. */
async function makeMissing(folder: string): Promise<void> {
  const parent = path.dirname(folder);
  if (parent !== folder && (await statusOf(parent)) === undefined) await makeMissing(parent);
  else await mkdir(folder);
}
