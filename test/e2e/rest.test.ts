/** Records of an API become a table: all pages, only what has changed, whatever the API does. */
import { describe, expect, it } from 'vitest';
import { setWatermark } from '../../src/engine/state-ops.ts';
import { quarantine, type RunEvent } from '../../src/index.ts';
import { type Answer, Api, ApiLake, type Call } from '../support/api.ts';

interface Item {
  id: number;
  name: string | null;
  updated_at: string;
}

const DAY = Date.UTC(2026, 0, 1);
const item = (id: number, name: string | null = `n${id}`, minutes: number = id): Item => ({
  id,
  name,
  updated_at: new Date(DAY + minutes * 60_000).toISOString(),
});
const items = (count: number): Item[] => Array.from({ length: count }, (_, i) => item(i + 1));

/** `?page=2&per_page=3`. */
function page(all: readonly unknown[], { query }: Call): { data: unknown[]; total: number } {
  const size = Number(query['per_page'] ?? 3);
  const number = Number(query['page'] ?? 1);
  return { data: all.slice((number - 1) * size, number * size), total: all.length };
}

const BY_PAGE = { by: 'page', size_param: 'per_page', size: 3 };

it('loads all pages, then what has changed, and nothing twice', async () => {
  let all = items(10);
  await using api = await Api.open((call) => ({
    json: page(
      all.filter(({ updated_at }) => updated_at >= (call.query['since'] ?? '')),
      call,
    ),
  }));
  await using pair = new ApiLake({ load: 'merge', cursor: 'updated_at' });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', records: 'data', key: 'id', paging: BY_PAGE, since: 'since' } };
  expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { rows: 10, loaded: 10 } });
  expect(await pair.query('SELECT count(*), sum(id), max(updated_at) FROM t')).toEqual([
    [10, 55, '2026-01-01 00:10:00+00'],
  ]);
  all = [...all.slice(1), item(1, 'changed', 60), item(11, null, 61)];
  const second = await pair.run();
  expect(second).toMatchObject({ watermark: '2026-01-01 01:01:00.000000+00' });
  expect(api.calls.at(-1)!.query['since']).toBe('2026-01-01T00:10:00.000000Z');
  expect(await pair.query('SELECT count(*), count(DISTINCT id), count(name) FROM t')).toEqual([[11, 11, 10]]);
  expect(await pair.query('SELECT name FROM t WHERE id = 1')).toEqual([['changed']]);
  // To see that a watermark is one, not all that follows it is fetched.
  api.calls.length = 0;
  await setWatermark(await pair.context(), 'p', 't', '2026-01-01 00:02:00+00');
  expect(api.calls).toHaveLength(1);
});

it.each([
  ['pages of a size', BY_PAGE],
  ['offsets', { by: 'offset', size_param: 'per_page', size: 3 }],
])('leaves nothing out and doubles nothing when records come and go between %s', async (_, paging) => {
  let all: Item[] = [];
  // One that was on an earlier page goes, or another one comes in front, before each page.
  let moves: 'go' | 'come' = 'go';
  const moving = (call: Call): { json: unknown } => {
    const from =
      'offset' in call.query
        ? { data: all.slice(Number(call.query['offset'])).slice(0, 3) }
        : page(all, call);
    if (moves === 'come') all = [item(100 + api.calls.length, 'new', 90), ...all];
    else if (api.calls.length < 9) all = all.filter(({ id }) => id !== api.calls.length);
    return { json: from };
  };
  await using api = await Api.open(moving);
  for (const [load, how] of [
    ['merge', 'go'],
    ['replace', 'go'],
    ['append', 'come'],
  ] as const) {
    await using pair = new ApiLake({ load, key: 'id' });
    pair.url = api.url;
    pair.connection = { concurrency: 1 };
    pair.endpoints = { t: { path: '/t', records: 'data', paging } };
    moves = how;
    all = items(20);
    api.calls.length = 0;
    await pair.run();
    const stayed = all.filter(({ id }) => id < 100).map(({ id }) => id);
    expect(stayed.length).toBeGreaterThan(5);
    const [found] = await pair.query(
      `SELECT count(*) - count(DISTINCT id), count(*) FILTER (id IN (${stayed.join()})) FROM t`,
    );
    expect(found).toEqual([0, stayed.length]);
  }
});

