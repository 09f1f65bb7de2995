/** Random tables of random values, weighted to extremes, through the whole path. The seed is printed; SLUICE_SEED sets it. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type pg from 'pg';
import { arrayJson } from './types-cases.fixture.ts';
import { type Cell, differences, Lab, quote, type RuleOf, serverRows } from './types.fixture.ts';

const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));

let lab: Lab;
let client: pg.Client;

beforeAll(async () => {
  lab = await Lab.open();
  client = await lab.client();
  await client.query(
    `CREATE DOMAIN exact AS numeric(20,5); CREATE TYPE colour AS ENUM ('red', '', 'sky blue', 'a very long colour indeed')`,
  );
});

afterAll(async () => lab?.[Symbol.asyncDispose]());

interface RandomType {
  sql: string;
  value: fc.Arbitrary<string>;
  rule?: (server: string) => Cell;
}

const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const pad = (n: number, width: number): string => String(n).padStart(width, '0');

/** Whole numbers of a size, with those around powers of two and ten more often. */
function integer(bits: number): fc.Arbitrary<string> {
  const most = 2n ** BigInt(bits - 1);
  const clamp = (n: bigint): string => String(n >= most ? most - 1n : n < -most ? -most : n);
  const near = fc
    .tuple(fc.integer({ min: 0, max: bits - 1 }), fc.integer({ min: -2, max: 2 }), fc.boolean())
    .map(([e, d, n]) => clamp((2n ** BigInt(e) + BigInt(d)) * (n ? -1n : 1n)));
  return fc.oneof(
    near,
    fc.bigInt({ min: -most, max: most - 1n }).map(String),
    oneOf(String(-most), String(most - 1n), '0', '-1'),
  );
}

/** A number of at most `precision` digits, `scale` of them after the point; both may be outside of each other. */
function decimalText(precision: number, scale: number): fc.Arbitrary<string> {
  const most = 10n ** BigInt(precision) - 1n;
  const powers = fc
    .tuple(fc.integer({ min: 0, max: precision - 1 }), fc.integer({ min: -1, max: 1 }))
    .map(([e, d]) => 10n ** BigInt(e) + BigInt(d));
  const digits = fc.oneof(
    powers,
    fc.bigInt({ min: 0n, max: most }),
    fc.constant(most),
    fc.constant(0n),
    fc.bigInt({ min: 0n, max: most < 99_999n ? most : 99_999n }),
  );
  return fc.tuple(digits, fc.boolean()).map(([unscaled, negative]) => {
    const sign = negative ? '-' : '';
    const text = String(unscaled > most ? most : unscaled);
    if (scale <= 0) return `${sign}${text}${'0'.repeat(-scale)}`;
    const padded = text.padStart(scale + 1, '0');
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  });
}

const numeric: fc.Arbitrary<RandomType> = fc
  .oneof(
    fc
      .tuple(fc.constantFrom(1, 4, 5, 8, 9, 10, 12, 17, 18, 19, 20, 28, 37, 38, 39), fc.nat(40))
      .map(([p, s]): [number, number] => [p, s % (p + 1)]),
    fc.tuple(fc.integer({ min: 1, max: 45 }), fc.integer({ min: -6, max: 45 })),
  )
  .map(([p, s]) => ({
    sql: `numeric(${p},${s})`,
    value: fc.oneof(
      { weight: 30, arbitrary: decimalText(p, s) },
      { weight: 1, arbitrary: fc.constant('NaN') },
    ),
    // What 38 digits do not hold stays text, NaN and all.
    rule: (text: string) => (text === 'NaN' && (s < 0 ? p - s : Math.max(p, s)) <= 38 ? null : text),
  }));

const floats = (kind: 'real' | 'double precision'): RandomType => ({
  sql: kind,
  value: (kind === 'real' ? fc.float() : fc.double()).map((value) =>
    Object.is(value, -0) ? '-0' : String(value),
  ),
});

