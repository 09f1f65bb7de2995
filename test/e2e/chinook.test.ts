/** A database that others made: all of it arrives and reconciles, and then only what changed is read. */
import type pg from 'pg';
import { expect, it } from 'vitest';
import { renderUpdatedAtTrigger } from '../../src/connectors/postgres/trigger.ts';
import { createShop } from '../../src/demo/shop.ts';
import { CHINOOK } from '../support/chinook.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

interface Sample {
  name: string;
  create(db: pg.Client): Promise<unknown>;
  tables: number;
  /** Statements that change 500 rows in all. */
  changes: string[];
}

const chinook: Sample = {
  name: 'Chinook',
  create: (db) => db.query(CHINOOK!),
  tables: 11,
  changes: [
    `UPDATE track SET name = name || ' (live)', unit_price = unit_price + 0.01 WHERE track_id % 10 = 3 AND track_id < 3000`,
    `UPDATE invoice SET billing_city = 'Zürich' WHERE invoice_id <= 150`,
    `UPDATE customer SET company = NULL WHERE customer_id <= 49`,
    `INSERT INTO artist VALUES (10001, 'Мумий Тролль')`,
  ],
};

const shop: Sample = {
  name: 'the generated shop',
  create: (db) => createShop(db, { seed: 7, orders: 2000 }),
  tables: 4,
  changes: [
    `UPDATE orders SET note = 'changed' WHERE id <= 300`,
    `UPDATE customers SET credit = credit + 1 WHERE id <= 150`,
    `UPDATE order_items SET quantity = quantity + 1 WHERE order_id > 300 AND line_no = 1 AND order_id <= 350`,
  ],
};

const sample = CHINOOK === undefined ? shop : chinook;
if (sample === shop) console.log('Chinook is not there: the shop that we generate takes its place');

const server = useServer();

it(`${sample.name}: every table arrives and reconciles, then 500 changed rows arrive and only they are read`, async () => {
  await using pair = await Pair.open(server(), { 'public.*': { cursor: 'xmin', load: 'merge' } });
  await sample.create(pair.db);
  const first = await pair.attempt();
  expect(first.streams.map(({ error }) => error)).toEqual(
    Array.from({ length: sample.tables }, () => undefined),
  );
  const tables = first.streams.map(({ table }) => table);
  for (const { table, totals } of first.streams) {
    const { rows } = await pair.db.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    expect(totals.loaded, table).toBe(rows[0]!.n);
  }
  for (const table of tables) await pair.expectEqual(table);
  let changed = 0;
  for (const statement of sample.changes) changed += (await pair.db.query(statement)).rowCount!;
  expect(changed).toBe(500);
  const second = await pair.attempt();
  expect(second.status).toBe('succeeded');
  expect(second.streams.reduce((sum, { totals }) => sum + totals.rows, 0)).toBe(500);
  expect(second.streams.reduce((sum, { totals }) => sum + totals.loaded, 0)).toBe(500);
  for (const table of tables) await pair.expectEqual(table);
});

it(`${sample.name}: the same with the trigger that we print, by time`, async () => {
  const table = sample === chinook ? 'track' : 'plain_orders';
  await using pair = await Pair.open(server(), { [`public.${table}`]: { cursor: 'updated_at', overlap: 0 } });
  await sample.create(pair.db);
  if (sample === shop)
    await pair.db.query(
      'CREATE TABLE plain_orders AS SELECT id AS track_id, note AS name FROM orders; ALTER TABLE plain_orders ADD PRIMARY KEY (track_id)',
    );
  await pair.db.query(
    renderUpdatedAtTrigger({ table: `public.${table}`, column: 'updated_at', index: false }),
  );
  const { totals } = await pair.run();
  await pair.db.query(`UPDATE ${table} SET name = 'once more' WHERE track_id <= 500`);
  expect((await pair.run()).totals).toMatchObject({ rows: 500, loaded: 500 });
  expect(totals.loaded).toBeGreaterThan(500);
  await pair.expectEqual(table);
  await pair.expectNoRepeats(table);
});
