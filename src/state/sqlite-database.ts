import { statfsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { asSluiceError, ConfigError, SluiceError, TransientError } from '../core/errors.ts';
import type { Migration } from './migrations.ts';

/** Written into the header of our files, so that a path to another program's database is noticed. */
const APPLICATION_ID = 0x534c4349;
/** SQLite waits with its thread, so the long wait is ours and leaves the event loop to others. */
const BUSY_TIMEOUT_MS = 50;
const BUSY_PATIENCE_MS = 15_000;
const LEAST_FREE_BYTES = 64 << 10;

// Primary result codes, https://www.sqlite.org/rescode.html
const PERM = 3;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const NOTADB = 26;

/** A SQLite file of ours at the newest schema, with errors translated and waiting done without blocking. */
export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #version: number;

  constructor(db: DatabaseSync, file: string, version: number) {
    this.#db = db;
    this.#path = file;
    this.#version = version;
  }

  /** Runs `work` in a write transaction; it may be run several times, but commits once. */
  async write<T>(doing: string, work: (db: DatabaseSync) => T): Promise<T> {
    return patiently(doing, this.#path, () =>
      inTransaction(this.#db, 'IMMEDIATE', () => {
        const version = readVersion(this.#db);
        // A newer sluice may have migrated the file since we opened it.
        if (version !== this.#version) throw newerError(this.#path, version, this.#version);
        return work(this.#db);
      }),
    );
  }

  async read<T>(doing: string, work: (db: DatabaseSync) => T): Promise<T> {
    return patiently(doing, this.#path, () => work(this.#db));
  }

  close(): void {
    try {
      this.#db.close();
    } catch {
      // Closed before; there is nothing left to lose, every transaction was synced.
    }
  }
}

/** Opens or creates the file and brings it to the newest of `migrations`. */
export async function openDatabase(file: string, migrations: readonly Migration[]): Promise<SqliteDatabase> {
  const doing = 'opening the state';
  await mkdir(path.dirname(file), { recursive: true }).catch((error: unknown) => {
    throw unusable(doing, file, error, 'cannot be created');
  });
  const { DatabaseSync } = loadSqlite();
  let db: DatabaseSync | undefined;
  try {
    const opened = await patiently(doing, file, () => new DatabaseSync(file));
    db = opened;
    await patiently(doing, file, () => {
      opened.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
      // Before anything is written: the file may not be ours.
      const version = inTransaction(opened, 'DEFERRED', () => checkIdentity(opened, file, migrations.length));
      opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      if (version !== migrations.length) migrate(opened, file, migrations);
    });
    return new SqliteDatabase(opened, file, migrations.length);
  } catch (error) {
    db?.close();
    throw error;
  }
}

/** Throws unless the file is new, or ours and not newer than this program; returns its version. */
function checkIdentity(db: DatabaseSync, file: string, newest: number): number {
  const version = readVersion(db);
  const owner = db.prepare('PRAGMA application_id').get()?.['application_id'];
  if (owner === APPLICATION_ID) {
    if (version > newest) throw newerError(file, version, newest);
    return version;
  }
  const objects = Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']);
  if (objects === 0 && version === 0 && owner === 0) return 0;
  throw new ConfigError(
    `opening the state "${file}": it is a database of another program, with ${objects} objects`,
    {
      code: 'state.foreign',
      remedy: 'set "state.path" to a file of its own',
      details: { file },
    },
  );
}

function migrate(db: DatabaseSync, file: string, migrations: readonly Migration[]): void {
  inTransaction(db, 'IMMEDIATE', () => {
    // Another process may have been faster.
    const version = checkIdentity(db, file, migrations.length);
    for (const { sql } of migrations.slice(version)) db.exec(sql);
    db.exec(`PRAGMA user_version = ${migrations.length}; PRAGMA application_id = ${APPLICATION_ID}`);
  });
}

function readVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** IMMEDIATE for all that write: two transactions that read first and write later would fail instead of waiting. */
function inTransaction<T>(db: DatabaseSync, kind: 'DEFERRED' | 'IMMEDIATE', work: () => T): T {
  db.exec(`BEGIN ${kind}`);
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
    throw error;
  }
}

/** Tries again while another process writes, then translates what is left. */
async function patiently<T>(doing: string, file: string, work: () => T): Promise<T> {
  for (const start = performance.now(); ;) {
    try {
      return work();
    } catch (error) {
      const code = resultCode(error);
      const busy = code === BUSY || code === LOCKED || code === PROTOCOL;
      if (!busy || performance.now() - start > BUSY_PATIENCE_MS) throw translate(error, doing, file);
    }
    await sleep(5 + Math.random() * 45);
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  // The upper bits tell variants apart.
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

function translate(error: unknown, doing: string, file: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const detail = { details: { file }, cause: error };
  const where = `${doing} "${file}"`;
  // Records that are no JSON, and numbers beyond any that we write.
  const unreadable = error instanceof SyntaxError || error instanceof RangeError;
  const result = unreadable ? CORRUPT : resultCode(error);
  // SQLite does not tell why it could not make room in its index of the log.
  switch (result === IOERR && isFull(file) ? FULL : result) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return new TransientError(
        `${where}: another process has been writing to it for ${BUSY_PATIENCE_MS / 1000} s`,
        {
          code: 'state.busy',
          remedy:
            'look for a process that hangs with the file open, for example a database browser in a transaction',
          ...detail,
        },
      );
    case CORRUPT:
    case NOTADB:
      return new ConfigError(`${where}: the file is damaged or not a SQLite database`, {
        code: 'state.corrupt',
        remedy:
          `stop other sluice processes and delete "${file}" with its -wal and -shm: it is rebuilt from the ` +
          'destination, only the run history is lost',
        ...detail,
      });
    case FULL:
      return new ConfigError(`${where}: no space left on the disk`, {
        code: 'state.disk_full',
        remedy: 'free space on that disk or set "state.path" to another one, then run again',
        ...detail,
      });
    case IOERR:
      return new TransientError(`${where}: the disk or file system reports an error`, {
        code: 'state.io',
        remedy:
          'check the disk; a network drive is no place for SQLite: use a local "state.path" or keep the state in the lake',
        ...detail,
      });
    case PERM:
    case READONLY:
    case CANTOPEN:
      return unusable(doing, file, error, 'cannot be opened for writing');
    default:
      return asSluiceError(error, where);
  }
}

/** Whether the disk has no room for the index of the log and a page or two. */
function isFull(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path.dirname(file));
    return bavail * bsize < LEAST_FREE_BYTES;
  } catch {
    return false;
  }
}

function unusable(doing: string, file: string, cause: unknown, found: string): ConfigError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new ConfigError(`${doing} "${file}": it ${found}${why}`, {
    code: 'state.unwritable',
    remedy: 'give this user the right to write the file and its folder, or set "state.path" to another place',
    details: { file },
    cause,
  });
}

function newerError(file: string, found: number, newest: number): ConfigError {
  return new ConfigError(
    `opening the state "${file}": its schema has version ${found}, this sluice knows up to ${newest}`,
    {
      code: 'state.newer_version',
      remedy: 'a newer sluice has used it: run that version here, too, or set "state.path" to another file',
      details: { file, found, newest },
    },
  );
}

/** Node 22 announces on the terminal that its SQLite is experimental: nothing that a user of ours could act on. */
function loadSqlite(): { DatabaseSync: typeof DatabaseSync } {
  const emitWarning: unknown = Reflect.get(process, 'emitWarning');
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (String(warning).includes('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning as (...values: unknown[]) => void, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    Reflect.set(process, 'emitWarning', emitWarning);
  }
}
