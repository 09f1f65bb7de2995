import { expect, test } from 'vitest';
import type { DemoOptions, DemoReport } from '../../demo/demo.ts';
import { runWith } from '../fakes.fixture.ts';

function demoReport(equal: boolean): DemoReport {
  const day = { inserted: 0, updated: 0, deleted: 0, rolledBack: 0, lateCommits: 0 };
  return { kind: 'demo', equal, seconds: 1, folder: undefined, rows: 10, day, loads: [], tables: [] };
}

test('the exit code says whether shop and lake were equal', async () => {
  const equal = await runWith(['demo'], { demo: () => Promise.resolve(demoReport(true)) });
  const different = await runWith(['demo'], { demo: () => Promise.resolve(demoReport(false)) });
  const reopened = await runWith(['demo'], { demo: () => Promise.resolve(undefined) });
  expect([equal.code, different.code, reopened.code]).toEqual([0, 4, 0]);
});

test('flags reach the demo', async () => {
  let found: DemoOptions | undefined;
  const args = ['demo', '--rows', '500', '--quick', '--keep', '--directory', './here'];
  await runWith(args, {
    demo: (options) => {
      found = options;
      return Promise.resolve(undefined);
    },
  });
  expect(found).toMatchObject({ rows: 500, quick: true, keep: true, directory: './here', json: false });
  const { code, err } = await runWith(['demo', '--rows', 'many'], {});
  expect(code).toBe(2);
  expect(err).toContain('--rows: "many" is no whole number');
});

test('with --json the report is the only line', async () => {
  const { out } = await runWith(['demo', '--json'], { demo: () => Promise.resolve(demoReport(true)) });
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(demoReport(true))));
  expect(out.trim().split('\n')).toHaveLength(1);
});
