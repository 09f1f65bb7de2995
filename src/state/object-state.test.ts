import { describe, expect, it } from 'vitest';
import { ConflictError, TransientError } from '../core/errors.ts';
import type { Lease, LeaseHolder, StateStore } from '../core/state.ts';
import { compareKeys, type LocalCopies, type ObjectStorage, type StoredObject } from '../core/storage.ts';
import { openObjectState } from './object-state.ts';

const MINUTE = 60_000;
const holder = (run: string): LeaseHolder => ({ run, host: 'another-host.example', pid: 4711 });

type Call = 'get' | 'putIfAbsent' | 'put' | 'list' | 'delete';

/** A bucket with a clock that the test sets, and a hook before and after each request. */
class MemoryStorage implements ObjectStorage {
  readonly objects = new Map<string, { bytes: Uint8Array; modifiedAt: number }>();
  now = 1_700_000_000_123;
  before: (call: Call, key: string) => Promise<void> = () => Promise.resolve();
  after: (call: Call, key: string) => Promise<void> = () => Promise.resolve();

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#request('get', key, () => this.objects.get(key)?.bytes);
  }

  read(): AsyncIterable<Uint8Array> {
    throw new Error('states are small');
  }

  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#request('putIfAbsent', key, () => {
      if (this.objects.has(key)) return false;
      this.objects.set(key, { bytes, modifiedAt: this.now });
      return true;
    });
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#request('put', key, () => void this.objects.set(key, { bytes, modifiedAt: this.now }));
  }

  upload(): Promise<void> {
    throw new Error('no state is a file');
  }

  list(prefix: string, options: { startAfter?: string | undefined } = {}): Promise<StoredObject[]> {
    return this.#request('list', prefix, () => {
      const found: StoredObject[] = [];
      for (const [key, { bytes, modifiedAt }] of this.objects) {
        if (key.startsWith(prefix) && key > (options.startAfter ?? ''))
          found.push({ key, size: bytes.length, modifiedAt });
      }
      return found.sort((a, b) => compareKeys(a.key, b.key));
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#request('delete', keys.join(), () => keys.forEach((key) => this.objects.delete(key)));
  }

  fetch(): Promise<LocalCopies> {
    throw new Error('no state is a file');
  }

  localPath(key: string): string {
    return `memory://${key}`;
  }

  describe(): string {
    return 'memory';
  }

  leaseKeys(): string[] {
    return [...this.objects.keys()].filter((key) => key.includes('/leases/')).toSorted();
  }

  async #request<T>(call: Call, key: string, work: () => T): Promise<T> {
    await this.before(call, key);
    const result = work();
    await this.after(call, key);
    return result;
  }
}

function open(): { storage: MemoryStorage; store: StateStore } {
  const storage = new MemoryStorage();
  return { storage, store: openObjectState(storage, '_sluice/state') };
}