const plainText = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 15 }),
    fc.string({ unit: 'grapheme-ascii', minLength: 10, maxLength: 14 }),
    fc
      .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 3000 }))
      .map(([unit, n]) => unit.repeat(n)),
    oneOf('', 'NULL', '\\N', '12 bytes lon'),
  )
  .map((text) => text.replaceAll('\0', '0'));

const bytes = fc
  .oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 200, maxLength: 400 }))
  .map((value) => `\\x${Buffer.from(value).toString('hex')}`);

const years = fc.oneof(
  fc.integer({ min: 1, max: 4713 }).map((year) => [year, ' BC'] as const),
  fc
    .oneof(fc.integer({ min: 1, max: 294_246 }), fc.integer({ min: 1890, max: 2110 }))
    .map((year) => [year, ''] as const),
);
const days = fc
  .tuple(years, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([[year, era], month, day]) => [`${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`, era] as const);
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.oneof(fc.nat(999_999), fc.constantFrom(0, 1, 999_999)))
  .map(([h, m, s, u]) => `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}.${pad(u, 6)}`);
const zone = fc
  .tuple(fc.constantFrom('+', '-'), fc.nat(14), fc.constantFrom(0, 30, 45))
  .map(([sign, h, m]) => `${sign}${pad(h, 2)}:${pad(m, 2)}`);
const endless = oneOf('infinity', '-infinity');

const simple: RandomType[] = [
  { sql: 'boolean', value: oneOf('t', 'f') },
  { sql: 'smallint', value: integer(16) },
  { sql: 'integer', value: integer(32) },
  { sql: 'bigint', value: integer(64) },
  {
    sql: 'oid',
    value: integer(33)
      .map((text) => text.replace('-', ''))
      .map((text) => (text === '4294967296' ? '0' : text)),
  },
  floats('real'),
  floats('double precision'),
  {
    sql: 'numeric',
    value: fc
      .tuple(decimalText(50, 20), fc.integer({ min: -300, max: 300 }))
      .map(([digits, e]) => `${digits}e${e}`),
  },
  { sql: 'exact', value: decimalText(20, 5) },
  { sql: 'money', value: decimalText(18, 2), rule: (text) => `${text.replaceAll(/[$,]/g, '')}00` },
  { sql: 'text', value: plainText },
  { sql: 'varchar', value: plainText },
  { sql: 'colour', value: oneOf('red', '', 'sky blue', 'a very long colour indeed') },
  { sql: 'bytea', value: bytes },
  { sql: 'uuid', value: fc.uuid() },
  { sql: 'json', value: fc.json() },
  { sql: 'jsonb', value: fc.json().map((text) => text.replaceAll('\\u0000', '')) },
  {
    sql: 'date',
    value: fc.oneof({ weight: 9, arbitrary: days.map(([day, era]) => `${day}${era}`) }, endless),
  },
  { sql: 'time', value: fc.oneof({ weight: 9, arbitrary: clock }, oneOf('24:00:00')) },
  { sql: 'timetz', value: fc.tuple(clock, zone).map(([time, offset]) => `${time}${offset}`) },
  {
    sql: 'timestamp',
    value: fc.oneof(
      { weight: 9, arbitrary: fc.tuple(days, clock).map(([[day, era], time]) => `${day} ${time}${era}`) },
      endless,
    ),
  },
  {
    sql: 'timestamptz',
    value: fc.oneof(
      {
        weight: 9,
        arbitrary: fc
          .tuple(days, clock, zone)
          .map(([[day, era], time, offset]) => `${day} ${time}${offset}${era}`),
      },
      endless,
    ),
  },
  {
    sql: 'interval',
    value: fc
      .tuple(integer(24), integer(24), integer(50))
      .map(([months, daysOf, micros]) => `${months} mons ${daysOf} days ${micros} microseconds`),
  },
  {
    sql: 'inet',
    value: fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => !text.includes('.')),
      fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, mask]) => `${ip}/${mask}`),
    ),
  },
  { sql: 'varbit', value: fc.string({ unit: oneOf('0', '1'), maxLength: 70 }) },
  {
    sql: 'int8[]',
    value: fc
      .array(fc.option(integer(64), { nil: 'NULL' }), { maxLength: 6 })
      .map((items) => `{${items.join(',')}}`),
    rule: arrayJson((text) => text),
  },
  {
    sql: 'text[]',
    value: fc
      .array(fc.option(plainText, { nil: undefined }), { minLength: 2, maxLength: 2 })
      .chain((pair) =>
        fc
          .nat(3)
          .map((n) => `{${Array.from({ length: n }, () => `{${pair.map(item).join(',')}}`).join(',')}}`),
      ),
    rule: arrayJson((text) => JSON.stringify(text)),
  },
];

