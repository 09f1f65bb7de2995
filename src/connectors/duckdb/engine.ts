/**
 * The DuckDB that writes a file: in a thread of its own, shared by all who write to that file in this process, and with the
 * file open only while somebody has a connection.
 */
import { CancelledError } from '../../core/errors.ts';
import { frugalAllocator } from '../../duckdb/allocator.ts';
import { type OnProgress, TaskThread } from '../shared/task-thread.ts';
import { fileExists, holdFile, realPath } from './file.ts';
import type { EngineOptions, EngineReply, EngineTask } from './target-protocol.ts';

const engines = new Map<string, WriteEngine>();

/** The engine of a file; whoever asks for it gives it back with `leave`. */
export function engineOf(options: EngineOptions): WriteEngine {
  const real = realPath(options.file.path);
  const engine = engines.get(real) ?? new WriteEngine(options, () => engines.delete(real));
  engines.set(real, engine);
  engine.join();
  return engine;
}

export class WriteEngine {
  readonly #options: EngineOptions;
  readonly #ended: () => void;
  #users = 0;
  #thread: TaskThread<EngineTask, EngineReply> | undefined;
  readonly #sessions = new Set<number>();
  #next = 0;
  /** Gives the file back to others of this process. */
  #letGo: (() => void) | undefined;
  /** Opening and closing, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** One load at a time: each holds the thread while it waits for rows. */
  #loading: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions, ended: () => void) {
    this.#options = options;
    this.#ended = ended;
  }

  join(): void {
    this.#users++;
  }

  async leave(): Promise<void> {
    if (--this.#users > 0) return;
    this.#ended();
    await this.#turn;
    await this.#thread?.close(new CancelledError('the database is closed', { code: 'thread.closed' }));
    this.#letGo?.();
  }

  /** Opens the file for the first connection; a file that is not there is made when somebody writes. */
  connect(): Promise<number> {
    return this.#inTurn(async () => {
      const session = this.#next++;
      const first = this.#sessions.size === 0;
      if (first) this.#letGo = holdFile(this.#options.file, 'write');
      try {
        await this.send({ kind: 'connect', session, attach: fileExists(this.#options.file) });
      } catch (error) {
        if (first) this.#letGo?.();
        throw error;
      }
      this.#sessions.add(session);
      return session;
    });
  }

  async disconnect(session: number): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#sessions.delete(session)) return;
      const last = this.#sessions.size === 0;
      // A thread that has died took the connection with it.
      await this.send({ kind: 'close', session, last }).catch(() => undefined);
      if (last) this.#letGo?.();
    });
  }

  send(task: EngineTask, onRows?: OnProgress): Promise<EngineReply> {
    if (this.#thread?.alive !== true)
      // DuckDB is loaded before the first message comes.
      this.#thread = new TaskThread('./worker', import.meta.url, this.#options, frugalAllocator());
    return this.#thread.send(task, onRows);
  }

  /** Waits for the load before. */
  load<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#loading.then(work);
    this.#loading = done.catch(() => undefined);
    return done;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
