import { hostname } from 'node:os';
import { ConflictError } from '../core/errors.ts';
import type { Lease, StateStore } from '../core/state.ts';

const TTL_MS = 60_000;

/** A lease that is kept alive while work goes on; losing it aborts the work. */
export class HeldLease {
  readonly #store: StateStore;
  readonly #lease: Lease;
  readonly #timer: NodeJS.Timeout;
  readonly #lost = new AbortController();

  private constructor(store: StateStore, lease: Lease) {
    this.#store = store;
    this.#lease = lease;
    this.#timer = setInterval(() => void this.#renew(), TTL_MS / 3);
    this.#timer.unref();
  }

  /** Throws ConflictError while somebody else holds it. */
  static async acquire(store: StateStore, name: string, run: string, minFence: number): Promise<HeldLease> {
    return new HeldLease(
      store,
      await store.acquire(name, { run, host: hostname(), pid: process.pid }, TTL_MS, minFence),
    );
  }

  get fence(): number {
    return this.#lease.fence;
  }

  get takenOver(): boolean {
    return this.#lease.takenOver;
  }

  /** Aborted with a ConflictError when somebody else took the lease. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    // A lease that cannot be given back expires by itself.
    await this.#store.release(this.#lease).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    try {
      await this.#store.renew(this.#lease, TTL_MS);
    } catch (error) {
      // Anything else, such as a busy disk, is tried again; the commit checks the fence anyway.
      if (error instanceof ConflictError) this.#lost.abort(error);
    }
  }
}
