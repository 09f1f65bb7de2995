import { Worker } from 'node:worker_threads';
import { asBytes } from '../../core/batch-wire.ts';
import { createRing, RingProducer } from '../../core/byte-ring.ts';
import { errorFromJson } from '../../core/error-json.ts';
import { CancelledError, InternalError, throwIfAborted, TransientError } from '../../core/errors.ts';
import { schemaToJson } from '../../core/schema.ts';
import type { DecodeFacts, SliceReader } from '../../core/source.ts';
import type { CopyTask, Reply, StagedFile, StageTask, Task, WorkerOptions } from './lane-protocol.ts';

type Distribute<T> = T extends { id: number } ? Omit<T, 'id'> : never;
type Staged = { facts: DecodeFacts; files: StagedFile[] };

export type StageRequest = Pick<StageTask, 'stream' | 'data' | 'meta' | 'minus' | 'files'>;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  onProgress: ((rows: number, bytes: number) => void) | undefined;
}

/** One worker thread with its DuckDB. Tasks of one lane run one after the other. */
export class Lane {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  #dead: Error | undefined;

  constructor(options: WorkerOptions) {
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: options,
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.on('message', (reply: Reply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`the worker ended with code ${code}`)));
    // An idle lane does not keep the process alive.
    this.#worker.unref();
  }

  /** Feeds the reader's bytes to the worker, which writes them; both ends of the ring settle before this does. */
  async stage(
    task: StageRequest,
    slice: SliceReader,
    onRows: (rows: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Staged> {
    throwIfAborted(signal);
    const reader = slice.format === 'bytes' ? slice : asBytes(slice);
    const ring = createRing();
    const producer = new RingProducer(ring);
    const abort = (): void => producer.end('failed');
    signal.addEventListener('abort', abort, { once: true });
    const written = this.#send(
      { kind: 'stage', ring, schema: schemaToJson(reader.schema), decoder: reader.decoder, ...task },
      onRows,
    );
    const pumped = reader
      .pump(producer, () => undefined)
      .then(
        () => producer.end('ended'),
        (error: unknown) => {
          producer.end('failed');
          throw error;
        },
      );
    written.catch(() => producer.abandon());
    const [source, sink] = await Promise.allSettled([pumped, written]);
    signal.removeEventListener('abort', abort);
    throwIfAborted(signal);
    // A writer that gave up makes the source fail too, and the other way round: report the one that began it.
    if (sink.status === 'rejected' && !(source.status === 'rejected' && isFollowUp(sink.reason)))
      throw sink.reason;
    if (source.status === 'rejected') throw source.reason;
    if (sink.status === 'rejected') throw sink.reason;
    const { facts, files } = sink.value as Extract<Reply, { kind: 'staged' }>;
    return { facts: slice.format === 'bytes' ? facts : { ...slice.facts(), rows: facts.rows }, files };
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  async copy(task: Omit<CopyTask, 'id' | 'kind'>): Promise<StagedFile[]> {
    const reply = (await this.#send({ kind: 'copy', ...task }, undefined)) as Extract<
      Reply,
      { kind: 'staged' }
    >;
    return reply.files;
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    const reply = (await this.#send({ kind: 'query', sql }, undefined)) as Extract<Reply, { kind: 'rows' }>;
    return reply.rows;
  }

  async close(): Promise<void> {
    this.#dead ??= new CancelledError('the lane is closed', { code: 'lake.closed' });
    await this.#worker.terminate();
  }

  async #send(task: Distribute<Task>, onProgress: Pending['onProgress']): Promise<Reply> {
    if (this.#dead) throw this.#dead;
    const id = this.#next++;
    this.#worker.ref();
    try {
      return await new Promise<Reply>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onProgress });
        this.#worker.postMessage({ ...task, id });
      });
    } finally {
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#worker.unref();
    }
  }

  #receive(reply: Reply): void {
    if (reply.kind === 'ready') return;
    const pending = this.#pending.get(reply.id);
    if (reply.kind === 'progress') pending?.onProgress?.(reply.rows, reply.bytes);
    else if (reply.kind === 'failed') pending?.reject(errorFromJson(reply.error));
    else pending?.resolve(reply);
  }

  #die(error: Error): void {
    this.#dead ??= /EMFILE|ENFILE|too many open files/i.test(error.message)
      ? new TransientError("starting the writer's thread: too many open files", {
          code: 'disk.too_many_files',
          remedy: 'raise the limit (ulimit -n) or run with fewer workers',
          cause: error,
        })
      : new InternalError(`the writer's thread stopped: ${error.message}`, {
          code: 'lake.worker_died',
          remedy: 'has the machine run out of memory? If not, please report it',
          cause: error,
        });
    for (const pending of this.#pending.values()) pending.reject(this.#dead);
  }
}

function isFollowUp(error: unknown): boolean {
  return error instanceof InternalError && error.code === 'lake.source_failed';
}
