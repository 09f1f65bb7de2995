import type { Strategy } from './strategy.ts';

/** The table is what the source is now; readers see the old table until the new one is whole. */
export const replace: Strategy = {
  commits: 'together',
  history: false,
  misfit: () => undefined,
  supersedes: () => ({ kind: 'everything' }),
};