describe('lease objects', () => {
  it('are numbered, and old ones are deleted', async () => {
    const { storage, store } = open();
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    expect(storage.leaseKeys()).toEqual(['_sluice/state/leases/orders/000000000001.json']);
    for (let renewal = 0; renewal < 20; renewal++) await store.renew(lease, MINUTE);
    expect(storage.leaseKeys()).toHaveLength(4);
    await store.release(lease);
    expect(storage.leaseKeys().at(-1)).toBe('_sluice/state/leases/orders/000000000022.json');
    expect((await store.acquire('orders', holder('r2'), MINUTE)).fence).toBe(lease.fence + 1);
  });

  it('say when they were written, by the clock of the storage', async () => {
    const { storage, store } = open();
    const written = storage.now;
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    expect(lease).toMatchObject({ acquiredAt: written, expiresAt: written + MINUTE });
    storage.now += 20_000;
    await store.renew(lease, MINUTE);
    expect(await store.leases()).toMatchObject([{ acquiredAt: written, expiresAt: storage.now + MINUTE }]);
    storage.now += MINUTE - 1;
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(ConflictError);
    storage.now += 1;
    expect(await store.acquire('orders', holder('r2'), MINUTE)).toMatchObject({ takenOver: true, fence: 2 });
  });

  it('may last a second longer where times are whole seconds, never shorter', async () => {
    const { storage, store } = open();
    storage.now = 1_700_000_000_000;
    await store.acquire('orders', holder('r1'), 5000);
    storage.now += 5000;
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(ConflictError);
    storage.now += 1000;
    await store.acquire('orders', holder('r2'), MINUTE);
  });

  it('last one term more when the clock of the storage goes back', async () => {
    const { storage, store } = open();
    await store.acquire('orders', holder('r1'), MINUTE);
    storage.now -= 3_600_000;
    const until = new Date(storage.now + MINUTE).toISOString();
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(until);
    storage.now += MINUTE - 1;
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(until);
    storage.now += 1;
    expect(await store.acquire('orders', holder('r2'), MINUTE)).toMatchObject({ fence: 2, takenOver: true });
  });

  it('are not stolen from a living holder when the clock of the storage goes back', async () => {
    const { storage, store } = open();
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    storage.now -= 3_600_000;
    for (let third = 0; third < 12; third++) {
      storage.now += MINUTE / 3;
      await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(ConflictError);
      await store.renew(lease, MINUTE);
    }
  });

  it('of a newer sluice are left alone', async () => {
    const { storage, store } = open();
    await store.acquire('orders', holder('r1'), MINUTE);
    const key = storage.leaseKeys()[0]!;
    storage.objects.set(key, { bytes: Buffer.from('{"format":2}'), modifiedAt: storage.now });
    const expected = {
      name: 'ConfigError',
      code: 'state.newer_version',
      message: expect.stringContaining(key),
    };
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toMatchObject(expected);
    expect(storage.leaseKeys()).toEqual([key]);
  });

  it.each(['{"format":', '[]', 'null', '"x"', '{}'])('that hold %s are named', async (content) => {
    const { storage, store } = open();
    await store.acquire('orders', holder('r1'), MINUTE);
    const key = storage.leaseKeys()[0]!;
    storage.objects.set(key, { bytes: Buffer.from(content), modifiedAt: storage.now });
    const expected = { name: 'ConfigError', code: 'state.corrupt', message: expect.stringContaining(key) };
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toMatchObject(expected);
    await expect(store.leases()).rejects.toMatchObject(expected);
  });

  it('may lie beside files of others', async () => {
    const { storage, store } = open();
    await store.acquire('orders', holder('r1'), MINUTE);
    storage.objects.set('_sluice/state/leases/orders/.DS_Store', { bytes: Buffer.from('x'), modifiedAt: 0 });
    storage.objects.set('_sluice/state/leases/README', { bytes: Buffer.from('x'), modifiedAt: 0 });
    expect(await store.leases()).toHaveLength(1);
    await expect(store.acquire('orders', holder('r2'), MINUTE)).rejects.toThrow(ConflictError);
  });
});

describe('answers that get lost', () => {
  const lost = (): Promise<void> =>
    Promise.reject(new TransientError('connection reset', { code: 'storage.io' }));

  it('leave the lease with the one who asked, when the request went through', async () => {
    const { storage, store } = open();
    storage.after = (call) => (call === 'putIfAbsent' ? lost() : Promise.resolve());
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    await store.renew(lease, MINUTE);
    await store.release(lease);
    expect(await store.acquire('orders', holder('r2'), MINUTE)).toMatchObject({ takenOver: false });
  });

  it('leave the lease with the one who asked, when the client repeated the request', async () => {
    const { storage, store } = open();
    const putIfAbsent = storage.putIfAbsent.bind(storage);
    storage.putIfAbsent = async (key, bytes) => {
      await putIfAbsent(key, bytes);
      return putIfAbsent(key, bytes);
    };
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    expect(lease.fence).toBe(1);
    await store.renew(lease, MINUTE);
  });

  it('are passed on when the request did not go through', async () => {
    const { storage, store } = open();
    storage.before = (call) => (call === 'putIfAbsent' ? lost() : Promise.resolve());
    await expect(store.acquire('orders', holder('r1'), MINUTE)).rejects.toThrow('connection reset');
    storage.before = () => Promise.resolve();
    await store.acquire('orders', holder('r1'), MINUTE);
  });

  it('do not matter when old objects are deleted', async () => {
    const { storage, store } = open();
    storage.before = (call) => (call === 'delete' ? lost() : Promise.resolve());
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    for (let renewal = 0; renewal < 10; renewal++) await store.renew(lease, MINUTE);
    storage.before = () => Promise.resolve();
    await store.renew(lease, MINUTE);
    expect(storage.leaseKeys()).toHaveLength(4);
  });
});

