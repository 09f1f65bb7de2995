import type { ByteSink, RingConsumer } from '../../core/byte-ring.ts';
import { CancelledError } from '../../core/errors.ts';

/** Moves what a thread puts into its ring on to `sink`, until the end. */
export async function drainRing(ring: RingConsumer, sink: ByteSink): Promise<void> {
  const memory = Buffer.from(ring.memory.buffer);
  for (let block = await ring.take(); block; block = await ring.take()) {
    let at = block.start;
    while (at < block.end && !sink.abandoned) {
      at += sink.write(memory, at, block.end);
      if (at < block.end) await sink.room();
    }
    if (sink.abandoned) {
      ring.abandon();
      throw new CancelledError('the destination stopped reading', { code: 'thread.sink_closed' });
    }
  }
}
