import type { Batch } from '../../core/batch.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { Schema } from '../../core/schema.ts';
import { AsideRows } from '../shared/text/aside-rows.ts';
import { TargetRows } from '../shared/text/target-rows.ts';

/** Takes rows that the target does not take out of batches, and puts them aside. */
export class FittingRows {
  readonly #aside: AsideRows;
  readonly #target: TargetRows;
  #marks: Int32Array = new Int32Array(0);

  constructor(schema: Schema, aside: Aside) {
    this.#aside = new AsideRows(aside.file);
    this.#target = new TargetRows(schema, aside);
  }

  /** How many have gone aside. */
  get count(): number {
    return this.#aside.count;
  }

  /** How many are left out since a later one takes their place. */
  get superseded(): number {
    return this.#target.superseded;
  }

  /** `line`: of the first row. */
  keep(batch: Batch, { document, line }: { document: string; line: number }): void {
    if (!this.#target.look(batch)) return;
    if (this.#marks.length < batch.rows) this.#marks = new Int32Array(batch.capacity);
    for (let row = 0; row < batch.rows; row++) {
      const fitting = this.#target.of(row);
      this.#marks[row] = fitting === 'fits' ? 0 : 1;
      if (typeof fitting === 'object')
        this.#aside.add(batch, row, { document, line: line + row, ...fitting });
    }
    batch.drop(this.#marks);
  }

  flush(): void {
    this.#aside.flush();
  }
}
