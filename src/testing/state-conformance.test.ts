import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConflictError } from '../core/errors.ts';
import type { Lease, LeaseHolder, RunRecord, StateStore } from '../core/state.ts';
import { openSqliteState } from '../state/sqlite.ts';
import { STATE_STORE_CHECKS, type StateStoreCheck, testStateStore } from './state-conformance.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-kit-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A good store, for subclasses to break in one point. */
class Store implements StateStore {
  readonly inner: StateStore;

  constructor(inner: StateStore) {
    this.inner = inner;
  }

  acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence?: number): Promise<Lease> {
    return this.inner.acquire(name, holder, ttlMs, minFence);
  }

  renew(lease: Lease, ttlMs: number): Promise<void> {
    return this.inner.renew(lease, ttlMs);
  }

  release(lease: Lease): Promise<void> {
    return this.inner.release(lease);
  }

  recordRun(run: RunRecord): Promise<void> {
    return this.inner.recordRun(run);
  }

  runs(filter: { pipeline?: string; limit: number }): Promise<RunRecord[]> {
    return this.inner.runs(filter);
  }

  leases(): Promise<Lease[]> {
    return this.inner.leases();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

let count = 0;

async function run(check: StateStoreCheck, Broken: typeof Store): Promise<void> {
  const file = join(root, `${++count}.db`);
  const open = async (): Promise<StateStore> => new Broken(await openSqliteState(file));
  await check.run({ open, reopen: open });
}

const DEFECTS: Record<string, { store: typeof Store; found: string }> = {
  'forgets that a lease is held': {
    found: 'refuses a lease that somebody holds and names the holder',
    store: class extends Store {
      override async acquire(
        name: string,
        holder: LeaseHolder,
        ttlMs: number,
        minFence?: number,
      ): Promise<Lease> {
        for (const lease of await this.inner.leases())
          if (lease.name === name) await this.inner.release(lease);
        return this.inner.acquire(name, holder, ttlMs, minFence);
      }
    },
  },
  'does not say who holds a lease': {
    found: 'refuses a lease that somebody holds and names the holder',
    store: class extends Store {
      override acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence?: number): Promise<Lease> {
        return this.inner.acquire(name, holder, ttlMs, minFence).catch((error: unknown) => {
          throw error instanceof ConflictError ? new ConflictError('busy', { code: error.code }) : error;
        });
      }
    },
  },
  'ignores renewals': {
    found: 'keeps a lease alive that is renewed',
    store: class extends Store {
      override renew(): Promise<void> {
        return Promise.resolve();
      }
    },
  },
  'never expires a lease': {
    found: 'gives an expired lease to the next who asks, with a higher fence',
    store: class extends Store {
      override acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence?: number): Promise<Lease> {
        return this.inner.acquire(name, holder, ttlMs + 3_600_000, minFence);
      }
    },
  },
  'starts fences again': {
    found: 'never hands out a fence twice',
    store: class extends Store {
      override async acquire(name: string, holder: LeaseHolder, ttlMs: number): Promise<Lease> {
        return { ...(await this.inner.acquire(name, holder, ttlMs)), fence: 1 };
      }
    },
  },
  'ignores fences seen elsewhere': {
    found: 'hands out fences above those seen in the destination',
    store: class extends Store {
      override acquire(name: string, holder: LeaseHolder, ttlMs: number): Promise<Lease> {
        return this.inner.acquire(name, holder, ttlMs);
      }
    },
  },
  'ends leases of others': {
    found: 'tells a holder that its lease was taken over and lets it do no harm',
    store: class extends Store {
      override async release(lease: Lease): Promise<void> {
        for (const other of await this.inner.leases())
          if (other.name === lease.name) await this.inner.release(other);
      }
    },
  },
  'takes every process for dead': {
    found: 'does not take a living process of this host for dead',
    store: class extends Store {
      override async acquire(
        name: string,
        holder: LeaseHolder,
        ttlMs: number,
        minFence?: number,
      ): Promise<Lease> {
        for (const lease of await this.inner.leases())
          if (lease.holder.host === hostname()) await this.inner.release(lease);
        return this.inner.acquire(name, holder, ttlMs, minFence);
      }
    },
  },
  'takes every process for alive': {
    found: 'frees the lease of a dead process of this host at once',
    store: class extends Store {
      override acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence?: number): Promise<Lease> {
        return this.inner.acquire(name, { ...holder, host: 'nowhere' }, ttlMs, minFence);
      }
    },
  },
  'mixes names up': {
    found: 'takes any text as a name',
    store: class extends Store {
      override async acquire(
        name: string,
        holder: LeaseHolder,
        ttlMs: number,
        minFence?: number,
      ): Promise<Lease> {
        return { ...(await this.inner.acquire(name.toLowerCase(), holder, ttlMs, minFence)), name };
      }
    },
  },
  'lists the oldest run first': {
    found: 'records runs, replaces them and lists the newest first',
    store: class extends Store {
      override async runs(filter: { pipeline?: string; limit: number }): Promise<RunRecord[]> {
        return (await this.inner.runs(filter)).toReversed();
      }
    },
  },
};

describe('the checks of a state store', () => {
  it('pass a good one', async () => {
    for (const check of STATE_STORE_CHECKS) await run(check, Store);
  });

  it.concurrent.each(Object.entries(DEFECTS))('notice one that %s', async (_, { store, found }) => {
    const check = STATE_STORE_CHECKS.find(({ name }) => name === found);
    await expect(run(check!, store)).rejects.toThrow(/./);
  });

  it('want skips that name a check', () => {
    const open = (): Promise<StateStore> => openSqliteState(join(root, 'unused.db'));
    const skips = [{ check: 'does something', reason: 'whatever' }];
    expect(() => testStateStore({ name: 'x', open, skips })).toThrow('there is no check "does something"');
  });
});
