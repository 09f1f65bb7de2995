import { expect, test } from 'vitest';
import type { PromoteOptions, ShadowComparison, ShadowReport } from '../../engine/shadow-types.ts';
import { runWith } from '../fakes.fixture.ts';

const STREAM: ShadowComparison = {
  stream: 'public.orders',
  table: 'orders',
  shadow: 'public_shadow.orders',
  status: 'differs',
  rows: { present: 1000, shadow: 1001 },
  compared: { present: 1000, shadow: 1001 },
  onlyPresent: 0,
  onlyShadow: 1,
  changed: 2,
  changes: ['total int32 → int64'],
  differences: [
    { kind: 'changed', key: { id: '7' }, columns: ['total'] },
    { kind: 'changed', key: { id: '8' }, columns: ['total'] },
    { kind: 'only-shadow', key: { id: '1001' }, columns: [] },
  ],
  columns: ['id', 'total'],
  key: ['id'],
  notes: [],
  seconds: 1,
  error: undefined,
};

function found(status: ShadowReport['status'], stream: Partial<ShadowComparison> = {}): ShadowReport {
  const streams = [{ ...STREAM, ...stream }];
  return { pipeline: 'shop_to_lake', from: 'shop', to: 'lake', into: 'shadow', status, seconds: 1, streams };
}

test('what differs is named, and says so by the exit code', async () => {
  const compareShadow = (): Promise<ShadowReport> => Promise.resolve(found('differs'));
  const { code, out } = await runWith(['shadow', '--compare'], { compareShadow });
  expect(code).toBe(4);
  expect(out).toContain(
    'public.orders   1,000 → 1,001 rows   3 rows differ: 2 changed (id 7, 8), 1 only shadow (id 1001)',
  );
  expect(out).toContain('total int32 → int64');
});

test('tables that differ are not promoted unless it is forced', async () => {
  let asked: PromoteOptions = {};
  const promote = (args: string[]): ReturnType<typeof runWith> =>
    runWith(['shadow', '--promote', ...args], {
      promoteShadow: (_context, pipeline, options) => {
        asked = options;
        if (options.force !== true)
          return Promise.resolve({
            pipeline,
            to: 'lake',
            status: 'refused',
            tables: [],
            comparison: found('differs'),
          });
        const tables = [{ stream: 'public.orders', table: 'orders', was: 'public_former.orders' }];
        return Promise.resolve({ pipeline, to: 'lake', status: 'promoted', tables });
      },
    });
  const refused = await promote(['--into', 'trial']);
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.out).toContain('not promoted');
  expect(asked).toMatchObject({ into: 'trial', force: false });
  const done = await promote(['--force']);
  expect(done).toMatchObject({ code: 0 });
  expect(done.out).toContain('public.orders   was kept as public_former.orders');
});

test.each([
  [['--promote', '--rollback'], '--promote and --rollback'],
  [['--force'], '--force goes with --promote'],
  [['--compare', '--into', 'former'], '--into: "former"'],
  [['--compare', '--into', 'a;b'], '--into: "a;b"'],
  [['--drop'], '--yes'],
])('%j is refused', async (args, message) => {
  const { code, err } = await runWith(['shadow', ...args], {});
  expect(code).toBe(2);
  expect(err).toContain(message);
});
