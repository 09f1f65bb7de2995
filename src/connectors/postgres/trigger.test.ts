import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../core/errors.ts';
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts';
import { renderUpdatedAtTrigger } from './trigger.ts';

describe('renderUpdatedAtTrigger', () => {
  it('prints a script for a plain table', () => {
    expect(renderUpdatedAtTrigger({ table: 'public.orders', column: 'updated_at', index: true })).toBe(`\
-- "public"."orders": "updated_at" becomes the time at which a row was last written.
BEGIN;

-- Rows that are there already get the time of this statement; the table is not rewritten.
ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "updated_at" timestamptz NOT NULL DEFAULT now();

-- clock_timestamp(), not now(): of two transactions that write the same row, the later one then has the later time.
CREATE OR REPLACE FUNCTION "public"."sluice_touch_updated_at"() RETURNS trigger LANGUAGE plpgsql AS $touch$
BEGIN
  NEW."updated_at" := clock_timestamp();
  RETURN NEW;
END
$touch$;

DROP TRIGGER IF EXISTS "sluice_touch_updated_at" ON "public"."orders";
CREATE TRIGGER "sluice_touch_updated_at" BEFORE INSERT OR UPDATE ON "public"."orders"
  FOR EACH ROW EXECUTE FUNCTION "public"."sluice_touch_updated_at"();

COMMIT;

-- Built without locking out writers, hence outside of the transaction; leave out CONCURRENTLY for a partitioned table.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "orders_updated_at_idx" ON "public"."orders" ("updated_at");
`);
  });

  it('leaves the index out on request and takes public for a missing schema', () => {
    const sql = renderUpdatedAtTrigger({ table: 'Orders', column: 'changed', index: false });
    expect(sql).not.toContain('CREATE INDEX');
    expect(sql).toContain('ON "public"."orders"\n');
  });

  it.each([
    ['"My Shop"."Order ""2"""', '"My Shop"."Order ""2"""'],
    ['sales."Orders.2026"', '"sales"."Orders.2026"'],
    ['größe', '"public"."größe"'],
  ])('reads %s as SQL does', (table, target) => {
    expect(renderUpdatedAtTrigger({ table, column: 'c', index: false })).toContain(
      `ALTER TABLE ${target} ADD`,
    );
  });

  it.each(['', 'a.b.c', 'my table', '"open', 'orders; drop table x', '1st'])('refuses %j', (table) => {
    expect(() => renderUpdatedAtTrigger({ table, column: 'c', index: false })).toThrow(ConfigError);
  });

  it('cannot be left through a hostile column name', () => {
    const sql = renderUpdatedAtTrigger({ table: 't', column: 'a"$touch$; drop\ntable x', index: true });
    expect(sql).toContain('AS $touch_7$\n');
    expect(sql.split('\n').filter((line) => line.startsWith('-- "public"'))).toHaveLength(1);
  });

  it('keeps names within 63 bytes and apart', () => {
    const names = ['a', 'b'].map((end) => {
      const sql = renderUpdatedAtTrigger({
        table: `${'ä'.repeat(28)}${end}`,
        column: 'updated_at',
        index: true,
      });
      return /IF NOT EXISTS "([^"]+)" ON/.exec(sql)?.[1] ?? '';
    });
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  });
});

describe('on a server', () => {
  let server: PostgresServer;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client(server.url());
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  /** As psql does: the transaction in one go, the index by itself. */
  async function apply(script: string): Promise<void> {
    const end = script.indexOf('COMMIT;') + 'COMMIT;'.length;
    await client.query(script.slice(0, end));
    await client.query(script.slice(end));
  }

  it('stamps inserts and updates whatever the client says, also of hostile names, and can be run twice', async () => {
    const table = '"Öffentlich"."Order ""2"" items"';
    await client.query(
      `CREATE SCHEMA "Öffentlich"; CREATE TABLE ${table} (id int PRIMARY KEY, v text); INSERT INTO ${table} VALUES (1, 'a')`,
    );
    const script = renderUpdatedAtTrigger({ table, column: 'Changed "at"', index: true });
    await apply(script);
    await apply(script);
    const at = async (id: number): Promise<Date> =>
      (await client.query<{ at: Date }>(`SELECT "Changed ""at""" AS at FROM ${table} WHERE id = $1`, [id]))
        .rows[0]!.at;
    const before = await at(1);
    await client.query(`UPDATE ${table} SET v = 'b', "Changed ""at""" = '2000-01-01'`);
    expect((await at(1)).getTime()).toBeGreaterThanOrEqual(before.getTime());
    await client.query(`INSERT INTO ${table} VALUES (2, 'x', '2000-01-01')`);
    expect((await at(2)).getUTCFullYear()).toBeGreaterThan(2000);
    const triggers = await client.query('SELECT 1 FROM pg_trigger WHERE NOT tgisinternal');
    expect(triggers.rowCount).toBe(1);
    const indexes = await client.query(`SELECT 1 FROM pg_indexes WHERE schemaname = 'Öffentlich'`);
    expect(indexes.rowCount).toBe(2);
  });

  it('gives the later write of a row the later time, although its transaction began earlier', async () => {
    await client.query('CREATE TABLE race (id int PRIMARY KEY, v int)');
    await apply(renderUpdatedAtTrigger({ table: 'race', column: 'updated_at', index: false }));
    await client.query('INSERT INTO race VALUES (1, 0)');
    const other = new pg.Client(server.url());
    await other.connect();
    await client.query('BEGIN');
    await client.query('SELECT 1');
    await other.query('UPDATE race SET v = 1');
    const first = (await other.query<{ t: string }>('SELECT updated_at::text AS t FROM race')).rows[0]!.t;
    await client.query('UPDATE race SET v = 2');
    await client.query('COMMIT');
    const { later } = (
      await client.query<{ later: boolean }>('SELECT updated_at > $1 AS later FROM race', [first])
    ).rows[0]!;
    await other.end();
    expect(later).toBe(true);
  });
});
