/** Arrays within records become tables of their own, whose rows are those of the newest version of each record. */
import { expect, it } from 'vitest';
import { quarantine } from '../../src/index.ts';
import { Api, type Call } from '../support/api.ts';
import { killedAt } from '../support/killed-at.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { NestedPair, type TargetKind } from '../support/nested-pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();
const KINDS: readonly TargetKind[] = [
  'postgres',
  'lake',
  'duckdb',
  ...(mariadbPresent ? (['mysql'] as const) : []),
];
const openPair = (kind: TargetKind, streams: Parameters<typeof NestedPair.open>[2]): Promise<NestedPair> =>
  NestedPair.open(kind, kind === 'mysql' ? mariadb() : server(), streams);

const ORDERS = `[
  {"id": 1, "at": "2026-01-01T00:00:01Z", "lines": [
     {"sku": "a", "price": 12345678901234567890.25, "taxes": [{"code": "x"}, {"code": "y"}]},
     {"sku": "b", "price": 2, "taxes": []}]},
  {"id": 2, "at": "2026-01-01T00:00:02Z", "lines": []},
  {"id": 3, "at": "2026-01-01T00:00:03Z", "lines": [{"taxes": [{"code": "z"}], "sku": "c"}], "tags": ["p", "q"]}
]`;

it.each(KINDS)('loads three levels and scalars from one fetch, into %s', async (kind) => {
  await using api = await Api.open(() => ({ text: ORDERS }));
  await using pair = await openPair(kind, {
    orders: { load: 'replace' },
    'orders.lines': { load: 'replace' },
    'orders.lines.taxes': { load: 'replace' },
    'orders.tags': { load: 'replace' },
  });
  pair.url = api.url;
  for (let i = 0; i < 2; i++) {
    await pair.runs();
    expect(api.calls).toHaveLength(i + 1);
    expect(await pair.rows('orders_lines', 'orders_id', 'lines_index', 'sku', 'price')).toEqual([
      '1|0|a|12345678901234567890.25',
      '1|1|b|2.00',
      '3|0|c|-',
    ]);
    expect(await pair.rows('orders_lines_taxes', 'orders_id', 'lines_index', 'taxes_index', 'code')).toEqual([
      '1|0|0|x',
      '1|0|1|y',
      '3|0|0|z',
    ]);
    expect(await pair.rows('orders_tags', 'orders_id', 'tags_index', 'value')).toEqual(['3|0|p', '3|1|q']);
    expect(await pair.rows('orders', 'id')).toEqual(['1', '2', '3']);
  }
});

type Order = { id: number; at: string; lines?: unknown; [field: string]: unknown };

const minute = (n: number): string => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
const order = (id: number, n: number, lines?: unknown, more: object = {}): Order => ({
  id,
  at: minute(n),
  ...(lines !== undefined && { lines }),
  ...more,
});

/** What has changed since, on pages of two records. */
function changed(orders: () => Order[]): (call: Call) => { json: unknown } {
  return ({ query }) => {
    const since = query['since']?.replace('000Z', 'Z') ?? '';
    const found = orders().filter(({ at }) => at >= since);
    const page = Number(query['page'] ?? 1);
    return { json: { data: found.slice((page - 1) * 2, page * 2) } };
  };
}

const ENDPOINT = { key: 'id', records: 'data', paging: { by: 'page' }, since: 'since' };
const MERGE = { load: 'merge', cursor: 'orders_at' } as const;

