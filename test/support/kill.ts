import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildTask } from './child-run.ts';
import type { Pair } from './pair.ts';

const SCRIPT = fileURLToPath(new URL('child-run.ts', import.meta.url));
const STOPPED = 'stopped\n';

interface StreamOutcome {
  status: string;
  code?: string;
}

export interface PausedRun {
  /** Lets it go on, and waits for its end. */
  goOn(): Promise<StreamOutcome[]>;
  kill(): Promise<void>;
}

let pauses = 0;

/** Runs the pipeline in another process that stands still at the moment (see child-run.ts); throws when it never comes. */
export async function pauseAt(
  pair: Pair,
  stopAt: string,
  options: ChildTask['options'] = {},
): Promise<PausedRun> {
  const { project } = await pair.context();
  const goOn = path.join(pair.folder, `go-on-${++pauses}`);
  const task: ChildTask = { project, options, stopAt, goOn };
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let output = '';
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const stopped = new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (output.startsWith(STOPPED)) resolve();
    });
  });
  await Promise.race([stopped, closed]);
  if (!output.startsWith(STOPPED)) throw new Error(`the run never came to ${stopAt}: ${output}${errors}`);
  return {
    async goOn() {
      writeFileSync(goOn, '');
      await closed;
      return JSON.parse(output.slice(STOPPED.length)) as StreamOutcome[];
    },
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

export async function killAt(pair: Pair, stopAt: string, options: ChildTask['options'] = {}): Promise<void> {
  await (await pauseAt(pair, stopAt, options)).kill();
}
