/** What of a table's rows is current, and what is history. */
import { currentSchema, type FoldedState } from './records.ts';

/** What the current view does with the history. */
export type CurrentRule =
  /** All rows: without a key there is no telling which row is a newer version of which. */
  | { kind: 'all' }
  /** All rows: one commit brought them, so each key occurs once. */
  | { kind: 'single-load' }
  | { kind: 'last-by-key'; key: string[] };

export function currentRule(state: FoldedState): CurrentRule {
  const key = currentSchema(state)?.key ?? [];
  if (key.length === 0) return { kind: 'all' };
  const origins = new Set(state.files.map((file) => file.origin));
  if (origins.size === 0 || (origins.size === 1 && !origins.has(0))) return { kind: 'single-load' };
  return { kind: 'last-by-key', key };
}