it.each(KINDS)('is exactly what the newest version of each record has, in %s', async (kind) => {
  const line = (sku: string, ...taxes: string[]): object => ({ sku, taxes: taxes.map((code) => ({ code })) });
  let orders = [
    order(1, 1, [line('a', 'x', 'y'), line('b', 'z')]),
    order(2, 2, [line('c'), line('d')]),
    order(3, 3, [line('e', 'w')]),
    order(4, 4),
    order(5, 5, [line('f', 'v')]),
  ];
  await using api = await Api.open(changed(() => orders));
  await using pair = await openPair(kind, {
    orders: { load: 'merge', cursor: 'at' },
    'orders.lines': MERGE,
    'orders.lines.taxes': MERGE,
  });
  pair.url = api.url;
  pair.endpoint = ENDPOINT;
  const lines = (): Promise<string[]> => pair.rows('orders_lines', 'orders_id', 'lines_index', 'sku');
  const taxes = (): Promise<string[]> =>
    pair.rows('orders_lines_taxes', 'orders_id', 'lines_index', 'taxes_index', 'code');
  await pair.runs();
  expect(await lines()).toEqual(['1|0|a', '1|1|b', '2|0|c', '2|1|d', '3|0|e', '5|0|f']);
  expect(await taxes()).toEqual(['1|0|0|x', '1|0|1|y', '1|1|0|z', '3|0|0|w', '5|0|0|v']);
  // In a lake they are columns of all versions only.
  const loads = async (table: string, ...columns: string[]): Promise<string[]> =>
    kind === 'lake' ? [] : pair.rows(table, ...columns, '_sluice_load_id');
  const first = await loads('orders', 'id');
  const calls = api.calls.length;
  // Shorter, empty, null, gone, and one that comes twice: its last version counts, which has nothing.
  orders = [
    orders[0]!,
    order(2, 10, [line('d')]),
    order(3, 11, []),
    order(4, 12, [line('g', 'u'), line('h', 't')]),
    order(4, 13, null),
    order(5, 14),
    order(6, 15, [line('i', 's')]),
    order(1, 16, [line('b'), line('a', 'y')]),
  ];
  const second = await pair.runs();
  expect(await lines()).toEqual(['1|0|b', '1|1|a', '2|0|d', '6|0|i']);
  expect(await taxes()).toEqual(['1|1|0|y', '6|0|0|s']);
  expect(await pair.rows('orders', 'id')).toEqual(['1', '2', '3', '4', '5', '6']);
  if (kind !== 'lake') {
    const now = await loads('orders', 'id');
    // Number 6 is new, all others have come again.
    expect(now.map((row) => row.split('|')[0])).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(now.filter((row) => first.includes(row))).toEqual([]);
    expect(new Set(now.map((row) => row.split('|')[1])).size).toBe(1);
    expect(await loads('orders_lines', 'orders_id')).not.toContain(expect.stringContaining('-'));
  }
  for (const { watermark } of Object.values(second)) expect(watermark).toBe(second['orders']!.watermark);
  const asked = api.calls.slice(calls).map(({ query }) => query);
  expect(new Set(asked.map((query) => query['since'])).size).toBe(1);
  expect(new Set(asked.map((query) => query['page'])).size).toBe(asked.length);
  // Nothing is new but records that have no elements: what they had goes, and what comes after them is asked for by all.
  orders = [order(6, 20, [])];
  const last = await pair.runs();
  for (const { watermark } of Object.values(last)) expect(watermark).toBe('2026-01-01 00:20:00.000000+00');
  expect(await lines()).toEqual(['1|0|b', '1|1|a', '2|0|d']);
  expect(await taxes()).toEqual(['1|1|0|y']);
  expect(await pair.rows('orders', 'id')).toEqual(['1', '2', '3', '4', '5', '6']);
});

it('goes by keys of several columns, and by those that the stream names', async () => {
  const record = (shop: string, no: number, n: number, ...skus: string[]): object => ({
    shop,
    no,
    at: minute(n),
    lines: skus.map((sku) => ({ sku, orders_no: 'its own' })),
  });
  let orders: object[] = [record('n', 1, 1, 'a', 'b'), record('s', 1, 2, 'c'), record('s', 2, 3, 'd', 'e')];
  await using api = await Api.open(() => ({ json: orders }));
  await using pair = await openPair('postgres', { 'orders.lines': { load: 'merge' } });
  pair.url = api.url;
  pair.endpoint = { key: ['shop', 'no'] };
  const columns = ['orders_shop', 'orders_no', 'lines_index', 'sku', 'lines_orders_no'];
  await pair.runs();
  orders = [record('n', 1, 4), record('s', 1, 5, 'c', 'f')];
  await pair.runs();
  const rows = ['s|1|0|c|its own', 's|1|1|f|its own', 's|2|0|d|its own', 's|2|1|e|its own'];
  expect(await pair.rows('orders_lines', ...columns)).toEqual(rows);
  pair.endpoint = {};
  const refused = await pair.report();
  expect(refused.streams[0]!.error).toMatchObject({ code: 'stream.strategy' });
  expect(refused.streams[0]!.error!.message).toContain('needs the key of orders');
  pair.streams = { 'orders.lines': { load: 'merge', key: ['orders_shop', 'orders_no', 'lines_index'] } };
  orders = [record('s', 2, 5, 'g')];
  await pair.runs();
  expect(await pair.rows('orders_lines', ...columns)).toEqual([...rows.slice(0, 2), 's|2|0|g|its own']);
  // Without any key they can be replaced.
  pair.streams = { 'orders.lines': { load: 'replace', table: 'all_lines' } };
  await pair.runs();
  expect(await pair.rows('all_lines', 'lines_index', 'sku')).toEqual(['0|g']);
});

