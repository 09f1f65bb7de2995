import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PipelineConfig, StreamOptions } from '../core/project.ts';
import { type ResolvedStreams, resolveStreams } from './resolve-streams.ts';

const SHOP = [
  'public.countries',
  'public.country_eu',
  'public.country_us',
  'public.customers',
  'public.orders',
  'sales.orders',
  'audit.log',
];

function resolve(
  streams: Record<string, StreamOptions | false>,
  {
    defaults,
    select = [],
    available = SHOP,
  }: { defaults?: StreamOptions; select?: string[]; available?: string[] } = {},
): ResolvedStreams {
  const pipeline: PipelineConfig = { from: 'shop', to: 'lake', defaults, streams };
  return resolveStreams(
    pipeline,
    available.map((name) => ({ name })),
    select,
  );
}

const names = ({ streams }: ResolvedStreams): string[] => streams.map(({ name }) => name);

describe('names', () => {
  test('a wildcard takes all names that fit, in the order of the source, at its place in the file', () => {
    expect(names(resolve({ 'public.orders': {}, 'public.c*': {} }))).toEqual([
      'public.orders',
      'public.countries',
      'public.country_eu',
      'public.country_us',
      'public.customers',
    ]);
    expect(names(resolve({ '*': {} }))).toEqual(SHOP);
    expect(names(resolve({ '*.orders': {} }))).toEqual(['public.orders', 'sales.orders']);
  });

  test('a name in full wins over wildcards, a longer wildcard over a shorter one, of equals the first', () => {
    const { streams } = resolve({
      '*': { slice_rows: 1 },
      'public.*': { slice_rows: 2 },
      'public.country_*': { slice_rows: 3 },
      '*c.country_us': { slice_rows: 4 },
      'public.orders': { slice_rows: 5 },
      '*ers_none*': { slice_rows: 6 },
    });
    expect(Object.fromEntries(streams.map(({ name, sliceRows }) => [name, sliceRows]))).toEqual({
      'public.countries': 2,
      'public.country_eu': 3,
      // Both have 15 letters.
      'public.country_us': 3,
      'public.customers': 2,
      'public.orders': 5,
      'sales.orders': 1,
      'audit.log': 1,
    });
  });

  test('an entry in full does not inherit from wildcards that fit as well', () => {
    const { streams } = resolve({
      'public.*': { cursor: 'at', where: 'a' },
      'public.orders': { where: 'b' },
    });
    expect(streams.find(({ name }) => name === 'public.orders')).toMatchObject({ cursor: [], where: 'b' });
  });

  test('false leaves out, in full or by wildcard', () => {
    const resolved = resolve({
      '*': {},
      'public.country_*': false,
      'audit.log': false,
      'public.country_us': {},
    });
    expect(resolved.leftOut).toEqual(['public.country_eu', 'audit.log']);
    expect(names(resolved)).toEqual([
      'public.countries',
      'public.customers',
      'public.orders',
      'sales.orders',
      'public.country_us',
    ]);
  });

  test('a name that the source does not have is a mistake, with what may be meant', () => {
    const resolved = resolve(
      { 'public.ordres': {}, orders: {}, customers: {}, 'public.customers': {}, 'other.thing': {} },
      { available: SHOP.slice(0, 5) },
    );
    expect(resolved.mistakes).toEqual([
      'stream "public.ordres" is not in the source; did you mean "public.orders"?',
      'stream "orders" is not in the source; did you mean "public.orders"?',
      'stream "customers" is not in the source; did you mean "public.customers"?',
      `stream "other.thing" is not in the source; it has ${SHOP.slice(0, 5).join(', ')}`,
    ]);
    expect(names(resolved)).toEqual(['public.customers']);
  });

  test('so is a wildcard that fits nothing, but not one whose names others decide about', () => {
    expect(resolve({ 'pubic.c*': {} }).mistakes).toEqual([
      expect.stringMatching(/^"pubic\.c\*" fits no stream of the source/),
    ]);
    expect(resolve({ 'public.o*': {}, 'public.orders': {} }).mistakes).toEqual([]);
    expect(resolve({ '*': {} }, { available: [] }).mistakes).toEqual(['"*" fits no stream of the source']);
  });

  test('a query needs no table', () => {
    const resolved = resolve({ 'daily revenue': { sql: 'select 1' } });
    expect(resolved).toMatchObject({
      streams: [{ name: 'daily revenue', table: 'daily_revenue', sql: 'select 1' }],
      mistakes: [],
    });
  });

  test('what is to be left out but misspelt is a mistake, for it would be loaded', () => {
    const misspelt =
      'stream "audit.lgo", which is to be left out, is not in the source; did you mean "audit.log"?';
    expect(resolve({ '*': {}, 'audit.lgo': false }).mistakes).toEqual([misspelt]);
    expect(resolve({ 'public.orders': {}, 'audit.lgo': false }).mistakes).toEqual([]);
    expect(resolve({ '*': {}, 'audit.lgo': false }, { select: ['public.orders'] }).mistakes).toEqual([]);
    expect(resolve({ '*': {}, 'audit.lgo': false }, { select: ['audit.*'] }).mistakes).toEqual([misspelt]);
  });

  test('what is to be left out and gone is none, nor one of many numbered ones', () => {
    expect(resolve({ '*': {}, 'old.table': false, 'tmp_*': false }).mistakes).toEqual([]);
    expect(resolve({ '*': {}, 'p.log_2024': false }, { available: ['p.log_2025'] }).mistakes).toEqual([]);
  });

  test('names of the prototype are names like others', () => {
    const available = ['constructor', 'toString', 'hasOwnProperty'];
    expect(names(resolve({ '*': {} }, { available }))).toEqual(available);
  });
});

