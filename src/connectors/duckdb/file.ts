/**
 * The database file, and who of this process has it open. DuckDB locks a file against other processes only: two engines of
 * one process would both write it, each without knowing of the other, and leave it in ruins.
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { ConfigError, TransientError } from '../../core/errors.ts';

export interface DatabaseFile {
  /** Absolute. */
  readonly path: string;
  /** What the database is called where it is attached: what its own views may call it. */
  readonly name: string;
}

/** Names that DuckDB keeps for itself. */
const RESERVED: ReadonlySet<string> = new Set(['main', 'memory', 'system', 'temp']);

export function databaseFile(directory: string, given: string): DatabaseFile {
  const file = path.resolve(directory, given);
  const stem = path.basename(file).split('.')[0]!;
  return { path: file, name: stem === '' || RESERVED.has(stem.toLowerCase()) ? `${stem}_file` : stem };
}

/** A file may be made, but not the folder that it is to be in: a drive may not be mounted. */
export function fileExists({ path: file }: DatabaseFile): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined && statSync(path.dirname(file), { throwIfNoEntry: false })?.isDirectory() === true)
    return false;
  if (found === undefined)
    throw new ConfigError(`opening "${file}": there is no such folder`, {
      code: 'duckdb.missing',
      remedy: 'correct `path`, or make the folder that it names; is its drive mounted?',
    });
  if (!found.isDirectory()) return true;
  throw new ConfigError(`opening "${file}": it is a folder, not a DuckDB file`, {
    code: 'duckdb.no_database',
    remedy: 'name a file in it, such as warehouse.duckdb; a folder of Parquet files is `type: lake`',
  });
}

/** By real path: how many read it, or that one writes it. */
const open = new Map<string, { readers: number; writer: boolean }>();

/** Says that this process has the file open; returns what takes that back. */
export function holdFile(file: DatabaseFile, use: 'read' | 'write'): () => void {
  const real = realPath(file.path);
  const held = open.get(real) ?? { readers: 0, writer: false };
  if (held.writer || (use === 'write' && held.readers > 0))
    throw new TransientError(
      `opening "${file.path}": this process is ${held.writer ? 'writing' : 'reading'} it already`,
      {
        code: 'duckdb.in_use',
        remedy: 'a file cannot be read while it is written, nor be its own target: load into another file',
      },
    );
  if (use === 'write') held.writer = true;
  else held.readers++;
  open.set(real, held);
  let over = false;
  return () => {
    if (over) return;
    over = true;
    if (use === 'write') held.writer = false;
    else held.readers--;
    if (!held.writer && held.readers === 0) open.delete(real);
  };
}

/** A file that does not exist yet has the real path of its folder. */
export function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    try {
      return path.join(realpathSync(path.dirname(file)), path.basename(file));
    } catch {
      return file;
    }
  }
}
