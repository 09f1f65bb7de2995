/** Columns of every type and name, and tables that change their shape. */
import { expect } from 'vitest';
import { changeText, type SchemaVersion } from '../core/schema-changes.ts';
import type { Field } from '../core/schema.ts';
import type { Cell } from './batch-rows.ts';
import { CAST, type DestinationCheck, expectRows, refusal } from './destination-suite.ts';
import { load, nextMoment, openWriter, schemaOf } from './kit-load.ts';

const EVERY_TYPE = schemaOf(
  'id int64, b bool null, i2 int16 null, i4 int32 null, i8 int64 null, f4 float32 null, f8 float64 null, d4 decimal(4,2) null, d9 decimal(9,0) null, d18 decimal(18,6) null, d38 decimal(38,10) null, t utf8 null, j json null, x binary null, u uuid null, da date null, ti time null, ts timestamp null, tz timestamptz null',
);

const VALUES: Cell[][] = [
  ['1', ...EVERY_TYPE.fields.slice(1).map(() => null)],
  [
    '2',
    'true',
    '32767',
    '2147483647',
    '9223372036854775807',
    '1.5',
    '1.7976931348623157e+308',
    '99.99',
    '999999999',
    '999999999999.999999',
    '9999999999999999999999999999.9999999999',
    'text',
    '{"a": [1, null]}',
    '00ff',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '2932896',
    '86400000000',
    '253402300799999999',
    '253402300799999999',
  ],
  [
    '3',
    'false',
    '-32768',
    '-2147483648',
    '-9223372036854775808',
    '-0.25',
    '-5e-324',
    '-99.99',
    '-999999999',
    '-999999999999.999999',
    '-9999999999999999999999999999.9999999999',
    '',
    'null',
    '',
    '00000000-0000-0000-0000-000000000000',
    '-719162',
    '0',
    '-62135596800000000',
    '-1',
  ],
  [
    '4',
    'true',
    '0',
    '0',
    '0',
    'NaN',
    'Infinity',
    '0.00',
    '0',
    '0.000001',
    '0.0000000001',
    'ä\u{1F69A}\n\t"\'\\\u0001',
    '"\\u0000"',
    'deadbeef',
    '00010203-0405-0607-0809-0a0b0c0d0e0f',
    '0',
    '1',
    '1',
    '1000000',
  ],
  [
    '5',
    'false',
    '1',
    '1',
    '1',
    '-0',
    'NaN',
    '0.01',
    '1',
    '1.000000',
    '1.0000000000',
    'x'.repeat(20_000),
    '[]',
    'ab'.repeat(10_000),
    '80000000-0000-0000-0000-000000000000',
    '-1',
    '43200000000',
    '0',
    '0',
  ],
];

const NAMES = [
  'Orders',
  'public.orders',
  'my table',
  `it's "quoted"`,
  'größe',
  '注文',
  '🚚',
  'a/b',
  '..%2f',
  'select',
  'CON',
  `${'long'.repeat(40)}`,
  '_hidden',
  'trailing.',
  '#?*[x]',
];

/** A column that the source has no more. */
function gone(field: Field): Field {
  return { ...field, gone: true };
}

