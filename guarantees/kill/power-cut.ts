/**
 * A power cut cannot be had in a test, but what it takes away can be told: whatever was not flushed. The system calls of a
 * real run are recorded, and at the moment at which a commit record gets its name everything that it names has to be on
 * disk: contents, names, and the folders above them. Otherwise a reader could, after the cut, find a commit without its
 * files.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Arena, Attack } from '../attack.ts';
import { SKIPPED } from '../attack.ts';
import { startCommand } from './command.ts';
import { parseCalls, type SystemCall } from './system-calls.ts';

const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY, day date, v text, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, date '2026-01-01' + g % 3, 'x', now() - interval '1 hour' FROM generate_series(1, 2000) g`;

async function run(arena: Arena): Promise<string> {
  if (spawnSync('strace', ['-V']).status !== 0) return `${SKIPPED}strace is not here`;
  const partition = { column: 'day', by: 'day' } as const;
  const pair = await arena.open(
    { 'public.t': { cursor: 'at', load: 'merge', partition_by: partition } },
    TABLE,
  );
  let commits = 0;
  for (let load = 1; load <= 2; load++) {
    const folder = path.join(pair.folder, `calls-${load}`);
    mkdirSync(folder);
    const { ended } = await startCommand(pair, ['run'], { under: [...STRACE, path.join(folder, 'calls')] });
    const { code, output } = await ended;
    if (code !== 0) throw new Error(`the recorded run ended with ${code}: ${output}`);
    await arena.verify(pair, ['t']);
    const calls = parseCalls(
      globSync('*', { cwd: folder }).map((file) => readFileSync(path.join(folder, file), 'utf8')),
    );
    commits += checkCommits(calls, pair.to.root);
    await pair.from.query(`UPDATE t SET v = 'y', day = day + 1, at = now() WHERE id % 100 = 0`);
  }
  if (commits < 2) throw new Error(`${commits} commits were seen, and there were at least two`);
  arena.tally.faults += commits;
  return 'works';
}

/** One file per thread, with times, durations, and paths of descriptors. */
const CALLS =
  'openat,creat,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat';
const STRACE = ['strace', '-ff', '-ttt', '-T', '-y', '-s', '4096', '-e', `trace=${CALLS}`, '-o'];

/** What a disk would have kept at a moment. */
class Disk {
  /** Files with bytes that were not flushed. */
  readonly #dirty = new Set<string>();
  /** Names that were not flushed with their folder. */
  readonly #loose = new Set<string>();

  apply({ kind, file, to }: SystemCall): void {
    if (kind === 'write') this.#dirty.add(file);
    else if (kind === 'make') this.#loose.add(file);
    else if (kind === 'flush') {
      this.#dirty.delete(file);
      for (const name of this.#loose) if (path.dirname(name) === file) this.#loose.delete(name);
    } else {
      this.#loose.add(to!);
      if (this.#dirty.has(file)) this.#dirty.add(to!);
      if (kind === 'rename') for (const names of [this.#dirty, this.#loose]) names.delete(file);
    }
  }

  /** What of a file, its name and the folders above it up to `root` would be gone. */
  missing(file: string, root: string): string[] {
    const gone = this.#dirty.has(file) ? [`the content of ${file}`] : [];
    for (let name = file; name !== root; name = path.dirname(name))
      if (this.#loose.has(name)) gone.push(`the name ${name}`);
    return gone;
  }
}

/** Returns how many commits there were. */
function checkCommits(calls: readonly SystemCall[], root: string): number {
  const disk = new Disk();
  const commits: string[] = [];
  for (const call of calls) {
    if (call.to !== undefined && /\/commits\/\d+\.json$/.test(call.to)) {
      const { add } = JSON.parse(readFileSync(call.to, 'utf8')) as { add: { key: string }[] };
      const named = add.map(({ key }) => path.join(root, key));
      const gone = named.flatMap((file) => disk.missing(file, root));
      // The record itself: its bytes have to be there before its name.
      gone.push(
        ...disk.missing(call.file, path.dirname(call.file)).filter((text) => text.startsWith('the content')),
      );
      if (gone.length > 0)
        throw new Error(`when ${call.to} got its name, a power cut would have taken ${gone.join(', ')}`);
      commits.push(call.to);
    }
    disk.apply(call);
  }
  const unflushed = commits.flatMap((file) => disk.missing(file, root));
  if (unflushed.length > 0)
    throw new Error(`the run reported success before it had flushed ${unflushed.join(', ')}`);
  return commits.length;
}

export const POWER_CUT: Attack = {
  name: 'power-cut',
  part: 'kill',
  promise: 'whole-or-not',
  tries:
    'The system calls of a run are recorded: at the moment a commit gets its name, all that it names (contents, names, folders) has to be flushed to disk',
  rounds: 1,
  brief: false,
  run,
};
