/** Rows of batches that go aside, where no text of the source stands for them. */
import type { Batch } from '../../../core/batch.ts';
import type { BadRecord } from '../../../core/quarantine.ts';
import { BadRecords } from './bad-records.ts';
import { memberHeads, ROW_FORM, rowText } from './row-text.ts';

/** Writes down the values that rows have; all batches are of one schema. */
export class AsideRows {
  readonly #bad: BadRecords;
  #heads: string[] | undefined;

  constructor(file: string | undefined) {
    this.#bad = new BadRecords(file);
  }

  get count(): number {
    return this.#bad.count;
  }

  /** `texts`: by column, of values that are of another type. */
  add(
    batch: Batch,
    row: number,
    why: Omit<BadRecord, 'raw' | 'base64'>,
    texts?: ReadonlyMap<number, string>,
  ): void {
    this.#heads ??= memberHeads(batch.schema);
    this.#bad.add({ ...why, raw: Buffer.from(rowText(batch, row, this.#heads, texts)) }, ROW_FORM);
  }

  flush(): void {
    this.#bad.flush();
  }
}
