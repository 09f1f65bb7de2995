import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { endedChildrenCpu, treeCpu, treeMemory } from '../guarantees/processes.ts';

const SAMPLE_MS = 20;
const STDERR_LINES = 20;

/** What one command cost; what cannot be measured on this system is undefined. */
export interface Usage {
  /** From before the process starts until it is gone. */
  seconds: number;
  clientCpu: number | undefined;
  serverCpu: number | undefined;
  peakBytes: number | undefined;
}

export interface Command {
  program: string;
  args: readonly string[];
  cwd?: string;
  /** File that it reads as its standard input; nothing when absent. */
  input?: string;
  /** Whether what it prints is wanted; otherwise it goes to /dev/null. */
  output: boolean;
}

export interface MeasureContext {
  /** Process id of the postmaster. */
  server: number;
  signal: AbortSignal;
}

/** Runs a command to its end; throws when it fails. Only one command may be measured at a time. */
export async function measure(
  command: Command,
  { server, signal }: MeasureContext,
): Promise<Usage & { output: string }> {
  signal.throwIfAborted();
  const before = { client: endedChildrenCpu(), server: treeCpu(server) };
  const input = command.input === undefined ? undefined : await open(command.input);
  const started = performance.now();
  const child = spawn(command.program, command.args, {
    cwd: command.cwd,
    env: plainEnvironment(),
    stdio: [input?.fd ?? 'ignore', command.output ? 'pipe' : 'ignore', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  let peakBytes: number | undefined;
  const sample = (): void => {
    if (child.pid !== undefined) peakBytes = greatest(peakBytes, treeMemory(child.pid));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  let seconds = 0;
  child.once('exit', () => {
    seconds = (performance.now() - started) / 1000;
  });
  try {
    const [code, ended] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    if (code !== 0)
      throw new Error(
        `${command.program} ${command.args.join(' ')} ended with ${code ?? ended}:\n${lastLines(await stderr)}`,
      );
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', kill);
    await input?.close();
  }
  return {
    seconds,
    clientCpu: difference(endedChildrenCpu(), before.client),
    serverCpu: difference(treeCpu(server), before.server),
    peakBytes,
    output: await stdout,
  };
}

/** Settings of the caller must not reach one side of a comparison. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PG|SLUICE_|NODE_|npm_)/.test(name)),
  );
}

async function collect(stream: Readable | null): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream ?? []) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-STDERR_LINES).join('\n');
}

function greatest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}
