import { execFile } from 'node:child_process';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConflictError } from '../core/errors.ts';
import type { Lease, LeaseHolder, RunRecord, StateStore } from '../core/state.ts';

/** How to reach one kind of state store, and what it cannot do. */
export interface StateStoreSuite {
  name: string;
  /** A new, empty store. */
  open(): Promise<StateStore>;
  /** Another handle on the store that `open` returned last, as another process has it. */
  reopen?(): Promise<StateStore>;
  /** Checks to leave out, by name, and why. */
  skips?: { check: string; reason: string }[];
}

/** One obligation of every state store. */
export interface StateStoreCheck {
  name: string;
  run(suite: Required<Pick<StateStoreSuite, 'open' | 'reopen'>>): Promise<void>;
  needsReopen?: boolean;
}

/** Registers every check of the state store contract with vitest. */
export function testStateStore(suite: StateStoreSuite): void {
  const skips = new Map(suite.skips?.map(({ check, reason }) => [check, reason]));
  const unknown = [...skips.keys()].filter(
    (name) => !STATE_STORE_CHECKS.some((check) => check.name === name),
  );
  if (unknown.length > 0)
    throw new Error(`testing ${suite.name}: there is no check "${unknown.join('", "')}"`);
  const reopen = suite.reopen?.bind(suite);
  describe(`state store ${suite.name}`, () => {
    for (const check of STATE_STORE_CHECKS) {
      const withoutReopen =
        check.needsReopen === true && reopen === undefined ? 'it cannot be reopened' : undefined;
      const reason = skips.get(check.name) ?? withoutReopen;
      if (reason !== undefined) {
        it.skip(`${check.name} (${reason})`);
        continue;
      }
      it(check.name, { timeout: 60_000 }, () =>
        check.run({ open: () => suite.open(), reopen: reopen ?? (() => suite.open()) }),
      );
    }
  });
}

const MINUTE = 60_000;
/** Long enough to write it, short enough to wait for. */
const SHORT = 300;
const HOSTILE_NAMES = [
  'orders',
  'Orders',
  'orders ',
  "o'rders",
  '"orders"',
  'public.orders → lake/orders',
  'orders\n; DROP TABLE lease; --',
  '../../etc/passwd',
  '/orders',
  'a/b',
  'a//b',
  '.',
  '..',
  '%2e%2e',
  '注文',
  'größe',
  'gro\u0308ße',
  '🚚'.repeat(50),
  'x'.repeat(400),
  'con',
  '',
];

/** Elsewhere, so that nothing can be said about whether it lives. */
function holder(run: string): LeaseHolder {
  return { run, host: 'another-host.example', pid: 4711 };
}

function runRecord(run: string, startedAt: string, more: Partial<RunRecord> = {}): RunRecord {
  return {
    run,
    pipeline: 'shop',
    startedAt,
    finishedAt: undefined,
    status: 'running',
    host: 'here',
    pid: 1,
    streams: [],
    ...more,
  };
}

async function refusal(work: Promise<unknown>, code: string): Promise<ConflictError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, `expected a ConflictError with code ${code}`).toBeInstanceOf(ConflictError);
  const conflict = error as ConflictError;
  expect(conflict.code).toBe(code);
  return conflict;
}

/** Acquires what another holder lets expire. */
async function takeOver(store: StateStore, name: string, run: string): Promise<Lease> {
  for (const start = performance.now(); ; await sleep(25)) {
    try {
      return await store.acquire(name, holder(run), MINUTE);
    } catch (error) {
      if (performance.now() - start > 5000) throw error;
    }
  }
}

async function countWins(attempts: Promise<unknown>[], code: string): Promise<number> {
  const results = await Promise.allSettled(attempts);
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ recovery: 'conflict', code });
  }
  return results.filter(({ status }) => status === 'fulfilled').length;
}

