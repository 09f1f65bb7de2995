import { type ByteSink, RingConsumer } from '../../core/byte-ring.ts';
import type { EncoderSpec } from '../../core/encoder.ts';
import { CancelledError, throwIfAborted } from '../../core/errors.ts';
import { schemaToJson } from '../../core/schema.ts';
import type { BytesReader, DecodeFacts } from '../../core/source.ts';
import { drainRing } from './drain-ring.ts';
import { feedThread } from './feed-thread.ts';
import { giveRing, takeRing } from './idle-rings.ts';
import { type OnProgress, TaskThread } from './task-thread.ts';
import { ThreadPool } from './thread-pool.ts';
import type { Transcoded, TranscodeTask } from './transcode-worker.ts';

/** A thread that turns the bytes of a source into those of a destination, one slice at a time. */
export class Transcoder {
  readonly #thread = new TaskThread<TranscodeTask, Transcoded>(
    './transcode-worker',
    import.meta.url,
    undefined,
  );

  get alive(): boolean {
    return this.#thread.alive;
  }

  /** Reads to the end; everything is in `sink` when this resolves. */
  async run(
    job: { reader: BytesReader; encoder: EncoderSpec; sink: ByteSink; onRows: OnProgress },
    signal: AbortSignal,
  ): Promise<DecodeFacts> {
    const { reader, encoder, sink, onRows } = job;
    const { decoder } = reader;
    const schema = schemaToJson(reader.schema);
    const convert = async (input: TranscodeTask['input']): Promise<DecodeFacts> => {
      const output = takeRing();
      const converted = this.#thread.send({ input, output, schema, decoder, encoder }, onRows);
      const drained = drainRing(new RingConsumer(output), sink);
      const [facts, rest] = await Promise.allSettled([converted, drained]);
      // A sink that was closed makes the thread stop: it is the sink that knows why.
      if (rest.status === 'rejected') throw rest.reason;
      if (facts.status === 'rejected') throw facts.reason;
      giveRing(output);
      return facts.value.facts;
    };
    const facts = await feedThread(reader, convert, signal);
    throwIfAborted(signal);
    return facts;
  }

  close(): Promise<void> {
    return this.#thread.close(new CancelledError('the thread is closed', { code: 'thread.closed' }));
  }
}

export function transcoderPool(size: number): ThreadPool<Transcoder> {
  return new ThreadPool(() => new Transcoder(), size);
}
