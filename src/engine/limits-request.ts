import type { LimitsRequest } from '../core/diagnose.ts';
import { STRATEGIES } from '../strategies/index.ts';
import type { Planned } from './plan-stream.ts';

/** What a destination is asked of a planned load, to tell what the table would not hold. */
export function limitsRequest({ plan, table, schema, survey, slices, fullRefresh }: Planned): LimitsRequest {
  const { stream } = plan;
  const strategy = STRATEGIES[stream.load];
  const filled = (table?.rows ?? 0) > 0;
  // Records that are read again are added to what is there.
  const adds = slices.slices.some(({ range }) => range.kind === 'quarantine');
  const together = !adds && strategy.commits(stream) === 'together';
  const anew = fullRefresh || slices.restart;
  const replaces = strategy.history === undefined ? together || anew : strategy.history === 'loads' && anew;
  // Parts of a first load are not looked for among each other.
  const merges = stream.load === 'scd2' || (filled && !replaces && stream.load === 'merge');
  return {
    table: stream.table,
    schema,
    before: table?.schema,
    history: strategy.history !== undefined,
    replaces,
    together: replaces || together,
    merges: merges && survey.schema.key.length > 0,
  };
}
