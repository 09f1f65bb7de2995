/** What comes on standard input as Singer messages becomes tables; STATE is printed when all before it is committed. */
import { expect, it } from 'vitest';
import { CancelledError } from '../../src/core/errors.ts';
import { listQuarantine, replayQuarantine } from '../../src/engine/quarantine-ops.ts';
import { type ProjectDefinition, run } from '../../src/index.ts';
import { record, schema, state } from '../support/tap-lake.ts';
import { TargetLake } from '../support/target-lake.ts';

const SCHEMA = schema({ id: { type: 'integer' }, name: { type: ['null', 'string'] } });
const of = (stream: string, message: object): object => ({ ...message, stream });
const rows = (from: number, to: number, name: string = 'n'): object[] =>
  Array.from({ length: to - from + 1 }, (_, i) => record({ id: from + i, name }));

it('loads streams side by side, merges by their keys, and prints the last state', async () => {
  await using lake = new TargetLake();
  const first = await lake.load([
    SCHEMA,
    of('events', schema({ what: { type: 'string' } }, [])),
    of('empty', SCHEMA),
    ...rows(1, 3),
    of('events', record({ what: 'a' })),
    state({ at: 1 }),
    ...rows(3, 4, 'again'),
    of('events', record({ what: 'a' })),
    state({ at: 2 }),
  ]);
  expect(first).toMatchObject({ code: 0, states: ['{"at":2}'] });
  expect(await lake.query('SELECT id, name FROM t ORDER BY id')).toEqual([
    [1, 'n'],
    [2, 'n'],
    [3, 'again'],
    [4, 'again'],
  ]);
  expect(await lake.query('SELECT count(*) FROM events UNION ALL SELECT count(*) FROM empty')).toEqual([
    [2],
    [0],
  ]);
  const second = await lake.load([SCHEMA, ...rows(4, 5, 'new'), state({ at: 3 })]);
  expect(second).toMatchObject({ code: 0, states: ['{"at":3}'] });
  expect(await lake.query("SELECT count(*), count(*) FILTER (name = 'new') FROM t")).toEqual([[5, 2]]);
});

it('loads in batches, by rows and by time, and prints a state only when all before it is there', async () => {
  await using lake = new TargetLake();
  async function* messages(): AsyncGenerator<unknown> {
    yield SCHEMA;
    for (let at = 1; at <= 4; at++) {
      // More than one read of a pipe, so that batches end in between.
      yield rows(at * 10_000, at * 10_000 + 3999)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join('');
      yield state(at);
    }
    yield record({ id: 1 });
    yield state('waits');
    for (let tries = 0; !printed.includes('"waits"') && tries < 1000; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    yield record({ id: 2 });
  }
  const printed: string[] = [];
  const { code, states, told } = await lake.load(messages(), {
    options: ['--flush-rows', '5000', '--flush-after', '0.3'],
    onState: (line) => printed.push(line),
  });
  expect(code).toBe(0);
  expect(states.at(-1)).toBe('"waits"');
  expect(states.length).toBeGreaterThanOrEqual(3);
  const order = states.map((line) => (line === '"waits"' ? 5 : Number(line)));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(told.match(/✓ singer/g)!.length).toBeGreaterThanOrEqual(4);
  expect(await lake.query('SELECT count(*) FROM t')).toEqual([[16_002]]);
});

it('stops at a broken message, and what was printed before is loaded', async () => {
  await using lake = new TargetLake();
  const many = rows(1, 3000);
  const { code, states, told } = await lake.load(
    [
      SCHEMA,
      ...many,
      state(1),
      ...many,
      state(2),
      '{"type": "RECORD", "stream": "t", "record": {"id": 1\n',
      ...many,
      state(3),
    ],
    { options: ['--flush-rows', '5000'] },
  );
  expect(code).toBe(4);
  expect(states.every((line) => ['1', '2'].includes(line))).toBe(true);
  expect(told).toContain('reading Singer messages: line 6004 is no JSON object');
});

it('leaves out what is no message, puts records aside that do not fit, and says so', async () => {
  await using lake = new TargetLake();
  const { code, states, told } = await lake.load([
    'Hello!\n',
    { type: 'HELLO' },
    SCHEMA,
    of('test:SpecialChars!in?attributes', schema({ 'a b': { type: 'object' } }, [])),
    of('test:SpecialChars!in?attributes', record({ 'a b': { 'agent:type': 1 } })),
    ...rows(1, 2),
    record({ id: 'three' }),
    record({ name: 'no id' }),
    of('early', record({ id: 1, at: '2026-01-01' })),
    state(1),
  ]);
  expect([code, states]).toEqual([0, ['1']]);
  for (const text of [
    'lines that are no messages were left out: 1, the first on line 1',
    'messages of the unknown type HELLO were left out: 1, the first on line 2',
    'early: records came before their schema: 1, the first on line 10',
    'quarantine',
  ])
    expect(told).toContain(text);
  expect(await lake.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2]]);
  expect(await lake.query('SELECT "a b" FROM test_SpecialChars_in_attributes')).toEqual([
    ['{"agent:type":1}'],
  ]);
  expect(await lake.query('SELECT id, "at"::VARCHAR FROM early')).toEqual([[1, '2026-01-01']]);
});

