/**
 * Finds the rows that differ among two lists of hashed rows, both ordered by the hash of their keys, so that neither has to
 * be held: what is counted is exact, and only some rows are named.
 */
import type { HashedRows } from '../core/compare.ts';

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
  const [s, t] = [new Rows(source), new Rows(target)];
  const found = new Findings(options);
  try {
    await Promise.all([s.load(), t.load()]);
    while (s.key !== undefined || t.key !== undefined) {
      const key = t.key === undefined || (s.key !== undefined && s.key <= t.key) ? s.key! : t.key;
      const [mine, theirs] = [await s.take(key), await t.take(key)];
      found.compare(key, mine, theirs);
    }
    return found.result;
  } finally {
    await Promise.allSettled([s.close(), t.close()]);
  }
}

/** Rows that share their key; the lists are used again for the next key. */
interface Group {
  hashes: string[];
  waiting: boolean;
  names: (string | null)[];
}

/** One side, key by key. */
class Rows {
  key: string | undefined;
  readonly #batches: AsyncIterator<HashedRows>;
  readonly #group: Group = { hashes: [], waiting: false, names: [] };
  #batch: HashedRows | undefined;
  #at = 0;

  constructor(rows: AsyncIterable<HashedRows>) {
    this.#batches = rows[Symbol.asyncIterator]();
  }

  /** The next batch that has rows. */
  async load(): Promise<void> {
    this.#at = 0;
    do {
      const { done, value } = await this.#batches.next();
      this.#batch = done === true ? undefined : value;
    } while (this.#batch?.keys.length === 0);
    this.key = this.#batch?.keys[0];
  }

  /** All rows with this key, which is the next one or none of ours. */
  async take(key: string): Promise<Group> {
    const group = this.#group;
    group.hashes.length = 0;
    group.waiting = false;
    while (this.key === key) {
      const batch = this.#batch!;
      const at = this.#at;
      if (group.hashes.length === 0) group.names = batch.names.map((column) => column[at]!);
      group.hashes.push(batch.rows[at]!);
      group.waiting ||= batch.waiting?.[at] ?? false;
      this.#at++;
      if (this.#at < batch.keys.length) this.key = batch.keys[this.#at];
      else await this.load();
    }
    return group;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

class Findings {
  readonly result: Matched = { missing: 0, extra: 0, changed: 0, waiting: 0, named: [] };
  readonly #options: MatchOptions;

  constructor(options: MatchOptions) {
    this.#options = options;
  }

  compare(key: string, mine: Group, theirs: Group): void {
    const [a, b] = [mine.hashes, theirs.hashes];
    if (a.length === 1 && b.length === 1 && a[0] === b[0]) return;
    const missing = without(a, b);
    const extra = without(b, a);
    if (missing.length + extra.length === 0) return;
    const changed = this.#options.keyed ? Math.min(missing.length, extra.length) : 0;
    if (mine.waiting || theirs.waiting) {
      this.result.waiting += Math.max(missing.length, extra.length);
      return;
    }
    this.#add('changed', changed, { key, row: missing[0] ?? '', names: mine.names });
    this.#add('missing', missing.length - changed, { key, row: missing.at(-1) ?? '', names: mine.names });
    this.#add('extra', extra.length - changed, { key, row: extra.at(-1) ?? '', names: theirs.names });
  }

  #add(kind: FoundRow['kind'], count: number, row: Omit<FoundRow, 'kind'>): void {
    this.result[kind] += count;
    for (let i = 0; i < count && this.result.named.length < this.#options.limit; i++)
      this.result.named.push({ kind, ...row });
  }
}

/** Hashes of one list that the other has not, or not as often. */
function without(some: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const hash of others) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  return some.filter((hash) => {
    const left = counts.get(hash) ?? 0;
    if (left > 0) counts.set(hash, left - 1);
    return left === 0;
  });
}
