import { expect, test } from 'vitest';
import type { StreamComparison, VerifyOptions, VerifyReport } from '../../engine/verify-types.ts';
import { runWith } from '../fakes.fixture.ts';

function comparison(stream: string, given: Partial<StreamComparison> = {}): StreamComparison {
  return {
    stream,
    table: stream,
    status: 'equal',
    rows: { source: 41_203, target: 41_203 },
    missing: 0,
    extra: 0,
    changed: 0,
    waiting: 0,
    differences: [],
    columns: ['id'],
    key: ['id'],
    notes: [],
    seconds: { source: 1, target: 1, total: 2 },
    error: undefined,
    ...given,
  };
}

function report(status: VerifyReport['status'], streams: StreamComparison[]): VerifyReport {
  return {
    pipeline: 'shop_to_lake',
    from: 'shop',
    to: 'lake',
    status,
    at: '2026-07-25 01:00:00+00',
    seconds: 12.44,
    peakRssBytes: 200_000_000,
    streams,
  };
}

const ORDERS = comparison('public.orders', {
  status: 'differs',
  rows: { source: 5_000_412, target: 5_000_411 },
  changed: 2,
  missing: 3,
  waiting: 4,
  differences: [
    { kind: 'changed', key: { order_id: '77120' }, columns: ['total'] },
    { kind: 'changed', key: { order_id: '90211' }, columns: ['total', 'note'] },
    { kind: 'missing', key: { order_id: '1204\u001b[2J' }, columns: [] },
  ],
  notes: ['rows wait'],
});

const FAILED = comparison('public.lines', {
  status: 'failed',
  error: {
    code: 'schema.incompatible',
    recovery: 'schema',
    message: 'loading public.lines: no',
    remedy: 'do it',
  },
});

async function verify(
  found: VerifyReport,
  args: string[] = [],
): Promise<{ code: number; out: string; err: string; options: VerifyOptions }> {
  let options: VerifyOptions = {};
  const result = await runWith(['verify', ...args], {
    verify: (_context, _pipeline, given) => {
      options = given;
      return Promise.resolve(found);
    },
  });
  return { ...result, options };
}

test('says which rows differ, and ends with 4', async () => {
  const { code, out } = await verify(report('differs', [comparison('public.customers'), ORDERS]));
  expect(code).toBe(4);
  expect(out.split('\n')).toEqual([
    'shop_to_lake   shop → lake   compared in 12.4 s',
    '  public.customers      41,203 rows   equal',
    '  public.orders      5,000,412 rows   5 differ: 2 changed (order_id 77120, 90211), 3 missing (order_id 1204\\x1b[2J, and 2 more); 4 waiting for the next run',
    '    values differ in total (2), note (1)',
    '    rows wait',
    '',
  ]);
});

test('keys of several columns, NULL, and rows that do not count as a difference', async () => {
  const several = comparison('a', {
    status: 'differs',
    changed: 2,
    differences: [
      { kind: 'changed', key: { x: '1', y: null }, columns: [] },
      { kind: 'changed', key: { x: '2', y: 'b' }, columns: [] },
    ],
  });
  const spared = comparison('b', { extra: 1200, waiting: 1 });
  const skipped = comparison('c', { status: 'skipped', notes: ['it is not loaded yet'] });
  const { out } = await verify(report('differs', [several, spared, skipped]));
  expect(out).toContain('2 differ: 2 changed (x 1, y NULL; x 2, y b)\n');
  expect(out).toContain('equal, 1,200 only in the target, 1 waiting for the next run\n');
  expect(out).toContain('not compared: it is not loaded yet\n');
});

test('ends with 0 when all is equal, and by what went wrong when a stream cannot be compared', async () => {
  expect((await verify(report('equal', [comparison('a')]))).code).toBe(0);
  const failed = await verify(report('failed', [comparison('a'), FAILED]));
  expect(failed.code).toBe(4);
  expect(failed.out).toContain('✗ loading public.lines: no\n    do it\n');
  const unreachable = { ...FAILED, error: { ...FAILED.error!, recovery: 'transient' } };
  expect((await verify(report('failed', [unreachable]))).code).toBe(6);
});

test('passes on what was asked for, and prints the report as JSON', async () => {
  const found = report('differs', [ORDERS]);
  const args = [
    '--json',
    '--limit',
    '3',
    '--strict',
    '--ignore-extra',
    '--select',
    'public.*',
    '--date',
    '2026-07-01',
  ];
  const { out, options } = await verify(found, args);
  expect(JSON.parse(out)).toMatchObject({ status: 'differs', streams: [{ missing: 3 }] });
  expect(options).toMatchObject({
    limit: 3,
    strict: true,
    ignoreExtra: true,
    select: ['public.*'],
    window: { from: '2026-07-01', to: '2026-07-02' },
  });
  expect((await verify(found, ['--limit', '0'])).code).toBe(2);
});
