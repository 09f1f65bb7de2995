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

  add(batch: Batch, row: number, why: Omit<BadRecord, 'raw' | 'base64'>): void {
    this.#heads ??= memberHeads(batch.schema);
    this.#bad.add({ ...why, raw: Buffer.from(rowText(batch, row, this.#heads)) }, ROW_FORM);
  }

  flush(): void {
    this.#bad.flush();
  }
}
