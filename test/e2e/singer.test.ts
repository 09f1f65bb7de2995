/** What a Singer tap brings becomes a table, and its state is kept with the rows. */
import { expect, it, vi } from 'vitest';
import { singerConnector } from '../../src/connectors/singer/index.ts';
import { record, schema, type Seen, state, TAP, TapLake } from '../support/tap-lake.ts';

const rows = (from: number, to: number): Record<string, unknown>[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    id: from + i,
    name: `n${from + i}`,
    price: (from + i) / 4,
    updated_at: new Date(Date.UTC(2026, 0, 1) + (from + i) * 60_000).toISOString(),
  }));

const STREAM = {
  schema: {
    type: 'object',
    properties: {
      id: { type: 'integer' },
      name: { type: ['null', 'string'] },
      price: { type: ['null', 'number'] },
      updated_at: { type: 'string', format: 'date-time' },
      later: { type: ['null', 'boolean'] },
    },
  },
  key: ['id'],
  bookmark: 'updated_at',
};

it('loads a stream, and goes on from the state of the tap', async () => {
  await using pair = new TapLake({ load: 'merge' });
  pair.config = { streams: { t: { ...STREAM, rows: rows(1, 250) }, other: { ...STREAM, rows: rows(1, 3) } } };
  expect(await pair.run()).toMatchObject({ status: 'loaded', totals: { rows: 250, loaded: 250 } });
  expect(await pair.query('SELECT count(*), sum(price), max(updated_at), count(later) FROM t')).toEqual([
    [250, 7843.75, '2026-01-01 04:10:00+00', 0],
  ]);
  pair.config = {
    streams: { t: { ...STREAM, rows: [...rows(1, 260), { ...rows(251, 251)[0], id: 7, name: 'changed' }] } },
  };
  expect(await pair.run()).toMatchObject({ totals: { rows: 12 } });
  expect(await pair.query('SELECT count(*), count(DISTINCT id), min(name) FROM t')).toEqual([
    [260, 260, 'changed'],
  ]);
  expect(pair.seen.map(({ args, state }) => [args, state && JSON.parse(state)])).toEqual([
    [['--config', '--catalog'], undefined],
    [['--config', '--catalog', '--state'], { bookmarks: { t: rows(250, 250)[0]!['updated_at'] } }],
  ]);
});

const SCHEMA = schema({ id: { type: 'integer' }, name: { type: ['null', 'string'] } });
const SCHEMA_OF_EVENTS = { n: { type: 'integer' }, what: { type: 'string' } };
const two = [record({ id: 1, name: 'a' }), record({ id: 2, name: 'b' })];

it('loads what is certain of a tap that dies, tries again, and goes on from there', async () => {
  await using pair = new TapLake({ load: 'merge' });
  pair.say = [SCHEMA, ...two, state({ at: 2 }), record({ id: 3, name: 'c' }), { do: 'exit', code: 3 }];
  expect((await pair.report()).streams[0]).toMatchObject({
    status: 'failed',
    totals: { retries: 1 },
    error: { code: 'singer.tap_failed' },
  });
  expect(await pair.query('SELECT id, name FROM t ORDER BY id')).toEqual([
    [1, 'a'],
    [2, 'b'],
  ]);
  pair.say = [SCHEMA, record({ id: 3, name: 'c' }), state({ at: 3 })];
  await pair.run();
  expect(pair.seen.map(({ state: given }) => given)).toEqual([undefined, '{"at":2}', '{"at":2}']);
  expect(await pair.query('SELECT count(*) FROM t')).toEqual([[3]]);
});

it('a table that is replaced stays as it is when the tap fails', async () => {
  await using pair = new TapLake({ load: 'replace' });
  pair.say = [SCHEMA, ...two, state(1)];
  await pair.run();
  pair.say = [SCHEMA, record({ id: 3 }), state(2), { do: 'exit', code: 1 }];
  expect((await pair.report()).streams[0]).toMatchObject({ status: 'failed', totals: { retries: 0 } });
  expect(await pair.query('SELECT count(*) FROM t')).toEqual([[2]]);
  // All of it is wanted each time.
  expect(pair.seen.map(({ state: given }) => given)).toEqual([undefined, undefined]);
});