it('takes the last of records that come twice, and doubles nothing that is appended', async () => {
  // Pages without a size cannot overlap by what they are asked for, and bring records again.
  let all = items(6);
  const shifting = (call: Call): { json: unknown } => {
    const answer = { json: page(all, call) };
    all = [item(100 + api.calls.length, 'new', 90), ...all];
    return answer;
  };
  await using api = await Api.open(shifting);
  const endpoint = { path: '/t', records: 'data', paging: { by: 'page' }, since: 'since' };
  for (const load of ['merge', 'replace', 'append'] as const) {
    await using pair = new ApiLake({ load, key: 'id' });
    pair.url = api.url;
    pair.connection = { concurrency: 1 };
    pair.endpoints = { t: endpoint };
    all = items(6);
    const said: RunEvent[] = [];
    const { totals } = await pair.run({ onEvent: (event) => void said.push(event) });
    const doubled = expect.stringContaining('again with the same key: the last of each counts') as string;
    expect(said).toContainEqual(expect.objectContaining({ kind: 'warning', message: doubled }));
    expect(totals.skipped).toBeGreaterThan(0);
    expect(totals.rows).toBe(totals.loaded + totals.skipped);
    expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t WHERE id < 100')).toEqual([[6, 6]]);
  }
});

it('tells how far fetching is, up to how many records there are', async () => {
  await using api = await Api.open((call) => ({ json: { ...page(items(10), call), pages: 4 } }));
  await using pair = new ApiLake({ load: 'merge', key: 'id' });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', records: 'data', paging: { ...BY_PAGE, pages: 'pages' } } };
  const told: RunEvent[] = [];
  await pair.run({ onEvent: (event) => event.kind === 'fetching' && told.push(event) });
  expect(told[0]).toMatchObject({ stream: 't', records: 0, done: false });
  const last = told.at(-1)!;
  expect(last).toMatchObject({ records: 10, of: 12, done: true });
  expect(last).toHaveProperty('bytes', expect.any(Number));
});

it('appends a record once, also when the API gives it again at the boundary', async () => {
  let all = items(4);
  await using api = await Api.open(({ query }) => ({
    json: all.filter(({ updated_at }) => updated_at >= (query['since'] ?? '').replace(/000Z$/, 'Z')),
  }));
  await using pair = new ApiLake({ load: 'append', cursor: 'updated_at' });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', since: 'since' } };
  expect(await pair.run()).toMatchObject({ totals: { loaded: 4 } });
  expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
  all = [...all, item(5, 'n5', 4), item(6)];
  expect(await pair.run()).toMatchObject({ totals: { loaded: 2 } });
  expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[6, 6]]);
});

it('fetches children for each record of the endpoint above, and of the one above that', async () => {
  await using api = await Api.open(({ path }) => {
    const [, a, id, b, other, c] = path.split('/');
    if (b === undefined) return { json: { [a!]: [{ id: 'x y' }, { id: 7 }] } };
    if (c === undefined)
      return {
        json: [
          { n: 1, of: decodeURIComponent(id!) },
          { n: 2, of: other ?? null },
        ],
      };
    return { json: [{ deep: `${decodeURIComponent(id!)}/${other}` }] };
  });
  await using pair = new ApiLake({});
  pair.url = api.url;
  pair.endpoints = {
    a: { path: '/a', records: 'a' },
    b: { path: '/a/{a.id}/b' },
    t: { path: '/a/{a.id}/b/{b.n}/c' },
  };
  expect(await pair.run()).toMatchObject({ totals: { loaded: 4 } });
  expect(await pair.query('SELECT a_id, b_n, deep FROM t ORDER BY deep')).toEqual([
    ['7', 1, '7/1'],
    ['7', 2, '7/2'],
    ['x y', 1, 'x y/1'],
    ['x y', 2, 'x y/2'],
  ]);
});

