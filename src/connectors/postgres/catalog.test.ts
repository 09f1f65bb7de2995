/** Discovery against a real server: what is there, with which types, keys and cursors, and what is proposed. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StreamInfo } from '../../core/source.ts';
import { renderType } from '../../core/types.ts';
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts';
import { postgresOptions } from './options.ts';
import { splitName, streamName } from '../shared/stream-name.ts';
import { quoteStreamName } from './resolve.ts';
import { PostgresSource } from './source.ts';

let server: PostgresServer;
let client: pg.Client;

const SETUP = `
  CREATE SCHEMA shop; CREATE SCHEMA "Odd.Schema"; CREATE SCHEMA hidden;
  CREATE TABLE shop.orders (order_id bigint PRIMARY KEY, customer_id int NOT NULL, total numeric(12,2), note varchar(40), updated_at timestamptz NOT NULL, created_at timestamptz);
  CREATE INDEX ON shop.orders (updated_at);
  CREATE TABLE shop.lines (order_id bigint, line_no int, product text, PRIMARY KEY (order_id, line_no)) ;
  CREATE TABLE shop.logs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
  CREATE TABLE shop.customers (email text NOT NULL, name text, modified timestamp, created timestamp DEFAULT now());
  CREATE UNIQUE INDEX ON shop.customers (email);
  CREATE VIEW shop.open_orders AS SELECT order_id, total, updated_at FROM shop.orders;
  CREATE MATERIALIZED VIEW shop.totals AS SELECT customer_id, sum(total) AS total FROM shop.orders GROUP BY 1;
  CREATE TABLE shop.events (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY RANGE (at);
  CREATE TABLE shop.events_2026_01 PARTITION OF shop.events_2026 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE shop.events_rest PARTITION OF shop.events DEFAULT;
  INSERT INTO shop.events SELECT r, date '2025-12-20' + r % 40 FROM generate_series(1, 500) AS r;
  CREATE TABLE shop.animals (id int, name text); CREATE TABLE shop.dogs (tail int) INHERITS (shop.animals);
  INSERT INTO shop.animals SELECT r, 'a' FROM generate_series(1, 30) AS r; INSERT INTO shop.dogs SELECT r, 'd', 1 FROM generate_series(1, 20) AS r;
  CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', dbname 'nowhere');
  CREATE FOREIGN TABLE shop.remote (id int NOT NULL, v text) SERVER elsewhere;
  CREATE TABLE shop.never_analysed (id int);
  CREATE TABLE shop.empty (id int); CREATE TABLE shop.parent (id int) PARTITION BY LIST (id); CREATE TABLE shop.child PARTITION OF shop.parent DEFAULT;
  CREATE TABLE "Odd.Schema"."dots.and ""quotes""" (id int); CREATE TABLE "Odd.Schema"."new
line" (id int); CREATE TABLE "Odd.Schema"."CamelCase" (id int);
  CREATE TEMP TABLE temporary (id int);
  CREATE SEQUENCE shop.a_sequence; CREATE TYPE shop.a_type AS (x int); CREATE INDEX an_index ON shop.logs (line);
  CREATE TABLE hidden.salaries (id int, amount money); CREATE TABLE shop.secret (id int); CREATE TABLE shop.partly (open int, closed int);
  CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA shop, "Odd.Schema" TO reader;
  GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader; REVOKE ALL ON shop.secret, shop.partly FROM reader; GRANT SELECT (open) ON shop.partly TO reader;
  GRANT SELECT ON hidden.salaries TO reader;
  ANALYZE shop.orders, shop.events, shop.animals, shop.dogs, shop.empty;`;

const KEYS = `
  CREATE SCHEMA keys;
  CREATE TABLE keys.plain (id int, v int);
  CREATE TABLE keys.primary_wins (a int NOT NULL UNIQUE, b int, c int, PRIMARY KEY (c, b));
  CREATE TABLE keys.unique_not_null (a int, b int NOT NULL UNIQUE);
  CREATE TABLE keys.unique_nullable (a int UNIQUE);
  CREATE TABLE keys.unique_half_null (a int NOT NULL, b int, UNIQUE (a, b));
  CREATE TABLE keys.partial (a int NOT NULL, gone bool); CREATE UNIQUE INDEX ON keys.partial (a) WHERE NOT gone;
  CREATE TABLE keys.expression (a text NOT NULL); CREATE UNIQUE INDEX ON keys.expression (lower(a));
  CREATE TABLE keys.mixed_expression (a text NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX ON keys.mixed_expression (b, lower(a));
  CREATE TABLE keys.deferred (a int NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE keys.included (a int NOT NULL, b int NOT NULL, c text, UNIQUE (a) INCLUDE (c));
  CREATE TABLE keys.narrowest (a int NOT NULL, b int NOT NULL, c int NOT NULL, UNIQUE (a, b), UNIQUE (c));
  CREATE TABLE keys.not_unique (a int NOT NULL); CREATE INDEX ON keys.not_unique (a);
  CREATE TABLE keys.unchecked (a int UNIQUE, b int); INSERT INTO keys.unchecked VALUES (NULL, 1);
  ALTER TABLE keys.unchecked ADD CONSTRAINT a_given NOT NULL a NOT VALID;
  CREATE DOMAIN keys.given AS int NOT NULL; CREATE TABLE keys.by_domain (a keys.given, b int);
  CREATE VIEW keys.shown AS SELECT * FROM keys.by_domain;
  CREATE TABLE keys."Odd ""Key""" ("Id ""x""" int PRIMARY KEY);`;

beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query(SETUP);
  await client.query(KEYS);
});

afterAll(async () => {
  await client?.end();
  await server?.stop();
});

async function discover(user = 'postgres', schemas?: string[]): Promise<StreamInfo[]> {
  const options = postgresOptions.parse({ url: server.url('postgres', user), schemas });
  const source = new PostgresSource(options, {
    name: 'db',
    directory: '.',
    memoryBytes: 1 << 28,
    workers: 1,
  });
  try {
    return await source.discover(new AbortController().signal);
  } finally {
    await source.close();
  }
}

function named(streams: StreamInfo[], name: string): StreamInfo {
  const found = streams.find((stream) => stream.name === name);
  if (!found) throw new Error(`there is no ${name} among ${streams.map((stream) => stream.name).join(', ')}`);
  return found;
}

describe('discovery', () => {
  it('finds everything that can be read, of every kind, in order of name', async () => {
    const streams = await discover('postgres', ['shop', 'Odd.Schema', 'hidden']);
    expect(streams.map(({ name, kind, parent }) => [name, kind, parent])).toEqual([
      ['"Odd.Schema".CamelCase', 'table', undefined],
      ['"Odd.Schema"."dots.and ""quotes"""', 'table', undefined],
      ['"Odd.Schema".new\nline', 'table', undefined],
      ['hidden.salaries', 'table', undefined],
      ['shop.animals', 'table', undefined],
      ['shop.child', 'table', 'shop.parent'],
      ['shop.customers', 'table', undefined],
      ['shop.dogs', 'table', 'shop.animals'],
      ['shop.empty', 'table', undefined],
      ['shop.events', 'partitioned table', undefined],
      ['shop.events_2026', 'partitioned table', 'shop.events'],
      ['shop.events_2026_01', 'table', 'shop.events_2026'],
      ['shop.events_rest', 'table', 'shop.events'],
      ['shop.lines', 'table', undefined],
      ['shop.logs', 'table', undefined],
      ['shop.never_analysed', 'table', undefined],
      ['shop.open_orders', 'view', undefined],
      ['shop.orders', 'table', undefined],
      ['shop.parent', 'partitioned table', undefined],
      ['shop.partly', 'table', undefined],
      ['shop.remote', 'foreign table', undefined],
      ['shop.secret', 'table', undefined],
      ['shop.totals', 'materialized view', undefined],
    ]);
  });

  it('hides the schemas of the server, temporary tables, and what is no relation with rows', async () => {
    const schemas = new Set((await discover()).map(({ name }) => splitName(name)[0]));
    expect(schemas).toEqual(new Set(['Odd.Schema', 'hidden', 'keys', 'shop']));
  });

  it('hides what the role may not read', async () => {
    const names = (await discover('reader')).map(({ name }) => name);
    expect(names).toContain('shop.orders');
    expect(names).toContain('shop.partly');
    expect(names).not.toContain('shop.secret');
    // SELECT on the table is of no use without USAGE on its schema.
    expect(names).not.toContain('hidden.salaries');
    expect(names).not.toContain('"Odd.Schema".CamelCase');
  });

  it('gives columns in order with exact types, NULLs and the types of the source', async () => {
    const { schema } = named(await discover(), 'shop.orders');
    expect(
      schema.fields.map(({ name, type, nullable, native }) => [name, renderType(type), nullable, native]),
    ).toEqual([
      ['order_id', 'int64', false, 'bigint'],
      ['customer_id', 'int32', false, 'integer'],
      ['total', 'decimal(12,2)', true, 'numeric(12,2)'],
      ['note', 'utf8', true, 'character varying(40)'],
      ['updated_at', 'timestamptz', false, 'timestamp with time zone'],
      ['created_at', 'timestamptz', true, 'timestamp with time zone'],
    ]);
    expect(schema.key).toEqual(['order_id']);
  });

  it('estimates rows and bytes: those of the leaves for parents, none where nobody has counted', async () => {
    const streams = await discover();
    expect(named(streams, 'shop.events').estimatedRows).toBe(500);
    expect(named(streams, 'shop.events').bytes).toBeGreaterThan(8192);
    expect(named(streams, 'shop.events_2026').estimatedRows).toBeGreaterThan(0);
    expect(named(streams, 'shop.empty').estimatedRows).toBe(0);
    expect(named(streams, 'shop.never_analysed').estimatedRows).toBeUndefined();
    expect(named(streams, 'shop.parent').estimatedRows).toBeUndefined();
    expect(named(streams, 'shop.open_orders').estimatedRows).toBeUndefined();
    expect(named(streams, 'shop.open_orders').bytes).toBeUndefined();
  });

  it('counts the rows of a parent by inheritance together with those of its children', async () => {
    const streams = await discover();
    expect(named(streams, 'shop.dogs').estimatedRows).toBe(20);
    expect(named(streams, 'shop.animals').estimatedRows).toBe(50);
    expect(named(streams, 'shop.events_rest').estimatedRows).toBe(155);
  });
});

describe('a key', () => {
  it.each([
    ['plain', []],
    ['primary_wins', ['c', 'b']],
    ['unique_not_null', ['b']],
    ['unique_nullable', []],
    ['unique_half_null', []],
    ['partial', []],
    ['expression', []],
    ['mixed_expression', []],
    ['deferred', []],
    ['included', ['a']],
    ['narrowest', ['c']],
    ['not_unique', []],
    ['unchecked', []],
    ['"Odd ""Key"""', ['Id "x"']],
  ])('of keys.%s is %j', async (table, key) => {
    expect(named(await discover('postgres', ['keys']), `keys.${table}`).schema.key).toEqual(key);
  });

  it('of several columns keeps the order of the index', async () => {
    expect(named(await discover(), 'shop.lines').schema.key).toEqual(['order_id', 'line_no']);
  });
});

describe('a column that may be NULL', () => {
  it.each([
    ['keys.by_domain', 'a', false],
    ['keys.by_domain', 'b', true],
    // A view may show the columns of an outer join.
    ['keys.shown', 'a', true],
    // Old rows were never looked at.
    ['keys.unchecked', 'a', true],
    // Nobody checks the constraints of a foreign table.
    ['shop.remote', 'id', true],
  ])('%s.%s: %s', async (table, column, nullable) => {
    const { fields } = named(await discover(), table).schema;
    expect(fields.find(({ name }) => name === column)?.nullable).toBe(nullable);
  });
});

describe('a proposal', () => {
  it('takes the time of the last change first, then the time of creation, and says whether an index serves it', async () => {
    const { cursors, proposal } = named(await discover(), 'shop.orders');
    expect(cursors.map(({ column, type, indexed }) => [column, type, indexed])).toEqual([
      ['updated_at', 'timestamptz', true],
      ['created_at', 'timestamptz', false],
    ]);
    expect(proposal).toMatchObject({ cursor: ['updated_at'] });
  });

  it('adds the time of creation where the time of the last change may be missing', async () => {
    expect(named(await discover(), 'shop.customers').proposal.cursor).toEqual(['modified', 'created']);
  });

  it('offers a rising key as a cursor, and reads small tables and views in full', async () => {
    const streams = await discover();
    expect(named(streams, 'shop.logs').cursors.map(({ column }) => column)).toEqual(['id']);
    expect(named(streams, 'shop.animals').proposal).toEqual({ load: 'replace' });
    expect(named(streams, 'shop.totals').proposal.load).toBe('replace');
    expect(named(streams, 'shop.remote').proposal.load).toBe('replace');
  });

  it('notes what a table lacks', async () => {
    const streams = await discover();
    expect(named(streams, 'shop.dogs').notes.join()).toMatch(/part of shop\.animals.*no key/);
    expect(named(streams, 'shop.orders').notes).toEqual([]);
  });
});

describe('the name of a stream', () => {
  const names = ['orders', 'Orders', 'a.b', 'a"b', '"', '.', 'new\nline', ' ', 'ü', `it's`, '""', 'a".b'];

  it('is read back into its parts, whatever they hold', () => {
    for (const schema of names)
      for (const table of names) expect(splitName(streamName(schema, table))).toEqual([schema, table]);
  });

  it('finds the relation that it was made from', async () => {
    for (const stream of await discover()) {
      const { rows } = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [
        quoteStreamName(stream.name),
      ]);
      expect(rows[0]!.found, stream.name).toBe(true);
    }
  });
});
