import { type ByteSink, createRing, RingConsumer } from '../core/byte-ring.ts';
import { CancelledError, throwIfAborted } from '../core/errors.ts';
import { schemaToJson, type Schema } from '../core/schema.ts';
import type { BytesReader } from '../core/source.ts';
import type { RowRules } from '../core/stream.ts';
import { drainRing } from '../connectors/shared/drain-ring.ts';
import { feedThread } from '../connectors/shared/feed-thread.ts';
import { TaskThread } from '../connectors/shared/task-thread.ts';
import { frugalAllocator } from '../duckdb/allocator.ts';
import type { SessionOptions } from '../duckdb/session.ts';
import type { FoundRules } from './read-rules.ts';
import type { ApplyTask, RulesDone, RulesTask } from './rules-protocol.ts';

/** A thread with a DuckDB that holds rows against rules, one slice at a time. */
export class RulesThread {
  readonly #thread: TaskThread<RulesTask, RulesDone>;

  constructor(options: SessionOptions) {
    this.#thread = new TaskThread('./rules-worker', import.meta.url, options, frugalAllocator());
  }

  get alive(): boolean {
    return this.#thread.alive;
  }

  async read(schema: Schema, rules: RowRules): Promise<FoundRules> {
    const done = await this.#thread.send({ kind: 'read', schema: schemaToJson(schema), rules });
    return (done as Extract<RulesDone, { found: FoundRules }>).found;
  }

  /** Reads to the end; everything that passes is in `sink` when this resolves, as batches and facts. */
  async apply(
    task: Pick<ApplyTask, 'name' | 'rules' | 'aside' | 'laneBytes'>,
    reader: BytesReader,
    sink: ByteSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { decoder } = reader;
    const schema = schemaToJson(reader.schema);
    const apply = async (input: ApplyTask['input']): Promise<void> => {
      const output = createRing();
      const applied = this.#thread.send({ kind: 'apply', input, output, schema, decoder, ...task });
      const drained = drainRing(new RingConsumer(output), sink);
      const [done, rest] = await Promise.allSettled([applied, drained]);
      // A sink that was closed makes the thread stop: it is the sink that knows why.
      if (rest.status === 'rejected') throw rest.reason;
      if (done.status === 'rejected') throw done.reason;
    };
    await feedThread(reader, apply, signal);
    throwIfAborted(signal);
  }

  close(): Promise<void> {
    return this.#thread.close(new CancelledError('the thread is closed', { code: 'thread.closed' }));
  }
}
