/** One run of a tap: a process whose output is read as it comes, whose words are kept, and which does not outlive us. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { ConfigError, DataError, type SluiceError, throwIfAborted } from '../../core/errors.ts';

export interface TapCommand {
  /** For people: what is being done. */
  doing: string;
  words: readonly string[];
  directory: string;
  env: Readonly<Record<string, string>>;
  /** Seconds without a byte after which it counts as dead. */
  timeout: number;
  /** Takes secrets out of what it says. */
  mask: (text: string) => string;
  /** File for all that it says; undefined: none. */
  log: string | undefined;
  signal: AbortSignal;
}

/** Between asking it to end and ending it. */
const GRACE_MS = 10_000;
/** Lines that are remembered, and how much of one. */
const MOST_LINES = 20;
const MOST_LINE = 500;
const SERIOUS = /\b(WARN(ING)?|ERROR|CRITICAL|FATAL|Traceback)\b/;

type Child = ChildProcessByStdio<null, Readable, Readable>;

export class TapProcess {
  readonly #command: TapCommand;
  readonly #child: Child;
  readonly #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #said: Promise<void>;
  readonly #log: WriteStream | undefined;
  #failure: Error | undefined;
  /** We have ended it ourselves, and why. */
  #ended: 'silent' | 'enough' | undefined;
  #heard = performance.now();
  #waiting = true;
  #last = '';
  readonly #serious: string[] = [];
  #seriousCount = 0;

  constructor(command: TapCommand) {
    this.#command = command;
    const [program = '', ...words] = command.words;
    this.#log = command.log === undefined ? undefined : createWriteStream(command.log);
    // Without the log a run is as good as with it.
    this.#log?.on('error', () => undefined);
    this.#child = spawn(program, words, {
      cwd: command.directory,
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that what it starts ends with it.
      detached: process.platform !== 'win32',
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#failure = error;
        resolve({ code: null, signal: null });
      });
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
    this.#said = this.#listen();
    command.signal.addEventListener('abort', this.#abort, { once: true });
  }

  readonly #abort = (): void => this.#end();

  /** What it writes, until it ends or is ended. */
  async *output(): AsyncGenerator<Uint8Array> {
    const { timeout, signal } = this.#command;
    const watch = setInterval(
      () => {
        if (!this.#waiting || performance.now() - this.#heard < timeout * 1000) return;
        this.#ended ??= 'silent';
        this.#end();
      },
      Math.max(50, Math.min(1000, timeout * 250)),
    );
    watch.unref();
    try {
      for await (const piece of this.#child.stdout) {
        this.#waiting = false;
        yield piece as Uint8Array;
        // What was done with it was our own time.
        this.#heard = performance.now();
        this.#waiting = true;
      }
    } catch (error) {
      if (!this.#ended && !signal.aborted) throw error;
    } finally {
      clearInterval(watch);
    }
  }

  async #listen(): Promise<void> {
    let rest = '';
    this.#child.stderr.setEncoding('utf8');
    try {
      for await (const piece of this.#child.stderr) {
        this.#heard = performance.now();
        const lines = (rest + String(piece)).split('\n');
        rest = lines.pop()!;
        if (rest.length > 1 << 16) rest = '';
        for (const line of lines) this.#line(line);
      }
    } catch {
      // It ends with the process.
    }
    if (rest !== '') this.#line(rest);
    this.#log?.end();
  }

  #line(written: string): void {
    const line = this.#command.mask(written.trimEnd());
    if (line === '') return;
    this.#log?.write(`${line}\n`);
    this.#last = line.slice(0, MOST_LINE);
    if (!SERIOUS.test(line)) return;
    this.#seriousCount++;
    if (this.#serious.length < MOST_LINES) this.#serious.push(line.slice(0, MOST_LINE));
  }

  /** Warnings and errors among what it said. */
  get serious(): { lines: readonly string[]; count: number } {
    return { lines: this.#serious, count: this.#seriousCount };
  }

  /** File with all that it said. */
  get log(): string | undefined {
    return this.#command.log;
  }

  /** Enough was seen. */
  stop(): void {
    this.#ended ??= 'enough';
    this.#end();
  }

  /** It has ended when this has; never throws. */
  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.stop();
    this.#child.stdout.destroy();
    await this.#exited;
    await this.#said;
    this.#command.signal.removeEventListener('abort', this.#abort);
  }

  #end(): void {
    kill(this.#child, 'SIGTERM');
    const timer = setTimeout(() => kill(this.#child, 'SIGKILL'), GRACE_MS);
    timer.unref();
    void this.#exited.then(() => clearTimeout(timer));
  }

  /** After its output has ended: undefined when all went well. Throws CancelledError. */
  async result(): Promise<SluiceError | undefined> {
    const { doing, words, timeout, signal } = this.#command;
    const { code, signal: killedBy } = await this.#exited;
    await this.#said;
    signal.removeEventListener('abort', this.#abort);
    throwIfAborted(signal);
    if (this.#ended === 'enough') return undefined;
    if (this.#failure) return cannotStart(doing, words[0]!, this.#failure);
    const log = this.#command.log === undefined ? '' : `; all that it said is in ${this.#command.log}`;
    if (this.#ended === 'silent')
      return new DataError(`${doing}: the tap said nothing for ${timeout} s, and was ended`, {
        code: 'singer.silent',
        remedy: `if it may take longer, raise \`timeout\` of the connection${log}`,
      });
    if (code === 0) return undefined;
    const how = killedBy === null ? `with exit code ${code}` : `by ${killedBy}`;
    const last = this.#last === '' ? '' : `; its last words: ${this.#last}`;
    return new DataError(`${doing}: the tap ended ${how}${last}`, {
      code: 'singer.tap_failed',
      remedy: `see what it says${log}`,
    });
  }
}

function kill(child: Child, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It is gone.
  }
}

function cannotStart(doing: string, program: string, error: Error): ConfigError {
  const found = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not found' : 'cannot be started';
  return new ConfigError(`${doing}: "${program}" ${found}`, {
    code: 'singer.no_tap',
    remedy: 'install the tap, or write where it lies in `command`; paths are relative to `directory`',
    cause: error,
  });
}