describe('somebody who slept', () => {
  /** Runs `meanwhile` before the first request of a kind. */
  function sleepBefore(storage: MemoryStorage, sleeping: Call, meanwhile: () => Promise<unknown>): void {
    storage.before = async (call) => {
      if (call !== sleeping) return;
      storage.before = () => Promise.resolve();
      await meanwhile();
    };
  }

  it('does not win with a number that was used and deleted', async () => {
    const { storage, store } = open();
    const other = openObjectState(storage, '_sluice/state');
    let lease: Lease | undefined;
    sleepBefore(storage, 'putIfAbsent', async () => {
      lease = await other.acquire('orders', holder('r2'), MINUTE);
      for (let renewal = 0; renewal < 10; renewal++) await other.renew(lease, MINUTE);
      expect(storage.leaseKeys()[0]).not.toContain('000000000001');
    });
    await expect(store.acquire('orders', holder('r1'), MINUTE)).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringContaining('"r2"'),
    });
    await other.renew(lease!, MINUTE);
    expect(await store.leases()).toHaveLength(1);
  });

  it('does not renew a lease that was taken over just now', async () => {
    const { storage, store } = open();
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    storage.now += 2 * MINUTE;
    const other = openObjectState(storage, '_sluice/state');
    sleepBefore(storage, 'putIfAbsent', () => other.acquire('orders', holder('r2'), MINUTE));
    await expect(store.renew(lease, MINUTE)).rejects.toMatchObject({ code: 'lease.lost' });
  });

  it('does not take over a lease that was renewed just now', async () => {
    const { storage, store } = open();
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    storage.now += 2 * MINUTE;
    const other = openObjectState(storage, '_sluice/state');
    sleepBefore(storage, 'putIfAbsent', () => store.renew(lease, MINUTE));
    await expect(other.acquire('orders', holder('r2'), MINUTE)).rejects.toMatchObject({ code: 'lease.held' });
    await store.renew(lease, MINUTE);
  });

  it('reads a lease again that was superseded meanwhile', async () => {
    const { storage, store } = open();
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    const other = openObjectState(storage, '_sluice/state');
    sleepBefore(storage, 'get', async () => {
      for (let renewal = 0; renewal < 10; renewal++) await other.renew(lease, MINUTE);
    });
    expect(await store.leases()).toMatchObject([{ fence: lease.fence }]);
  });
});

/** Requests of several actors in a random order, one at a time, with time passing in between. */
class Scheduler {
  readonly #waiting: (() => void)[] = [];
  readonly random: () => number;
  running = 0;

