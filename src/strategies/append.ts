import { replacedFile } from './replaced-file.ts';
import type { Strategy } from './strategy.ts';

/** Every version of a row is kept: the table is the history, `current` is a view of it. */
export const append: Strategy = {
  history: 'loads',
  // Nothing would tell the rows of a part from those of the whole that is appended next time.
  commits: ({ cursor, date, files }) =>
    cursor.length === 0 && date === undefined && files === undefined ? 'together' : 'each',
  misfit: () => undefined,
  supersedes: ({ stream, slices }) => replacedFile(stream, slices) ?? { kind: 'nothing' },
};
