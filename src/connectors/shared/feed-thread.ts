/** Feeds a reader's bytes to a thread: both ends of the ring settle before this does. */
import { RingProducer, type RingMemory } from '../../core/byte-ring.ts';
import { InternalError, throwIfAborted } from '../../core/errors.ts';
import type { BytesReader } from '../../core/source.ts';
import { giveRing, takeRing } from './idle-rings.ts';

/** The error of a thread whose ring ended because the source failed: what that says tells more. */
export function sourceFailed(): InternalError {
  return new InternalError('the source stopped before its end', { code: 'thread.source_failed' });
}

/** `consume` starts whoever empties the ring. Reports the failure that began it when both ends fail. */
export async function feedThread<T>(
  reader: Pick<BytesReader, 'pump'>,
  consume: (ring: RingMemory) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  throwIfAborted(signal);
  const ring = takeRing();
  const producer = new RingProducer(ring);
  const abort = (): void => producer.end('failed');
  signal.addEventListener('abort', abort, { once: true });
  const consumed = consume(ring);
  const pumped = reader
    .pump(producer, () => undefined)
    .then(
      () => producer.end('ended'),
      (error: unknown) => {
        producer.end('failed');
        throw error;
      },
    );
  consumed.catch(() => producer.abandon());
  const [source, sink] = await Promise.allSettled([pumped, consumed]);
  signal.removeEventListener('abort', abort);
  throwIfAborted(signal);
  if (sink.status === 'rejected' && !(source.status === 'rejected' && isFollowUp(sink.reason)))
    throw sink.reason;
  if (source.status === 'rejected') throw source.reason;
  if (sink.status === 'rejected') throw sink.reason;
  giveRing(ring);
  return sink.value;
}

function isFollowUp(error: unknown): boolean {
  return error instanceof InternalError && error.code === sourceFailed().code;
}
