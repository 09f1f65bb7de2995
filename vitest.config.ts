import { fileURLToPath } from 'node:url';
import type { ViteUserConfig } from 'vitest/config';

// Inherited by every worker, thread and child process of the tests: without it each engine thread compiles its modules anew.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('.cache/compiled', import.meta.url));

/** What the two projects share: tests start servers and processes of their own, so they get time and few workers. */
const shared = { pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000 } as const;

const config: ViteUserConfig = {
  test: {
    // Two cores are what CI has; more workers only make the servers of the tests compete. Server tests wait more, and have three.
    maxWorkers: 2,
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    // Read by .ci/run, which sums the counts up.
    outputFile: { json: '.cache/tests.json' },
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'test/*.test.ts',
            'test/{conformance,e2e,types}/**/*.test.ts',
            'guarantees/**/*.test.ts',
          ],
        },
      },
      {
        test: {
          ...shared,
          name: 'servers',
          include: ['test/servers/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
};

export default config;
