/** Loads Singer messages as they come: one batch is taken in while the one before it is loaded. */
import { MessageIntake, type MessageBatch } from '../connectors/singer/message-intake.ts';
import { parsePosition } from '../connectors/singer/position.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { Invocation } from './command.ts';
import type { Outcome } from './exit-codes.ts';
import { runOne } from './run-pipelines.ts';
import { batchContext, PIPELINE, streamOptions, type TargetSettings } from './singer-options.ts';

export class SingerLoads {
  /** What is printed goes to standard error. */
  readonly #invocation: Invocation;
  readonly #settings: TargetSettings;
  /** Gets STATE messages, and nothing else. */
  readonly #print: (text: string) => void;
  readonly #intake: MessageIntake;
  /** Of the batch that is loaded now, or was last. */
  #loading: Promise<Outcome> = Promise.resolve(GOOD);
  readonly #failed = new AbortController();
  #failure: Outcome | undefined;

  constructor(invocation: Invocation, settings: TargetSettings, print: (text: string) => void) {
    this.#invocation = invocation;
    this.#settings = settings;
    this.#print = print;
    const { project } = settings.context;
    this.#intake = new MessageIntake({
      directory: project.directory,
      extracted: settings.extracted,
      wanted: (stream) => streamOptions(project.pipelines[PIPELINE]!, stream) !== false,
      versionOf: (stream) => this.#versionOf(stream),
      signal: invocation.signal,
    });
  }

  /** Until the messages end, or something fails. */
  async run(): Promise<Outcome> {
    try {
      for await (const bytes of this.#input()) {
        if (bytes) await this.#intake.add(bytes);
        if (!bytes || this.#full) await this.#load(false);
        if (this.#failure) return this.#failure;
      }
      if (this.#failure) return this.#failure;
      await this.#intake.end();
      while (this.#intake.left && !this.#failure) await this.#load(true);
      return this.#failure ?? (await this.#loading);
    } finally {
      await this.#loading.catch(() => undefined);
      await this.#intake.close();
    }
  }

  get #full(): boolean {
    const { records, bytes } = this.#intake;
    return records >= this.#settings.rows || bytes >= this.#settings.bytes;
  }

  /** What comes in; undefined when what is there has waited for long enough. */
  async *#input(): AsyncGenerator<Uint8Array | undefined> {
    const { terminal, signal } = this.#invocation;
    const stopped = AbortSignal.any([signal, this.#failed.signal]);
    const input = terminal.stdin[Symbol.asyncIterator]();
    const ask = (): ReturnType<typeof input.next> => {
      const asked = input.next();
      // Whoever stops does not wait for it.
      asked.catch(() => undefined);
      return asked;
    };
    let waits: number | undefined;
    try {
      for (let next = ask(); ;) {
        waits = this.#intake.pending ? (waits ?? performance.now()) : undefined;
        const left =
          waits === undefined ? Infinity : this.#settings.seconds * 1000 - (performance.now() - waits);
        const got = await firstOf(next, left, stopped);
        throwIfAborted(signal);
        if (this.#failed.signal.aborted) return;
        if (got === undefined) {
          waits = undefined;
          yield undefined;
          continue;
        }
        if (got.done === true) return;
        next = ask();
        yield typeof got.value === 'string' ? Buffer.from(got.value) : got.value;
      }
    } finally {
      terminal.stdin.destroy();
    }
  }

  async #load(final: boolean): Promise<void> {
    const batch = await this.#intake.take(final);
    const before = await this.#loading;
    if (before.status !== 'succeeded') return this.#close(batch);
    this.#loading = this.#loadBatch(batch).then((outcome) => {
      if (outcome.status !== 'succeeded') {
        this.#failure = outcome;
        this.#failed.abort();
      }
      return outcome;
    });
    this.#loading.catch(() => this.#failed.abort());
    if (final) await this.#loading;
  }

  async #loadBatch(batch: MessageBatch): Promise<Outcome> {
    const { services, terminal, signal } = this.#invocation;
    try {
      for (const { message } of batch.notes) terminal.note(`! ${message}`);
      if (batch.streams.length > 0) {
        const context = batchContext(this.#settings, batch);
        const work: Parameters<typeof runOne>[1]['work'] = (options) =>
          services.run(context, PIPELINE, options);
        const outcome = await runOne(this.#invocation, { context, pipeline: PIPELINE, work });
        if (outcome.status !== 'succeeded') return outcome;
      }
      throwIfAborted(signal);
      if (batch.state !== undefined) this.#print(`${batch.state}\n`);
      return GOOD;
    } finally {
      await this.#close(batch);
    }
  }

  async #close({ streams }: MessageBatch): Promise<void> {
    for (const { spool } of streams) await spool.close();
  }

  async #versionOf(stream: string): Promise<number | undefined> {
    const batch = { streams: [{ name: stream, key: [], replaces: false }] } as unknown as MessageBatch;
    const context = batchContext(this.#settings, batch);
    const [state] = await this.#invocation.services.showState(context, PIPELINE, []);
    return parsePosition(state?.committed?.checkpoint ?? {}).version;
  }
}

const GOOD: Outcome = { status: 'succeeded', failures: [] };

/** Undefined: the time is over, or `stopped` says so. */
async function firstOf<T>(next: Promise<T>, ms: number, stopped: AbortSignal): Promise<T | undefined> {
  if (stopped.aborted) return undefined;
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const over = new Promise<undefined>((resolve) => {
    if (Number.isFinite(ms)) timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
    stop = () => resolve(undefined);
    stopped.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([next, over]);
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener('abort', stop!);
  }
}
