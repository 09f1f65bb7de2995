import { expect, expectTypeOf, test } from 'vitest';
import { connectors, failure } from './connectors.fixture.ts';
import { defineProject, env, lake, postgres, type ProjectDefinition } from './define.ts';
import { parseProject } from './load-project.ts';

const project = defineProject({
  connections: {
    shop: postgres({
      url: env('SHOP_URL'),
      port: env('PORT', '5432'),
      tls: 'verify-full',
      connect_timeout: '5 s',
    }),
    lake: lake({ path: './lake', file_size: '64 MB' }),
  },
  pipelines: {
    p: {
      from: 'shop',
      to: 'lake',
      defaults: { load: 'merge' },
      streams: {
        'public.orders': {
          cursor: 'updated_at',
          first_run: '30 days',
          lookback: { column: 'order_date', days: 7 },
        },
        'public.country_*': { load: 'replace' },
        '*': true,
        'public.audit_log': false,
      },
    },
  },
  state: { type: 'lake', connection: 'lake' },
  memory: '1 GiB',
});

test('a project is plain data, without the values of the environment', () => {
  expect(JSON.parse(JSON.stringify(project))).toEqual(project);
  expect(project.connections['shop']).toMatchObject({
    type: 'postgres',
    url: '${SHOP_URL}',
    port: '${PORT:-5432}',
  });
});

test('it can be loaded', () => {
  const env = { SHOP_URL: 'postgres://db/shop' };
  expect(parseProject(project, { directory: '.', env, connectors })).toMatchObject({
    connections: {
      shop: { port: 5432, tls: 'verify-full', connect_timeout: 5 },
      lake: { file_size: 64_000_000 },
    },
    pipelines: { p: { streams: { 'public.orders': { first_run: 2_592_000 } } } },
    state: { type: 'lake', connection: 'lake' },
  });
});

test('placeholders are part of any text', () => {
  expect(`postgres://${env('HOST')}/shop`).toBe('postgres://${HOST}/shop');
});

test.each([['A B'], [''], ['A', 'a}'], ['A', '${B}']])(
  'env(%j, %j) could not be read back',
  async (...words) => {
    const [name = '', fallback] = words;
    expect((await failure(() => env(name, fallback))).code).toBe('config.env');
  },
);

test('types catch what the loader would', () => {
  expectTypeOf(project).toEqualTypeOf<ProjectDefinition<'shop' | 'lake', 'p'>>();
  expectTypeOf(project).toExtend<ProjectDefinition>();
  const connections = { lake: lake({ path: 'x' }) };
  const from = 'lake';
  // @ts-expect-error there is no connection of this name
  defineProject({ connections, pipelines: { p: { from, to: 'laek', streams: {} } } });
  // @ts-expect-error misspelt
  defineProject({ connections, pipelines: { p: { from, to: from, streams: { a: { cursr: 'x' } } } } });
  // @ts-expect-error a default cannot name a table
  defineProject({ connections, pipelines: { p: { from, to: from, defaults: { table: 'x' }, streams: {} } } });
  // @ts-expect-error a lake needs a path
  lake({ compression: 'zstd' });
  // @ts-expect-error misspelt
  postgres({ urll: 'x' });
  // @ts-expect-error one of a few
  postgres({ tls: 'required' });
  // @ts-expect-error a duration begins with a number
  postgres({ connect_timeout: 'soon' });
  // @ts-expect-error a size begins with a number
  defineProject({ connections, memory: 'all of it' });
  // @ts-expect-error how far back is a duration
  defineProject({ connections, pipelines: { p: { from, to: from, streams: { a: { first_run: 'long' } } } } });
});
