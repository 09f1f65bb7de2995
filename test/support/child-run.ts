/**
 * Runs the pipeline of a Pair in a process of its own, which stops dead at a chosen moment, as a machine that sleeps, until
 * it is killed or told to go on. What it does before and after is what every run does: the moments are calls of the storage
 * and events that any listener gets.
 */
import { existsSync, writeSync } from 'node:fs';
import { connectors } from '../../src/connectors/registry.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { RunEvent } from '../../src/core/events.ts';
import type { Project } from '../../src/core/project.ts';
import type { ObjectStorage } from '../../src/core/storage.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunOptions } from '../../src/engine/types.ts';

/** `event:step/publish:2` is the second event `step` with step `publish`; `before:upload:1` the first call of that. */
export interface ChildTask {
  project: Project;
  options: Pick<RunOptions, 'workers' | 'fullRefresh' | 'window'>;
  stopAt: string;
  /** A file that tells it to go on. */
  goOn: string;
}

const { project, options, stopAt, goOn } = JSON.parse(process.argv[2]!) as ChildTask;
const counts = new Map<string, number>();

function pass(moment: string): void {
  const count = (counts.get(moment) ?? 0) + 1;
  counts.set(moment, count);
  if (`${moment}:${count}` !== stopAt) return;
  writeSync(1, 'stopped\n');
  // Nothing else happens on this thread meanwhile: no timer, no renewal of a lease.
  while (!existsSync(goOn)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

const storage = Object.getPrototypeOf(openLocalStorage('/')) as ObjectStorage;
for (const name of ['upload', 'putIfAbsent'] as const) {
  const original = storage[name] as (this: ObjectStorage, key: string, what: never) => Promise<never>;
  Object.assign(storage, {
    async [name](this: ObjectStorage, key: string, what: never): Promise<unknown> {
      const moment = name === 'upload' ? 'upload' : key.includes('/commits/') ? 'commit' : 'other';
      pass(`before:${moment}`);
      const result: unknown = await original.call(this, key, what);
      pass(`after:${moment}`);
      return result;
    },
  });
}

const onEvent = (event: RunEvent): void =>
  pass(`event:${event.kind}${event.kind === 'step' ? `/${event.step}` : ''}`);
const report = await runPipeline({ project, connectors: await connectors() }, 'p', { ...options, onEvent });
writeSync(1, JSON.stringify(report.streams.map(({ status, error }) => ({ status, code: error?.code }))));