it('ends a tap when it is stopped itself', async () => {
  await using pair = new TapLake({ load: 'merge' });
  pair.say = [SCHEMA, ...two, { do: 'wait', ms: 60_000 }];
  const stop = new AbortController();
  const run = pair.report({ signal: stop.signal });
  await vi.waitFor(() => expect(pair.seen).toHaveLength(1), { timeout: 10_000 });
  stop.abort();
  expect((await run).streams[0]).toMatchObject({ status: 'stopped' });
  const [{ pid }] = pair.seen as [Seen];
  expect(() => process.kill(pid, 0)).toThrow();
});

it('loads values as their schema says, and puts others aside', async () => {
  await using pair = new TapLake({ load: 'merge', max_bad: 10 });
  const when = { type: 'string', format: 'date-time' };
  const properties = {
    id: { type: 'integer', minimum: 0, maximum: 65_535 },
    at: { anyOf: [when, { type: 'null' }] },
    day: { type: 'string', format: 'date' },
    clock: { type: 'string', format: 'time' },
    price: { type: 'number', multipleOf: 0.01 },
    amount: { type: 'string', format: 'singer.decimal', precision: 20, scale: 4 },
    ratio: { type: ['null', 'number'] },
    tags: { type: 'array', items: { type: 'string' } },
    'odd name!': { type: 'object' },
    code: { type: 'string' },
  };
  const row = { at: '2026-01-01 12:00:00', day: '2026-01-01T00:00:00Z', clock: '12:30:00Z', ratio: 1e-7 };
  pair.say = [
    schema(properties),
    record({ id: 1, ...row, price: 10.5, amount: '1.2500', tags: ['a', '"'], 'odd name!': {}, code: '007' }),
    record({ id: 2, at: '2026-01-01T12:00:00.5+02:00', price: 3, ratio: 7, extra: 1.25, code: 'é\u0001"\\' }),
    record({ id: 3, price: 10.555 }),
    record({ id: 70_000_000_000 }),
    record({ id: 4, at: 'yesterday' }),
    record({ price: 1 }),
    record({ id: 5, ratio: 1 }),
    record({ id: 5, ratio: 2 }),
    record({ id: 5, ratio: 3 }),
  ];
  const stream = await pair.run();
  expect(stream.totals).toMatchObject({ loaded: 3, quarantined: 4 });
  const columns = await pair.query(
    "SELECT column_name || ' ' || data_type FROM (DESCRIBE t) AS d(column_name, data_type)",
  );
  expect(columns.flat().slice(0, 11)).toEqual([
    'id INTEGER',
    'at TIMESTAMP WITH TIME ZONE',
    'day DATE',
    'clock TIME',
    'ratio DOUBLE',
    'price DECIMAL(38,2)',
    'amount DECIMAL(20,4)',
    'tags VARCHAR',
    'odd name! VARCHAR',
    'code VARCHAR',
    'extra DECIMAL(3,2)',
  ]);
  expect(
    await pair.query(
      'SELECT id, "at"::VARCHAR, day::VARCHAR, clock::VARCHAR, price::VARCHAR, amount::VARCHAR, ratio, tags, code FROM t ORDER BY id',
    ),
  ).toEqual([
    [1, '2026-01-01 12:00:00+00', '2026-01-01', '12:30:00', '10.50', '1.2500', 1e-7, '["a","\\""]', '007'],
    [2, '2026-01-01 10:00:00.5+00', null, null, '3.00', null, 7, null, 'é\u0001"\\'],
    [5, null, null, null, null, null, 3, null, null],
  ]);
});

it('adds and widens columns when the schema does, and stops at another key', async () => {
  await using pair = new TapLake({ load: 'merge' });
  pair.say = [SCHEMA, ...two, state(1)];
  await pair.run();
  const wider = { id: { type: 'integer' }, name: { type: 'string' }, price: { type: 'number' } };
  pair.say = [schema(wider), record({ id: 2, name: 'c', price: 1.5 }), state(2)];
  expect((await pair.run()).changes).toEqual(['+ price float64']);
  expect(await pair.query('SELECT id, name, price FROM t ORDER BY id')).toEqual([
    [1, 'a', null],
    [2, 'c', 1.5],
  ]);
  pair.say = [schema(wider, ['name']), record({ id: 3, name: 'x' }), state(3)];
  expect((await pair.report()).streams[0]!.error).toMatchObject({ code: 'schema.incompatible' });
});

