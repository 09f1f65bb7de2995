/** Whether the table is still the one that the record tells of. */
import { ConfigError, ConflictError } from '../../../core/errors.ts';
import type { FoundTable } from './system.ts';

/** Somebody has dropped it or taken out all its rows, and with them what the record tells of. */
export function isLost(found: FoundTable | undefined, rows: number): boolean {
  return !found || (rows > 0 && !found.filled);
}

/** Whoever loads changes only would write down that nothing is missing. */
export function tableLost(table: string): ConflictError {
  return new ConflictError(
    `loading table "${table}": it was dropped or emptied while the run was under way`,
    {
      code: 'sql.table_lost',
      remedy: 'run again: all of it is loaded anew',
      details: { table },
    },
  );
}

export function notOurs(table: string): ConfigError {
  return new ConfigError(
    `loading table "${table}": it is there already, with rows that Sluice has not loaded`,
    {
      code: 'sql.not_ours',
      remedy: 'give the stream another `table`, or empty or drop that one',
      details: { table },
    },
  );
}
