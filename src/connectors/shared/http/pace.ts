/** When requests are made: so many at once, so many in a time, and none while the server has asked for a pause. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError } from '../../../core/errors.ts';
import type { AnswerHeaders } from './exchange.ts';

/** Longer than that nobody waits because of a header that only gives advice. */
const LONGEST_ADVICE_MS = 15 * 60_000;

export class Pace {
  readonly #concurrency: number;
  readonly #rate: { requests: number; seconds: number } | undefined;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** A bucket that fills with time; each request takes one token out of it. */
  #tokens: number;
  #filledAt = performance.now();
  #pausedUntil = 0;

  constructor(concurrency: number, rate: { requests: number; seconds: number } | undefined) {
    this.#concurrency = concurrency;
    this.#rate = rate;
    this.#tokens = rate?.requests ?? 0;
  }

  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#concurrency)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      await this.#turn(signal);
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Nobody asks for so long. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms);
  }

  /** Servers that count requests say how many are left, and when they count anew. */
  heed(headers: AnswerHeaders, now: number = Date.now()): void {
    const ms = untilReset(headers, now);
    if (ms !== undefined) this.pause(Math.min(ms, LONGEST_ADVICE_MS));
  }

  async #turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = performance.now();
      const wait = Math.max(this.#pausedUntil - now, this.#untilToken(now));
      if (wait <= 0) break;
      await sleep(wait, undefined, { signal }).catch(() => {
        throw new CancelledError('stopped on request', { code: 'cancelled' });
      });
    }
    this.#tokens--;
  }

  #untilToken(now: number): number {
    if (!this.#rate) return 0;
    const { requests, seconds } = this.#rate;
    const each = (seconds * 1000) / requests;
    this.#tokens = Math.min(requests, this.#tokens + (now - this.#filledAt) / each);
    this.#filledAt = now;
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) * each);
  }
}

/** Milliseconds until the server counts requests anew; undefined where it still takes some, or does not say. */
export function untilReset(headers: AnswerHeaders, now: number = Date.now()): number | undefined {
  const left = number(headers, 'ratelimit-remaining') ?? number(headers, 'x-ratelimit-remaining');
  if (left === undefined || left > 0) return undefined;
  const reset = number(headers, 'ratelimit-reset') ?? number(headers, 'x-ratelimit-reset');
  if (reset === undefined) return undefined;
  // Some write seconds from now on, some the time in seconds or milliseconds since 1970.
  const ms = reset > 1e11 ? reset - now : reset > 1e9 ? reset * 1000 - now : reset * 1000;
  return Math.max(0, ms);
}

function number(headers: AnswerHeaders, name: string): number | undefined {
  const written = headers.get(name);
  const value = written === null || written.trim() === '' ? Number.NaN : Number(written);
  return Number.isNaN(value) ? undefined : value;
}
