import type { HashedRows } from '../core/compare.ts';

/** A list of hashed rows that is sorted by their keys, of which no more than a batch is held. */
export class SortedRows {
  /** Of the present row; undefined at the end, and before the first batch. */
  key: string | undefined;
  /** Where the present row is. */
  batch: HashedRows | undefined;
  at = 0;
  readonly #batches: AsyncIterator<HashedRows>;

  constructor(rows: AsyncIterable<HashedRows>) {
    this.#batches = rows[Symbol.asyncIterator]();
  }

  /** To the first row of the next batch that has any. */
  async load(): Promise<void> {
    this.at = 0;
    do {
      const { done, value } = await this.#batches.next();
      this.batch = done === true ? undefined : value;
    } while (this.batch?.keys.length === 0);
    this.key = this.batch?.keys[0];
  }

  /** To the next row; false where {@link load} has to bring it. */
  next(): boolean {
    this.at++;
    if (this.at >= this.batch!.keys.length) return false;
    this.key = this.batch!.keys[this.at];
    return true;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
