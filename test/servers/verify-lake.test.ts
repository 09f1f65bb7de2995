/** `verify` finds exactly the rows that were changed behind its back, on either side. More: test/servers/verify.test.ts. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, rewriteLake, verify } from '../support/verification.ts';
import { CASES, USER_TYPES } from '../e2e/types-cases.fixture.ts';

const server = useServer();

const ORDERS = `CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric(12,2), changed timestamptz);
  INSERT INTO orders SELECT g, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'row ' || g END, g / 7.0, timestamptz '2026-01-01' + g * interval '1 minute' FROM generate_series(1, 3000) g`;

describe('rows that were changed behind its back', () => {
  it('in the source of a table that is replaced', async () => {
    await using pair = await Pair.open(server(), { 'public.orders': { load: 'replace' } }, ORDERS);
    await pair.run();
    expect(await verify(pair)).toMatchObject({ ...EQUAL, rows: { source: 3000, target: 3000 } });
    expect(await pair.to.leftovers()).toEqual([]);
    await pair.db.query(
      `UPDATE orders SET note = '' WHERE id = 3; UPDATE orders SET total = 1, note = 'x' WHERE id = 77;
       DELETE FROM orders WHERE id IN (5, 2999); INSERT INTO orders VALUES (4000)`,
    );
    const found = await verify(pair);
    expect(found).toMatchObject({ status: 'differs', changed: 2, missing: 1, extra: 2, waiting: 0 });
    expect(named(found)).toEqual([
      'changed id 3: note',
      'changed id 77: note, total',
      'missing id 4000',
      'extra id 5',
      'extra id 2999',
    ]);
    await pair.run();
    expect(await verify(pair)).toMatchObject(EQUAL);
  });

  it.each(['merge', 'append'] as const)('in the lake, load: %s', async (load) => {
    await using pair = await Pair.open(server(), { 'public.orders': { load, cursor: 'changed' } }, ORDERS);
    await pair.run();
    await pair.db.query(`UPDATE orders SET note = 'later', changed = now() WHERE id < 10`);
    await pair.run();
    expect(await verify(pair)).toMatchObject(EQUAL);
    // Row 4 lies above the watermark, so the next run brings it back. A merged table has each key once; of what was appended, only the newest version of a key is looked at.
    const doubled = load === 'merge' ? 13 : 5013;
    await rewriteLake(
      pair,
      'orders',
      (scan) =>
        `SELECT * REPLACE (CASE id WHEN 100 THEN 0.01 ELSE total END AS total, CASE id WHEN 12 THEN ${doubled} ELSE id END AS id) FROM ${scan} WHERE id NOT IN (4, 1000, 1001)`,
    );
    const found = await verify(pair);
    expect(found).toMatchObject({ changed: 1, missing: 3, extra: 1, waiting: 1 });
    expect(named(found)).toEqual([
      'changed id 100: total',
      'missing id 12',
      'missing id 1000',
      'missing id 1001',
      `extra id ${doubled}`,
    ]);
  });

  it('all of them: counts are exact, and as many are named as asked for', async () => {
    await using pair = await Pair.open(server(), { 'public.orders': { load: 'replace' } }, ORDERS);
    await pair.run();
    await pair.db.query(
      'UPDATE orders SET total = total + 1 WHERE id > 100; DELETE FROM orders WHERE id = 1',
    );
    const found = await verify(pair, { limit: 7 });
    expect(found).toMatchObject({ changed: 2900, missing: 0, extra: 1 });
    expect(found.differences).toHaveLength(7);
  });
});

describe('while the source changes', () => {
  it('rows above the watermark wait, older ones differ, deleted ones are told apart', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.orders': { load: 'merge', cursor: 'changed' } },
      ORDERS,
    );
    await pair.run();
    await pair.db.query(
      `UPDATE orders SET note = 'new', changed = now() WHERE id BETWEEN 10 AND 19; INSERT INTO orders VALUES (5000, 'new', 1, now());
       UPDATE orders SET note = 'silent' WHERE id = 30; DELETE FROM orders WHERE id = 40`,
    );
    const found = await verify(pair);
    expect(found).toMatchObject({ status: 'differs', changed: 1, missing: 0, extra: 1, waiting: 11 });
    expect(named(found)).toEqual(['changed id 30: note', 'extra id 40']);
    await pair.run();
    await pair.db.query(`UPDATE orders SET note = 'row 30' WHERE id = 30`);
    await pair.db.query(`UPDATE orders SET note = NULL WHERE id = 30`);
    expect(await verify(pair)).toMatchObject({ status: 'differs', changed: 0, extra: 1, waiting: 0 });
    expect(await verify(pair, { ignoreExtra: true })).toMatchObject({ status: 'equal', extra: 1 });
  });
});

describe('whatever the table looks like', () => {
  it('a value of any type: what was loaded is equal, and another value is not', async () => {
    const cases = CASES.filter(({ values }) => values.length > 0);
    const columns = cases.map(({ type }) => `"${type.replaceAll('"', '""')}" ${type}`);
    await using pair = await Pair.open(server(), { 'public.everything': { load: 'replace' } }, USER_TYPES);
    await pair.db.query(`CREATE TABLE everything (id int PRIMARY KEY, ${columns.join(', ')})`);
    const list = cases.map(({ type }, i) => `($${i + 1}::text[])[r + 1]::${type}`);
    await pair.db.query(
      `INSERT INTO everything SELECT r, ${list.join(', ')} FROM generate_series(0, ${Math.max(...cases.map(({ values }) => values.length))}) AS r`,
      cases.map(({ values }) => values),
    );
    await pair.run();
    const found = await verify(pair);
    expect(named(found)).toEqual([]);
    expect(found).toMatchObject(EQUAL);
    await pair.db.query(
      `UPDATE everything SET ${cases.map(({ type }) => `"${type.replaceAll('"', '""')}" = NULL`).join(', ')} WHERE id = 0`,
    );
    // Those that were NULL by rule before are the same.
    expect((await verify(pair)).differences[0]!.columns.length).toBeGreaterThan(cases.length - 3);
  });
});