describe('select', () => {
  const streams = { 'public.*': {}, 'sales.orders': {}, 'audit.log': false as const };

  test('takes names, wildcards and tables, in the order of the file', () => {
    expect(names(resolve(streams, { select: ['sales.orders', 'public.orders'] }))).toEqual([
      'public.orders',
      'sales.orders',
    ]);
    expect(names(resolve(streams, { select: ['*.orders'] }))).toEqual(['public.orders', 'sales.orders']);
    expect(names(resolve(streams, { select: ['sales_orders'] }))).toEqual(['sales.orders']);
    expect(names(resolve(streams, { select: ['orders'] }))).toEqual(['public.orders']);
  });

  test('of something else is a mistake', () => {
    expect(resolve(streams, { select: ['public.odrers', 'audit.log'] }).mistakes).toEqual([
      '"public.odrers" is no stream of this pipeline; did you mean "public.orders"?',
      'stream "audit.log" is left out by the project ("audit.log: false", or a wildcard)',
    ]);
  });

  test('hides mistakes of streams that are not wanted', () => {
    expect(resolve({ ...streams, 'public.gone': {} }, { select: ['public.orders'] }).mistakes).toEqual([]);
    expect(resolve({ ...streams, 'public.gone': {} }, { select: ['public.gone'] }).mistakes).toHaveLength(1);
  });
});

describe('tables', () => {
  test('of two streams cannot be the same, whatever the case', () => {
    expect(resolve({ 'sales.orders': {}, a: { sql: 'x', table: 'Sales_Orders' } }).mistakes).toEqual([
      '"sales.orders" and "a" would share the table "sales_orders"; give one of them another with "table"',
    ]);
    expect(
      resolve({ 'sales.orders': { table: 'other' }, a: { sql: 'x', table: 'Sales_Orders' } }).mistakes,
    ).toEqual([]);
  });

  test('are compared with streams that are not selected, too', () => {
    const streams = { 'sales.orders': {}, a: { sql: 'x', table: 'sales_orders' }, 'audit.log': {} };
    expect(resolve(streams, { select: ['a'] }).mistakes).toHaveLength(1);
    expect(resolve(streams, { select: ['audit.log'] }).mistakes).toEqual([]);
  });

  test('that start with _sluice are taken', () => {
    expect(resolve({ a: { sql: 'x', table: '_sluice_x' } }).mistakes).toEqual([
      expect.stringContaining('are taken'),
    ]);
  });
});

