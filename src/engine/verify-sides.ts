/** The two sides of a comparison and what each is asked for. */
import type { Comparable, CompareRequest } from '../core/compare.ts';

export interface Side {
  rows: Comparable;
  request: CompareRequest;
}

export interface Pair<T> {
  source: T;
  target: T;
}

/** Asks both at the same time, and stops one when the other fails. */
export class Sides implements Pair<Side> {
  /** How long each has been at work. */
  readonly seconds: Pair<number> = { source: 0, target: 0 };
  readonly source: Side;
  readonly target: Side;
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();

  constructor(signal: AbortSignal, sides: Pair<Side>) {
    this.source = sides.source;
    this.target = sides.target;
    this.signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  async both<T>(ask: (side: Side, name: keyof Pair<T>) => Promise<T>): Promise<Pair<T>> {
    const one = async (name: keyof Pair<T>): Promise<T> => {
      const started = performance.now();
      try {
        return await ask(this[name], name);
      } finally {
        this.seconds[name] += (performance.now() - started) / 1000;
      }
    };
    const asked = [one('source'), one('target')] as const;
    try {
      const [source, target] = await Promise.all(asked);
      return { source, target };
    } catch (error) {
      this.#stop.abort(error);
      await Promise.allSettled(asked);
      throw error;
    }
  }
}