/** The contract in parts; exported so that the kit itself can be tested against broken stores. */
export const STATE_STORE_CHECKS: readonly StateStoreCheck[] = [
  {
    name: 'hands out a lease, extends it and ends it',
    async run({ open }) {
      const store = await open();
      const lease = await store.acquire('orders', holder('r1'), MINUTE);
      expect(lease).toMatchObject({ name: 'orders', holder: holder('r1'), takenOver: false });
      expect(lease.fence).toBeGreaterThan(0);
      expect(lease.expiresAt - lease.acquiredAt).toBeGreaterThanOrEqual(MINUTE);
      await store.renew(lease, 2 * MINUTE);
      const [listed, ...others] = await store.leases();
      expect(others).toEqual([]);
      expect(listed).toMatchObject({ name: 'orders', holder: holder('r1'), fence: lease.fence });
      expect(listed!.acquiredAt).toBe(lease.acquiredAt);
      expect(listed!.expiresAt).toBeGreaterThan(lease.expiresAt);
      await store.release(lease);
      expect(await store.leases()).toEqual([]);
      const again = await store.acquire('orders', holder('r2'), MINUTE);
      expect(again.takenOver).toBe(false);
      await store.close();
    },
  },
  {
    name: 'refuses a lease that somebody holds and names the holder',
    async run({ open }) {
      const store = await open();
      await store.acquire('orders', holder('run-of-monday'), MINUTE);
      const error = await refusal(store.acquire('orders', holder('r2'), MINUTE), 'lease.held');
      for (const part of ['"orders"', 'run-of-monday', 'another-host.example', '4711']) {
        expect(error.message).toContain(part);
      }
      expect(error.message).toMatch(/since \d{4}-.*until \d{4}-/);
      expect(error.remedy).toBeTruthy();
      await refusal(store.acquire('orders', holder('run-of-monday'), MINUTE), 'lease.held');
      await store.acquire('customers', holder('r2'), MINUTE);
      await store.close();
    },
  },
  {
    name: 'keeps a lease alive that is renewed',
    async run({ open }) {
      const store = await open();
      const lease = await store.acquire('orders', holder('r1'), SHORT);
      await store.renew(lease, MINUTE);
      await sleep(2 * SHORT);
      await refusal(store.acquire('orders', holder('r2'), MINUTE), 'lease.held');
      await store.close();
    },
  },
  {
    name: 'gives an expired lease to the next who asks, with a higher fence',
    async run({ open }) {
      const store = await open();
      const first = await store.acquire('orders', holder('r1'), SHORT);
      const second = await takeOver(store, 'orders', 'r2');
      expect(second.takenOver).toBe(true);
      expect(second.fence).toBeGreaterThan(first.fence);
      await refusal(store.acquire('orders', holder('r3'), MINUTE), 'lease.held');
      await store.close();
    },
  },
  {
    name: 'tells a holder that its lease was taken over and lets it do no harm',
    async run({ open }) {
      const store = await open();
      const first = await store.acquire('orders', holder('r1'), SHORT);
      const second = await takeOver(store, 'orders', 'r2');
      const error = await refusal(store.renew(first, MINUTE), 'lease.lost');
      expect(error.message).toContain('r2');
      await store.release(first);
      await store.renew(second, MINUTE);
      expect(await store.leases()).toMatchObject([{ holder: { run: 'r2' }, fence: second.fence }]);
      await store.release(second);
      await refusal(store.renew(second, MINUTE), 'lease.lost');
      await store.close();
    },
  },
  {
    name: 'extends an expired lease that nobody took over',
    async run({ open }) {
      const store = await open();
      const lease = await store.acquire('orders', holder('r1'), 1);
      await sleep(50);
      await store.renew(lease, MINUTE);
      await refusal(store.acquire('orders', holder('r2'), MINUTE), 'lease.held');
      await store.close();
    },
  },
  {
    name: 'never hands out a fence twice',
    needsReopen: true,
    async run({ open, reopen }) {
      let store = await open();
      let last = 0;
      for (let round = 0; round < 10; round++) {
        const lease = await store.acquire('orders', holder(`r${round}`), MINUTE);
        expect(lease.fence).toBeGreaterThan(last);
        last = lease.fence;
        if (round % 2 === 0) await store.renew(lease, MINUTE);
        await store.release(lease);
        await store.close();
        store = await reopen();
      }
      await store.close();
    },
  },
  {
    name: 'hands out fences above those seen in the destination',
    async run({ open }) {
      const store = await open();
      const first = await store.acquire('orders', holder('r1'), MINUTE, 41);
      expect(first.fence).toBeGreaterThan(41);
      await store.renew(first, MINUTE);
      await store.release(first);
      const second = await store.acquire('orders', holder('r2'), MINUTE, 3);
      expect(second.fence).toBeGreaterThan(first.fence);
      await store.release(second);
      expect((await store.acquire('orders', holder('r3'), MINUTE, 1_000_000)).fence).toBeGreaterThan(
        1_000_000,
      );
      await store.close();
    },
  },
  {
    name: 'remembers a lease across handles',
    needsReopen: true,
    async run({ open, reopen }) {
      const first = await open();
      const lease = await first.acquire('orders', holder('r1'), MINUTE);
      const second = await reopen();
      await refusal(second.acquire('orders', holder('r2'), MINUTE), 'lease.held');
      await second.renew(lease, MINUTE);
      await second.release(lease);
      await refusal(first.renew(lease, MINUTE), 'lease.lost');
      await Promise.all([first.close(), second.close()]);
    },
  },
  {
    name: 'lets exactly one of two stores win a free lease',
    needsReopen: true,
    async run({ open, reopen }) {
      const stores = [await open(), await reopen()];
      let fence = 0;
      for (let round = 0; round < 50; round++) {
        const attempts = stores.map((store, index) =>
          store.acquire('orders', holder(`r${round}-${index}`), MINUTE),
        );
        expect(await countWins(attempts, 'lease.held')).toBe(1);
        const [lease, ...others] = await stores[round % 2]!.leases();
        expect(others).toEqual([]);
        expect(lease!.fence).toBeGreaterThan(fence);
        fence = lease!.fence;
        await stores[(round >> 1) % 2]!.release(lease!);
      }
      await Promise.all(stores.map((store) => store.close()));
    },
  },
  {
    name: 'lets either a late renewal or a takeover win, never both',
    needsReopen: true,
    async run({ open, reopen }) {
      const [first, second] = [await open(), await reopen()];
      for (let round = 0; round < 25; round++) {
        const name = `orders-${round}`;
        const lease = await first.acquire(name, holder('r1'), 1);
        await sleep(5);
        const attempts = [first.renew(lease, MINUTE), second.acquire(name, holder('r2'), MINUTE)];
        const results = await Promise.allSettled(round % 2 === 0 ? attempts : attempts.toReversed());
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      }
      await Promise.all([first.close(), second.close()]);
    },
  },
  {
    name: 'frees the lease of a dead process of this host at once',
    async run({ open }) {
      const store = await open();
      const child = execFile(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const here = { run: 'r1', host: hostname(), pid: child.pid! };
      const lease = await store.acquire('orders', here, MINUTE);
      await refusal(store.acquire('orders', holder('r2'), MINUTE), 'lease.held');
      child.kill('SIGKILL');
      await ended;
      const next = await store.acquire('orders', holder('r3'), MINUTE);
      expect(next.takenOver).toBe(true);
      expect(next.fence).toBeGreaterThan(lease.fence);
      await store.close();
    },
  },
  {
    name: 'does not take a living process of this host for dead',
    async run({ open }) {
      const store = await open();
      await store.acquire('orders', { run: 'r1', host: hostname(), pid: process.pid }, MINUTE);
      await refusal(
        store.acquire('orders', { run: 'r2', host: hostname(), pid: process.pid }, MINUTE),
        'lease.held',
      );
      await store.close();
    },
  },
  {
    name: 'records runs, replaces them and lists the newest first',
    needsReopen: true,
    async run({ open, reopen }) {
      const store = await open();
      // 12:30 in Kathmandu is 06:45 UTC: between the two others, though not as text.
      await store.recordRun(runRecord('b', '2026-07-24T12:30:00+05:45'));
      await store.recordRun(runRecord('c', '2026-07-24T07:00:00.000Z', { pipeline: 'crm' }));
      await store.recordRun(runRecord('a', '2026-07-24T06:00:00.000Z'));
      const stream = {
        stream: 'public.orders',
        table: 'orders',
        status: 'failed',
        rows: 12,
        loaded: 0,
        bytes: 2 ** 45,
        seconds: 0.25,
        watermark: "2026-07-24 06:59:59.123456+00 'quoted'",
        error: { code: 'x', message: 'line one\nline "two" → 🚚', remedy: undefined },
      };
      const done = runRecord('a', '2026-07-24T06:00:00.000Z', {
        finishedAt: '2026-07-24T06:01:00.000Z',
        status: 'failed',
        streams: [stream],
      });
      await store.recordRun(done);
      const second = await reopen();
      const ids = async (filter: { pipeline?: string; limit: number }): Promise<string[]> =>
        (await second.runs(filter)).map(({ run }) => run);
      expect(await ids({ limit: 10 })).toEqual(['c', 'b', 'a']);
      expect(await ids({ limit: 2 })).toEqual(['c', 'b']);
      expect(await ids({ limit: 0 })).toEqual([]);
      expect(await ids({ pipeline: 'shop', limit: 1 })).toEqual(['b']);
      expect(await ids({ pipeline: 'nobody', limit: 10 })).toEqual([]);
      expect((await second.runs({ limit: 10 }))[2]).toEqual(done);
      await Promise.all([store.close(), second.close()]);
    },
  },
  {
    name: 'lists more runs than one page',
    async run({ open }) {
      const store = await open();
      const start = Date.now() - 3600_000;
      for (let index = 0; index < 60; index++) {
        await store.recordRun(
          runRecord(`r${index}`, new Date(start + index).toISOString(), {
            pipeline: index % 10 === 0 ? 'rare' : 'shop',
          }),
        );
      }
      const all = await store.runs({ limit: 100 });
      expect(all.map(({ run }) => run)).toEqual(Array.from({ length: 60 }, (_, index) => `r${59 - index}`));
      expect((await store.runs({ pipeline: 'rare', limit: 3 })).map(({ run }) => run)).toEqual([
        'r50',
        'r40',
        'r30',
      ]);
      await store.close();
    },
  },
  {
    name: 'takes any text as a name',
    async run({ open }) {
      const store = await open();
      for (const name of HOSTILE_NAMES) {
        const lease = await store.acquire(name, { run: name, host: name, pid: 1 }, MINUTE);
        expect(lease.name).toBe(name);
        await store.renew(lease, MINUTE);
        await refusal(store.acquire(name, holder('r2'), MINUTE), 'lease.held');
        await store.recordRun(runRecord(name, '2026-07-24T06:00:00.000Z', { pipeline: name }));
        expect(await store.runs({ pipeline: name, limit: 5 })).toMatchObject([{ run: name, pipeline: name }]);
      }
      const names = (await store.leases()).map(({ name }) => name);
      expect(names.toSorted()).toEqual(HOSTILE_NAMES.toSorted());
      expect(await store.runs({ limit: 100 })).toHaveLength(HOSTILE_NAMES.length);
      await store.close();
    },
  },
  {
    name: 'can be closed twice',
    async run({ open }) {
      const store = await open();
      await store.close();
      await store.close();
    },
  },
];
