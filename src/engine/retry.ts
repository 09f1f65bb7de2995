import { setTimeout as sleep } from 'node:timers/promises';
import { asSluiceError, CancelledError, type SluiceError, TransientError } from '../core/errors.ts';

export interface RetryPolicy {
  /** Tries in all, without progress in between. */
  attempts: number;
  firstWaitMs: number;
  longestWaitMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 3, firstWaitMs: 1000, longestWaitMs: 30_000 };

export interface Retry {
  /** What was being done, for unexpected errors. */
  doing: string;
  signal: AbortSignal;
  policy: RetryPolicy;
  onRetry(error: SluiceError, attempt: number, waitMs: number): void;
  /** Whether it can be done again here; if not, the error is left to the caller. */
  again?: (error: SluiceError) => Promise<boolean>;
  /** Whether something has changed since that makes another try more likely to succeed: then it does not count. */
  eased?: (error: SluiceError) => boolean;
}

/** Handed to the work: progress makes the next failure count as the first again. */
export interface Attempt {
  number: number;
  progressed(): void;
}

/** Does the work again after errors that may pass, with exponential waits of random length. */
export async function withRetry<T>(retry: Retry, work: (attempt: Attempt) => Promise<T>): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await work({ number: failures + 1, progressed: () => (failures = 0) });
    } catch (thrown) {
      const error = asSluiceError(thrown, retry.doing);
      if (EXHAUSTED.has(error) || (retry.again && !(await retry.again(error)))) throw error;
      if (retry.eased?.(error) !== true) failures++;
      const passes = error instanceof TransientError && error.next !== 'later';
      if (!passes || retry.signal.aborted || failures >= retry.policy.attempts)
        throw withAttempts(error, failures);
      const { firstWaitMs, longestWaitMs } = retry.policy;
      const backoff = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.max(0, failures - 1));
      // Half of it is random, so that many who lost the same server do not return at the same moment.
      const wait = error.next.endsWith('at-once') ? 0 : Math.round(backoff * (0.5 + Math.random() / 2));
      const waitMs = Math.max(error.retryAfterMs ?? 0, wait);
      retry.onRetry(error, failures, waitMs);
      await sleep(waitMs, undefined, { signal: retry.signal }).catch(() => {
        throw new CancelledError('stopped on request', { code: 'cancelled' });
      });
    }
  }
}

/** Given up by whoever tried: those above do not multiply the attempts. */
const EXHAUSTED = new WeakSet<SluiceError>();

function withAttempts(error: SluiceError, attempts: number): SluiceError {
  if (!(error instanceof TransientError) || attempts < 2) return error;
  const last = new TransientError(`${error.message} (${attempts} attempts)`, {
    code: error.code,
    remedy: error.remedy,
    details: error.details,
    cause: error,
  });
  EXHAUSTED.add(last);
  return last;
}