describe('options', () => {
  const one = (options: StreamOptions, defaults?: StreamOptions): unknown =>
    resolve({ 'public.orders': options }, defaults ? { defaults } : {}).streams[0];

  test('all of them arrive', () => {
    const options: StreamOptions = {
      load: 'merge',
      table: 't',
      cursor: ['a', 'b'],
      cursor_timezone: 'UTC',
      key: 'id',
      lookback: { column: 'd', days: 7 },
      first_run: 60,
      overlap: 30,
      null_cursor: 'skip',
      partition_by: { column: 'd', by: 'day' },
      columns: ['a', 'b', 'd', 'id'],
      rename: { a: 'x' },
      types: { b: 'text' },
      where: 'a > 0',
      slice_rows: 10,
    };
    expect(one(options)).toEqual({
      name: 'public.orders',
      table: 't',
      load: 'merge',
      cursor: ['a', 'b'],
      cursorZone: 'UTC',
      key: ['id'],
      lookback: { column: 'd', days: 7 },
      firstRunSeconds: 60,
      overlapSeconds: 30,
      nullCursor: 'skip',
      partitionBy: { column: 'd', by: 'day' },
      columns: { include: ['a', 'b', 'd', 'id'] },
      rename: { a: 'x' },
      types: { b: 'text' },
      where: 'a > 0',
      sliceRows: 10,
    });
  });

  test.each<[StreamOptions, StreamOptions | undefined, object]>([
    [{}, undefined, { load: 'replace', cursor: [], nullCursor: 'load', rename: {}, types: {} }],
    [{ cursor: 'a' }, undefined, { load: 'append', cursor: ['a'] }],
    [{ date: 'd' }, undefined, { load: 'delete-insert', date: { column: 'd' } }],
    [{ date: { column: 'd', timezone: 'UTC' } }, undefined, { date: { column: 'd', zone: 'UTC' } }],
    [{}, { load: 'merge', cursor: 'c' }, { load: 'merge', cursor: ['c'] }],
    [{ cursor: 'own' }, { load: 'merge', cursor: 'c' }, { load: 'merge', cursor: ['own'] }],
    // What a stream says itself goes before a default that contradicts it.
    [
      { load: 'replace' },
      { load: 'merge', cursor: 'c', overlap: 5, first_run: 9 },
      { load: 'replace', cursor: [], overlapSeconds: undefined, firstRunSeconds: undefined },
    ],
    [
      { date: 'd' },
      { load: 'merge', cursor: 'c', overlap: 5, first_run: 9 },
      { load: 'delete-insert', cursor: [], overlapSeconds: undefined, firstRunSeconds: 9 },
    ],
    [{ cursor: 'c' }, { load: 'replace' }, { load: 'append', cursor: ['c'] }],
    [{ cursor: 'c' }, { load: 'delete-insert', date: 'd' }, { load: 'append', date: undefined }],
    [{ load: 'append' }, { date: 'd' }, { load: 'append', date: undefined }],
    [
      { load: 'delete-insert' },
      { date: 'd', cursor: 'c' },
      { load: 'delete-insert', date: { column: 'd' }, cursor: [] },
    ],
    // Defaults about cursors do not concern streams without one.
    [
      {},
      { overlap: 5, lookback: { column: 'd', days: 1 }, first_run: 9 },
      { load: 'replace', overlapSeconds: undefined, lookback: undefined, firstRunSeconds: undefined },
    ],
    [
      { rename: { a: 'b' } },
      { rename: { c: 'd', a: 'x' }, types: { t: 'text' } },
      { rename: { c: 'd', a: 'b' }, types: { t: 'text' } },
    ],
    [
      { checks: { a: 'x > 1', c: 'z' } },
      { checks: { a: 'x > 0', b: 'y' }, compute: { d: 'x' } },
      { rules: { checks: { a: 'x > 1', b: 'y', c: 'z' }, compute: { d: 'x' } } },
    ],
    [{ columns: { exclude: ['x'] } }, { columns: ['y'] }, { columns: { exclude: ['x'] } }],
    [{ cursor: undefined }, { cursor: 'c' }, { cursor: ['c'] }],
  ])('%j over defaults %j', (options, defaults, expected) =>
    expect(one(options, defaults)).toMatchObject(expected),
  );

  test('defaults and options are left as they were', () => {
    const defaults: StreamOptions = { load: 'merge', cursor: 'c', rename: { a: 'b' } };
    const before = structuredClone(defaults);
    one({ load: 'replace', rename: { c: 'd' } }, defaults);
    expect(defaults).toEqual(before);
  });
});

test('each name of the source is decided about once, whatever the entries are', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 5 });
  const entries = fc.dictionary(part, fc.boolean(), { maxKeys: 6 });
  const available = fc.uniqueArray(
    fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 5 }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(entries, available, (kept, source) => {
      const streams = Object.fromEntries(
        Object.entries(kept).map(([name, keep]) => [name, keep ? {} : (false as const)]),
      );
      const { streams: loaded, leftOut } = resolve(streams, { available: source });
      const decided = [...loaded.map(({ name }) => name), ...leftOut];
      expect(new Set(decided).size).toBe(decided.length);
      // With a regular expression, as a second opinion on what a wildcard fits.
      const fits = (entry: string, name: string): boolean =>
        new RegExp(`^${entry.replaceAll('.', '\\.').replace(/\*+/g, '.*')}$`).test(name);
      const expected = source.filter((name) => Object.keys(kept).some((entry) => fits(entry, name)));
      expect(decided.toSorted()).toEqual(expected.toSorted());
    }),
  );
});

test('what becomes of deleted rows is as it is written, and a default where it means something', () => {
  const deletesOf = (own: StreamOptions, defaults: StreamOptions = {}): unknown =>
    resolve({ 'public.orders': own }, { defaults }).streams[0]!.deletes;
  expect(deletesOf({ load: 'merge', deletes: 'remove' })).toEqual({ how: 'remove' });
  expect(deletesOf({ load: 'merge', deletes: 'keep' }, { deletes: 'flag' })).toBeUndefined();
  expect(deletesOf({ load: 'merge', deletes: { how: 'flag', at_most: '2.5 %' } })).toEqual({
    how: 'flag',
    atMost: { percent: 2.5 },
  });
  expect(deletesOf({ load: 'merge' }, { deletes: { how: 'remove', at_most: 7 } })).toEqual({
    how: 'remove',
    atMost: { rows: 7 },
  });
  expect(deletesOf({ load: 'append' }, { load: 'merge', deletes: 'remove' })).toBeUndefined();
  expect(deletesOf({ load: 'scd2' }, { load: 'merge', deletes: 'remove' })).toBeUndefined();
  expect(deletesOf({ load: 'scd2' }, { load: 'merge', deletes: 'flag' })).toEqual({ how: 'flag' });
});
