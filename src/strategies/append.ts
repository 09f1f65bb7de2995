import type { Strategy } from './strategy.ts';

/** Every version of a row is kept: the table is the history, `current` is a view of it. */
export const append: Strategy = {
  history: 'loads',
  // Nothing would tell the rows of a part from those of the whole that is appended next time.
  commits: ({ cursor, date }) => (cursor.length === 0 && date === undefined ? 'together' : 'each'),
  misfit: () => undefined,
  supersedes: () => ({ kind: 'nothing' }),
};
