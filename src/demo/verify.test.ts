import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pair } from '../../test/support/pair.ts';
import { openCatalog } from '../catalog/index.ts';
import { openLocalStorage } from '../connectors/shared/local-storage.ts';
import { type PostgresServer, startPostgres } from '../testing/postgres-server.ts';
import { compareTables, type TableComparison } from './verify.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const TABLE = `
  create type mood as enum ('glad', 'so, so');
  create domain percent as real;
  create table things (
    region text, number int, small smallint, large bigint, yes boolean, price numeric(12,2), free numeric,
    single real, twice double precision, share percent, word text, code char(4), short varchar(9), bytes bytea,
    day date, plain timestamp, instant timestamptz, id uuid, doc jsonb, tags text[], feeling mood,
    primary key (region, number));
  insert into things
  select 'region ' || n % 3, n, -n, n::bigint << 40, n % 2 = 0, n * 1.25, n / 7.0, n / 3.0, n / 3.0, n / 3.0,
    case n % 5 when 0 then '' when 1 then null when 2 then 'a,b' when 3 then 'für 🔔' else '-' end, 'x', 'y ',
    decode(md5(n::text), 'hex'), '2024-02-29'::date + n, '2024-01-01 00:00:00.000001'::timestamp + n * interval '1 day',
    '1969-12-31 23:59:59.999999+00'::timestamptz + n * interval '1 day', md5(n::text)::uuid,
    jsonb_build_object('n', n, 'text', 'a "b"'), array['a', null, 'b,c'], case when n % 2 = 0 then 'glad' else 'so, so' end::mood
  from generate_series(1, 3000) n;
  insert into things (region, number, single, twice) values
    ('special', 1, 'NaN', '-0'), ('special', 2, 'Infinity', '-Infinity'), ('special', 3, -0.0, 1e-320);`;

/** A pair with `things` loaded. */
async function openLoaded(): Promise<Pair> {
  const pair = await Pair.open(server, { 'public.things': { load: 'replace' } }, TABLE);
  await pair.run();
  return pair;
}

async function compare(pair: Pair): Promise<TableComparison> {
  const catalog = openCatalog({ storage: openLocalStorage(path.join(pair.folder, 'lake')) });
  await pair.db.query('begin isolation level repeatable read read only');
  try {
    const options = { client: pair.db, catalog, signal: new AbortController().signal };
    const [comparison] = await compareTables(['public.things'], options);
    return comparison!;
  } finally {
    await pair.db.query('commit');
    await catalog.close();
  }
}

test('a table that was loaded is equal, with every type of column', async () => {
  await using pair = await openLoaded();
  expect(await compare(pair)).toEqual({
    table: 'public.things',
    rows: { database: 3003, lake: 3003 },
    columns: 21,
    equal: true,
    differences: [],
  });
});

test.each([
  [`number`, `update things set number = -5 where number = 5`, 'missing', 'region region 2, number -5'],
  [`an empty text and NULL`, `update things set word = null where number = 5`, 'changed', 'number 5'],
  [`a blank at the end`, `update things set short = 'y' where number = 5`, 'changed', 'number 5'],
  [
    `the last bit of a float`,
    `update things set twice = twice * 1.0000000000000003 where number = 5`,
    'changed',
    'number 5',
  ],
  [
    `the sign of a zero`,
    `update things set twice = 0 where region = 'special' and number = 1`,
    'changed',
    'number 1',
  ],
  [
    `a microsecond`,
    `update things set instant = instant + interval '1 us' where number = 5`,
    'changed',
    'number 5',
  ],
  [`a deleted row`, `delete from things where number = 5`, 'not in the database', 'number 5'],
  [
    `values that moved between columns`,
    `update things set word = 'a', code = ',b' where number = 7`,
    'changed',
    'region region 1, number 7',
  ],
])('a difference in %s is found, and the row is named', async (_what, sql, kind, what) => {
  await using pair = await openLoaded();
  await pair.db.query(sql);
  const { equal, differences } = await compare(pair);
  expect(equal).toBe(false);
  expect(differences).toContainEqual({ kind, what: expect.stringContaining(what) as string });
  expect(differences.length).toBeLessThanOrEqual(2);
});

test('rows that are in the lake twice are named', async () => {
  const streams = {
    'public.things': { sql: 'select * from things union all select * from things where number = 5' },
  };
  await using pair = await Pair.open(
    server,
    { things: { ...streams['public.things'], load: 'replace' } },
    TABLE,
  );
  await pair.run();
  const { rows, differences } = await compare(pair);
  expect(rows).toEqual({ database: 3003, lake: 3004 });
  expect(differences).toEqual([{ kind: 'doubled', what: 'region region 2, number 5' }]);
});

test('a column that the lake does not have is a difference, and the others are compared all the same', async () => {
  await using pair = await openLoaded();
  await pair.db.query(
    `alter table things add column extra int; update things set small = 0 where number = 5`,
  );
  expect((await compare(pair)).differences).toEqual([
    { kind: 'missing column', what: 'extra' },
    { kind: 'changed', what: 'region region 2, number 5' },
  ]);
});

test('of very many differences some are named', async () => {
  await using pair = await openLoaded();
  await pair.db.query(`update things set small = 0`);
  const { equal, differences } = await compare(pair);
  expect(equal).toBe(false);
  expect(differences).toHaveLength(10);
});