function item(text: string | undefined): string {
  return text === undefined ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

interface RandomTable {
  types: RandomType[];
  rows: (string | null)[][];
  /** How often the rows are repeated, so that tables grow over the size of a batch. */
  times: number;
}

const table: fc.Arbitrary<RandomTable> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...simple) }, numeric), {
      minLength: 1,
      maxLength: 9,
    }),
    fc.integer({ min: 0, max: 60 }),
    fc.constantFrom(1, 1, 3, 50),
  )
  .chain(([types, rows, times]) =>
    fc
      .array(fc.tuple(...types.map(({ value }) => fc.option(value, { freq: 6, nil: null }))), {
        minLength: rows,
        maxLength: rows,
      })
      .map((values) => ({ types, rows: values, times })),
  );

async function create(name: string, { types, rows, times }: RandomTable): Promise<void> {
  await client.query(
    `CREATE TABLE ${name} (id int, ${types.map(({ sql }, i) => `${columnName(sql, i)} ${sql}`).join(', ')})`,
  );
  const columns = types.map((_, c) => rows.map((row) => row[c]!));
  const names = types.map((_, c) => `a${c}`);
  await client.query(
    `INSERT INTO ${name} SELECT n + r * ${rows.length}, ${types.map(({ sql }, c) => `a${c}::${sql}`).join(', ')}
       FROM unnest(${types.map((_, c) => `$${c + 1}::text[]`).join(', ')}) WITH ORDINALITY AS u(${names.join(', ')}, n), generate_series(0, ${times - 1}) AS r`,
    columns,
  );
}

function columnName(sql: string, index: number): string {
  return quote(`${index} ${sql}`);
}

test(`random tables arrive with the text that the server prints (SLUICE_SEED=${seed})`, async () => {
  console.log(`random tables: SLUICE_SEED=${seed}`);
  let cells = 0;
  // A difference names table, column and row: there is nothing to shrink, so the property is a plain loop.
  for (const [run, tables] of fc
    .sample(fc.array(table, { minLength: 6, maxLength: 10 }), { seed, numRuns: 5 })
    .entries()) {
    const schema = `run${run}`;
    await client.query(`CREATE SCHEMA ${schema}`);
    for (const [i, each] of tables.entries()) await create(`${schema}.t${i}`, each);
    await using lake = await lab.load({ [`${schema}.*`]: {} });
    for (const [i, { types, rows, times }] of tables.entries()) {
      const rules: RuleOf = Object.fromEntries(
        types.flatMap(({ sql, rule }, c) => (rule ? [[`${c} ${sql}`, rule]] : [])),
      );
      const server = await serverRows(client, `SELECT * FROM ${schema}.t${i} ORDER BY id`);
      expect(server.rows.length).toBe(rows.length * times);
      expect(differences(server, await lake.read(`${schema}_t${i}`), rules), `${schema}.t${i}`).toEqual([]);
      cells += server.rows.length * server.names.length;
    }
  }
  expect(cells).toBeGreaterThan(5000);
});
