/** What the faults of a destination need: tables of each strategy, small disks, and runs in processes of their own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ErrorInfo } from '../../src/core/events.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair, Streams } from '../pair.ts';
import { type Expected, errorOf, expectError, expectVisible, mustHeal, seen } from './expect.ts';

/** One table for each way to load. */
export const TABLES = ['notes', 'items', 'rates'] as const;
const STREAMS: Streams = {
  'public.notes': { load: 'append', cursor: 'updated_at' },
  'public.items': { load: 'merge', cursor: 'updated_at' },
  'public.rates': { load: 'replace' },
};
const CREATE = TABLES.map(
  (table) => `CREATE TABLE ${table} (id int PRIMARY KEY, body text, updated_at timestamptz DEFAULT now())`,
).join(';');

export const NO_ROOT = 'skipped: mounting a small disk needs root';
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const PAGE = 4096;
const SCRIPT = fileURLToPath(new URL('destination-child.ts', import.meta.url));

/**
 * A source with a few rows in each table; the lake is in `disk/lake` of the pair's folder, nothing is loaded. The short
 * part of the kit loads one table only.
 */
export async function openShop(arena: Arena, brief: (typeof TABLES)[number] = 'notes'): Promise<Pair> {
  const only = `public.${brief}`;
  const pair = await arena.open(arena.brief ? { [only]: STREAMS[only]! } : STREAMS, CREATE);
  pair.to.connection = { type: 'lake', path: './disk/lake' };
  mkdirSync(diskOf(pair));
  await addRows(pair, 1, 10);
  return pair;
}

/** Names of the tables that are loaded. */
export function tablesOf(pair: Pair): string[] {
  return Object.keys(pair.streams).map((name) => name.replace('public.', ''));
}

export function diskOf(pair: Pair): string {
  return path.join(pair.folder, 'disk');
}

/** Rows from `first` on, each with so many times 32 bytes that do not compress. */
export async function addRows(pair: Pair, first: number, count: number, width: number = 1): Promise<void> {
  for (const table of TABLES)
    await pair.from.query(
      `INSERT INTO ${table} (id, body) SELECT i, (SELECT string_agg(md5(i || ' ' || j), '') FROM generate_series(1, ${width}) j)
       FROM generate_series(${first}, ${first + count - 1}) i`,
    );
}

export async function changeRows(pair: Pair, text: string): Promise<void> {
  for (const table of TABLES)
    await pair.from.query(
      `UPDATE ${table} SET body = '${text}' || id, updated_at = clock_timestamp() WHERE id % 3 = 0`,
    );
}

export interface DestinationFault {
  inject: () => Promise<RunOptions | void> | RunOptions | void;
  expected: Expected;
  heal: () => Promise<void> | void;
  /** Otherwise a run in this process. Returns the error of each stream, or that of the run. */
  run?: () => Promise<(ErrorInfo | undefined)[]>;
}

/**
 * Like `meetFault`, but every stream meets the fault and has to say so, and what the failed run wrote must be gone while
 * the fault is still there: a full disk must not stay full of our own files. Returns the codes.
 */
export async function meetEverywhere(
  arena: Arena,
  pair: Pair,
  { inject, expected, heal, run }: DestinationFault,
): Promise<string> {
  const tables = tablesOf(pair);
  const before = await seen(pair, tables);
  const options = await inject();
  const known = new Set(await pair.to.leftovers());
  arena.tally.faults++;
  const errors = await (run ? run() : errorsOf(pair, options ?? {}));
  for (const error of errors) {
    if (!error) throw new Error(`a stream was loaded; expected ${expected.codes.join(' or ')}`);
    expectError(error, expected);
  }
  const leftovers = (await pair.to.leftovers()).filter((file) => !known.has(file));
  if (leftovers.length > 0) throw new Error(`the failed run left ${leftovers.slice(0, 5).join(', ')}`);
  await expectVisible(pair, tables, before);
  await heal();
  await mustHeal(arena, pair, tables);
  return [...new Set(errors.map((error) => error!.code))].toSorted().join(', ');
}

/** The error of each stream, or that of the run. */
export async function errorsOf(pair: Pair, options: RunOptions = {}): Promise<(ErrorInfo | undefined)[]> {
  let report: Awaited<ReturnType<Pair['attempt']>>;
  try {
    report = await pair.attempt(options);
  } catch {
    return [await errorOf(pair, options)];
  }
  return report.streams.map((stream) => stream.error);
}

