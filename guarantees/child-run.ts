/**
 * Runs the pipeline of a Pair, or other work on its lake, in a process of its own, which stops dead at a chosen moment until
 * it is killed or told to go on. What it does before and after is what every run does: the moments are events that any
 * listener gets, and calls of the storage, the state and the ring of bytes, which are wrapped here.
 */
import { existsSync, writeSync } from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { compact } from '../src/cli/lake.ts';
import { sweepLake } from '../src/connectors/lake/sweep.ts';
import { thisOwner } from '../src/connectors/shared/staging.ts';
import { listTables } from '../src/connectors/lake/log.ts';
import { connectors } from '../src/connectors/registry.ts';
import { LoadFile, LoadInserts } from '../src/connectors/mysql/load-in.ts';
import { CopyIn } from '../src/connectors/postgres/copy-in.ts';
import { InsertIn } from '../src/connectors/postgres/insert-in.ts';
import type { SqlSession, SqlSystem } from '../src/connectors/shared/sql/system.ts';
import { RingProducer } from '../src/core/byte-ring.ts';
import type { RunEvent } from '../src/core/events.ts';
import type { Project } from '../src/core/project.ts';
import { openStorage, type ProjectContext } from '../src/engine/context.ts';
import { runPipeline } from '../src/engine/run.ts';
import { promoteShadow } from '../src/engine/shadow-exchange.ts';
import { resetStream, setWatermark } from '../src/engine/state-ops.ts';
import type { RunOptions } from '../src/engine/types.ts';
import { openSqliteState } from '../src/state/sqlite.ts';
import { SQL_SYSTEMS, statementName } from './child-sql.ts';

export type ChildWork =
  | 'run'
  /** Merges all small files of the lake. */
  | 'compact'
  /** Removes leftovers and replaced files of the lake, whatever their age. */
  | 'sweep'
  /** Shadow tables take the place of those of readers, however they differ. */
  | 'promote'
  | { reset: string }
  | { set: string; watermark: string };

export interface ChildTask {
  project: Project;
  options: Pick<RunOptions, 'select' | 'workers' | 'fullRefresh' | 'window'> & { work?: ChildWork };
  /**
   * `event:step/publish:2` is the second event `step` with step `publish`; `before:upload:1` the first call of that. What
   * has calls: `upload`, `commit` (a commit record), `other` (any other object that is created), `put`, `delete`; `acquire`,
   * `release`, `record` of the state; `block` (bytes go into the ring) and `end` (there are no more); `link` and `rename`
   * of the file system. Of a SQL destination: its statements, see child-sql.ts, and `sent` and `finish` of rows into it.
   */
  stopAt: string;
  /** A file that tells it to go on. */
  goOn: string;
}

const { project, options, stopAt, goOn } = JSON.parse(process.argv[2]!) as ChildTask;
const { work = 'run', ...runOptions } = options;
const counts = new Map<string, number>();

function pass(moment: string): void {
  const count = (counts.get(moment) ?? 0) + 1;

  counts.set(moment, count);
  if (`${moment}:${count}` !== stopAt) return;
  writeSync(1, 'stopped\n');
  // Nothing else happens on this thread meanwhile: no timer, no renewal of a lease.
  while (!existsSync(goOn)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

function prototypeOf(object: object): object {
  return Object.getPrototypeOf(object) as object;
}

/** Makes every call of a method a moment before it, one while it waits for its answer, and one after it. */
function wrap(object: object, methods: Record<string, (first: unknown, self: object) => string>): void {
  const target = object as Record<string, (...args: unknown[]) => unknown>;
  for (const [method, nameOf] of Object.entries(methods)) {
    const original = target[method]!;
    target[method] = function wrapped(this: unknown, ...args: unknown[]): unknown {
      const name = nameOf(args[0], this as object);
      pass(`before:${name}`);
      const result = original.apply(this, args);
      pass(`during:${name}`);
      if (!(result instanceof Promise)) {
        pass(`after:${name}`);
        return result;
      }
      return result.then((value: unknown) => {
        pass(`after:${name}`);
        return value;
      });
    };
  }
}

const context: ProjectContext = { project, connectors: await connectors() };
// Leases may lie there, too.
const lake = project.connections['to']!.type === 'lake' ? await openStorage(context, 'to') : undefined;
if (lake)
  wrap(prototypeOf(lake), {
    upload: () => 'upload',
    putIfAbsent: (key) => (String(key).includes('/commits/') ? 'commit' : 'other'),
    put: () => 'put',
    delete: () => 'delete',
  });
wrap(RingProducer.prototype, { write: () => 'block', end: () => 'end' });
const state = await openSqliteState(path.join(project.directory, '.sluice/state.db'));
wrap(prototypeOf(state), { acquire: () => 'acquire', release: () => 'release', recordRun: () => 'record' });
await state.close();
for (const { prototype } of [CopyIn, InsertIn, LoadFile, LoadInserts])
  wrap(prototype, { write: () => 'sent', finish: () => 'finish' });
for (const { prototype } of SQL_SYSTEMS) {
  const original = Reflect.get(prototype, 'connect');
  prototype.connect = async function connectWrapped(
    this: SqlSystem,
    signal: AbortSignal,
  ): Promise<SqlSession> {
    const session = await original.call(this, signal);
    wrap(session, { query: statementName });
    return session;
  };
}
// How a folder publishes: a file that is complete gets its name.
wrap(files, { link: () => 'link', rename: () => 'rename' });
syncBuiltinESMExports();

const onEvent = (event: RunEvent): void =>
  pass(`event:${event.kind}${event.kind === 'step' ? `/${event.step}` : ''}`);
writeSync(1, JSON.stringify(await perform()));

/** What came of it; a failed run has the codes of its errors. */
async function perform(): Promise<unknown> {
  if (work === 'run') {
    const { streams } = await runPipeline(context, 'p', { ...runOptions, onEvent });
    return streams.map(({ status, error }) => ({ status, code: error?.code }));
  }
  if (typeof work === 'object') {
    if ('set' in work) await setWatermark(context, 'p', work.set, work.watermark);
    else await resetStream(context, 'p', work.reset);
    return [{ status: 'done' }];
  }
  if (work === 'promote') {
    await promoteShadow(context, 'p', { force: true });
    return [{ status: 'done' }];
  }
  const storage = await openStorage(context, 'to');
  if (work === 'compact') {
    const asUsual = { targetBytes: undefined, compression: undefined, rowGroupRows: undefined };
    const lake = { storage, memoryBytes: 256 << 20, ...asUsual, retentionMs: undefined };
    const signal = new AbortController().signal;
    await compact(lake, await listTables(storage), { signal, done: () => undefined });
    return [{ status: 'done' }];
  }
  const { skipped } = await sweepLake(storage, { owner: thisOwner('sweep'), graceMs: 0, retentionMs: 0 });
  return skipped.map(({ reason }) => ({ status: 'skipped', code: reason }));
}