it.each<[string, (call: Call) => string | Answer, object, unknown[]]>([
  [
    'a cursor of more digits than JavaScript holds',
    ({ query: { cursor } }) =>
      cursor === '9007199254740993'
        ? '{"data":[{"id":2}],"next":null}'
        : `{"data":[{"id":1}],"next":${cursor === undefined ? '9007199254740993' : 'null'}}`,
    { path: '/t', records: 'data', paging: { by: 'cursor', next: 'next' } },
    [1, 2],
  ],
  [
    'parents with such keys',
    ({ path }) =>
      ({ '/p': '[{"id":9007199254740993}]', '/p/9007199254740993/t': '[{"id":1}]' })[path] ?? '[]',
    { path: '/p/{p.id}/t' },
    ['9007199254740993', 1],
  ],
  ['a byte order mark', () => '\ufeff{"data":[{"id":1}]}', { path: '/t', records: 'data' }, [1]],
  ['a byte order mark before an array', () => '\ufeff[{"id":1},{"id":2}]', { path: '/t' }, [1, 2]],
  ['a byte order mark before lines', () => '\ufeff{"id":1}\r\n{"id":2}', { path: '/t' }, [1, 2]],
  [
    'members of any name',
    () => '[{"id":1," x ":2,"x":3},{"":4,"\\t":5,"column3":6,"id":7,"__proto__":8}]',
    { path: '/t' },
    [1, 2, 3, null, null, null, null, 7, null, null, 4, 5, 6, 8],
  ],
  ['no content', () => ({ status: 204 }), { path: '/t', records: 'data' }, []],
  ['null on the way to its records', () => '{"data":null}', { path: '/t', records: 'data.items' }, []],
])('reads what an API gives: %s', async (_, answer, endpoint, expected) => {
  await using api = await Api.open((call) => {
    const given = answer(call);
    return typeof given === 'string' ? { text: given } : given;
  });
  await using pair = new ApiLake({});
  pair.url = api.url;
  pair.endpoints = { p: '/p', t: endpoint };
  await pair.run();
  if (expected.length > 0) expect((await pair.query('SELECT * FROM t ORDER BY id')).flat()).toEqual(expected);
});

it('puts records aside that do not fit, names their page, and reads them again', async () => {
  let all: unknown[] = Array.from({ length: 400 }, (_, i) => ({ id: i + 1, amount: i * 2 }));
  all[250] = { id: 251, amount: 0.25 };
  await using api = await Api.open((call) => ({ json: page(all, call) }));
  await using pair = new ApiLake({ load: 'merge', key: 'id', types: { amount: 'int64' }, max_bad: 5 });
  pair.url = api.url;
  pair.endpoints = {
    t: { path: '/t', records: 'data', paging: { by: 'page', size_param: 'per_page', size: 100 } },
  };
  expect(await pair.run()).toMatchObject({ totals: { loaded: 399, quarantined: 1 } });
  const place = { directory: pair.folder };
  const [found] = await Array.fromAsync(quarantine.read(pair.project, 'p', place));
  expect(found).toMatchObject({ column: 'amount', line: 251 });
  expect(found!.file).toMatch(/^GET \/t\?page=1&per_page=100 … GET \/t\?page=\d&per_page=\d+$/);
  // What cannot be fetched any more can be loaded nevertheless.
  all = [];
  pair.stream = { ...pair.stream, types: { amount: 'decimal(12,2)' } };
  await quarantine.replay(pair.project, 'p', place);
  expect(await pair.query('SELECT count(*), count(amount), min(amount) FROM t WHERE amount > 0')).toEqual([
    [399, 399, '0.25'],
  ]);
});

it.each([
  { key: 'id', cursor: undefined },
  { key: 'id', cursor: 'updated_at' },
])('a record that does not fit is put aside once, however often it comes: %o', async ({ key, cursor }) => {
  let all: object[] = [item(1), item(2), { ...item(3), id: 'three' }];
  await using api = await Api.open(() => ({ json: all }));
  await using pair = new ApiLake({ load: 'merge', key, cursor, types: { id: 'int64' }, max_bad: 5 });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t' } };
  const aside = async (): Promise<number> =>
    (await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }))).length;
  expect((await pair.run()).totals).toMatchObject({ loaded: 2, quarantined: 1 });
  for (let run = 0; run < 2; run++) {
    expect((await pair.run()).totals.quarantined).toBe(0);
    expect(await aside()).toBe(1);
  }
  // Nothing else is new, and it is kept all the same.
  all = [...all, { ...item(3), id: 'four' }];
  expect((await pair.run()).totals.quarantined).toBe(1);
  expect(await aside()).toBe(2);
  expect((await pair.run()).totals.quarantined).toBe(0);
  all = [...all, item(5)];
  expect((await pair.run()).totals.quarantined).toBe(0);
  expect(await aside()).toBe(2);
  expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[3, 3]]);
});