  constructor(seed: number) {
    let state = seed + 1;
    // mulberry32
    this.random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async run(actors: (() => Promise<void>)[], between: () => void): Promise<void> {
    const failures: unknown[] = [];
    for (const actor of actors) {
      this.running++;
      void actor()
        .catch((error: unknown) => failures.push(error))
        .finally(() => this.running--);
    }
    while (this.running > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      between();
      // Whoever waits longest mostly goes on waiting, so that some sleep through much.
      const last = this.#waiting.length - 1;
      const next = this.random() < 0.75 ? last : Math.floor(this.random() * this.#waiting.length);
      this.#waiting.splice(next, 1)[0]?.();
    }
    if (failures.length > 0) throw failures[0];
  }
}

describe('many at once, in any order', () => {
  interface Term {
    fence: number;
    /** The storage's clock when the call began and ended. */
    began: number;
    ended: number;
    /** Counts calls, to tell what came before what. */
    beganStep: number;
    endedStep: number;
    kind: 'acquire' | 'renew' | 'release';
  }
  const TTL = 1000;

  async function simulate(seed: number): Promise<Term[]> {
    const scheduler = new Scheduler(seed);
    const { random } = scheduler;
    const storage = new MemoryStorage();
    storage.before = () => scheduler.turn();
    let step = 0;
    const terms: Term[] = [];
    /** `fence` is that of the lease at hand, and of the one that an acquisition brings. */
    const timed = async <T>(
      kind: Term['kind'],
      fence: (result: T) => number,
      work: () => Promise<T>,
    ): Promise<T> => {
      const term: Term = { fence: 0, began: storage.now, ended: 0, beganStep: ++step, endedStep: 0, kind };
      const result = await work();
      Object.assign(term, { fence: fence(result), ended: storage.now, endedStep: ++step });
      terms.push(term);
      return result;
    };
    const actor = async (name: string): Promise<void> => {
      const store = openObjectState(storage, 'state');
      for (let round = 0; round < 6; round++) {
        try {
          const lease = await timed(
            'acquire',
            ({ fence }) => fence,
            () => store.acquire('orders', holder(`${name}-${round}`), TTL),
          );
          for (let renewals = Math.floor(random() * 4); renewals > 0; renewals--) {
            for (let pause = Math.floor(random() * 6); pause > 0; pause--) await scheduler.turn();
            await timed(
              'renew',
              () => lease.fence,
              () => store.renew(lease, TTL),
            );
          }
          // Otherwise it died.
          if (random() < 0.4) continue;
          await timed(
            'release',
            () => lease.fence,
            () => store.release(lease),
          );
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          await scheduler.turn();
        }
      }
    };
    await scheduler.run(
      ['a', 'b', 'c'].map((name) => () => actor(name)),
      () => (storage.now += Math.floor(random() < 0.03 ? random() * 1500 : random() * 10)),
    );
    return terms;
  }

  function check(terms: Term[], seed: number): number {
    let takeovers = 0;
    const acquired = terms.filter(({ kind }) => kind === 'acquire');
    expect(new Set(acquired.map(({ fence }) => fence)).size, `seed ${seed}: fences are unique`).toBe(
      acquired.length,
    );
    for (const next of acquired) {
      for (const earlier of terms.filter((term) => term.fence < next.fence && term.kind !== 'release')) {
        expect(
          earlier.beganStep,
          `seed ${seed}: fence ${earlier.fence} was used after ${next.fence}`,
        ).toBeLessThan(next.endedStep);
        const released = terms.some(
          ({ kind, fence, beganStep }) =>
            kind === 'release' && fence === earlier.fence && beganStep < next.endedStep,
        );
        if (released) continue;
        takeovers++;
        const least = earlier.began + TTL;
        expect(
          next.ended,
          `seed ${seed}: fence ${next.fence} came before ${earlier.fence} expired`,
        ).toBeGreaterThanOrEqual(least);
      }
    }
    return takeovers;
  }

  it('hold a lease one after the other', { timeout: 120_000 }, async () => {
    let takeovers = 0;
    let renewals = 0;
    for (let seed = 0; seed < 300; seed++) {
      const terms = await simulate(seed);
      takeovers += check(terms, seed);
      renewals += terms.filter(({ kind }) => kind === 'renew').length;
    }
    // Otherwise nothing was tested.
    expect(takeovers).toBeGreaterThan(100);
    expect(renewals).toBeGreaterThan(100);
  });
});

describe('run history', () => {
  it('is kept by start time and cut once per process', async () => {
    const { storage, store } = open();
    for (let index = 0; index < 10_005; index++) {
      const key = `_sluice/state/runs/20200101T000000000Z-old${String(index).padStart(5, '0')}.json`;
      storage.objects.set(key, {
        bytes: Buffer.from('{"format":1,"run":{"pipeline":"old"}}'),
        modifiedAt: 0,
      });
    }
    const run = {
      run: 'R/1',
      pipeline: 'shop',
      startedAt: '2026-07-24T03:02:03.456+02:00',
      finishedAt: undefined,
      status: 'running',
      host: 'here',
      pid: 1,
      streams: [],
    };
    await store.recordRun(run);
    expect(storage.objects.size).toBe(10_000);
    const newest = [...storage.objects.keys()].toSorted().at(-1);
    expect(newest).toMatch(/^_sluice\/state\/runs\/20260724T010203456Z-r_1\.[0-9a-f]{32}\.json$/);
    expect((await store.runs({ limit: 1 })).map(({ run: id }) => id)).toEqual(['R/1']);
    expect(await store.runs({ pipeline: 'old', limit: 3 })).toHaveLength(3);
    await expect(store.recordRun({ ...run, startedAt: 'soon' })).rejects.toMatchObject({
      code: 'state.invalid_run',
    });
  });
});
