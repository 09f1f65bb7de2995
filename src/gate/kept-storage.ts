/** Where files of quarantine lie: a folder of the project, or beside the state that several machines share. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../core/errors.ts';
import type { LocalCopies, ObjectStorage, StoredObject } from '../core/storage.ts';
import { syncFile, syncFolder } from '../core/sync.ts';

/** What quarantine needs of a storage. */
export type KeptStorage = Pick<ObjectStorage, 'upload' | 'list' | 'delete' | 'fetch' | 'localPath'>;

/** Quarantine of one connection. */
export interface KeptHome {
  storage: KeptStorage;
  /** Key of all that was on its way there, without a slash at the end. */
  prefix: string;
  /** The same of the tables that readers see; another one for tables beside them. */
  readers: string;
}

/** Quarantine of one table. */
export interface KeptPlace {
  storage: KeptStorage;
  /** As that of {@link KeptHome}, with the table. */
  prefix: string;
  /** Folder of this machine for what is not whole yet, and for engines that spill. */
  scratch: string;
}

/** Most bytes of a name that a file system takes are 255, and a table may be called `..` or have slashes. */
const LONGEST = 200;

export function keptPlace({ storage, prefix }: Omit<KeptHome, 'readers'>, table: string): KeptPlace {
  const own = `${prefix}/${folderOf(table)}`;
  return { storage, prefix: own, scratch: storage.localPath(`${own}/unfinished`) };
}

function folderOf(table: string): string {
  const name = encodeURIComponent(table).replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
  return name.length > LONGEST ? createHash('sha256').update(table).digest('hex') : name;
}

/** Where tables have been that readers see or saw, under names that users gave: their checkpoints may name any file. */
export async function placesNoted({ storage, readers }: KeptHome, table: string): Promise<string[]> {
  const notes = await storage.list(notesOf(readers, table));
  return notes.map(({ key }) => decodeURIComponent(key.slice(key.lastIndexOf('/') + 1)));
}

/** Called before a table goes to a place, or comes from there. */
export async function notePlace({ storage, readers }: KeptHome, table: string, place: string): Promise<void> {
  const { scratch } = keptPlace({ storage, prefix: readers }, table);
  await mkdir(scratch, { recursive: true });
  const note = path.join(scratch, 'place');
  await writeFile(note, '');
  await storage.upload(`${notesOf(readers, table)}${encodeURIComponent(place)}`, note);
  await rm(note, { force: true });
}

/** There is no such table any more. */
export async function forgetPlace(
  { storage, readers }: KeptHome,
  table: string,
  place: string,
): Promise<void> {
  await storage.delete([`${notesOf(readers, table)}${encodeURIComponent(place)}`]);
}

function notesOf(readers: string, table: string): string {
  return `${readers}/${folderOf(table)}/places/`;
}

/** A folder of the project. */
export function keptFolder(folder: string): KeptStorage {
  const localPath = (key: string): string => path.join(folder, key);
  return {
    localPath,
    async upload(key: string, from: string): Promise<void> {
      const to = localPath(key);
      await mkdir(path.dirname(to), { recursive: true });
      await syncFile(from);
      await rename(from, to);
      await syncFolder(path.dirname(to));
    },
    /** `prefix` is that of a folder. */
    async list(prefix: string): Promise<StoredObject[]> {
      const within = localPath(prefix);
      if (!existsSync(within)) return [];
      const entries = await readdir(within, { withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      return Promise.all(
        files.map(async ({ name }) => {
          const { size, mtimeMs } = await stat(path.join(within, name));
          return { key: `${prefix}${name}`, size, modifiedAt: mtimeMs };
        }),
      );
    },
    async delete(keys: readonly string[]): Promise<void> {
      for (const key of keys) await rm(localPath(key), { force: true });
    },
    fetch: async () => ({ release: () => undefined }),
  };
}

/** Has files of quarantine lie on this machine; throws when one is gone. */
export async function fetchKept(
  storage: KeptStorage,
  keys: readonly string[],
): Promise<LocalCopies & { paths: string[] }> {
  const copies = await storage.fetch(keys).catch((error: unknown) => {
    if (error instanceof DataError && error.code === 'storage.missing') throw missing(error.message, error);
    throw error;
  });
  const paths = keys.map((key) => storage.localPath(key));
  const gone = paths.find((file) => !existsSync(file));
  if (gone === undefined) return { release: () => copies.release(), paths };
  copies.release();
  throw missing(`"${gone}" is not there`);
}

function missing(found: string, cause?: unknown): DataError {
  return new DataError(`looking into quarantine: ${found}`, {
    code: 'quarantine.missing',
    remedy: 'records lie in the project that has put them aside; `sluice quarantine drop` gives them up',
    cause,
  });
}