it('keeps what changes its shape, and puts aside what cannot be read', async () => {
  let orders = `[{"id":1,"at":"2026-01-01T00:00:01Z","lines":{"sku":"a","qty":1}}]`;
  await using api = await Api.open(() => ({ text: orders }));
  await using pair = await openPair('postgres', {
    'orders.lines': { ...MERGE, max_bad: 5 },
  });
  pair.url = api.url;
  await pair.runs();
  expect(await pair.rows('orders_lines', 'orders_id', 'lines_index', 'sku', 'qty')).toEqual(['1|0|a|1']);
  // An array now, with a new field, an element that is a number, one that is null and one of a type that does not fit.
  orders = `[
    {"id":1,"at":"2026-01-01T00:00:02Z","lines":[{"sku":"a","qty":2,"note":"n"},7,null,{"sku":"b","qty":"many"}]},
    {"id":2,"at":"2026-01-01T00:00:03Z"},
    {"id":3,"at":"2026-01-01T00:00:04Z","lines":[{"sku":"c","qty":3},{"sku" "d"}]}
  ]`;
  const { 'orders.lines': second } = await pair.runs();
  expect(second).toMatchObject({ totals: { loaded: 4, quarantined: 2 } });
  const columns = ['orders_id', 'lines_index', 'sku', 'qty', 'note', 'value'];
  const rows = ['1|0|a|2|n|-', '1|1|-|-|-|7', '1|2|-|-|-|-', '3|0|c|3|-|-'];
  expect(await pair.rows('orders_lines', ...columns)).toEqual(rows);
  const aside = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
  expect(aside.map(({ raw }) => raw).toSorted()).toEqual([
    '{"orders_id":1,"orders_at":"2026-01-01T00:00:02Z","lines_index":3,"sku":"b","qty":"many"}',
    '{"orders_id":3,"orders_at":"2026-01-01T00:00:04Z","lines_index":1,"sku" "d"}',
  ]);
});

it('counts a bad element as one, and takes the rest of its record', async () => {
  await using api = await Api.open(({ query }) => ({
    text:
      query['page'] === '2'
        ? `[{"id":3,"lines":[{"qty":5},{"qty":0.25}]}]`
        : Number(query['page']) > 2
          ? '[]'
          : `[{"id":1,"lines":[{"qty":1},{"qty":2}]},{"id":2,"lines":[]}]`,
  }));
  await using pair = await openPair('lake', {
    'orders.lines': { load: 'merge', max_bad: 1, types: { qty: 'int32' } },
  });
  pair.url = api.url;
  pair.connection = { concurrency: 1 };
  pair.endpoint = { key: 'id', paging: { by: 'page' } };
  const { 'orders.lines': first } = await pair.runs();
  expect(first).toMatchObject({ totals: { loaded: 3, quarantined: 1 } });
  const place = { directory: pair.folder };
  const [found] = await Array.fromAsync(quarantine.read(pair.project, 'p', place));
  expect(found).toMatchObject({
    column: 'qty',
    line: 4,
    file: 'GET /orders?page=1 … GET /orders?page=2, lines',
  });
  // What was put aside can be corrected by other types, and goes to its place.
  pair.streams = {
    'orders.lines': { load: 'merge', types: { qty: 'decimal(12,2)' }, table: 'orders_lines' },
  };
  await quarantine.replay(pair.project, 'p', place);
  expect(await pair.rows('orders_lines', 'orders_id', 'lines_index', 'qty')).toEqual([
    '1|0|1.00',
    '1|1|2.00',
    '3|0|5.00',
    '3|1|0.25',
  ]);
});

/** Its commits are files, or those of a server are between changes of the spool. */
const KILLS: [TargetKind, string][] = [
  ['lake', 'commits'],
  ...(mariadbPresent ? [['mysql', 'spool'] as [TargetKind, string]] : []),
];

