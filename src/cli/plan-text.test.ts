import { expect, it } from 'vitest';
import type { StreamConfig } from '../core/stream.ts';
import type { PipelinePlan, StreamPlan } from '../engine/types.ts';
import { createStyle } from '../observe/style.ts';
import { renderPlan } from './plan-text.ts';

function stream(name: string, overrides: Partial<StreamPlan> = {}): StreamPlan {
  const config: StreamConfig = {
    name,
    table: name,
    load: 'merge',
    cursor: [],
    nullCursor: 'load',
    rename: {},
    types: {},
  };
  return {
    stream: config,
    action: 'load',
    window: 'all',
    slices: [{ id: '1', range: { kind: 'all' }, overlap: false }],
    estimatedRows: 412,
    estimatedBytes: undefined,
    changes: [],
    leftOut: [],
    target: `./lake/${name}/*.parquet`,
    note: undefined,
    notes: [],
    watermark: { before: undefined, after: undefined },
    sql: `SELECT *\nFROM ${name}`,
    ...overrides,
  };
}

it('says which way rows are expected to go where there are two', () => {
  const ways: StreamPlan['loadedBy'][] = [
    { method: 'statements', why: 'size' },
    { method: undefined, why: 'size' },
    { method: 'bulk', why: 'asked' },
    { method: 'statements', why: 'server' },
    undefined,
  ];
  const streams = ways.map((loadedBy, i) => stream(`t${i}`, { loadedBy }));
  const lines = renderPlan({ ...plan, streams }, { style: createStyle(false), sql: false, next: '' }).split(
    '\n',
  );
  const column = lines[2]!.indexOf('~loaded by');
  expect(lines.slice(3, 8).map((line) => line.slice(column, -4).trim())).toEqual([
    'statements',
    'by their number',
    'bulk (asked for)',
    'statements (nothing else is allowed)',
    '',
  ]);
});

it('shows what was found in records before they are loaded', () => {
  const columns = Array.from({ length: 42 }, (_, i) => ({ name: `c${i}`, type: 'int64' }));
  const streams = [
    stream('t', { action: 'first-load', columnsFound: true, columns, sql: 't_*.csv, csv, with header' }),
    stream('u', { action: 'load', columnsFound: true, columns }),
    stream('v', { action: 'first-load', columns }),
  ];
  const text = renderPlan({ ...plan, streams }, { style: createStyle(false), sql: false, next: '' });
  expect(text).toContain('\n  t: t_*.csv, csv, with header\n    c0 int64, c1 int64,');
  expect(text).toContain('and 2 more columns (--json has all)\n');
  expect(text).not.toMatch(/^ {2}[uv]:/m);
});

const plan: PipelinePlan = {
  pipeline: 'shop_to_lake',
  from: { connection: 'shop', title: 'PostgreSQL 18.4, 127.0.0.1/shop' },
  to: { connection: 'lake', title: './lake' },
  at: '2026-07-25 01:00:00+00',
  streams: [
    stream('public.customers', {
      window: 'updated_at ≥ 2026-07-24 01:05:23.118402+00',
      changes: ['+ loyalty_tier text'],
    }),
    stream('public.orders', {
      estimatedRows: 38_100,
      action: 'resume',
      note: 'held back by a transaction open since 00:58:12 (pid 4211)',
    }),
    stream('public.items', {
      estimatedRows: undefined,
      action: 'first-load',
      note: 'held back by a transaction open since 00:58:12 (pid 4211)',
    }),
    stream('public.events', {
      action: 'nothing-new',
      slices: [],
      watermark: { before: '2026-07-24 00:00:00+00', after: undefined },
    }),
    stream('public.gone', {
      error: {
        code: 'x',
        recovery: 'config',
        message: 'planning public.gone: no such table',
        remedy: 'did you mean "public.gong"?',
      },
    }),
  ],
  warnings: [
    {
      stream: 'public.orders',
      code: 'x',
      message: 'no index on updated_at',
      remedy: 'CREATE INDEX ON orders (updated_at)',
    },
  ],
};

it('shows what a run would do, in the manner of a table', () => {
  expect(
    renderPlan(plan, { style: createStyle(false), sql: false, next: 'To run it: sluice run shop_to_lake' }),
  ).toBe(`\
shop_to_lake   shop (PostgreSQL 18.4, 127.0.0.1/shop) → lake (./lake)

  stream             load    window                                       slices   ~rows   table changes
  public.customers   merge   updated_at ≥ 2026-07-24 01:05:23.118402+00        1     412   + loyalty_tier text
  public.orders      merge   all (goes on with the first load)                 1   38.1K   none
  public.items       merge   all (first load)                                  1           none
  public.events      merge   nothing new since 2026-07-24 00:00:00+00                      none

  public.orders, public.items: held back by a transaction open since 00:58:12 (pid 4211)
  ! public.orders: no index on updated_at
    CREATE INDEX ON orders (updated_at)
  ✗ planning public.gone: no such table
    did you mean "public.gong"?
  nothing was written. To run it: sluice run shop_to_lake`);
});

it('shows the SQL on request', () => {
  const text = renderPlan(
    { ...plan, streams: [stream('public.orders')], warnings: [] },
    { style: createStyle(false), sql: true, next: '' },
  );
  expect(text).toContain(
    '  public.orders → ./lake/public.orders/*.parquet\n    SELECT *\n    FROM public.orders\n',
  );
});

it('says so when nothing matches', () => {
  expect(
    renderPlan({ ...plan, streams: [], warnings: [] }, { style: createStyle(false), sql: false, next: '' }),
  ).toContain('no stream matches');
});