/** With an array, records are read by us; DuckDB reads them otherwise. */
describe.each([
  ['plain records', {}],
  ['records with arrays', { tags: [] }],
])('of many %s', (__, all) => {
  it.each([
    ['nothing else', {}, { n: 'BIGINT', mostly: 'VARCHAR', none: 'VARCHAR' }],
    ['a number with decimals', { n: 0.5 }, { n: 'DECIMAL(5,1)' }],
    ['a number in quotes', { n: '12' }, { n: 'VARCHAR' }],
    ['an object among texts', { mostly: { a: 1 } }, { mostly: 'VARCHAR' }],
    ['the first value of a column', { none: 5 }, { none: 'BIGINT' }],
    ['a new member', { late: true }, { late: 'BOOLEAN' }],
    ['a record that came before', { id: 3 }, {}],
  ])('finds out that there is %s in the middle', async (_, odd, types) => {
    const filler = 'x'.repeat(900);
    const records = Array.from({ length: 9000 }, (___, i) => ({
      id: i,
      n: i,
      mostly: `t${i}`,
      none: null,
      day: '2026-01-01',
      filler,
      ...all,
      ...(i === 6543 && odd),
    }));
    await using api = await Api.open(({ query }) => ({
      json: records.slice((Number(query['page']) - 1) * 1000, Number(query['page']) * 1000),
    }));
    await using pair = new ApiLake({ load: 'merge', key: 'id' });
    pair.url = api.url;
    pair.endpoints = { t: { path: '/t', paging: { by: 'page' } } };
    const ids = new Set(records.map(({ id }) => id));
    await pair.run();
    expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[ids.size, ids.size]]);
    const columns = new Map((await pair.query('DESCRIBE t')).map(([name, type]) => [name, type]));
    for (const [name, type] of Object.entries(types)) expect([name, columns.get(name)]).toEqual([name, type]);
    const [[first] = []] = await pair.query('SELECT mostly FROM t WHERE id = 1');
    expect(first).toBe('mostly' in odd ? '"t1"' : 't1');
    // Nothing was fetched twice.
    expect(api.calls.length).toBeLessThanOrEqual(9 + 5);
  });
});

it('counts what is loaded again, as a sample was not enough, once', async () => {
  const filler = 'x'.repeat(9_800);
  // More than one slice, of which the last has what is odd, and is not looked at before, since DuckDB reads no arrays.
  const all = Array.from({ length: 5600 }, (_, id) => ({ id, n: id === 5000 ? 0.5 : id, filler, tags: [] }));
  await using api = await Api.open(({ query }) => ({
    json: all.slice((Number(query['page']) - 1) * 100, Number(query['page']) * 100),
  }));
  await using pair = new ApiLake({ load: 'merge', key: 'id' });
  pair.url = api.url;
  pair.endpoints = { t: { path: '/t', paging: { by: 'page' } } };
  const events: RunEvent[] = [];
  const { totals } = await pair.run({ workers: 1, onEvent: (event) => void events.push(event) });
  const told = events.filter(({ kind }) => kind === 'slice-committed' || kind === 'retry');
  expect(told.map((event) => (event.kind === 'retry' ? event.code : event.kind))).toEqual([
    'slice-committed',
    'records.other',
    'slice-committed',
    'slice-committed',
  ]);
  expect(totals).toMatchObject({ rows: all.length, loaded: all.length, skipped: 0, retries: 1 });
  expect(await pair.query('SELECT count(*), count(DISTINCT id) FROM t')).toEqual([[all.length, all.length]]);
}, 60_000);
