import type { Strategy } from './strategy.ts';

/** The table is what the source is now; readers see the old table until the new one is whole. */
export const replace: Strategy = {
  history: undefined,
  commits: () => 'together',
  misfit: () => undefined,
  // Records that are read again were missing in what the table is now.
  supersedes: ({ slices }) =>
    slices.some(({ range }) => range.kind === 'quarantine') ? { kind: 'nothing' } : { kind: 'everything' },
};
