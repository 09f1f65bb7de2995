/** The DuckDB of a snapshot: started with the first question, one connection for each reader, gone with its scratch folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { throwIfAborted, TransientError } from '../../../core/errors.ts';
import { withFrugalAllocator } from '../../../duckdb/allocator.ts';
import type { Session } from '../../../duckdb/session.ts';

export interface EngineOptions {
  memoryBytes: number;
  threads: number;
  /** Run when it is started, and for each connection. */
  opening?: { engine: string; connection?: string } | undefined;
}

export type Work<T> = (connection: DuckDBConnection, signal: AbortSignal) => AsyncGenerator<T>;

/** Somebody who reads. */
interface User<T> {
  running?: AsyncGenerator<T>;
  /** Everything was read. */
  ended: boolean;
  done: Promise<void>;
  leave(): void;
}

/** Who asks a DuckDB. */
export abstract class Asking {
  /**
   * Runs `work` with a connection of its own, which is interrupted when the signal says so. The signal that `work` gets
   * is also that of the engine's end.
   */
  abstract using<T>(signal: AbortSignal, work: Work<T>): AsyncGenerator<T>;

  /** The rows of a query whose result is small, as JSON values. */
  async rows(sql: string, signal: AbortSignal): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = [];
    const asked = this.using(signal, async function* (connection) {
      yield* (await connection.runAndReadAll(sql)).getRowObjectsJson();
    });
    for await (const row of asked) found.push(row);
    return found;
  }

  /** The rows of a query, a chunk at a time. */
  chunks(sql: string, signal: AbortSignal): AsyncGenerator<readonly unknown[][]> {
    return this.using(signal, async function* (connection) {
      const result = await connection.stream(sql);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return;
        yield chunk.getRows();
      }
    });
  }
}

export class SourceEngine extends Asking {
  readonly #options: EngineOptions;
  #session: Promise<Session> | undefined;
  #scratch: string | undefined;
  #ending: Promise<void> | undefined;
  readonly #stop = new AbortController();
  readonly #users = new Set<User<unknown>>();
  /** Tables that were made from queries, by these. */
  readonly #tables = new Map<string, Promise<{ name: string; rows: number }>>();
  /** Making one table at a time keeps within the memory. */
  #making: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions) {
    super();
    this.#options = options;
  }

  override async *using<T>(signal: AbortSignal, work: Work<T>): AsyncGenerator<T> {
    throwIfAborted(signal);
    if (this.#ending) throw closed();
    const { promise: done, resolve: leave } = Promise.withResolvers<void>();
    const user: User<T> = { ended: false, done, leave };
    user.running = this.#run(signal, work, user);
    yield* user.running;
    // Stopped by us, it looks like one that has come to its end.
    if (!user.ended) throw closed();
  }

  async *#run<T>(signal: AbortSignal, work: Work<T>, user: User<T>): AsyncGenerator<T> {
    this.#users.add(user);
    try {
      const connection = await (await this.#open()).connect();
      const { opening } = this.#options;
      if (opening?.connection !== undefined) await connection.run(opening.connection);
      const stop = (): void => connection.interrupt();
      const both = AbortSignal.any([signal, this.#stop.signal]);
      both.addEventListener('abort', stop, { once: true });
      try {
        yield* work(connection, both);
        user.ended = true;
      } catch (error) {
        throwIfAborted(signal);
        throw this.#stop.signal.aborted ? closed() : error;
      } finally {
        // A stream that was not read to its end would keep its threads and memory.
        connection.interrupt();
        both.removeEventListener('abort', stop);
        connection.closeSync();
      }
    } finally {
      this.#users.delete(user);
      user.leave();
    }
  }

  /** Keeps the result of a query in a table of the engine, once for the same query. */
  table(query: string, signal: AbortSignal, asking: Asking = this): Promise<{ name: string; rows: number }> {
    const known = this.#tables.get(query);
    if (known) return known;
    const name = `sluice_kept_${this.#tables.size}`;
    const made = this.#making.then(async () => {
      await asking.rows(`CREATE OR REPLACE TABLE ${name} AS ${query}`, signal);
      const [row] = await this.rows(`SELECT count(*)::VARCHAR AS n FROM ${name}`, signal);
      return { name, rows: Number(row!['n']) };
    });
    this.#making = made.catch(() => {
      // The next one who asks tries again.
      this.#tables.delete(query);
    });
    this.#tables.set(query, made);
    return made;
  }

  async #open(): Promise<Session> {
    this.#session ??= this.#start();
    return this.#session;
  }

  async #start(): Promise<Session> {
    const { Session } = await withFrugalAllocator(() => import('../../../duckdb/session.ts'));
    // Not in the lake, which may be read-only for us.
    this.#scratch = await mkdtemp(path.join(tmpdir(), 'sluice-read-'));
    const { memoryBytes, threads, opening } = this.#options;
    const session = await Session.open({ memoryBytes, threads, tempDirectory: this.#scratch });
    try {
      if (opening) await session.connection.run(opening.engine);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Somebody reads. */
  get busy(): boolean {
    return this.#users.size > 0;
  }

  /** Ends once nobody reads any more; nobody new may. */
  end(): Promise<void> {
    this.#ending ??= (async () => {
      while (this.#users.size > 0) await Promise.all([...this.#users].map(({ done }) => done));
      const session = await this.#session?.catch(() => undefined);
      session?.close();
      if (this.#scratch !== undefined)
        await rm(this.#scratch, { recursive: true, force: true }).catch(() => undefined);
    })();
    return this.#ending;
  }

  /** The same, and stops those who read. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const { running } of this.#users) void running?.return(undefined).catch(() => undefined);
    await this.end();
  }
}

/** Another one is taken in its place. */
export function closed(): TransientError {
  return new TransientError('reading: the snapshot is closed', {
    code: 'engine.old_snapshot',
    remedy: 'run again',
  });
}
