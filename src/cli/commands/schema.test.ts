import { expect, test } from 'vitest';
import type { SchemaDiff, StreamSchema } from '../../engine/schema-ops.ts';
import { runWith } from '../fakes.fixture.ts';

const PLACE = { pipeline: 'shop_to_lake', stream: 'orders', table: 'orders' };
const SHOWN: StreamSchema = {
  ...PLACE,
  rules: { policy: 'evolve', incompatible: 'stop' },
  version: 3,
  loaded: true,
  columns: [
    {
      name: 'id',
      type: 'int64',
      nullable: false,
      key: true,
      native: 'bigint',
      source: 'order_id',
      of: undefined,
      gone: false,
    },
    {
      name: 'n__text',
      type: 'utf8',
      nullable: true,
      key: false,
      native: 'text',
      source: 'n',
      of: 'n',
      gone: false,
    },
    {
      name: 'n',
      type: 'int32',
      nullable: true,
      key: false,
      native: undefined,
      source: undefined,
      of: undefined,
      gone: true,
    },
  ],
};

test('shows columns, what fills them, and the policy', async () => {
  const loaded = { showSchemas: () => Promise.resolve([SHOWN]) };
  const { code, out } = await runWith(['schema', 'show'], loaded);
  expect(code).toBe(0);
  expect(out).toContain('shop_to_lake orders → orders   version 3, evolve, stops at types that do not fit');
  expect(out).toMatch(/id +int64 +key +order_id bigint/);
  expect(out).toMatch(/n__text +utf8 +null +n text +values of n that are of this type/);
  expect(out).toMatch(/n +int32 +null +not filled any more/);
  const none = { ...SHOWN, loaded: false, version: undefined, columns: [] };
  const empty = await runWith(['schema', 'show', 'shop_to_lake'], {
    showSchemas: () => Promise.resolve([none]),
  });
  expect(empty.out).toMatch(/orders {3}evolve.*\n {2}nothing loaded yet/);
  const json = await runWith(['schema', 'show', '--json'], loaded);
  expect(JSON.parse(json.out)).toMatchObject({
    stream: 'orders',
    version: 3,
    columns: [{ name: 'id' }, {}, {}],
  });
});

const DIFF: SchemaDiff = {
  ...PLACE,
  status: 'changes',
  changes: ['+ more utf8'],
  leftOut: [],
  error: undefined,
};
const STOPS: SchemaDiff = {
  ...DIFF,
  status: 'stops',
  error: { code: 'schema.frozen', recovery: 'schema', message: 'it is frozen', remedy: 'accept it' },
};
const FAILED: SchemaDiff = {
  ...DIFF,
  status: 'failed',
  changes: [],
  error: { code: 'x', recovery: 'transient', message: 'no answer', remedy: undefined },
};

test.each<[string, SchemaDiff[], number, RegExp]>([
  ['nothing', [{ ...DIFF, status: 'same', changes: [] }], 0, /no changes/],
  ['a change', [DIFF], 0, /~ \+ more utf8/],
  ['what is left out', [{ ...DIFF, changes: [], leftOut: ['a', 'b'] }], 0, /! left out: a, b/],
  ['what cannot be found out', [DIFF, FAILED], 6, /✗ no answer/],
  [
    'what stops',
    [FAILED, STOPS],
    4,
    /~ \+ more utf8\n {2}✗ the next run stops at these changes\n {4}accept it/,
  ],
])('compares with the source: %s', async (_, found, code, text) => {
  const asked: unknown[] = [];
  const services = {
    diffSchemas: (...[, pipeline, options]: [unknown, string, unknown?]) => {
      asked.push(pipeline, options);
      return Promise.resolve(found);
    },
  };
  const result = await runWith(['schema', 'diff', 'shop_to_lake', 'orders'], services);
  expect(result.code).toBe(code);
  expect(result.out).toMatch(text);
  expect(asked).toEqual(['shop_to_lake', { select: ['orders'], fullRefresh: false }]);
  const json = await runWith(['schema', 'diff', '--json'], services);
  expect(json.code).toBe(code);
  expect(json.out.trim().split('\n')).toHaveLength(found.length);
});

test('tells the history, newest first', async () => {
  const at = '2026-07-25 01:00:02+00';
  const versions = [
    {
      version: 2,
      commit: 9,
      at,
      run: 'r2',
      changes: [{ kind: 'added' as const, column: 'more', to: 'utf8' }],
    },
    { version: 1, commit: 1, at, run: undefined, changes: [] },
  ];
  const services = { schemaHistory: () => Promise.resolve([{ ...PLACE, versions }]) };
  const { out } = await runWith(['schema', 'history'], services);
  expect(out).toMatch(/2 +2026-07-25 01:00:02\+00 +r2 +\+ more utf8\n +1 .* first load/);
  const none = { schemaHistory: () => Promise.resolve([{ ...PLACE, versions: [] }]) };
  expect((await runWith(['schema', 'history'], none)).out).toContain('no version is known');
});

test.each<[boolean, string[], RegExp]>([
  [true, ['+ a utf8', 'b may be NULL'], /✓ orders: the next run takes\n {2}~ \+ a utf8\n {2}~ b may be NULL/],
  [false, [], /nothing to accept, the source has the columns of the table/],
  [false, ['+ a utf8'], /nothing to accept, the next run takes it anyway: \+ a utf8/],
])('accepts what there is (%s, %j)', async (accepted, changes, text) => {
  const services = {
    acceptSchema: () => Promise.resolve({ pipeline: 'shop_to_lake', stream: 'orders', changes, accepted }),
  };
  const { code, out } = await runWith(['schema', 'accept', 'shop_to_lake', 'orders'], services);
  expect([code, out]).toEqual([0, expect.stringMatching(text)]);
  const json = await runWith(['schema', 'accept', 'shop_to_lake', 'orders', '--json'], services);
  expect(JSON.parse(json.out)).toMatchObject({ accepted, changes });
});

test('needs a stream to accept something of', async () => {
  const { code, err } = await runWith(['schema', 'accept', 'shop_to_lake'], {});
  expect(code).toBe(2);
  expect(err).toContain('stream');
});
