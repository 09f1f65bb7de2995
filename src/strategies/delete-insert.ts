import { InternalError } from '../core/errors.ts';
import { renamed } from '../core/stream.ts';
import type { Strategy } from './strategy.ts';

/** The rows of one day take the place of that day's rows, so a day can be loaded as often as one likes. So do those without a date. */
export const deleteInsert: Strategy = {
  history: undefined,
  commits: () => 'each',
  misfit: (stream, schema) => {
    if (!stream.date)
      return 'load: delete-insert needs `date`, the column that says which day a row belongs to';
    const column = renamed(stream, stream.date.column);
    return schema.fields.some((field) => field.name === column)
      ? undefined
      : `date: column "${stream.date.column}" is not among those that are read`;
  },
  supersedes: ({ stream, slices }) => {
    const range = slices[0]?.range;
    // Records that are read again were missing in their days.
    if (range?.kind === 'quarantine') return { kind: 'nothing' };
    if (range?.kind === 'missing')
      return { kind: 'value', column: renamed(stream, range.column), value: null };
    if (range?.kind !== 'column' || range.from === undefined || range.to === undefined) {
      throw new InternalError(`the slice of ${stream.name} is not a day`, { code: 'strategy.no_window' });
    }
    return { kind: 'window', column: renamed(stream, range.column), from: range.from, to: range.to };
  },
};