class DeclaredLake extends TargetLake {
  override get project(): ProjectDefinition {
    const { connections } = super.project;
    return {
      connections: { ...connections, messages: { type: 'singer-messages' } },
      pipelines: { singer: { from: 'messages', to: 'lake', streams: { t: this.stream } } },
    };
  }
}

it('what is put aside is read again by a pipeline that the project declares for the messages', async () => {
  await using lake = new DeclaredLake();
  lake.stream = { load: 'merge', key: ['id'], checks: { low: 'id < 3' } };
  const { code, told } = await lake.load([SCHEMA, ...rows(1, 4), state(1)]);
  expect([code, told]).toEqual([0, expect.stringContaining('sluice quarantine show singer t')]);
  expect(await lake.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2]]);
  expect(await listQuarantine(await lake.context(), 'singer')).toMatchObject([{ stream: 't', rows: 2 }]);
  lake.stream.checks = { low: 'id < 4' };
  const report = await replayQuarantine(await lake.context(), 'singer');
  expect(report?.streams).toMatchObject([{ status: 'loaded', totals: { loaded: 1, quarantined: 1 } }]);
  expect(await lake.query('SELECT id FROM t ORDER BY id')).toEqual([[1], [2], [3]]);
  expect((await run(lake.project, 'singer', { directory: lake.folder })).streams).toMatchObject([
    { status: 'failed', error: { code: 'singer.not_fetched' } },
  ]);
});

it('rows of older versions go when a version is activated, and not before', async () => {
  await using lake = new TargetLake();
  const versioned = (version: number, from: number, to: number): object[] =>
    rows(from, to, `v${version}`).map((row) => ({ ...row, version }));
  const activate = (version: number): object => ({ type: 'ACTIVATE_VERSION', stream: 't', version });
  const found = (): Promise<unknown[][]> =>
    lake.query('SELECT name, count(*) FROM t GROUP BY ALL ORDER BY ALL');
  // A first load announces its version, so that rows show as they come.
  await lake.load([SCHEMA, activate(1), ...versioned(1, 1, 5), state(1), activate(1), state(2)]);
  expect(await found()).toEqual([['v1', 5]]);
  // The same version goes on.
  await lake.load([SCHEMA, activate(1), ...versioned(1, 6, 7), state(3)]);
  expect(await found()).toEqual([['v1', 7]]);
  // Another one takes its place when all of it is there, in one step.
  const whole = [
    SCHEMA,
    ...versioned(2, 1, 3000),
    state(4),
    ...versioned(2, 3001, 3002),
    activate(2),
    state(5),
  ];
  expect((await lake.load(whole, { options: ['--flush-rows', '1000'] })).states).toEqual(['4', '5']);
  expect(await found()).toEqual([['v2', 3002]]);
  // One that is not activated takes nothing away.
  const cut = await lake.load([SCHEMA, ...versioned(3, 1, 2), state(6)]);
  expect(cut).toMatchObject({ code: 0, states: ['6'] });
  expect(cut.told).toContain('the messages ended before all rows of a version had come');
  expect(await found()).toEqual([
    ['v2', 3000],
    ['v3', 2],
  ]);
  // Nothing is left of a table that is empty now.
  await lake.load([SCHEMA, activate(4), state(7)]);
  expect(await found()).toEqual([]);
});

it('takes a file of configuration, with options of streams', async () => {
  await using lake = new TargetLake();
  const config = {
    to: 'lake',
    defaults: { rename: { name: 'called' } },
    streams: { t: { load: 'append' }, 'x*': false },
  };
  const messages = [
    SCHEMA,
    of('x1', SCHEMA),
    ...rows(1, 1),
    ...rows(1, 1, 'm'),
    of('x1', record({ id: 1 })),
    state(1),
  ];
  expect(await lake.load(messages, { config })).toMatchObject({ code: 0, states: ['1'] });
  expect(await lake.query('SELECT id, called FROM t ORDER BY called')).toEqual([
    [1, 'm'],
    [1, 'n'],
  ]);
  await expect(lake.query('FROM x1')).rejects.toThrow(/x1/);
  const wrong = await lake.load([], { config: { to: 'lake', flush_row: 1 } });
  expect([wrong.code, wrong.states]).toEqual([2, []]);
  expect(wrong.told).toMatch(/flush_row/);
});

it('hands on no state when a stream fails, and says why', async () => {
  await using lake = new TargetLake();
  await lake.load([SCHEMA, ...rows(1, 1), state(1)]);
  const other = schema({ id: { type: 'integer' }, name: { type: 'string' } }, ['name']);
  const { code, states, told } = await lake.load([other, ...rows(2, 2), state(2)]);
  expect([code, states]).toEqual([4, []]);
  expect(told).toContain('the key was (id) and is now (name)');
});

it('ends when it is stopped, without a state', async () => {
  await using lake = new TargetLake();
  const stop = new AbortController();
  async function* messages(): AsyncGenerator<unknown> {
    yield SCHEMA;
    yield record({ id: 1 });
    yield state(1);
    stop.abort(new CancelledError('stopped on request', { code: 'cancelled' }));
    await new Promise(() => undefined);
  }
  expect(await lake.load(messages(), { signal: stop.signal })).toMatchObject({ code: 130, states: [] });
});
