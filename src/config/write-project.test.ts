import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Project } from '../core/project.ts';
import type { StreamInfo } from '../core/source.ts';
import { connectors, folder } from './connectors.fixture.ts';
import { loadProject } from './load-project.ts';
import { resolveStreams } from './resolve-streams.ts';
import { type NewProject, renderProject } from './write-project.ts';

function stream(name: string, rest: Partial<StreamInfo> = {}): StreamInfo {
  return {
    name,
    kind: 'table',
    schema: { fields: [], key: [] },
    estimatedRows: undefined,
    bytes: undefined,
    cursors: [],
    proposal: { load: 'replace' },
    notes: [],
    ...rest,
  };
}

const STREAMS = [
  stream('public.customers', {
    estimatedRows: 38_100,
    bytes: 12_300_000,
    proposal: { load: 'merge', cursor: ['updated_at', 'created_at'] },
    notes: ['no index on\nupdated_at'],
  }),
  stream('public.orders', {
    kind: 'partitioned table',
    proposal: { load: 'merge', cursor: ['updated_at'], partition_by: { column: 'order_date', by: 'day' } },
  }),
  stream('public.orders_2026', { parent: 'public.orders' }),
  stream('public."Order Items"', { proposal: { load: 'append', cursor: ['at: 1'] } }),
];

async function load(project: NewProject, env: Record<string, string> = {}): Promise<Project> {
  return loadProject({ directory: folder({ 'sluice.yaml': renderProject(project).text }), env, connectors });
}

test('a new project reads like this', () => {
  const { text, ...names } = renderProject({
    type: 'postgres',
    source: { url: 'postgres://app:hunter2@db:5432/shop' },
    lake: './lake',
    streams: STREAMS,
  });
  expect(names).toEqual({
    variable: 'SHOP_URL',
    connections: { source: 'shop', lake: 'lake' },
    pipeline: 'shop_to_lake',
  });
  expect(text).toBe(`# yaml-language-server: $schema=node_modules/sluice/schema.json

connections:
  # The URL holds a password, so it stays out of this file. Before running sluice:
  #   export SHOP_URL='postgres://app:PASSWORD@db:5432/shop'
  shop: { type: postgres, url: "\${SHOP_URL}" }
  lake: { type: lake, path: ./lake }

pipelines:
  shop_to_lake:
    from: shop
    to: lake
    # schedule: "0 1 * * *"        # every day at 01:00 UTC
    # Proposals from the catalog. A cursor is a column that grows whenever a row changes; "load: merge" keeps one row
    # for each key, "append" all versions, "replace" reads the table in full each time. "false" leaves a stream out.
    streams:
      # about 38.1K rows, 12.3 MB
      # no index on updated_at
      public.customers: { load: merge, cursor: [updated_at, created_at] }
      # partitioned table
      public.orders: { load: merge, cursor: updated_at, partition_by: { column: order_date, by: day } }
      "public.\\"Order Items\\"": { load: append, cursor: "at: 1" }
`);
});

test('it can be loaded, and has the streams as they were proposed', async () => {
  const project = await load(
    { type: 'postgres', source: { url: 'postgres://app:hunter2@db/shop' }, lake: './lake', streams: STREAMS },
    { SHOP_URL: 'postgres://db/shop' },
  );
  const pipeline = project.pipelines['shop_to_lake'];
  if (!pipeline) throw new Error('no pipeline');
  const { streams, mistakes } = resolveStreams(pipeline, STREAMS, []);
  expect(mistakes).toEqual([]);
  expect(streams).toMatchObject([
    { name: 'public.customers', load: 'merge', cursor: ['updated_at', 'created_at'] },
    { name: 'public.orders', cursor: ['updated_at'], partitionBy: { column: 'order_date', by: 'day' } },
    { name: 'public."Order Items"', table: 'Order_Items', cursor: ['at: 1'] },
  ]);
});

test('without streams it takes all there are', async () => {
  const { pipelines } = await load(
    { type: 'postgres', source: { variable: 'DATABASE_URL' }, lake: 'lake', streams: [] },
    { DATABASE_URL: 'postgres://db/x' },
  );
  expect(pipelines).toEqual({ database_to_lake: { from: 'database', to: 'lake', streams: { '*': {} } } });
});

test('streams that would share a table get tables of their own', async () => {
  const streams = [stream('public.sales_orders'), stream('sales.orders'), stream('public."Sales_Orders"')];
  const { pipelines } = await load({
    type: 'postgres',
    source: { url: 'postgres://db/shop' },
    lake: 'lake',
    streams,
  });
  expect(pipelines['shop_to_lake']?.streams).toEqual({
    'public.sales_orders': { load: 'replace' },
    'sales.orders': { load: 'replace', table: 'sales_orders_2' },
    'public."Sales_Orders"': { load: 'replace', table: 'Sales_Orders_3' },
  });
});

describe('the URL', () => {
  test.each([
    ['postgres://db:5432/shop', 'shop'],
    ['postgres://app@db/shop?sslmode=require', 'shop'],
    ['postgres://app@db/My%20Shop', 'my_shop'],
    ['postgres://app@db', 'source'],
    ['postgres://db/lake', 'source'],
    ['postgres://db/a$%7Bb', 'a_b'],
    ['postgres://db/${x}', 'x'],
  ])('%s is written as it is', async (url, name) => {
    const { connections } = await load({ type: 'postgres', source: { url }, lake: 'lake', streams: [] });
    expect(connections[name]?.['url']).toBe(url);
  });

  test.each([
    'postgres://app:hunter2@db/shop',
    'postgres://app@db/shop?password=hunter2',
    'postgres://app@db/shop?sslpassword=hunter2',
    'postgres://app:hunter2@one,two/shop',
    'postgres://app:hunter2@db:port/shop',
    'host=db password=hunter2',
    "postgres://a'pp:hunter2@db/shop",
  ])('%s stays out of the file', (url) => {
    const { text, variable } = renderProject({
      type: 'postgres',
      source: { url },
      lake: 'lake',
      streams: [],
    });
    expect(text).not.toContain('hunter2');
    expect(variable).toMatch(/^[A-Z_]+_URL$/);
    expect(text).toContain(`url: "\${${variable}}"`);
  });

  test('whatever the password is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (password) => {
        const url = `postgres://app:${encodeURIComponent(password)}@db/shop`;
        const { text } = renderProject({ type: 'postgres', source: { url }, lake: 'lake', streams: [] });
        return !text.includes(password) && !text.includes(encodeURIComponent(password));
      }),
    );
  });
});

test('names and paths of any kind survive', async () => {
  const name = fc.stringMatching(/^[^*?[\]{}%"\s][^*?[\]{}%"]*[^*?[\]{}%"\s]$/);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 4 }),
      fc.string({ minLength: 1 }),
      name,
      async (names, lake, column) => {
        fc.pre(lake.trim() !== '' && !names.includes('__proto__') && !names.includes('<<'));
        const streams = names.map((item) => stream(item, { proposal: { load: 'append', cursor: [column] } }));
        const { connections, pipelines } = await load({
          type: 'postgres',
          source: { url: 'postgres://db/shop' },
          lake,
          streams,
        });
        expect(connections['lake']?.['path']).toBe(lake.trim());
        const expected = names.length === 0 ? ['*'] : names;
        expect(Object.keys(pipelines['shop_to_lake']?.streams ?? {}).toSorted()).toEqual(expected.toSorted());
      },
    ),
    { numRuns: 60 },
  );
});
