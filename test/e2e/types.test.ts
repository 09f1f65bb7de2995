import { afterAll, beforeAll, expect, test } from 'vitest';
import type pg from 'pg';
import { CASES, USER_TYPES } from './types-cases.fixture.ts';
import { differences, Lab, quote, type RuleOf, serverRows } from './types.fixture.ts';

let lab: Lab;
let url: string;
let client: pg.Client;

beforeAll(async () => {
  lab = await Lab.open();
  url = await lab.server.createDatabase('types');
  const setup = await lab.client(url);
  await setup.query(USER_TYPES);
  await createTables(setup);
  // Whatever the owner of a database sets must not change a value on its way.
  for (const setting of HOSTILE_DEFAULTS) await setup.query(`ALTER DATABASE types SET ${setting}`);
  client = await lab.client(url);
  await client.query(`SET DateStyle = 'ISO, YMD'`);
});

afterAll(async () => lab?.[Symbol.asyncDispose]());

const HOSTILE_DEFAULTS = [
  `DateStyle = 'German'`,
  `TimeZone = 'Asia/Kathmandu'`,
  `IntervalStyle = 'iso_8601'`,
  `extra_float_digits = -15`,
  `bytea_output = 'escape'`,
  `standard_conforming_strings = off`,
  `xmloption = document`,
];

/** One column per case, called like its type; row n holds the n-th value of each, and NULL after the last. */
async function createTables(setup: pg.Client): Promise<void> {
  const columns = CASES.map(({ type }) => `${quote(type)} ${type}`).join(', ');
  const rows = Math.max(...CASES.map(({ values }) => values.length)) + 1;
  await setup.query(`CREATE TABLE everything (id int PRIMARY KEY, ${columns})`);
  const parameters = CASES.map(({ values }) => values);
  const list = CASES.map(({ type }, i) => `($${i + 1}::text[])[r + 1]::${type}`).join(', ');
  await setup.query(`INSERT INTO everything SELECT r, ${list} FROM generate_series(0, ${rows - 1}) AS r`, parameters);
  await setup.query('CREATE VIEW everything_view AS SELECT * FROM everything');
}

const RULES: RuleOf = Object.fromEntries(CASES.flatMap(({ type, rule }) => (rule ? [[type, rule]] : [])));

test('every type arrives with the text that the server prints', async () => {
  await using lake = await lab.load({ 'public.everything': {} }, url);
  const found = await lake.read('everything');
  const server = await serverRows(client, 'SELECT * FROM everything ORDER BY id');

  expect(server.rows.length).toBeGreaterThan(20);
  expect(found.columns.slice(1).map(({ type }, i) => `${CASES[i]!.type} → ${type}`)).toEqual(CASES.map(({ type, lake: wanted }) => `${type} → ${wanted}`));
  expect(differences(server, found, RULES)).toEqual([]);
});
