import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../testing/postgres-server.ts';
import { type DayWithLoads, liveWithLoads } from './day.ts';
import { createShop } from './shop.ts';

let server: PostgresServer;
let url: string;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase('shop');
  client = await connect();
  await createShop(client, { seed: 1, orders: 500 });
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

async function connect(): Promise<pg.Client> {
  const opened = new pg.Client(url);
  await opened.connect();
  return opened;
}

let seed = 0;

/** A day whose loads take a while and do nothing. */
function day(given: Partial<DayWithLoads> = {}): DayWithLoads {
  seed += 1;
  return {
    connect,
    seed,
    changes: 600,
    loads: 3,
    load: () => sleep(50),
    surprise: { before: 2, work: () => Promise.resolve() },
    signal: new AbortController().signal,
    ...given,
  };
}

async function count(sql: string): Promise<number> {
  return Number(Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0]);
}

const COMMITTED = `select count(*) from orders where updated_at > now() - interval '1 hour'`;
const OPEN = `select count(*) from pg_stat_activity where datname = 'shop' and state like 'idle in transaction%'`;
const CONNECTED = `select count(*) from pg_stat_activity where datname = 'shop' and pid <> pg_backend_pid()`;

test('all loads run while the shop is open, and changes are committed before, beside and after each', async () => {
  const seen: number[] = [];
  const before = await count(COMMITTED);
  const load = async (): Promise<void> => {
    seen.push(await count(COMMITTED));
    // The writers go on beside the load, but not until closing time.
    await expect.poll(() => count(COMMITTED), { timeout: 10_000 }).toBeGreaterThan(seen.at(-1)!);
    await sleep(100);
    seen.push(await count(COMMITTED));
  };
  const counts = await liveWithLoads(day({ load }));
  expect(counts.inserted + counts.updated).toBe(600);
  expect(seen).toHaveLength(6);
  const rising = [before, ...seen, await count(COMMITTED)];
  expect(rising).toEqual(rising.toSorted((a, b) => a - b));
  expect(rising.at(-1)).toBeGreaterThan(seen.at(-1)!);
});

test('the surprise comes before its load, when no transaction is open', async () => {
  const happened: unknown[] = [];
  await liveWithLoads(
    day({
      load: (number) => Promise.resolve(void happened.push(number)),
      surprise: { before: 3, work: async () => void happened.push({ open: await count(OPEN) }) },
    }),
  );
  expect(happened).toEqual([1, 2, { open: 0 }, 3]);
});

test('the surprise comes also when the day is over before a quiet moment', async () => {
  const happened: unknown[] = [];
  await liveWithLoads(
    day({
      changes: 0,
      load: (number) => Promise.resolve(void happened.push(number)),
      surprise: { before: 3, work: () => Promise.resolve(void happened.push('surprise')) },
    }),
  );
  expect(happened).toEqual([1, 2, 'surprise', 3]);
});

test('a load that fails ends the day', async () => {
  const broken = day({ load: (number) => (number === 2 ? Promise.reject(new Error('broken')) : sleep(1)) });
  await expect(liveWithLoads(broken)).rejects.toThrow('broken');
  await expect.poll(() => count(CONNECTED)).toBe(0);
});

test('a surprise that fails ends the day', async () => {
  const broken = day({ surprise: { before: 2, work: () => Promise.reject(new Error('no such table')) } });
  await expect(liveWithLoads(broken)).rejects.toThrow('no such table');
  await expect.poll(() => count(CONNECTED)).toBe(0);
});

test('a writer that fails ends the day', async () => {
  let connections = 0;
  const broken = day({
    connect: async () => {
      connections += 1;
      if (connections === 3) throw new Error('too many');
      return connect();
    },
  });
  await expect(liveWithLoads(broken)).rejects.toThrow('too many');
  await expect.poll(() => count(CONNECTED)).toBe(0);
});

test('a day that is stopped during a load ends at once', async () => {
  const stop = new AbortController();
  const stopped = day({
    signal: stop.signal,
    load: async () => {
      stop.abort();
      await sleep(10);
      stop.signal.throwIfAborted();
    },
  });
  await expect(liveWithLoads(stopped)).rejects.toThrow();
  await expect.poll(() => count(CONNECTED)).toBe(0);
});
