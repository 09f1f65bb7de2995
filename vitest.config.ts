import { readFileSync, statfsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { CiReporter } from './test/support/ci-reporter.ts';

// Inherited by every worker, thread and child process of the tests: without it each engine thread compiles its modules anew.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('.cache/compiled', import.meta.url));

/** Bytes that all temporary folders of the tests may need at once. */
const ROOM = 6 * 2 ** 30;

// Servers, lakes and state live in temporary folders and sync what they write. No test ends the machine, so that nothing is
// proven by waiting for a disk: they lie in memory where there is room.
if (process.env['TMPDIR'] === undefined && isRoomy('/dev/shm')) process.env['TMPDIR'] = '/dev/shm';

/** In a container it often has some megabytes only, and runs no programs, of which some servers need a copy. */
function isRoomy(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, at]) => at === folder);
    return bavail * bsize >= ROOM && mount?.[3]?.split(',').includes('noexec') === false;
  } catch {
    return false;
  }
}

/** Files of few lines that take long. */
const LONG = /(guarantees|mysql-kills)\.test\.ts$/;

/** Of files that it does not know yet, vitest begins with the largest; what takes long would come last and alone. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** What the two projects share: tests start servers and processes of their own, so they get time and few workers. */
const shared = {
  pool: 'forks',
  globalSetup: './test/support/templates.ts',
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

const config: ViteUserConfig = {
  test: {
    // Two cores are what CI has; more workers only make the servers of the tests compete. Server tests wait more, and have three.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    reporters: process.env['CI'] ? ['default', new CiReporter()] : ['default'],
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
          // Servers, processes that are killed and other tests share two cores. Who needs the second try is named at the end.
          retry: process.env['CI'] ? 1 : 0,
        },
      },
    ],
  },
};

export default config;
