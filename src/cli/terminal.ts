import type { Readable } from 'node:stream';
import type { Progress, ProgressOutput } from '../observe/progress-types.ts';
import { createStyle, type Style, wantsColours } from '../observe/style.ts';

/** Where a command reads and writes. Results go to stdout; progress, notes and questions to stderr. */
export interface Terminal {
  /** What is piped in; read by whoever asks for it, and by nobody else. */
  readonly stdin: Readable;
  readonly stdout: ProgressOutput;
  readonly stderr: ProgressOutput;
  /** Colours of stdout. */
  readonly style: Style;
  /** Colours of stderr. */
  readonly noteStyle: Style;
  /** Whether somebody is there to answer. */
  readonly interactive: boolean;
  /** Text and a line end to stdout. */
  print(text: string): void;
  /** Text and a line end to stderr, above the progress when some is shown. */
  note(text: string): void;
  /** Tells which progress owns stderr now; undefined: none. */
  attach(progress: Progress | undefined): void;
  /** Asks on a terminal; the empty answer is `fallback`. Rejects with CancelledError on Ctrl-C, Ctrl-D and abort. */
  ask(question: string, fallback: string): Promise<string>;
}

interface TerminalStreams {
  readonly stdin: Readable & { isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & ProgressOutput;
  readonly stderr: NodeJS.WritableStream & ProgressOutput;
}

export interface TerminalOptions {
  readonly streams: TerminalStreams;
  readonly env: Record<string, string | undefined>;
  /** False for `--no-color`. */
  readonly colours: boolean;
  readonly signal: AbortSignal;
}

export function createTerminal({ streams, env, colours, signal }: TerminalOptions): Terminal {
  const { stdin, stdout, stderr } = streams;
  const style = (stream: ProgressOutput): Style => createStyle(colours && wantsColours(stream, env));
  let progress: Progress | undefined;
  return {
    stdin,
    stdout,
    stderr,
    style: style(stdout),
    noteStyle: style(stderr),
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    print(text) {
      stdout.write(`${text}\n`);
    },
    note(text) {
      if (progress) progress.note(text);
      else stderr.write(`${text}\n`);
    },
    attach(next) {
      progress = next;
    },
    async ask(question, fallback) {
      // Loaded here, since few commands ever ask.
      const { ask } = await import('./ask.ts');
      return ask({ input: stdin, output: stderr, signal }, question, fallback);
    },
  };
}
