import { expect, test } from 'vitest';
import type { RepairedPart, RepairOptions, RepairReport } from '../../engine/repair.ts';
import { runWith } from '../fakes.fixture.ts';

const INDEX: RepairedPart = {
  table: '"public"."orders"',
  kind: 'index',
  name: 'orders_by_day',
  sql: 'CREATE INDEX orders_by_day ON public.orders USING btree (day)',
  tables: ['orders'],
  status: 'restored',
};

async function repair(
  parts: RepairedPart[],
  args: string[] = [],
): Promise<{ code: number; out: string; options: RepairOptions }> {
  let options: RepairOptions = {};
  const result = await runWith(['repair', ...args], {
    repair: (_context, pipeline, given): Promise<RepairReport> => {
      options = given;
      return Promise.resolve({ pipeline, to: 'warehouse', parts, seconds: 3.21 });
    },
  });
  return { ...result, options };
}

test('what was made is named, and nothing missing is good as well', async () => {
  const made = await repair([INDEX]);
  expect(made).toMatchObject({ code: 0 });
  expect(made.out).toContain('✓ index orders_by_day of "public"."orders"');
  const nothing = await repair([]);
  expect(nothing).toMatchObject({ code: 0 });
  expect(nothing.out).toContain('no index and no foreign key is missing');
});

test('what cannot be made comes with its reason and exit code 4', async () => {
  const { code, out } = await repair([{ ...INDEX, status: 'failed', reason: 'the name is taken' }]);
  expect(code).toBe(4);
  expect(out).toContain('✗ index orders_by_day of "public"."orders": the name is taken');
  expect(out).toContain('--forget');
});

test('a dry run shows the statements, and a table that a run works on is left to it', async () => {
  const dry = await repair([{ ...INDEX, status: 'missing' }], ['--dry-run']);
  expect(dry).toMatchObject({ code: 4, options: { dryRun: true, forget: false } });
  expect(dry.out).toContain(INDEX.sql);
  const busy = await repair([{ ...INDEX, status: 'busy' }], ['--workers', '3']);
  expect(busy).toMatchObject({ code: 5, options: { dryRun: false, workers: 3 } });
});

test('a program gets the report as one line', async () => {
  const { out } = await repair([{ ...INDEX, status: 'forgotten', reason: 'x' }], ['--forget', '--json']);
  expect(JSON.parse(out)).toMatchObject({
    to: 'warehouse',
    parts: [{ name: 'orders_by_day', status: 'forgotten' }],
  });
});
