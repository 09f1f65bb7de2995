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
  static async acquire(store: StateStore, name: string, run: string): Promise<HeldLease> {
    const holder = { run, host: hostname(), pid: process.pid };
    return new HeldLease(store, await store.acquire(name, holder, TTL_MS));
  }

  /**
   * The lease to go on with: one whose fence is greater than the highest that the destination has seen, of which a store that was
   * lost knows nothing. Throws ConflictError when somebody else was faster.
   */
  async above(fence: number): Promise<HeldLease> {
    if (this.fence > fence) return this;
    await this.release();
    const { name, holder } = this.#lease;
    const lease = await this.#store.acquire(name, holder, TTL_MS, fence);
    return new HeldLease(this.#store, { ...lease, takenOver: lease.takenOver || this.takenOver });
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
