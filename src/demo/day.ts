/** A day in the shop with loads that run while it is lived. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { throwIfAborted } from '../core/errors.ts';
import { type DayCounts, type DayEvent, liveADay } from './shop.ts';

export interface DayWithLoads {
  connect: () => Promise<pg.Client>;
  seed: number;
  /** Rows to change. */
  changes: number;
  /** Loads during the day. */
  loads: number;
  /** Loads once; `number` counts from 1. */
  load: (number: number) => Promise<void>;
  /** Done once, before the load with this number, at a moment without open transactions. */
  surprise: { before: number; work: () => Promise<void> };
  signal: AbortSignal;
}

/** So that a day is not over before anybody has seen it; each of three writers waits this long after a transaction. */
const PAUSE_MS = 10;

/**
 * The day is cut into as many parts as there are loads, and one more. A load starts when its part begins, and the
 * writers go on beside it, but not beyond the next part until it has finished. So on every machine all loads run while
 * the shop is open.
 */
export async function liveWithLoads(options: DayWithLoads): Promise<DayCounts> {
  const { changes, loads, load, surprise } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const clock = new Clock(signal);
  const part = changes / (loads + 1);
  clock.stopAt(2 * part);
  const day = liveADay(options.connect, { seed: options.seed, changes, signal, onEvent: clock.onEvent });
  const end = day.then(
    () => clock.end(),
    () => clock.end(),
  );
  try {
    for (let number = 1; number <= loads; number += 1) {
      await clock.reach(number * part);
      if (number === surprise.before) await clock.atQuietMoment(surprise.work);
      await load(number);
      clock.stopAt(number === loads ? Number.POSITIVE_INFINITY : (number + 2) * part);
    }
    return await day;
  } catch (error) {
    failed.abort(error);
    await end;
    throw error;
  }
}

/** Knows how far the day is, in changed rows, and holds the writers where they have to wait. */
class Clock {
  readonly #signal: AbortSignal;
  #changed = 0;
  #limit = Number.POSITIVE_INFINITY;
  #ended = false;
  #surprise: (() => Promise<void>) | undefined;
  #turn: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  readonly onEvent = async (event: DayEvent): Promise<void> => {
    if (event.kind === 'committed') this.#changed += event.rows;
    // Whoever commits late is the last of a round: the others wait for it and have nothing open.
    if (event.kind === 'committed' && event.late) await this.#doSurprise();
    this.#wake();
    await sleep(PAUSE_MS);
    // A surprise waits for the end of a round, which has to come.
    await this.#until(() => this.#changed < this.#limit || this.#surprise !== undefined);
  };

  stopAt(changed: number): void {
    this.#limit = changed;
    this.#wake();
  }

  async reach(changed: number): Promise<void> {
    await this.#until(() => this.#changed >= changed || this.#ended);
  }

  async atQuietMoment(work: () => Promise<void>): Promise<void> {
    let outcome: Promise<void> | undefined;
    this.#surprise = () => (outcome = work());
    this.#wake();
    await this.#until(() => outcome !== undefined || this.#ended);
    await (outcome ?? work());
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #doSurprise(): Promise<void> {
    const work = this.#surprise;
    this.#surprise = undefined;
    // Its failure is told to whoever wanted it.
    await work?.().catch(() => undefined);
  }

  async #until(condition: () => boolean): Promise<void> {
    throwIfAborted(this.#signal);
    while (!condition()) {
      await this.#turn.promise;
      throwIfAborted(this.#signal);
    }
  }

  #wake(): void {
    this.#turn.resolve();
    this.#turn = Promise.withResolvers();
  }
}
