import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '../testing/postgres-server.ts';
import { addColumn, createShop, liveADay, type DayEvent, type DayOptions, type ShopCounts } from './shop.ts';

const ORDERS = 2_000;
let server: PostgresServer;
let databases = 0;

beforeAll(async () => {
  server = await startPostgres({ settings: { track_commit_timestamp: 'on' } });
});

afterAll(() => server.stop());

interface Shop extends AsyncDisposable {
  client: pg.Client;
  counts: ShopCounts;
  value: (sql: string) => Promise<unknown>;
  liveADay: (options: DayOptions) => ReturnType<typeof liveADay>;
}

/** A database of its own with a shop in it. */
async function openShop(seed: number, orders: number = ORDERS): Promise<Shop> {
  databases += 1;
  const url = await server.createDatabase(`shop_${databases}`);
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(url);
    await client.connect();
    return client;
  };
  const client = await connect();
  const counts = await createShop(client, { seed, orders });
  return {
    client,
    counts,
    value: async (sql) => Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0],
    liveADay: (options) => liveADay(connect, options),
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** Of everything but the timestamps, and of the date that follows from one. */
function checksum(shop: Shop): Promise<unknown> {
  const parts = ['countries', 'customers', 'orders', 'order_items'].map((table) => {
    const values = `to_jsonb(t) - '{created_at,updated_at,placed_at,order_date}'::text[]`;
    return `(select md5(string_agg(v::text, E'\\n' order by v::text)) from (select ${values} as v from ${table} t) rows)`;
  });
  return shop.value(`select ${parts.join(` || ' ' || `)}`);
}

function rowsIn(shop: Shop): Promise<unknown> {
  return shop.value(`
    select ((select count(*) from customers) + (select count(*) from orders) + (select count(*) from order_items))::int`);
}

test('the same seed makes the same rows, another seed makes others', async () => {
  await using first = await openShop(7);
  await using second = await openShop(7);
  await using other = await openShop(8);
  expect(await checksum(first)).toBe(await checksum(second));
  expect(await checksum(first)).not.toBe(await checksum(other));
});

test('a shop has the promised number of rows, and its counts are right', async () => {
  await using shop = await openShop(1);
  const { countries, customers, orders, orderItems } = shop.counts;
  expect({ countries, customers, orders }).toEqual({ countries: 15, customers: 500, orders: 2_000 });
  expect(orderItems / orders).toBeCloseTo(3.77, 0);
  for (const [table, rows] of Object.entries({ countries, customers, orders, order_items: orderItems })) {
    expect([table, await shop.value(`select count(*)::int from ${table}`)]).toEqual([table, rows]);
  }
  await using tiny = await openShop(1, 1);
  expect(tiny.counts).toMatchObject({ customers: 1, orders: 1 });
  expect(await tiny.liveADay({ seed: 1, changes: 40, deletes: true })).toMatchObject({
    lateCommits: expect.any(Number),
  });
});

test('the rows are believable and contain what readers stumble over', async () => {
  await using shop = await openShop(3);
  const holds = async (condition: string): Promise<void> => {
    expect([condition, await shop.value(`select ${condition}`)]).toEqual([condition, true]);
  };
  for (const [table, column] of [
    ['customers', 'created_at'],
    ['orders', 'placed_at'],
    ['order_items', 'updated_at'],
  ]) {
    const [first, last] = [`now() - interval '90 days 1 hour'`, `now() - interval '1 hour'`];
    await holds(`(select min(${column}) > ${first} and max(updated_at) < ${last} from ${table})`);
    await holds(`(select bool_and(updated_at >= ${column}) from ${table})`);
    await holds(`(select max(updated_at) > now() - interval '2 days' from ${table})`);
  }
  await holds(`(select max(order_date) - min(order_date) >= 89 from orders)`);
  await holds(`(select bool_and(total = (select sum(round(quantity * unit_price * (1 - coalesce(discount, 0)::numeric), 2))
    from order_items where order_id = id)) from orders)`);
  for (const column of ['country', 'preferences', 'tags']) {
    await holds(`(select count(*) between 1 and 499 from customers where ${column} is null)`);
  }
  await holds(
    `exists (select from customers where name = '') and exists (select from orders where note = '')`,
  );
  await holds(`exists (select from customers where octet_length(name) > 2 * length(name))`);
  await holds(`exists (select from customers where credit < 0)`);
  await holds(`exists (select from customers where array_position(tags, null) is not null)`);
  await holds(
    `exists (select from orders where note like '%"%') and exists (select from orders where note like E'%\\n%')`,
  );
  await holds(
    `exists (select from order_items where discount is null) and exists (select from order_items where discount > 0)`,
  );
  await holds(`(select count(distinct status) from orders) = 7`);
});

