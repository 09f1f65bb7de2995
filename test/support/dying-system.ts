/** A process that is killed at a statement: all its connections end at once, and it says nothing any more. */
import type { SqlDialect, SqlSession, SqlSystem } from '../../src/connectors/shared/sql/system.ts';
import { TransientError } from '../../src/core/errors.ts';

export class DyingSystem implements SqlSystem {
  readonly #system: SqlSystem;
  readonly #at: number;
  readonly #executes: boolean;
  /** Statements so far. */
  count = 0;
  dead = false;

  /** `executes`: the server does the last statement, and nobody hears of it. */
  constructor(system: SqlSystem, at: number, executes: boolean) {
    this.#system = system;
    this.#at = at;
    this.#executes = executes;
  }

  get dialect(): SqlDialect {
    return this.#system.dialect;
  }

  get workers(): number {
    return this.#system.workers;
  }

  get gives(): SqlSystem['gives'] {
    return this.#system.gives;
  }

  title(signal: AbortSignal): Promise<string> {
    return this.#system.title(signal);
  }

  async connect(signal: AbortSignal): Promise<SqlSession> {
    if (this.dead) throw killed();
    const session = await this.#system.connect(signal);
    return {
      ...session,
      query: (sql, doing, values) => this.#statement(() => session.query(sql, doing, values)),
      load: (into, reader, onRows, stop) => this.#statement(() => session.load(into, reader, onRows, stop)),
    };
  }

  close(): Promise<void> {
    return this.#system.close();
  }

  async #statement<T>(work: () => Promise<T>): Promise<T> {
    if (this.dead) throw killed();
    const last = ++this.count === this.#at;
    if (!last) return work();
    this.dead = true;
    if (this.#executes) await work().catch(() => undefined);
    await this.#system.close();
    throw killed();
  }
}

function killed(): TransientError {
  return new TransientError('killed', { code: 'kit.killed' });
}
