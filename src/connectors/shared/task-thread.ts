import { Worker } from 'node:worker_threads';
import { type ErrorJson, errorFromJson } from '../../core/error-json.ts';
import { InternalError, TransientError } from '../../core/errors.ts';

/** What a thread says of a task; the last word is one that is neither `ready` nor `progress`. */
export type ThreadReply =
  | { kind: 'ready' }
  | { kind: 'progress'; id: number; rows: number; bytes: number }
  | { kind: 'failed'; id: number; error: ErrorJson };

export type OnProgress = (rows: number, bytes: number) => void;

interface Pending<Done> {
  resolve(reply: Done): void;
  reject(error: Error): void;
  onProgress: OnProgress | undefined;
}

/** A worker thread that is given tasks; an idle one does not keep the process alive. */
export class TaskThread<Task extends object, Done extends { id: number }> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending<Done>>();
  #next = 1;
  #dead: Error | undefined;
  readonly #begun: Promise<unknown>;

  /** `file` is the module of the thread, seen from `from`, without its ending; `started` is called when it has begun, or ended. */
  constructor(file: string, from: string, workerData: unknown, started: () => void = () => undefined) {
    this.#worker = new Worker(new URL(`${file}${from.endsWith('.ts') ? '.ts' : '.js'}`, from), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 4 },
    });
    this.#begun = new Promise((resolve) => {
      this.#worker.once('message', resolve);
      this.#worker.once('exit', resolve);
    });
    void this.#begun.then(started);
    this.#worker.on('message', (reply: ThreadReply | Done) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`the worker ended with code ${code}`)));
    this.#worker.unref();
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  async send(task: Task, onProgress?: OnProgress): Promise<Done> {
    if (this.#dead) throw this.#dead;
    const id = this.#next++;
    this.#worker.ref();
    try {
      return await new Promise<Done>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onProgress });
        this.#worker.postMessage({ ...task, id });
      });
    } finally {
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#worker.unref();
    }
  }

  /** Tasks after this fail with `error`. */
  async close(error: Error): Promise<void> {
    this.#dead ??= error;
    // A native module that is being loaded takes the process down with it.
    this.#worker.ref();
    await this.#begun;
    await this.#worker.terminate();
  }

  #receive(reply: ThreadReply | Done): void {
    if (!('id' in reply)) return;
    const pending = this.#pending.get(reply.id);
    if (!('kind' in reply) || (reply.kind !== 'progress' && reply.kind !== 'failed')) pending?.resolve(reply);
    else if (reply.kind === 'progress') pending?.onProgress?.(reply.rows, reply.bytes);
    else pending?.reject(errorFromJson(reply.error));
  }

  #die(error: Error): void {
    this.#dead ??= /EMFILE|ENFILE|too many open files/i.test(error.message)
      ? new TransientError("starting the writer's thread: too many open files", {
          code: 'disk.too_many_files',
          remedy: 'raise the limit (ulimit -n) or run with fewer workers',
          cause: error,
        })
      : new InternalError(`the writer's thread stopped: ${error.message}`, {
          code: 'thread.died',
          remedy: 'has the machine run out of memory? If not, please report it',
          cause: error,
        });
    for (const pending of this.#pending.values()) pending.reject(this.#dead);
  }
}
