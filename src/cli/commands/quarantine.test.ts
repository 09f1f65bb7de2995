import { expect, test } from 'vitest';
import type { QuarantineScope, QuarantineSummary } from '../../engine/quarantine-ops.ts';
import { runWith } from '../fakes.fixture.ts';

const SUMMARY: QuarantineSummary = {
  pipeline: 'shop_to_lake',
  stream: 'orders',
  table: 'orders',
  run: 'r1',
  at: new Date(Date.now() - 3 * 3_600_000).toISOString(),
  rows: 3,
  files: 1,
  reasons: [
    { code: 'row.type', reason: 'n is no int64', rows: 2 },
    { code: 'row.fields', reason: 'the record has 1 field in place of 2', rows: 1 },
  ],
  missing: false,
};

test('lists what each run has put aside', async () => {
  const listQuarantine = (): Promise<QuarantineSummary[]> => Promise.resolve([SUMMARY]);
  const { code, out } = await runWith(['quarantine', 'list'], { listQuarantine });
  expect(code).toBe(0);
  expect(out).toMatch(/shop_to_lake {3}orders {3}r1 +3 h +3 +1 +n is no int64 \(2\); the record has/);
  const json = await runWith(['quarantine', 'list', 'shop_to_lake', '--json'], { listQuarantine });
  expect(JSON.parse(json.out)).toEqual(SUMMARY);
});

test('shows records, with controls and long texts made harmless', async () => {
  const asked: unknown[] = [];
  const { out, err } = await runWith(
    ['quarantine', 'show', 'shop_to_lake', 'orders', '--reason', 'row.type', '--limit', '1'],
    {
      async *readQuarantine(_context, pipeline, options) {
        asked.push(pipeline, options);
        yield {
          stream: 'orders',
          run: 'r1',
          file: 'a.csv',
          line: 7,
          column: 'n',
          code: 'row.type',
          reason: 'n is no int64',
          raw: `\u001b[2J\n${'x'.repeat(500)}`,
        };
      },
    },
  );
  expect(asked).toEqual([
    'shop_to_lake',
    { select: ['orders'], run: undefined, reason: 'row.type', limit: 1 },
  ]);
  expect(out).toContain('a.csv      7   n        n is no int64   \\x1b[2J\\nxxx');
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(160);
  expect(err).toContain('the first 1;');
});

test('gives up nothing without a yes', async () => {
  const dropped: QuarantineScope[] = [];
  const services = {
    listQuarantine: () => Promise.resolve([SUMMARY]),
    dropQuarantine: (_context: unknown, _pipeline: string, scope: QuarantineScope): Promise<number> => {
      dropped.push(scope);
      return Promise.resolve(3);
    },
  };
  const refused = await runWith(['quarantine', 'drop', 'shop_to_lake'], services);
  expect(refused).toMatchObject({ code: 2 });
  expect(dropped).toEqual([]);
  const done = await runWith(['quarantine', 'drop', 'shop_to_lake', '--run', 'r1', '--yes'], services);
  expect(done.out).toContain('3 records given up');
  expect(dropped).toEqual([{ select: [], run: 'r1' }]);
});

test('a replay of nothing is no failure', async () => {
  const { code, out } = await runWith(['quarantine', 'replay', 'shop_to_lake'], {
    replayQuarantine: () => Promise.resolve(undefined),
  });
  expect({ code, out }).toEqual({ code: 0, out: 'nothing is in quarantine\n' });
});
