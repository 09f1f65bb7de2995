/**
 * Objects of a bucket as files on this machine, for engines that open files. Contents that were brought lie in a pool that
 * all processes share, under a name made of their key and etag, so that they never change; the least recently used go
 * when the pool is larger than its limit. Whoever needs an object gets a link to the content in a folder of the process,
 * which stays whatever happens to the pool, and goes with the process.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { throwIfAborted } from '../../../core/errors.ts';
import type { LocalCopies } from '../../../core/storage.ts';
import { syncFile } from '../../../core/sync.ts';
import { isRunning } from '../is-running.ts';
import { checkKey } from '../object-key.ts';
import { storageError, systemCode } from '../storage-error.ts';

/** Objects that are brought at once. */
const PARALLEL = 8;
/** A killed process has left what is not whole for so long. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
const UNFINISHED = 'unfinished-';
/** How much of a full pool stays, so that it is not looked through for every object. */
const KEPT = 0.9;

export interface CopyOptions {
  /** Folder of the pool and of the processes; made when it does not exist. */
  folder: string;
  /** Bytes that the pool keeps when nobody uses them. */
  limit: number;
  /** Tells this storage from others that share the folder. */
  storage: string;
  /** The last folder of every path. */
  name: string;
  /** What the contents of objects are called. */
  etagsOf(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Writes that content, and no other, into a file, so that a power cut does not take it away from under its name. */
  download(key: string, etag: string, file: string): Promise<void>;
}

interface Copy {
  users: number;
  ready: Promise<void>;
}

/** Folders of this process, which go when it ends. */
const own = new Set<string>();
process.once('exit', () => {
  for (const folder of own) rmSync(folder, { recursive: true, force: true });
});

export class CopiedObjects {
  readonly #options: CopyOptions;
  readonly #process: string;
  readonly #pool: string;
  readonly #copies = new Map<string, Copy>();
  /** Bytes that the pool may still take; it is not known at first. */
  #room = 0;
  #shrinking: Promise<void> | undefined;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#pool = path.join(options.folder, 'pool');
    this.#process = path.join(options.folder, processFolder());
    try {
      mkdirSync(this.#pool, { recursive: true });
      mkdirSync(path.join(this.#process, options.name), { recursive: true });
      own.add(this.#process);
      removeDead(options.folder);
    } catch (error) {
      throw storageError(error, `making the folder "${options.folder}"`);
    }
  }

  path(key: string): string {
    checkKey(key);
    return path.join(this.#process, this.#options.name, key);
  }

  /** An abort is noticed at once, while what is on its way comes for others who may wait for it. */
  async fetch(keys: readonly string[], signal: AbortSignal | undefined): Promise<LocalCopies> {
    const wanted = [...new Set(keys)];
    const taken: [string, Copy][] = [];
    const rest = wanted.values();
    let stopped = false;
    const lane = async (etags: ReadonlyMap<string, string>): Promise<void> => {
      for (const key of rest) {
        if (stopped) return;
        const copy = this.#take(key, etags.get(key)!);
        taken.push([key, copy]);
        await copy.ready;
      }
    };
    const bring = async (): Promise<void> => {
      const etags = await this.#options.etagsOf(wanted);
      await Promise.all(Array.from({ length: Math.min(PARALLEL, wanted.length) }, () => lane(etags)));
    };
    const release = (): void => taken.forEach(([key, copy]) => this.#release(key, copy));
    try {
      await unlessAborted(bring(), signal);
      return { release };
    } catch (error) {
      stopped = true;
      release();
      throw error;
    }
  }

  /** Takes a file over whose content is in the storage now: whoever reads the object next finds it here. */
  async keep(key: string, etag: string, file: string): Promise<void> {
    try {
      await syncFile(file);
      await rename(file, this.#pooled(key, etag));
      await this.#grown(this.#pooled(key, etag));
    } catch {
      await rm(file, { force: true });
    }
  }

  #take(key: string, etag: string): Copy {
    let copy = this.#copies.get(key);
    if (!copy) {
      const made: Copy = { users: 0, ready: this.#bring(key, etag) };
      this.#copies.set(key, (copy = made));
      // The next one who takes it tries again.
      made.ready.catch(() => this.#forget(key, made));
    }
    copy.users++;
    return copy;
  }

  #release(key: string, copy: Copy): void {
    copy.users--;
    const remove = (): void => {
      if (copy.users === 0 && this.#forget(key, copy)) rmSync(this.path(key), { force: true });
    };
    void copy.ready.then(remove, () => undefined);
  }

  #forget(key: string, copy: Copy): boolean {
    return this.#copies.get(key) === copy && this.#copies.delete(key);
  }

  async #bring(key: string, etag: string): Promise<void> {
    const target = this.path(key);
    const pooled = this.#pooled(key, etag);
    try {
      await mkdir(path.dirname(target), { recursive: true });
      if (await linked(pooled, target)) return;
      const file = path.join(this.#pool, `${UNFINISHED}${process.pid}-${randomBytes(8).toString('hex')}`);
      try {
        await this.#options.download(key, etag, file);
        await linked(file, target);
        await rename(file, pooled);
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
      await this.#grown(pooled);
    } catch (error) {
      throw storageError(error, `keeping a copy of "${key}" in "${this.#options.folder}"`);
    }
  }

  #pooled(key: string, etag: string): string {
    const content = JSON.stringify([this.#options.storage, key, etag]);
    return path.join(this.#pool, createHash('sha256').update(content).digest('hex'));
  }

  /** Looks at the whole pool only when what came since the last look may be too much. */
  async #grown(file: string): Promise<void> {
    // Another process may have made room already.
    const status = await stat(file).catch(() => undefined);
    // Not in one expression: it would read the room before it waits.
    this.#room -= status?.size ?? 0;
    if (this.#room >= 0) return;
    this.#shrinking ??= this.#makeRoom().finally(() => {
      this.#shrinking = undefined;
    });
    await this.#shrinking;
  }

  /** What comes while the pool is looked through counts against the room that is found. */
  async #makeRoom(): Promise<void> {
    do {
      this.#room = 0;
      const left = await this.#shrink(this.#options.limit * KEPT);
      this.#room += this.#options.limit - left;
    } while (this.#room < 0);
  }

  /** Removes what was used longest ago until no more than so many bytes are left, and returns how many these are. */
  async #shrink(most: number): Promise<number> {
    const found: { file: string; bytes: number; usedAt: number }[] = [];
    for (const name of await readdir(this.#pool)) {
      const file = path.join(this.#pool, name);
      const status = await stat(file).catch(() => undefined);
      if (status === undefined) continue;
      const usedAt = status.mtimeMs;
      if (!name.startsWith(UNFINISHED)) found.push({ file, bytes: status.size, usedAt });
      else if (Date.now() - usedAt > ABANDONED_AFTER_MS) await unlink(file).catch(() => undefined);
    }
    let bytes = found.reduce((sum, each) => sum + each.bytes, 0);
    for (const each of found.sort((a, b) => a.usedAt - b.usedAt)) {
      if (bytes <= most) break;
      await unlink(each.file).catch(() => undefined);
      bytes -= each.bytes;
    }
    return bytes;
  }
}

/** Another name for a content; false when there is none. Where a disk has no links it is copied. */
async function linked(content: string, target: string): Promise<boolean> {
  await rm(target, { force: true });
  try {
    await link(content, target).catch(async (error: unknown) => {
      if (systemCode(error) === 'ENOENT') throw error;
      await copyFile(content, target);
    });
    const now = new Date();
    // What was used lately stays.
    await utimes(target, now, now);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function processFolder(): string {
  return [encodeURIComponent(hostname()), process.pid, randomBytes(4).toString('hex')].join('~');
}

/** Folders of processes of this machine that were killed. */
function removeDead(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [host, pid, mark] = name.split('~');
    if (mark === undefined || host !== encodeURIComponent(hostname()) || isRunning(Number(pid))) continue;
    rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}
