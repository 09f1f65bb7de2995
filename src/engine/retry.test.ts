import { describe, expect, it } from 'vitest';
import { CancelledError, ConfigError, TransientError } from '../core/errors.ts';
import { type Retry, withRetry } from './retry.ts';

const lost = (): TransientError =>
  new TransientError('reading t: connection lost', { code: 'x.lost', remedy: 'try' });

function retry(more: Partial<Retry> = {}): Retry & { retries: { attempt: number; waitMs: number }[] } {
  const retries: { attempt: number; waitMs: number }[] = [];
  return {
    doing: 'loading t',
    signal: new AbortController().signal,
    policy: { attempts: 3, firstWaitMs: 2, longestWaitMs: 3 },
    onRetry: (_error, attempt, waitMs) => void retries.push({ attempt, waitMs }),
    retries,
    ...more,
  };
}

describe('errors that may pass', () => {
  it('are tried again, with growing waits', async () => {
    const options = retry({ policy: { attempts: 4, firstWaitMs: 10, longestWaitMs: 25 } });
    let calls = 0;
    const result = await withRetry(options, async ({ number }) => {
      if (++calls < 4) throw lost();
      return number;
    });
    expect(result).toBe(4);
    expect(options.retries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    for (const [i, longest] of [10, 20, 25].entries()) {
      expect(options.retries[i]!.waitMs).toBeLessThanOrEqual(longest);
      expect(options.retries[i]!.waitMs).toBeGreaterThanOrEqual(longest / 2);
    }
  });

  it('are given up after the attempts, and the message says how many there were', async () => {
    let calls = 0;
    const work = withRetry(retry(), async () => {
      calls++;
      throw lost();
    });
    await expect(work).rejects.toMatchObject({
      message: 'reading t: connection lost (3 attempts)',
      code: 'x.lost',
      remedy: 'try',
    });
    expect(calls).toBe(3);
  });

  it('count from the beginning after progress', async () => {
    let calls = 0;
    const result = await withRetry(retry(), async (attempt) => {
      if (++calls === 6) return 'done';
      attempt.progressed();
      throw lost();
    });
    expect(result).toBe('done');
  });

  it('wait as long as the error asks', async () => {
    const options = retry({ policy: { attempts: 2, firstWaitMs: 1, longestWaitMs: 1 } });
    let calls = 0;
    await withRetry(options, async () => {
      if (++calls === 1) throw new TransientError('slow down', { code: 'x.throttled', retryAfterMs: 15 });
    });
    expect(options.retries).toEqual([{ attempt: 1, waitMs: 15 }]);
  });

  it('are not waited for once somebody asked to stop', async () => {
    const stop = new AbortController();
    const options = retry({
      signal: stop.signal,
      policy: { attempts: 3, firstWaitMs: 60_000, longestWaitMs: 60_000 },
      onRetry: () => setTimeout(() => stop.abort(), 5),
    });
    await expect(withRetry(options, () => Promise.reject(lost()))).rejects.toBeInstanceOf(CancelledError);
    await expect(withRetry(options, () => Promise.reject(lost()))).rejects.toBeInstanceOf(TransientError);
  });
});

describe('work within work', () => {
  it('does not multiply the attempts', async () => {
    let calls = 0;
    const inner = (): Promise<void> =>
      withRetry(retry(), async () => {
        calls++;
        throw lost();
      });
    await expect(withRetry(retry(), inner)).rejects.toMatchObject({
      message: 'reading t: connection lost (3 attempts)',
    });
    expect(calls).toBe(3);
  });

  it('leaves to the outer one what it cannot do again', async () => {
    let calls = 0;
    const inner = (): Promise<void> =>
      withRetry(retry({ again: async () => false }), async () => {
        calls++;
        throw lost();
      });
    await expect(withRetry(retry(), inner)).rejects.toMatchObject({ code: 'x.lost' });
    expect(calls).toBe(3);
  });
});

it('a failure after which something was eased does not count', async () => {
  let calls = 0;
  const options = retry({ eased: () => calls < 4 });
  await expect(withRetry(options, () => Promise.reject((calls++, lost())))).rejects.toMatchObject({
    message: 'reading t: connection lost (3 attempts)',
  });
  expect(calls).toBe(6);
});

it('errors that need somebody to act are thrown as they are', async () => {
  const error = new ConfigError('reading t: no such table', { code: 'x.no_table' });
  const options = retry();
  await expect(withRetry(options, () => Promise.reject(error))).rejects.toBe(error);
  expect(options.retries).toEqual([]);
});

it('what nobody expected is told as a bug, with what was being done', async () => {
  await expect(
    withRetry(retry(), () => Promise.reject(new TypeError('x is not a function'))),
  ).rejects.toMatchObject({ recovery: 'internal', message: 'loading t: x is not a function' });
});