export const COLUMN_CHECKS: readonly DestinationCheck[] = [
  {
    name: 'keeps nulls, extremes and any text of every type',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'types', { schema: EVERY_TYPE, rows: VALUES });
      expect((await under.read('types'))!.columns).toEqual(EVERY_TYPE.fields.map((field) => field.name));
      const kept = VALUES.map((row) =>
        row.map((cell, i) => (under.kept ? under.kept(cell, EVERY_TYPE.fields[i]!.type) : cell)),
      );
      await expectRows(under, 'types', kept);
    },
  },
  {
    name: 'adds a column, empty where it was not there, and keeps the order of the columns',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      const schema = schemaOf('id int64, mail utf8 null, name utf8 null, age int32 null');
      await load(destination, 'people', { schema, rows: [['4', 'dan@example.org', 'Dan', null]] });
      expect((await under.read('people'))!.columns).toEqual(['id', 'mail', 'name', 'age']);
      await expectRows(under, 'people', [
        ...CAST.map(([id, ...rest]) => [id!, null, ...rest]),
        ['4', 'dan@example.org', 'Dan', null],
      ]);
    },
  },
  {
    name: 'fills a column that the source lacks with NULL',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      await load(destination, 'people', {
        rows: [['4', 'Dan']],
        readerSchema: schemaOf('id int64, name utf8 null'),
      });
      await expectRows(under, 'people', [...CAST, ['4', 'Dan', null]]);
    },
  },
  {
    name: 'widens a column and keeps its values',
    async run(under) {
      const destination = await under.destination();
      const before = schemaOf('id int32, d decimal(6,2) null, f float32 null, day date null');
      const after = schemaOf('id int64, d decimal(20,4) null, f float64 null, day timestamp null');
      await load(destination, 'w', { schema: before, rows: [['1', '12.50', '0.5', '1']] });
      await load(destination, 'w', {
        schema: after,
        rows: [['5000000000', '1234567890.1234', '0.1', '1000000']],
      });
      await expectRows(under, 'w', [
        ['1', '12.5000', '0.5', '86400000000'],
        ['5000000000', '1234567890.1234', '0.1', '1000000'],
      ]);
      await load(destination, 'w', {
        schema: after,
        rows: [['1', '1.0000', null, null]],
        supersede: { kind: 'key', key: ['id'] },
      });
      await expectRows(under, 'w', [
        ['1', '1.0000', null, null],
        ['5000000000', '1234567890.1234', '0.1', '1000000'],
      ]);
    },
  },
  {
    name: 'keeps every version of its columns with the commit that brought it',
    async run(under) {
      const destination = await under.destination();
      const signal = new AbortController().signal;
      const known = async (): Promise<readonly SchemaVersion[]> =>
        (await destination.describe('people', signal))?.schemas ?? [];
      const schema = schemaOf('id int64, name utf8 null, age int64 null, mail utf8 null');
      const grown = { ...schema, fields: schema.fields.map((each, i) => (i === 1 ? gone(each) : each)) };
      const at = nextMoment();
      await load(destination, 'people', { rows: CAST, loadedAt: at });
      expect(await known()).toMatchObject([
        { version: 1, commit: 1, at, run: 'run of the kit', changes: [] },
      ]);
      // Who only shuts others out, or brings rows, changes no columns.
      const writer = await openWriter(destination, 'people');
      await writer.commit([], { kind: 'nothing' }, undefined);
      await writer.close();
      await load(destination, 'people', { rows: [['4', 'Dan', null]] });
      expect(await known()).toHaveLength(1);
      await load(destination, 'people', { schema, rows: [['5', 'Eve', '5000000000', 'e@example.org']] });
      const without = schemaOf('id int64, age int64 null, mail utf8 null');
      await load(destination, 'people', { schema: grown, rows: [['6', '6', null]], readerSchema: without });
      const found = await known();
      expect(found.map(({ version, commit }) => [version, commit])).toEqual([
        [1, 1],
        [2, 4],
        [3, 5],
      ]);
      expect(found.map(({ changes }) => changes.map(changeText))).toEqual([
        [],
        ['age int32 → int64', '+ mail utf8'],
        ['name is gone from the source and becomes NULL'],
      ]);
      const other = await under.destination();
      expect((await other.describe('people', signal))!.schemas).toEqual(found);
    },
  },
  {
    name: 'refuses to narrow or drop a column',
    async run(under) {
      const destination = await under.destination();
      await load(destination, 'people', { rows: CAST });
      await refusal(
        load(destination, 'people', {
          schema: schemaOf('id int64, name utf8 null, age int16 null'),
          rows: [['4', 'Dan', '4']],
        }),
        'schema',
      );
      await refusal(
        load(destination, 'people', { schema: schemaOf('id int64, name utf8 null'), rows: [['4', 'Dan']] }),
        'schema',
      );
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'takes long and reserved names of tables and columns',
    async run(under) {
      const destination = await under.destination();
      const columns = ['id', ...NAMES, 'ID', '_sluice', 'c0'];
      const schema = {
        fields: columns.map((name, i) => ({
          name,
          type: { kind: i === 0 ? ('int64' as const) : ('utf8' as const) },
          nullable: i > 0,
        })),
        key: ['id'],
      };
      const row: Cell[] = ['1', ...columns.slice(1).map((name) => `of ${name}`)];
      for (const table of NAMES) {
        await load(destination, table, { schema, rows: [row] });
        expect(await under.read(table), table).toEqual({ columns, rows: [row] });
      }
      for (const table of NAMES)
        expect((await destination.describe(table, new AbortController().signal))!.rows).toBe(1);
    },
  },
];