it('rows that a tap brings again are not appended again', async () => {
  await using pair = new TapLake({ load: 'append' });
  pair.say = [
    schema(SCHEMA_OF_EVENTS, []),
    record({ n: 1, what: 'a' }),
    record({ n: 2, what: 'b' }),
    record({ n: 2, what: 'b' }),
    state(2),
  ];
  await pair.run();
  pair.say = [
    schema(SCHEMA_OF_EVENTS, []),
    record({ n: 2, what: 'b' }),
    record({ n: 2, what: 'b' }),
    record({ n: 3, what: 'c' }),
    state(3),
  ];
  await pair.run();
  expect(await pair.query('SELECT n, what FROM t ORDER BY n')).toEqual([
    [1, 'a'],
    [2, 'b'],
    [2, 'b'],
    [3, 'c'],
  ]);
});

it.each(['merge', 'append', 'replace'] as const)(
  'of a tap without records, %s keeps its state and makes its table',
  async (load) => {
    await using pair = new TapLake({ load });
    const kept = load !== 'replace';
    pair.say = [SCHEMA, state(1)];
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    expect(await pair.query('SELECT count(*), count(name) FROM t')).toEqual([[0, 0]]);
    pair.say = [SCHEMA, ...two, state(2)];
    await pair.run();
    pair.say = [SCHEMA, state(3)];
    await pair.run();
    expect(await pair.query('SELECT count(*) FROM t')).toEqual([[kept ? 2 : 0]]);
    await pair.run();
    expect(pair.seen.map(({ state: given }) => given)).toEqual([
      undefined,
      ...(kept ? ['1', '2', '3'] : Array(3)),
    ]);
  },
);

it('brings arrays within records as streams of their own, from one run of the tap', async () => {
  await using pair = new TapLake({ load: 'merge', columns: { exclude: ['name'] } });
  pair.others = { 't.lines': { load: 'merge' } };
  const lines = { type: 'array', items: { type: 'object', properties: { sku: { type: 'string' } } } };
  const { schema: own, ...rest } = STREAM;
  const stream = { ...rest, schema: { ...own, properties: { ...own.properties, lines } } };
  const nested = (from: number, to: number, count: number): object[] =>
    rows(from, to).map((row) => ({
      ...row,
      lines: Array.from({ length: count }, (_, i) => ({ sku: `${String(row['id'])}-${i}` })),
    }));
  pair.config = { streams: { t: { ...stream, rows: nested(1, 20, 2) } } };
  const config = { ...pair.config, seen: undefined };
  const options = singerConnector.options.parse({ command: [...TAP], config });
  const context = { name: 'files', directory: pair.folder, memoryBytes: 512 << 20, workers: 1 };
  const source = await singerConnector.openSource!(options, context);
  expect(await source.discover(new AbortController().signal)).toMatchObject([
    { name: 't', kind: 'endpoint' },
    {
      name: 't.lines',
      parent: 't',
      schema: {
        key: ['t_id', 'lines_index'],
        fields: [{ name: 't_id' }, { name: 'lines_index' }, { name: 'sku' }],
      },
      proposal: { load: 'merge' },
    },
  ]);
  await source.close();
  const count = 'SELECT count(*), count(DISTINCT t_id), min(sku), max(sku) FROM t_lines';
  await pair.report();
  expect(await pair.query(count)).toEqual([[40, 20, '1-0', '9-1']]);
  // Other columns are asked for: the tap runs for each.
  expect(pair.seen).toHaveLength(2);
  pair.stream = { load: 'merge' };
  pair.config = { streams: { t: { ...stream, rows: [...nested(1, 19, 2), ...nested(20, 21, 0)] } } };
  await pair.report();
  expect(pair.seen).toHaveLength(3);
  expect(await pair.query(count)).toEqual([[38, 19, '1-0', '9-1']]);
});
