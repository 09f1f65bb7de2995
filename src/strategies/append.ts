import type { Strategy } from './strategy.ts';

/** Every version of a row is kept: the table is the history, `current` is a view of it. */
export const append: Strategy = {
  commits: 'each',
  history: true,
  misfit: () => undefined,
  supersedes: () => ({ kind: 'nothing' }),
};
