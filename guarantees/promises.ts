/** What Sluice promises, as docs/guarantees.md says it. Every promise is attacked by something in this folder. */

export interface Promised {
  title: string;
  /** One sentence a user can hold us to. */
  says: string;
  /** Other tests that hold it up, as paths from the repository. */
  tests: readonly string[];
}

export type PromiseName =
  | 'nothing-lost'
  | 'whole-or-not'
  | 'one-at-a-time'
  | 'faults-heal'
  | 'any-data'
  | 'fixed-memory'
  | 'exact-values';

export const PROMISES: Readonly<Record<PromiseName, Promised>> = {
  'nothing-lost': {
    title: 'Nothing lost, nothing doubled',
    says: 'Every row that was committed in the source before a run began is in the destination after it, however late its transaction committed and whatever its timestamp says.',
    tests: [
      'test/servers/watermark-late.test.ts',
      'test/servers/watermark-values.test.ts',
      'test/e2e/replica.test.ts',
    ],
  },
  'whole-or-not': {
    title: 'Whole or not at all',
    says: 'A reader sees a load whole or not at all, and after a crash at any moment the next run makes the table whole by itself.',
    tests: ['test/servers/recovery.test.ts', 'src/testing/destination-checks-commits.ts'],
  },
  'one-at-a-time': {
    title: 'One at a time',
    says: 'Of two runs on one table one works and the other says who holds it; a run that was replaced cannot commit.',
    tests: ['test/servers/concurrency.test.ts', 'src/testing/state-conformance.ts'],
  },
  'faults-heal': {
    title: 'Faults are named and heal',
    says: 'When disk, network, server or configuration fail, the error names the object, the cause and the remedy, nothing is lost, and the next run goes on.',
    tests: ['test/servers/ddl-during-run.test.ts', 'src/connectors/shared/local-storage.test.ts'],
  },
  'any-data': {
    title: 'Any data',
    says: 'Any name, width, size or value that the source can hold arrives, or is refused with an error that names it, before anything of it is visible.',
    tests: ['src/connectors/lake/layout.test.ts', 'test/e2e/types.test.ts'],
  },
  'fixed-memory': {
    title: 'Fixed memory',
    says: 'Memory is bounded by the budget, not by the size of the table.',
    tests: [
      'src/core/memory.test.ts',
      'src/connectors/shared/lane/partition-split.test.ts',
      'docs/benchmarks.md',
    ],
  },
  'exact-values': {
    title: 'Exact values',
    says: "Every value arrives as the server's own text has it, to the last digit and microsecond, and NULL stays NULL.",
    tests: ['test/e2e/types.test.ts', 'test/servers/types-shapes.test.ts'],
  },
};
