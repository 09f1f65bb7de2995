/** How long a slice takes until it is staged, and which end was waited for. */
import type { Batch } from '../core/batch.ts';
import type { ByteSink } from '../core/byte-ring.ts';
import type { Load } from '../core/destination.ts';
import type { RunEvent } from '../core/events.ts';
import type { SliceReader } from '../core/source.ts';

type SliceCommitted = RunEvent & { kind: 'slice-committed' };

/** Seconds. */
export interface StagedTimes {
  /** From the beginning of reading until the load was staged. */
  seconds: number;
  /** Of which the source gave rows, or could have: from its first byte to its last. */
  reading: number;
  /** Of which it waited for the destination to take what it had. */
  waiting: number;
}

/** Watches one slice; made when its reading begins. */
export class Staging {
  readonly #started = performance.now();
  #reading = 0;
  #waiting = 0;

  /** The reader, with a clock on what lies between it and the destination. */
  watch(reader: SliceReader): SliceReader {
    const { schema } = reader;
    const close = (): Promise<void> => reader.close();
    if (reader.format === 'batches') {
      const batches = (): AsyncIterable<Batch> => this.#batches(reader.batches());
      const { groups } = reader;
      return { format: 'batches', schema, groups, batches, facts: () => reader.facts(), close };
    }
    const { decoder, direct, groups } = reader;
    return {
      format: 'bytes',
      schema,
      decoder,
      direct,
      groups,
      close,
      pump: async (sink, onBytes) => {
        const started = performance.now();
        try {
          await reader.pump(this.#sink(sink), onBytes);
        } finally {
          this.#reading += secondsSince(started);
        }
      },
    };
  }

  end(): StagedTimes {
    return {
      seconds: secondsSince(this.#started),
      reading: this.#reading,
      waiting: this.#waiting,
    };
  }

  #sink(sink: ByteSink): ByteSink {
    return {
      get abandoned() {
        return sink.abandoned;
      },
      write: (source, from, to) => sink.write(source, from, to),
      room: async () => {
        const asked = performance.now();
        await sink.room();
        this.#waiting += secondsSince(asked);
      },
    };
  }

  /** Who takes a batch asks for the next one when it is used up. */
  async *#batches(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const started = performance.now();
    try {
      for await (const batch of batches) {
        const given = performance.now();
        yield batch;
        this.#waiting += secondsSince(given);
      }
    } finally {
      this.#reading += secondsSince(started);
    }
  }
}

/** What a committed slice says of its time; `commit` in seconds. */
export function timingOf(
  load: Load,
  { seconds, reading, waiting }: StagedTimes,
  commit: number,
): Pick<SliceCommitted, 'seconds' | 'timing' | 'bound'> {
  return {
    seconds: seconds + commit,
    timing: { ...(load.timing ?? { load: seconds }), commit },
    bound: waiting > reading / 2 ? 'writing' : 'reading',
  };
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
