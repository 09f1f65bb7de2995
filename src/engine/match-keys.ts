/**
 * Finds the keys that a table has and its source has not, among lists of hashes that are sorted, so that none has to be held.
 * Pure but for reading them.
 */
import type { HashedRows } from '../core/compare.ts';
import { SortedRows } from './sorted-rows.ts';

export interface KeyLists {
  target: AsyncIterable<HashedRows>;
  /** Of the rows that the stream selects. */
  source: AsyncIterable<HashedRows>;
  /** Of all rows that the source has, where the stream does not select all of them. */
  all: AsyncIterable<HashedRows> | undefined;
}

export interface KeyCounts {
  gone: number;
  /** Keys that are selected and not in the target. */
  missing: number;
  /** The first of them. */
  missed: string[];
  /** Keys that are in both, and are not selected. */
  unselected: number;
}

/** How many missing keys are remembered: as many as one statement can be asked for. */
export const MOST_MISSED = 10_000;

export function noKeys(): KeyCounts {
  return { gone: 0, missing: 0, missed: [], unselected: 0 };
}

/** Hashes of keys that are gone, in pieces; `counts` are right at the end. */
export async function* goneKeys(lists: KeyLists, counts: KeyCounts): AsyncGenerator<string[]> {
  const target = new SortedRows(lists.target);
  const source = new SortedRows(lists.source);
  const all = lists.all && new SortedRows(lists.all);
  const sides = [target, source, ...(all ? [all] : [])];
  let found: string[] = [];
  try {
    await Promise.all(sides.map((side) => side.load()));
    for (;;) {
      const key = least(sides);
      if (key === undefined) break;
      const [there, selected, known] = [target.key === key, source.key === key, all?.key === key];
      if (there && !selected && !known) {
        counts.gone++;
        if (found.push(key) === PIECE) {
          yield found;
          found = [];
        }
      } else if (there && !selected) counts.unselected++;
      else if (!there && selected && ++counts.missing <= MOST_MISSED) counts.missed.push(key);
      for (const side of sides) await skip(side, key);
    }
    if (found.length > 0) yield found;
  } finally {
    await Promise.allSettled(sides.map((side) => side.close()));
  }
}

const PIECE = 2048;

function least(sides: readonly SortedRows[]): string | undefined {
  let key: string | undefined;
  for (const side of sides)
    if (side.key !== undefined && (key === undefined || side.key < key)) key = side.key;
  return key;
}

/** Past all rows with this key, which is the next one. */
async function skip(side: SortedRows, key: string): Promise<void> {
  while (side.key === key) if (!side.next()) await side.load();
}