test('the triggers keep updated_at and the sequences go on after the generated ids', async () => {
  await using shop = await openShop(4);
  for (const table of ['customers', 'orders', 'order_items']) {
    expect(await shop.value(`update ${table} set updated_at = null returning updated_at = now()`)).toBe(true);
  }
  const sql = `insert into customers (email, name) values ('a@example.com', 'A') returning id::int`;
  expect(await shop.value(sql)).toBe(501);
});

test('a shop is not made twice, nor with senseless numbers', async () => {
  await using shop = await openShop(5);
  await expect(createShop(shop.client, { seed: 5 })).rejects.toThrow('already exists');
  await expect(createShop(shop.client, { seed: 0.5 })).rejects.toThrow(
    '"seed" is 0.5; it must be a whole number',
  );
  await expect(createShop(shop.client, { seed: 1, orders: 0 })).rejects.toThrow('whole number from 1');
  await expect(shop.liveADay({ seed: 1, changes: -1 })).rejects.toThrow('"changes" is -1');
  expect(await shop.value('select count(*)::int from orders')).toBe(ORDERS);
});

test('a new column appears and is set for some customers', async () => {
  await using shop = await openShop(6);
  expect(await addColumn(shop.client)).toBe(50);
  const sql = `select count(*)::int from customers where loyalty_tier = upper(loyalty::text) and updated_at > created_at`;
  expect(await shop.value(sql)).toBe(50);
});

test('a day changes as many rows as asked, whatever was rolled back', async () => {
  await using shop = await openShop(9);
  const before = (await rowsIn(shop)) as number;
  const counts = await shop.liveADay({ seed: 1, changes: 1_500 });
  expect(counts.inserted + counts.updated).toBe(1_500);
  expect(counts.deleted).toBe(0);
  expect(counts.rolledBack).toBeGreaterThan(0);
  expect(await rowsIn(shop)).toBe(before + counts.inserted);
  const wrongTotals = `select count(*)::int from orders where total <> (
    select sum(round(quantity * unit_price * (1 - coalesce(discount, 0)::numeric), 2)) from order_items where order_id = id)`;
  expect(await shop.value(wrongTotals)).toBe(0);
  expect(await shop.value(`select count(*)::int from pg_stat_activity where state like 'idle in%'`)).toBe(0);
});

test('the same days leave the same rows, however the writers interleave', async () => {
  await using first = await openShop(10);
  await using second = await openShop(10);
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  const results = await Promise.all([
    first.liveADay({ seed: 1, changes: 600, deletes: true }),
    second.liveADay({ seed: 1, changes: 600, deletes: true, onEvent: wait }),
  ]);
  expect(results[0]).toEqual(results[1]);
  expect(results[0].deleted).toBeGreaterThan(0);
  expect(await checksum(first)).toBe(await checksum(second));
  const nextDay = await first.liveADay({ seed: 2, changes: 600 });
  expect(await second.liveADay({ seed: 2, changes: 600 })).toEqual(nextDay);
  expect(await checksum(first)).toBe(await checksum(second));
});

test('transactions commit late: their rows appear with older timestamps than rows already there', async () => {
  await using shop = await openShop(11);
  const counts = await shop.liveADay({ seed: 1, changes: 1_000 });
  expect(counts.lateCommits).toBeGreaterThan(3);
  const late = await shop.value(`
    with changes as materialized (
      select xmin::text as transaction, updated_at, pg_xact_commit_timestamp(xmin) as committed
      from orders where updated_at > now() - interval '10 minutes')
    select count(distinct transaction)::int from changes late
    where exists (select from changes early where early.committed < late.committed and early.updated_at > late.updated_at)`);
  expect(late).toBeGreaterThan(3);
});

test('while a transaction that commits late is open, the listener sees it, before or after its first write', async () => {
  await using shop = await openShop(12);
  const open: unknown[] = [];
  const events: DayEvent[] = [];
  const onEvent = async (event: DayEvent): Promise<void> => {
    events.push(event);
    if (event.kind === 'opened') {
      open.push(
        await shop.value(
          `select backend_xid is not null from pg_stat_activity where state = 'idle in transaction'`,
        ),
      );
    }
  };
  const counts = await shop.liveADay({ seed: 2, changes: 1_000, onEvent });
  expect(new Set(open)).toEqual(new Set([true, false]));
  expect(events.filter((event) => event.kind === 'committed' && event.late)).toHaveLength(counts.lateCommits);
  expect(events.some((event) => event.kind === 'rolledBack')).toBe(true);
  const rows = events.reduce((sum, event) => sum + (event.kind === 'committed' ? event.rows : 0), 0);
  expect(rows).toBe(1_000);
});

test('a day can be broken off, and its connections are closed', async () => {
  await using shop = await openShop(13);
  const stop = new AbortController();
  const onEvent = (): void => stop.abort();
  await expect(shop.liveADay({ seed: 1, signal: stop.signal, onEvent })).rejects.toThrow('aborted');
  await expect
    .poll(() => shop.value(`select count(*)::int from pg_stat_activity where datname = current_database()`))
    .toBe(1);
});
