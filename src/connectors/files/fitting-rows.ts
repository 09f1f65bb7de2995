import type { Batch, Column } from '../../core/batch.ts';
import type { RefusedInBatch } from '../../core/decoder.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { Schema } from '../../core/schema.ts';
import { AsideRows } from '../shared/text/aside-rows.ts';
import { formatValue } from '../shared/text/format-value.ts';
import { TargetRows } from '../shared/text/target-rows.ts';

/** Where a batch is from, and which of its rows have values that are none of their types. */
export interface BatchPlace {
  document: string;
  /** Of the first row. */
  line: number;
  misfits?: Misfits | undefined;
}

export interface Misfits {
  /** For each row 0, or which of `why` it is, from 1. */
  numbers: Column;
  why: readonly Omit<RefusedInBatch, 'row'>[];
  /** By column of the batch: what its values are, where they do not fit. */
  texts: ReadonlyMap<number, Column>;
}

/** Takes rows out of batches that do not fit, or that the target does not take, and puts them aside. */
export class FittingRows {
  readonly #aside: AsideRows;
  readonly #target: TargetRows;
  #marks: Int32Array = new Int32Array(0);

  /** `aside`: without it, such a row is an error. */
  constructor(schema: Schema, aside: Aside | undefined) {
    this.#aside = new AsideRows(aside?.file);
    this.#target = new TargetRows(schema, aside ?? { limits: [], refused: [] });
  }

  /** How many have gone aside. */
  get count(): number {
    return this.#aside.count;
  }

  /** How many are left out since a later one takes their place. */
  get superseded(): number {
    return this.#target.superseded;
  }

  keep(batch: Batch, { document, line, misfits }: BatchPlace): void {
    if (!this.#target.look(batch) && !misfits) return;
    if (this.#marks.length < batch.rows) this.#marks = new Int32Array(batch.capacity);
    for (let row = 0; row < batch.rows; row++) {
      const misfit = misfits?.why[misfits.numbers.i16[row]! - 1];
      const fitting = misfit ?? this.#target.of(row);
      this.#marks[row] = fitting === 'fits' ? 0 : 1;
      if (typeof fitting === 'object')
        this.#aside.add(batch, row, { document, line: line + row, ...fitting }, textsOf(misfits, row));
    }
    batch.drop(this.#marks);
  }

  flush(): void {
    this.#aside.flush();
  }
}

function textsOf(misfits: Misfits | undefined, row: number): Map<number, string> {
  const found = [...(misfits?.texts ?? [])].filter(([, column]) => !column.isNull(row));
  return new Map(found.map(([index, column]) => [index, formatValue(column, row)]));
}
