import { readFileSync } from 'node:fs';
import { glob as globFiles } from 'node:fs/promises';
import path from 'node:path';
import { parquetMetadata } from 'hyparquet';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CASES, USER_TYPES } from './types-cases.fixture.ts';
import {
  differences,
  type LakeColumn,
  quote,
  type RuleOf,
  serverRows,
} from '../../guarantees/fidelity/cells.ts';
import { Lab } from './types.fixture.ts';

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
  await setup.query(
    `INSERT INTO everything SELECT r, ${list} FROM generate_series(0, ${rows - 1}) AS r`,
    parameters,
  );
  await setup.query('CREATE VIEW everything_view AS SELECT * FROM everything');
}

const RULES: RuleOf = Object.fromEntries(CASES.flatMap(({ type, rule }) => (rule ? [[type, rule]] : [])));

test('every type arrives with the text that the server prints', async () => {
  await using lake = await lab.load({ 'public.everything': {} }, url);
  const found = await lake.read('everything');
  const server = await serverRows(client, 'SELECT * FROM everything ORDER BY id');

  expect(server.rows.length).toBeGreaterThan(20);
  expect(found.columns.slice(1).map(({ type }, i) => `${CASES[i]!.type} → ${type}`)).toEqual(
    CASES.map(({ type, lake: wanted }) => `${type} → ${wanted}`),
  );
  expect(differences(server, found, RULES)).toEqual([]);
});

test('a view and a query give the same types and values as their table', async () => {
  await using lake = await lab.load(
    {
      'public.everything_view': {},
      query: { sql: 'SELECT * FROM everything WHERE id >= 0 -- all\n;' },
      'public.everything': {},
    },
    url,
  );
  const [table, view, query] = await Promise.all(
    ['everything', 'everything_view', 'query'].map((name) => lake.read(name)),
  );
  const types = (columns: LakeColumn[]): string[] => columns.map(({ name, type }) => `${name} ${type}`);
  expect(types(view!.columns)).toEqual(types(table!.columns));
  expect(types(query!.columns)).toEqual(types(table!.columns));
  expect(view!.rows).toEqual(table!.rows);
  expect(query!.rows).toEqual(table!.rows);
});

test('rows that are read again are recognised, whatever their types', async () => {
  await client.query(`CREATE TABLE again AS SELECT *, now() AS changed_at FROM everything`);
  const root = lab.lakeFolder();
  const stream = { 'public.again': { load: 'append' as const, cursor: 'changed_at' } };
  const first = await lab.run(root, stream, url);
  await client.query(`UPDATE again SET text = 'changed', changed_at = now() WHERE id = 3`);
  const second = await lab.run(root, stream, url);
  const third = await lab.run(root, stream, url);
  // All rows lie so close to the end of the first run that the second one reads them again.
  expect(second.streams[0]!.totals.rows).toBe(first.streams[0]!.totals.rows);
  expect([first, second, third].map(({ streams }) => [streams[0]!.error, streams[0]!.totals.loaded])).toEqual(
    [
      [undefined, first.streams[0]!.totals.rows],
      [undefined, 1],
      [undefined, 0],
    ],
  );
});

test('types that the user pins are converted by the server, and a value that does not fit stops the stream', async () => {
  await client.query(`CREATE TABLE pinned (id int, a int, b numeric, c text, d char(3), e text, f timestamptz, g jsonb);
    INSERT INTO pinned VALUES (1, 7, 1.239, '42', 'x', 'é', '2026-01-01 00:00+00', '{"a": 1}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`);
  const types = { a: 'text', b: 'decimal(10,2)', c: 'int64', d: 'text', e: 'binary', f: 'text', g: 'binary' };
  await using lake = await lab.load({ 'public.pinned': { types } }, url);
  const { columns, rows } = await lake.read('pinned');
  expect(columns.map(({ type }) => type)).toEqual([
    'int32',
    'utf8',
    'decimal(10,2)',
    'int64',
    'utf8',
    'binary',
    'utf8',
    'binary',
  ]);
  expect(rows).toEqual([
    ['1', '7', '1.24', '42', 'x', '\\xc3a9', '2026-01-01 00:00:00+00', '\\x7b2261223a20317d'],
    ['2', null, null, null, null, null, null, null],
  ]);

  const { streams } = await lab.run(lab.lakeFolder(), { 'public.pinned': { types: { e: 'int32' } } }, url);
  expect(streams[0]!.error).toMatchObject({ code: 'postgres.bad_value' });
});

test('another reader of Parquet sees the same types', async () => {
  await using lake = await lab.load({ 'public.everything': {} }, url);
  const [file] = await Array.fromAsync(globFiles('*/*.parquet', { cwd: lake.root }));
  const bytes = readFileSync(path.join(lake.root, file!));
  const { schema } = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const typeOf = (type: string): string => {
    const element = schema.find(({ name }) => name === type)!;
    const logical = element.logical_type;
    return [
      element.type,
      logical?.type ?? element.converted_type,
      ...(logical?.type === 'TIMESTAMP' ? [logical.unit, logical.isAdjustedToUTC ? 'UTC' : 'local'] : []),
      element.precision,
      element.scale,
    ]
      .filter((part) => part !== undefined)
      .join(' ');
  };
  const names = [
    'boolean',
    'smallint',
    'bigint',
    'numeric(4,2)',
    'numeric(9,4)',
    'numeric(18,6)',
    'numeric(38,10)',
    'real',
    'double precision',
    'text',
    'bytea',
    'uuid',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'jsonb',
  ];
  expect(names.map((name) => `${name}: ${typeOf(name)}`)).toMatchInlineSnapshot(`
    [
      "boolean: BOOLEAN",
      "smallint: INT32 INT_16",
      "bigint: INT64 INT_64",
      "numeric(4,2): INT32 DECIMAL 4 2",
      "numeric(9,4): INT32 DECIMAL 9 4",
      "numeric(18,6): INT64 DECIMAL 18 6",
      "numeric(38,10): FIXED_LEN_BYTE_ARRAY DECIMAL 38 10",
      "real: FLOAT",
      "double precision: DOUBLE",
      "text: BYTE_ARRAY UTF8",
      "bytea: BYTE_ARRAY",
      "uuid: FIXED_LEN_BYTE_ARRAY UUID",
      "date: INT32 DATE",
      "time: INT64 TIME",
      "timestamp: INT64 TIMESTAMP MICROS local",
      "timestamptz: INT64 TIMESTAMP MICROS UTC",
      "jsonb: BYTE_ARRAY UTF8",
    ]
  `);
});
