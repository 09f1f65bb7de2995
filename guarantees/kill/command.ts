/** The built command in processes of its own, as a user or a scheduler starts it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { endWith } from '../pause.ts';
import type { AnyPair } from '../pair.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Both outputs. */
  output: string;
  /** Standard output alone. */
  printed: string;
}

interface Surroundings {
  /** A program that starts it, such as strace. */
  under?: readonly string[];
  /** Standard input; closed when nobody reads it any more. */
  input?: Readable;
}

export interface Command {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** False when it had ended before. */
  kill(signal: NodeJS.Signals): boolean;
}

/** Starts `sluice <args>` with a project file that says what the Pair runs. */
export async function startCommand(
  pair: AnyPair,
  args: readonly string[],
  { under = [], input }: Surroundings = {},
): Promise<Command> {
  const { connections, pipelines, state, memoryBytes } = (await pair.context()).project;
  const file = path.join(pair.folder, 'sluice.yaml');
  // JSON is YAML, too.
  writeFileSync(file, JSON.stringify({ connections, pipelines, state, memory: memoryBytes }));
  const [program, ...words] = [...under, process.execPath, MAIN, ...args, '--project', file];
  const child = spawn(program, words, {
    cwd: pair.folder,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  endWith(pair, child);
  // It may be gone before it has read everything.
  child.stdin.on('error', () => undefined);
  child.stdin.on('close', () => input?.destroy());
  if (input) input.pipe(child.stdin);
  else child.stdin.end();
  let output = '';
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, output, printed };
  });
  return { pid: child.pid!, ended, kill: (signal) => child.kill(signal) };
}

/** Runs `sluice <args>` to its end, which has to be a good one. */
export async function runCommand(pair: AnyPair, args: readonly string[]): Promise<string> {
  const { code, signal, output } = await (await startCommand(pair, args)).ended;
  if (code !== 0) throw new Error(`sluice ${args.join(' ')}: ended with ${code ?? signal}: ${output}`);
  return output;
}
