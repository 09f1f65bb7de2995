/**
 * A small shop for the demo and for tests: the same seed always makes the same rows, and only the timestamps follow the
 * server's clock. `createShop` makes it, `liveADay` does business in it.
 */
import type pg from 'pg';
import { CURRENCIES, NOTES, PEOPLE } from '../generate/pools.ts';
import { Draws, fraction } from '../generate/random.ts';
import {
  CONSTRAINTS,
  renderCountries,
  renderCustomers,
  renderOrderItems,
  renderOrders,
  TABLES,
  type ShopSize,
} from './shop-rows.ts';

export interface ShopOptions {
  /** A whole number. */
  seed: number;
  /** Number of orders, 200,000 by default; there is one customer for four of them, and 3.77 items for each. */
  orders?: number;
}

/** Rows made, by table. */
export interface ShopCounts {
  countries: number;
  customers: number;
  orders: number;
  orderItems: number;
}

export interface DayOptions {
  /** A whole number; another day should have another one. */
  seed: number;
  /** Rows to change, 5,000 by default; a row changed twice counts twice. */
  changes?: number;
  /** Whether orders are deleted too, with their items. */
  deletes?: boolean;
  /** Told about each transaction, and waited for: its writer goes on when the promise is fulfilled. */
  onEvent?: (event: DayEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

export type DayEvent =
  /** A transaction has begun that will commit after others which begin later; it may not have written yet. */
  | { kind: 'opened'; writer: number }
  | { kind: 'committed'; writer: number; rows: number; late: boolean }
  | { kind: 'rolledBack'; writer: number; rows: number };

/** Row changes; those that were rolled back, alone or with their transaction, count in `rolledBack` only. */
export interface DayCounts {
  inserted: number;
  updated: number;
  deleted: number;
  rolledBack: number;
  /** Transactions that committed after others which had begun later. */
  lateCommits: number;
}

const DEFAULT_ORDERS = 200_000;
const ORDERS_PER_CUSTOMER = 4;
const DEFAULT_CHANGES = 5_000;

/**
 * Makes tables, rows, indexes and triggers in the first schema of the search path, in a transaction of its own; fails
 * when they exist. All timestamps lie between 90 days and 1 hour before the server's now.
 */
export async function createShop(client: pg.ClientBase, options: ShopOptions): Promise<ShopCounts> {
  const { seed, orders: wanted = DEFAULT_ORDERS } = options;
  assertWhole('making the shop', { seed });
  assertWhole('making the shop', { orders: wanted }, 1);
  const size: ShopSize = { customers: Math.ceil(wanted / ORDERS_PER_CUSTOMER), orders: wanted };
  await client.query('begin');
  try {
    await client.query(`set local maintenance_work_mem = '256MB'; ${TABLES}`);
    const countries = await countRows(client, renderCountries());
    const customers = await countRows(client, renderCustomers(seed, size));
    const orderItems = await countRows(client, renderOrderItems(seed, size));
    const orders = await countRows(client, renderOrders(seed, size));
    await client.query(CONSTRAINTS);
    await moveSequences(client, size);
    await client.query('commit');
    // The vacuum also sets the hint bits, which would otherwise slow down the first reader.
    await client.query('vacuum (analyze) countries, customers, orders, order_items');
    return { countries, customers, orders, orderItems };
  } catch (error) {
    // Over a lost connection this fails too, and the first error is the one to tell.
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** What developers do without telling anybody: a new column, set for every tenth customer. Returns the rows set. */
export async function addColumn(client: pg.ClientBase): Promise<number> {
  await client.query('alter table customers add column loyalty_tier text');
  return countRows(client, `update customers set loyalty_tier = upper(loyalty::text) where id % 10 = 0`);
}

/**
 * A day of business on the live tables, in about half a second unless `onEvent` takes its time: four connections write
 * at once, some transactions stay open while later ones commit, some are rolled back, in part or whole. The rows depend on the seed and the rows found,
 * not on who is faster: each writer has ids of its own, and its own share of the changes.
 */
export async function liveADay(connect: () => Promise<pg.Client>, options: DayOptions): Promise<DayCounts> {
  const { seed, changes = DEFAULT_CHANGES } = options;
  assertWhole('living a day', { seed });
  assertWhole('living a day', { changes }, 0);
  const clients: pg.Client[] = [];
  try {
    for (let index = 0; index < WRITERS; index += 1) {
      const client = await connect();
      // When the server goes away the query under way fails, which is enough; unheard, this event would end the process.
      client.on('error', () => undefined);
      clients.push(client);
    }
    const writers = await openWriters(clients, options, changes);
    while (writers.some(({ room }) => room > 0)) {
      options.signal?.throwIfAborted();
      await liveAnHour(writers);
    }
    return sum(writers.map(({ counts }) => counts));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

// ---- Writers

const WRITERS = 4;
/** The last writer's transactions stay open while the others commit theirs. */
const SLOW_WRITER = 3;
const SLOW_SHARE = 0.1;

interface Writer {
  index: number;
  client: pg.Client;
  random: () => number;
  /** Rows it still has to change. */
  room: number;
  /** Highest ids before the day: what is below may be read by all. */
  found: ShopSize;
  /** The next ids it gives; all ids it writes leave its index when divided by the number of writers. */
  next: ShopSize;
  counts: DayCounts;
  deletes: boolean;
  emit: (event: DayEvent) => void | Promise<void>;
}

interface Changes {
  inserted: number;
  updated: number;
  deleted: number;
}

async function openWriters(clients: pg.Client[], options: DayOptions, changes: number): Promise<Writer[]> {
  const found = await findSize(clients[0]!);
  const reserved = WRITERS * (changes + 1);
  await moveSequences(clients[0]!, {
    customers: found.customers + reserved,
    orders: found.orders + reserved,
  });
  const slowRoom = Math.floor(changes * SLOW_SHARE);
  const quickWriters = WRITERS - 1;
  return clients.map((client, index) => ({
    index,
    client,
    random: numbersOf(options.seed, `writer ${index}`),
    room: index === SLOW_WRITER ? slowRoom : Math.floor((changes - slowRoom + index) / quickWriters),
    found,
    next: { customers: nextOwn(found.customers, index), orders: nextOwn(found.orders, index) },
    counts: { inserted: 0, updated: 0, deleted: 0, rolledBack: 0, lateCommits: 0 },
    deletes: options.deletes ?? false,
    emit: options.onEvent ?? (() => undefined),
  }));
}

async function findSize(client: pg.ClientBase): Promise<ShopSize> {
  const sql = `select (select max(id) from customers)::float8 as customers, (select max(id) from orders)::float8 as orders`;
  const { rows } = await client.query<{ customers: number | null; orders: number | null }>(sql);
  return { customers: rows[0]?.customers ?? 0, orders: rows[0]?.orders ?? 0 };
}

function nextOwn(highest: number, index: number): number {
  return (Math.floor(highest / WRITERS) + 1) * WRITERS + index;
}

/** The slow writer's transaction is open from before the first of the others until after their last. */
async function liveAnHour(writers: Writer[]): Promise<void> {
  const slow = writers[SLOW_WRITER]!;
  const quick = writers.filter((writer) => writer !== slow);
  const isOpen = slow.room > 0;
  const done = noChanges();
  if (isOpen) {
    await slow.client.query('begin');
    if (chance(slow, 0.6)) {
      // Otherwise it only sits there, with an early now() and no transaction id yet.
      add(done, await work(slow, slow.room));
    }
    await slow.emit({ kind: 'opened', writer: slow.index });
  }
  const commits = await Promise.all(quick.map((writer) => serve(writer)));
  if (isOpen) {
    if (total(done) === 0 || chance(slow, 0.3)) {
      add(done, await work(slow, slow.room - total(done)));
    }
    await commit(
      slow,
      done,
      commits.some((count) => count > 0),
    );
  }
}

/** A few transactions one after the other; returns how many of them committed rows. */
async function serve(writer: Writer): Promise<number> {
  let commits = 0;
  for (let left = between(writer, 2, 6); left > 0 && writer.room > 0; left -= 1) {
    await writer.client.query('begin');
    const done = await work(writer, writer.room);
    if (chance(writer, 0.06)) {
      await writer.client.query('rollback');
      writer.counts.rolledBack += total(done);
      await writer.emit({ kind: 'rolledBack', writer: writer.index, rows: total(done) });
    } else {
      await commit(writer, done, false);
      commits += total(done) > 0 ? 1 : 0;
    }
  }
  return commits;
}

async function commit(writer: Writer, done: Changes, late: boolean): Promise<void> {
  await writer.client.query('commit');
  writer.room -= total(done);
  add(writer.counts, done);
  writer.counts.lateCommits += late && total(done) > 0 ? 1 : 0;
  await writer.emit({ kind: 'committed', writer: writer.index, rows: total(done), late });
}

/** One to three things that happen in one transaction, of at most `room` rows; some are regretted at once. */
async function work(writer: Writer, room: number): Promise<Changes> {
  const done = noChanges();
  for (let left = between(writer, 1, 3); left > 0 && total(done) < room; left -= 1) {
    const happen = pick(writer, writer.deletes ? [...HAPPENINGS, dropOrder] : HAPPENINGS);
    if (chance(writer, 0.1)) {
      await writer.client.query('savepoint regret');
      writer.counts.rolledBack += total(await happen(writer, room - total(done)));
      await writer.client.query('rollback to savepoint regret');
    } else {
      add(done, await happen(writer, room - total(done)));
    }
  }
  return done;
}

// ---- What happens in a shop; each changes at most `room` rows, and only rows of its writer

type Happening = (writer: Writer, room: number) => Promise<Changes>;

const HAPPENINGS: readonly Happening[] = [
  placeOrder,
  placeOrder,
  moveOrders,
  moveOrders,
  correctOrder,
  changeCustomers,
  welcome,
];

async function welcome(writer: Writer, room: number): Promise<Changes> {
  const people = Array.from({ length: Math.min(room, between(writer, 1, 2)) }, () => {
    const { code, given, family } = pick(writer, PEOPLE);
    const name = `${pick(writer, given)[0]} ${pick(writer, family)[0]}`;
    return {
      id: takeId(writer, 'customers'),
      email: `newcomer@${code.toLowerCase()}.example`,
      name,
      country: code,
    };
  });
  const sql = `
    insert into customers (id, email, name, country)
    select id, email, name, country
    from json_to_recordset($1) as person (id bigint, email text, name text, country text)`;
  return { ...noChanges(), inserted: await countRows(writer.client, sql, [JSON.stringify(people)]) };
}

async function placeOrder(writer: Writer, room: number): Promise<Changes> {
  if (room < 2 || writer.found.customers === 0) {
    return welcome(writer, room);
  }
  const items = Array.from({ length: Math.min(room - 1, between(writer, 1, 6)) }, (_, index) => ({
    line_no: index + 1,
    sku: String(between(writer, 0, 1999)).padStart(6, '0'),
    quantity: between(writer, 1, 5),
    unit_price: (between(writer, 150, 40_000) / 100).toFixed(2),
  }));
  const id = takeId(writer, 'orders');
  const note = chance(writer, 0.2) ? pick(writer, NOTES) : null;
  const orderSql = `
    insert into orders (id, customer_id, total, currency, note)
    select $1, (select id from customers where id <= $2 order by id desc limit 1), sum(quantity * unit_price), $3, $4
    from json_to_recordset($5) as item (quantity int, unit_price numeric)`;
  const itemSql = `
    insert into order_items (order_id, line_no, sku, quantity, unit_price)
    select $1, line_no, sku, quantity, unit_price
    from json_to_recordset($2) as item (line_no int, sku text, quantity int, unit_price numeric)`;
  const customer = between(writer, 1, writer.found.customers);
  const json = JSON.stringify(items);
  await writer.client.query(orderSql, [id, customer, pick(writer, CURRENCIES), note, json]);
  return { ...noChanges(), inserted: 1 + (await countRows(writer.client, itemSql, [id, json])) };
}

// Rows of the writer at and below some id. The newest are the most likely.
const OWN = (table: string): string =>
  `(select id from ${table} where id % ${WRITERS} = $1 and id <= $2 order by id desc limit $3)`;

async function moveOrders(writer: Writer, room: number): Promise<Changes> {
  const sql = `
    update orders set status = case status when 'new' then 'paid' when 'paid' then 'packed' when 'packed' then 'shipped'
      when 'shipped' then 'delivered' when 'delivered' then 'returned' else 'refunded' end
    where id in ${OWN('orders')}`;
  return { ...noChanges(), updated: await countRows(writer.client, sql, ownRows(writer, 'orders', room)) };
}

async function changeCustomers(writer: Writer, room: number): Promise<Changes> {
  const sql = `
    update customers set credit = credit + 12.5, preferences = coalesce(preferences, '{}') || '{"newsletter": true}'
    where id in ${OWN('customers')}`;
  return { ...noChanges(), updated: await countRows(writer.client, sql, ownRows(writer, 'customers', room)) };
}

/** One more piece of something: the item changes, and with it the order. */
async function correctOrder(writer: Writer, room: number): Promise<Changes> {
  if (room < 2) {
    return moveOrders(writer, room);
  }
  const id = await findOwnOrder(writer);
  const itemSql = 'update order_items set quantity = quantity + 1 where order_id = $1 and line_no = 1';
  const orderSql = `
    update orders set total = (
      select sum(round(quantity * unit_price * (1 - coalesce(discount, 0)::numeric), 2))
      from order_items where order_id = $1)
    where id = $1`;
  const items = await countRows(writer.client, itemSql, [id]);
  return { ...noChanges(), updated: items + (await countRows(writer.client, orderSql, [id])) };
}

async function dropOrder(writer: Writer, room: number): Promise<Changes> {
  // An order has up to seven items.
  if (room < 8) {
    return moveOrders(writer, room);
  }
  const id = await findOwnOrder(writer);
  const items = await countRows(writer.client, 'delete from order_items where order_id = $1', [id]);
  const orders = await countRows(writer.client, 'delete from orders where id = $1', [id]);
  return { ...noChanges(), deleted: items + orders };
}

async function findOwnOrder(writer: Writer): Promise<string | null> {
  const [index, highest] = ownRows(writer, 'orders', 1);
  const { rows } = await writer.client.query<{ id: string }>(OWN('orders'), [index, highest, 1]);
  return rows[0]?.id ?? null;
}

/** The parameters of `OWN`. */
function ownRows(writer: Writer, table: keyof ShopSize, room: number): number[] {
  const highest = Math.ceil(writer.next[table] * (1 - writer.random() ** 3));
  return [writer.index, highest, Math.min(room, between(writer, 1, 8))];
}

function takeId(writer: Writer, table: keyof ShopSize): number {
  const id = writer.next[table];
  writer.next[table] += WRITERS;
  return id;
}

// ---- Small things

/** Numbers in [0, 1), one after the other. */
function numbersOf(seed: number, purpose: string): () => number {
  const draws = new Draws(seed, purpose);
  let drawn = 0;
  return () => fraction(draws.at(drawn++));
}

function chance(writer: Writer, share: number): boolean {
  return writer.random() < share;
}

function between(writer: Writer, low: number, high: number): number {
  return low + Math.floor(writer.random() * (high - low + 1));
}

function pick<T>(writer: Writer, items: readonly T[]): T {
  return items[between(writer, 0, items.length - 1)]!;
}

function noChanges(): Changes {
  return { inserted: 0, updated: 0, deleted: 0 };
}

function total({ inserted, updated, deleted }: Changes): number {
  return inserted + updated + deleted;
}

function add(to: Changes, changes: Changes): void {
  to.inserted += changes.inserted;
  to.updated += changes.updated;
  to.deleted += changes.deleted;
}

function sum(all: DayCounts[]): DayCounts {
  const result: DayCounts = { ...noChanges(), rolledBack: 0, lateCommits: 0 };
  for (const counts of all) {
    add(result, counts);
    result.rolledBack += counts.rolledBack;
    result.lateCommits += counts.lateCommits;
  }
  return result;
}

async function countRows(client: pg.ClientBase, sql: string, values: unknown[] = []): Promise<number> {
  return (await client.query(sql, values)).rowCount ?? 0;
}

/** Rows made with explicit ids do not move the sequences behind the identity columns. */
async function moveSequences(client: pg.ClientBase, to: ShopSize): Promise<void> {
  for (const table of ['customers', 'orders'] as const) {
    await client.query(`select setval(pg_get_serial_sequence('${table}', 'id'), $1)`, [to[table]]);
  }
}

function assertWhole(
  doing: string,
  named: Record<string, number>,
  lowest: number = Number.MIN_SAFE_INTEGER,
): void {
  for (const [name, value] of Object.entries(named)) {
    if (!Number.isSafeInteger(value) || value < lowest) {
      throw new RangeError(
        `${doing}: "${name}" is ${value}; it must be a whole number${lowest < 0 ? '' : ` from ${lowest}`}`,
      );
    }
  }
}
