/** A lake that `sluice singer-target` loads messages into, in this process. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';
import { realServices } from '../../src/cli/services.ts';
import { CancelledError } from '../../src/core/errors.ts';
import type { ConnectionConfig } from '../../src/index.ts';
import { createStyle } from '../../src/observe/style.ts';
import { FileLake } from './file-lake.ts';

export interface TargetRun {
  code: number;
  /** Lines of standard output. */
  states: string[];
  /** What people read. */
  told: string;
}

export interface TargetJob {
  options?: string[];
  /** The file of `--config`. */
  config?: Record<string, unknown>;
  signal?: AbortSignal | undefined;
  /** Called with each line of standard output. */
  onState?: ((state: string) => void) | undefined;
}

type Messages = Iterable<unknown> | AsyncIterable<unknown>;

export class TargetLake extends FileLake {
  constructor(target?: ConnectionConfig) {
    super({});
    if (target) this.target = target;
  }

  async load(
    messages: Messages,
    { options = [], config, signal, onState }: TargetJob = {},
  ): Promise<TargetRun> {
    // The project that names the lake.
    await this.context();
    const words = ['singer-target', ...(config ? [] : ['lake']), '-C', this.folder, ...options];
    if (config) {
      const file = path.join(this.folder, 'target.json');
      writeFileSync(file, JSON.stringify(config));
      words.push('--config', file);
    }
    return runTarget(words, messages, { signal, onState });
  }
}

async function runTarget(
  words: string[],
  messages: Messages,
  { signal = new AbortController().signal, onState }: Pick<TargetJob, 'signal' | 'onState'>,
): Promise<TargetRun> {
  let told = '';
  const states: string[] = [];
  const tell = (text: string): unknown => (told += text);
  const terminal = {
    stdin: Readable.from(lines(messages), { objectMode: false }),
    stdout: {
      write: (text: string): unknown => {
        const state = text.trimEnd();
        onState?.(state);
        return states.push(state);
      },
    },
    stderr: { write: tell },
    style: createStyle(false),
    noteStyle: createStyle(false),
    interactive: false,
    print: (text: string): void => void states.push(text),
    note: (text: string): void => void tell(`${text}\n`),
    attach: (): void => undefined,
    ask: (): Promise<string> => Promise.reject(new CancelledError('nobody is here', { code: 'cancelled' })),
  };
  const stop = { signal, exitCode: () => 130 };
  const code = await runProgram(words, { terminal, stop, services: realServices() });
  return { code, states, told };
}

async function* lines(messages: Messages): AsyncGenerator<string> {
  for await (const message of messages)
    yield typeof message === 'string' ? message : `${JSON.stringify(message)}\n`;
}
