/** What a race needs to know of a system: the SQL of its writers. A source that others write to implements it. */
import type { Action } from './transaction.ts';
import type { RaceTable } from './tables.ts';

export interface WriteStep {
  writer: number;
  action: Action;
  row: number;
}

export interface Writers {
  /** Those of the tables that the system can have. */
  readonly tables: readonly RaceTable[];
  /** Makes the tables, with the rows that all writers share. */
  readonly setup: string;
  /** SQL of one step. */
  statement(step: WriteStep): string;
  /** Makes a session give up soon when a row is locked. */
  readonly impatient: string;
  /** Makes a role that may read the tables, and is not told what transactions the others have. */
  restrict(role: string): string;
  /** It gave up, or the server made it, because of another transaction. */
  isConflict(error: unknown): boolean;
  /** All rows as `id` and `version`. */
  versions(table: RaceTable): string;
  /** Rows as `id`, `version` and `at` whose cursor is greater than a value, or all, in the order of the cursor. */
  newer(table: RaceTable, value: string | undefined): string;
}