it.each(KILLS)('loads what is behind of what was killed between two commits, into %s', async (kind, on) => {
  const before = [
    order(1, 1, [{ sku: 'a', taxes: [{ code: 'x' }] }, { sku: 'b' }]),
    order(2, 2, [{ sku: 'c' }]),
    order(3, 3, [{ sku: 'd' }]),
  ];
  const after = [
    ...before.slice(2),
    order(2, 4, []),
    order(1, 5, [{ sku: 'b', taxes: [{ code: 'y' }, { code: 'z' }] }]),
    order(4, 6, [{ sku: 'e' }]),
  ];
  let orders = before;
  await using api = await Api.open(changed(() => orders));
  const seen = new Set<string>();
  for (let at = 1, killed = true; killed; at++) {
    await using pair = await openPair(kind, {
      orders: { load: 'merge', cursor: 'at' },
      'orders.lines': MERGE,
      'orders.lines.taxes': MERGE,
    });
    pair.url = api.url;
    pair.endpoint = ENDPOINT;
    const lines = (): Promise<string[]> => pair.rows('orders_lines', 'orders_id', 'lines_index', 'sku');
    const taxes = (): Promise<string[]> =>
      pair.rows('orders_lines_taxes', 'orders_id', 'lines_index', 'taxes_index', 'code');
    orders = before;
    await pair.runs({ workers: 1 });
    orders = after;
    killed = await killedAt(pair, at, { on });
    // Whoever reads now sees all of a load, or nothing of it, in each of the tables.
    const between = [(await pair.rows('orders', 'id')).length, (await lines()).length];
    expect([3, 4]).toContain(between[0]);
    expect([4, 3]).toContain(between[1]);
    expect([1, 2]).toContain((await taxes()).length);
    seen.add(between.join(' '));
    await pair.runs();
    expect(await lines()).toEqual(['1|0|b', '3|0|d', '4|0|e']);
    expect(await taxes()).toEqual(['1|0|0|y', '1|0|1|z']);
    expect(await pair.rows('orders', 'id')).toEqual(['1', '2', '3', '4']);
  }
  expect(seen.has('4 4') || seen.has('3 3')).toBe(true);
});

it('leaves out elements that a check or the target refuses, and nothing else', async () => {
  let orders = [
    order(1, 1, [{ sku: 'a', qty: 1 }]),
    order(2, 2, [{ sku: 'b', qty: 2 }]),
    order(3, 3, [{ sku: 'c', qty: 3 }]),
  ];
  await using api = await Api.open(changed(() => orders));
  await using pair = await openPair('postgres', {
    'orders.lines': {
      ...MERGE,
      max_bad: 9,
      checks: { some: 'qty > 0', named: 'sku IS NOT NULL' },
      compute: { twice: 'qty * 2' },
    },
  });
  pair.url = api.url;
  pair.endpoint = ENDPOINT;
  const rows = (): Promise<string[]> =>
    pair.rows('orders_lines', 'orders_id', 'lines_index', 'sku', 'qty', 'twice');
  await pair.runs();
  expect(await rows()).toEqual(['1|0|a|1|2', '2|0|b|2|4', '3|0|c|3|6']);
  await pair.execute(`ALTER TABLE orders_lines ADD CHECK (qty < 100), ADD COLUMN own text DEFAULT 'mine'`);
  orders = [
    order(1, 4, [
      { sku: 'a', qty: 0 },
      { sku: 'a', qty: 7 },
      { sku: 'x', qty: 100 },
    ]),
    order(2, 5, []),
    order(3, 6, [{ sku: 'c', qty: 101 }]),
  ];
  const { 'orders.lines': second } = await pair.runs();
  expect(second).toMatchObject({ totals: { loaded: 1, quarantined: 3 } });
  expect(await rows()).toEqual(['1|1|a|7|14']);
  expect(await pair.rows('orders_lines', 'own')).toEqual(['mine']);
});

it('names the elements that share a key of the stream', async () => {
  let orders = [order(1, 1, [{ sku: 'a' }, { sku: 'b' }])];
  await using api = await Api.open(changed(() => orders));
  for (const kind of KINDS) {
    await using pair = await openPair(kind, {
      'orders.lines': { ...MERGE, key: ['orders_id', 'sku'], max_bad: 9 },
    });
    pair.url = api.url;
    pair.endpoint = { ...ENDPOINT, key: undefined };
    orders = [order(1, 1, [{ sku: 'a' }, { sku: 'b' }])];
    await pair.runs();
    orders = [order(1, 2, [{ sku: 'b' }, { sku: 'c' }])];
    await pair.runs();
    expect(await pair.rows('orders_lines', 'orders_id', 'sku', 'lines_index')).toEqual(['1|b|0', '1|c|1']);
    orders = [order(1, 3, [{ sku: 'b' }, { sku: 'b' }, { sku: 'd' }])];
    const { streams } = await pair.report();
    const now = await pair.rows('orders_lines', 'orders_id', 'sku', 'lines_index');
    expect(streams[0]).toMatchObject({ totals: { quarantined: 1 } });
    expect(now).toEqual(['1|b|0', '1|d|2']);
  }
});
