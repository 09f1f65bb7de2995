/**
 * Tries one slice again: what others have loaded or are loading stays as it is. In: work that leaves nothing behind when it
 * fails. Out: its result, or an error after which the stream has to be planned anew, or that ends it.
 */
import { type SluiceError, TransientError } from '../core/errors.ts';
import type { Listener, StreamTotals } from '../core/events.ts';
import type { Snapshot } from '../core/source.ts';
import type { Slice } from '../core/stream.ts';
import { DEFAULT_RETRY, withRetry } from './retry.ts';
import type { Slots } from './slots.ts';

export interface SliceJob {
  stream: string;
  source: Snapshot;
  slots: Slots;
  signal: AbortSignal;
  emit: Listener;
  totals: Pick<StreamTotals, 'retries'>;
}

export async function retrySlice<T>(
  { stream, source, slots, signal, emit, totals }: SliceJob,
  slice: Slice,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  let tries = 0;
  return withRetry(
    {
      doing: `loading ${stream}`,
      signal,
      policy: DEFAULT_RETRY,
      // Parts of another snapshot would not fit those that are there.
      again: async (error) => mayPass(error) && (await source.alive()),
      eased: (error) => slots.eased(error),
      onRetry: (error, _attempt, waitMs) => {
        totals.retries++;
        emit({
          kind: 'retry',
          stream,
          slice: slice.id,
          attempt: tries,
          waitMs,
          code: error.code,
          message: error.message,
        });
      },
    },
    // A slot is free for others while this one waits.
    () => slots.use(() => work(++tries)),
  );
}

function mayPass(error: SluiceError): boolean {
  return (
    error instanceof TransientError &&
    !error.next.startsWith('replan') &&
    error.code !== 'engine.old_snapshot'
  );
}
