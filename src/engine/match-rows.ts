/**
 * Finds the rows that differ among two lists of hashed rows, both ordered by the hash of their keys, so that neither has to
 * be held: what is counted is exact, and only some rows are named.
 */
import type { HashedRows } from '../core/compare.ts';
import { SortedRows } from './sorted-rows.ts';

export interface MatchOptions {
  /** Rows have a key: one of each side with the same key, but not the same hash, is a row that changed. */
  keyed: boolean;
  /** Most rows that are named. */
  limit: number;
}

export interface Matched {
  missing: number;
  extra: number;
  changed: number;
  /** Differ, but the next run reads them anyway. */
  waiting: number;
  named: FoundRow[];
}

export interface FoundRow {
  kind: 'missing' | 'extra' | 'changed';
  /** Hash of the key. */
  key: string;
  /** Hash of the row, on the side that has it; of changed ones in the source. */
  row: string;
  /** Values of the key columns. */
  names: (string | null)[];
}

export async function matchRows(
  source: AsyncIterable<HashedRows>,
  target: AsyncIterable<HashedRows>,
  options: MatchOptions,
): Promise<Matched> {
  const [s, t] = [new SortedRows(source), new SortedRows(target)];
  const [mine, theirs] = [emptyGroup(), emptyGroup()];
  const found = new Findings(options);
  try {
    await Promise.all([s.load(), t.load()]);
    while (s.key !== undefined || t.key !== undefined) {
      const key = t.key === undefined || (s.key !== undefined && s.key <= t.key) ? s.key! : t.key;
      found.compare(key, await take(s, key, mine), await take(t, key, theirs));
    }
    return found.result;
  } finally {
    await Promise.allSettled([s.close(), t.close()]);
  }
}

/** Rows that share their key; the same object is used again for the next key. */
interface Group {
  /** How often each hash is there: without a key, millions of rows may be the same. */
  counts: Map<string, number>;
  waiting: boolean;
  names: (string | null)[];
}

function emptyGroup(): Group {
  return { counts: new Map(), waiting: false, names: [] };
}

/** All rows with this key, which is the next one or none of this side. */
async function take(side: SortedRows, key: string, group: Group): Promise<Group> {
  group.counts.clear();
  group.waiting = false;
  while (side.key === key) {
    const { at } = side;
    const { rows, names, waiting } = side.batch!;
    const hash = rows[at]!;
    if (group.counts.size === 0) group.names = names.map((column) => column[at]!);
    group.counts.set(hash, (group.counts.get(hash) ?? 0) + 1);
    group.waiting ||= waiting?.[at] ?? false;
    if (!side.next()) await side.load();
  }
  return group;
}

class Findings {
  readonly result: Matched = { missing: 0, extra: 0, changed: 0, waiting: 0, named: [] };
  readonly #options: MatchOptions;

  constructor(options: MatchOptions) {
    this.#options = options;
  }

  compare(key: string, mine: Group, theirs: Group): void {
    const missing = without(mine.counts, theirs.counts);
    const extra = without(theirs.counts, mine.counts);
    if (missing.rows + extra.rows === 0) return;
    const changed = this.#options.keyed ? Math.min(missing.rows, extra.rows) : 0;
    if (mine.waiting || theirs.waiting) {
      this.result.waiting += Math.max(missing.rows, extra.rows);
      return;
    }
    this.#add('changed', changed, { key, row: missing.hash, names: mine.names });
    this.#add('missing', missing.rows - changed, { key, row: missing.hash, names: mine.names });
    this.#add('extra', extra.rows - changed, { key, row: extra.hash, names: theirs.names });
  }

  #add(kind: FoundRow['kind'], count: number, row: Omit<FoundRow, 'kind'>): void {
    this.result[kind] += count;
    for (let i = 0; i < count && this.result.named.length < this.#options.limit; i++)
      this.result.named.push({ kind, ...row });
  }
}

/** How many rows the other side has not, or not as often, and the hash of one of them. */
function without(
  some: ReadonlyMap<string, number>,
  others: ReadonlyMap<string, number>,
): { rows: number; hash: string } {
  const found = { rows: 0, hash: '' };
  for (const [hash, count] of some) {
    const more = count - (others.get(hash) ?? 0);
    if (more <= 0) continue;
    found.rows += more;
    found.hash = hash;
  }
  return found;
}