/** A small file system of its own. */
export interface Disk extends Disposable {
  readonly folder: string;
  /** Leaves so many pages of 4 KiB, and what was free in a page that somebody writes to. */
  fill(leavePages?: number): void;
  /** Uses up the inodes; leaves so many. */
  fillInodes(leave?: number): void;
  free(): void;
  setWritable(writable: boolean): void;
}

/** What attacks on the destination have in common. */
export const FAULT = { part: 'faults', promise: 'faults-heal', rounds: 1, brief: false } as const;

/** An attack on a lake that has a small disk for itself, made with these settings of tmpfs. */
export function onDisk(
  settings: string,
  run: (arena: Arena, pair: Pair, disk: Disk) => Promise<string>,
): Attack['run'] {
  return async (arena) => {
    const pair = await openShop(arena);
    using disk = mountDisk(diskOf(pair), settings);
    return disk ? await run(arena, pair, disk) : NO_ROOT;
  };
}

/** Undefined unless this user may mount. */
export function mountDisk(folder: string, settings: string): Disk | undefined {
  if (!IS_ROOT) return undefined;
  mkdirSync(folder, { recursive: true });
  if (!command('mount', '-t', 'tmpfs', '-o', settings, 'sluice-attack', folder)) return undefined;
  const ballast = path.join(folder, 'ballast');
  const grains = path.join(folder, 'grains');
  return {
    folder,
    fill(leavePages = 0) {
      const file = openSync(ballast, 'a');
      for (const size of [64 * PAGE, PAGE]) while (writes(file, size));
      ftruncateSync(file, Math.max(0, fstatSync(file).size - leavePages * PAGE));
      closeSync(file);
    },
    fillInodes(leave = 0) {
      mkdirSync(grains, { recursive: true });
      for (let i = 0; ; i++) {
        try {
          writeFileSync(path.join(grains, String(i)), '');
        } catch {
          break;
        }
      }
      for (const name of readdirSync(grains).slice(0, leave)) rmSync(path.join(grains, name));
    },
    free() {
      for (const each of [ballast, grains]) rmSync(each, { recursive: true, force: true });
    },
    setWritable(writable) {
      const how = `remount,${writable ? 'rw' : 'ro'}`;
      if (!command('mount', '-o', how, folder)) throw new Error(`${how} of ${folder} did not work`);
    },
    [Symbol.dispose]() {
      // Lazily if somebody still has a file open.
      if (!command('umount', folder)) command('umount', '-l', folder);
    },
  };
}

function writes(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) === size;
  } catch {
    return false;
  }
}

function command(name: string, ...args: string[]): boolean {
  return spawnSync(name, args, { stdio: 'ignore' }).status === 0;
}

export interface ChildOptions {
  /** Shell commands before it, for example `ulimit -n 64`. */
  shell?: string;
  nodeOptions?: readonly string[];
  env?: Record<string, string>;
  /** As a user without rights; who is not root stays who they are. */
  unprivileged?: boolean;
  run?: Pick<RunOptions, 'workers' | 'fullRefresh'>;
}

export interface ChildReport {
  /** Of each stream, or of the run as a whole. */
  errors: (ErrorInfo | undefined)[];
  warnings: string[];
}

/** Runs the pipeline in another process, to its end. */
export async function runInChild(pair: Pair, options: ChildOptions = {}): Promise<ChildReport> {
  const { project } = await pair.context();
  const task = JSON.stringify({ project, options: options.run ?? {} });
  const node = [process.execPath, ...(options.nodeOptions ?? []), SCRIPT, task];
  const [program = '', ...args] =
    options.shell === undefined ? node : ['sh', '-c', `${options.shell}; exec "$0" "$@"`, ...node];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.unprivileged === true && IS_ROOT && { uid: NOBODY, gid: NOBODY }),
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (output.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.err += data.toString()));
  await once(child, 'close');
  try {
    const { errors, warnings } = JSON.parse(output.out) as {
      errors: (ErrorInfo | null)[];
      warnings: string[];
    };
    return { errors: errors.map((error) => error ?? undefined), warnings };
  } catch {
    throw new Error(`the run in a process of its own gave no result: ${output.out}${output.err}`);
  }
}

/** Whether a user without rights can run what is here. */
export function hasUnprivileged(): boolean {
  if (!IS_ROOT) return true;
  const probe = spawnSync(process.execPath, [SCRIPT, 'probe'], { uid: NOBODY, gid: NOBODY, stdio: 'ignore' });
  return probe.status === 0;
}

/** Gives files to the user without rights. */
export function giveAway(...files: string[]): void {
  if (IS_ROOT) command('chown', '-R', `${NOBODY}:${NOBODY}`, ...files);
}
