/** Other processes that work on a Pair: stopped at a named moment, or killed there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildTask } from './child-run.ts';
import type { AnyPair } from './pair.ts';

const SCRIPT = fileURLToPath(new URL('child-run.ts', import.meta.url));
const STOPPED = 'stopped\n';

interface StreamOutcome {
  status: string;
  code?: string;
}

export interface PausedRun {
  readonly pid: number;
  /** Lets it go on, and waits for its end. */
  goOn(): Promise<StreamOutcome[]>;
  kill(): Promise<void>;
}

let pauses = 0;

/**
 * Runs the pipeline in another process that stands still at the moment (see child-run.ts), with all its threads, as on a
 * machine that sleeps; throws when the moment never comes.
 */
export async function pauseAt(
  pair: AnyPair,
  stopAt: string,
  options: ChildTask['options'] = {},
): Promise<PausedRun> {
  const { project } = await pair.context();
  const goOn = path.join(pair.folder, `go-on-${++pauses}`);
  const task: ChildTask = { project, options, stopAt, goOn };
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWith(pair, child);
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
  child.kill('SIGSTOP');
  return {
    pid: child.pid!,
    async goOn() {
      writeFileSync(goOn, '');
      child.kill('SIGCONT');
      await closed;
      const answer = output.slice(STOPPED.length);
      if (answer === '') throw new Error(`the run that went on after ${stopAt} failed: ${errors}`);
      return JSON.parse(answer) as StreamOutcome[];
    },
    async kill() {
      child.kill('SIGKILL');
      await closed;
      await pair.to.settled();
    },
  };
}

export async function killAt(
  pair: AnyPair,
  stopAt: string,
  options: ChildTask['options'] = {},
): Promise<void> {
  await (await pauseAt(pair, stopAt, options)).kill();
}

/** A process that stands still, or hangs, would outlive the attack that failed because of it. */
export function endWith(pair: AnyPair, child: ChildProcess): void {
  const exited = once(child, 'exit');
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.removeListener('exit', end));
  pair.atClose(() => {
    end();
    return exited;
  });
}
