import { type SluiceError, TransientError } from '../core/errors.ts';

/** Told when the number of slices side by side has changed; with the error that made it fall. */
export type OnWidth = (width: number, cause: SluiceError | undefined) => void;

/**
 * At most `size` pieces of work at a time, whoever brings them; the others wait in order. Deadlocks, lock timeouts and lost
 * connections are often made by those who work side by side: such a failure halves their number, and each round of work
 * without one lets one more in.
 */
export class Slots {
  readonly size: number;
  readonly #onWidth: OnWidth;
  readonly #waiting: (() => void)[] = [];
  /** Failures that have made the number fall. */
  readonly #eased = new WeakSet<SluiceError>();
  #width: number;
  #running = 0;
  /** Work that had begun before the number fell says nothing about the new one. */
  #round = 0;
  #good = 0;

  constructor(size: number, onWidth: OnWidth = () => undefined) {
    this.size = Math.max(1, size);
    this.#width = this.size;
    this.#onWidth = onWidth;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#width) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const round = this.#round;
    try {
      const result = await work();
      if (round === this.#round) this.#widen();
      return result;
    } catch (error) {
      if (error instanceof TransientError && error.next === 'wait' && round === this.#round)
        this.#narrow(error);
      throw error;
    } finally {
      this.#running--;
      this.#admit();
    }
  }

  /** Whether less is done side by side because of it, so that the next try is not as likely to fail. */
  eased(error: SluiceError): boolean {
    return this.#eased.has(error);
  }

  #narrow(error: TransientError): void {
    this.#good = 0;
    if (this.#width === 1) return;
    this.#width = Math.floor(this.#width / 2);
    this.#round++;
    this.#eased.add(error);
    this.#onWidth(this.#width, error);
  }

  #widen(): void {
    if (this.#width === this.size || ++this.#good < this.#width) return;
    this.#good = 0;
    this.#width++;
    this.#onWidth(this.#width, undefined);
    this.#admit();
  }

  #admit(): void {
    while (this.#running < this.#width) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running++;
      next();
    }
  }
}
