/** Rows of batches that go aside, where no text of the source stands for them. */
import type { Batch } from '../../../core/batch.ts';
import type { BadRecord } from '../../../core/quarantine.ts';
import { BadRecords } from './bad-records.ts';
import { memberHeads, type OddValue, rowForm, rowText } from './row-text.ts';

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

  /** `odd`: by column. */
  add(
    batch: Batch,
    row: number,
    why: Omit<BadRecord, 'raw' | 'base64'>,
    odd: ReadonlyMap<number, OddValue> = new Map(),
  ): void {
    this.#heads ??= memberHeads(batch.schema);
    const bytes = [...odd].filter(([, value]) => value.bytes);
    const form = rowForm(bytes.map(([index]) => batch.schema.fields[index]!.name));
    this.#bad.add({ ...why, raw: Buffer.from(rowText(batch, row, this.#heads, odd)) }, form);
  }

  flush(): void {
    this.#bad.flush();
  }
}
