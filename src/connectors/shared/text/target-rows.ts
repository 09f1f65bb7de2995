/** Which rows of batches the target takes, where all values are of the types of the schema. */
import type { Batch } from '../../../core/batch.ts';
import type { RefusedInBatch } from '../../../core/decoder.ts';
import type { Aside, RefusedRow } from '../../../core/quarantine.ts';
import type { Schema } from '../../../core/schema.ts';
import { badColumn, badFault, type BadRows, MISSING } from './faults.ts';
import { checkColumn, type ColumnCheck, checkOf } from './target-checks.ts';

/** `fits`, or why a row does not; undefined: it is left out, and nobody is told. */
export type Fitting = 'fits' | Omit<RefusedInBatch, 'row'> | undefined;

/** What a column of the target asks. */
interface Asked {
  index: number;
  name: string;
  /** Of the target. */
  type: string;
  nullable: boolean;
  check: ColumnCheck | undefined;
}

export class TargetRows {
  /** Rows that are left out since a later one takes their place. */
  superseded = 0;
  readonly #asked: readonly Asked[];
  readonly #refused: readonly RefusedRow[];
  /** The first of those that may still come. */
  #next = 0;
  /** Rows that its columns take. */
  #taken = 0;
  #bad: BadRows = new Int32Array(0);

  constructor({ fields }: Schema, { limits, refused }: Pick<Aside, 'limits' | 'refused'>) {
    this.#asked = fields.flatMap(({ name, type }, index) => {
      const found = limits.find(({ field }) => field === name);
      const check = checkOf(type, found?.limits ?? []);
      const asks = found && (!found.nullable || check);
      return asks ? { index, name, type: found.type, nullable: found.nullable, check } : [];
    });
    this.#refused = refused;
  }

  /** Before the rows of a batch are asked for; whether there may be any that do not fit. */
  look(batch: Batch): boolean {
    if (this.#bad.length < batch.rows) this.#bad = new Int32Array(batch.capacity);
    else this.#bad.fill(0);
    const marked = this.#asked.map((asked) => mark(asked, batch, this.#bad));
    return this.#refused.length > 0 || marked.includes(true);
  }

  /** Asked once for each row that is to be loaded, in their order. */
  of(row: number): Fitting {
    const mark = this.#bad[row]!;
    if (mark === 0) return ++this.#taken === this.#refused[this.#next]?.row ? this.#take() : 'fits';
    const { name, type } = this.#asked.find(({ index }) => index === badColumn(mark))!;
    const { code, found } = badFault(mark);
    return { column: name, code, reason: `${name} ${found.replace('{target}', type)}` };
  }

  #take(): Fitting {
    const { code, reason } = this.#refused[this.#next++]!;
    if (code !== 'row.superseded') return { column: undefined, code, reason };
    this.superseded++;
    return undefined;
  }
}

/** Whether there may be marks. */
function mark({ index, nullable, check }: Asked, { columns, rows }: Batch, bad: BadRows): boolean {
  const column = columns[index]!;
  const missing = !nullable && column.nullCount > 0;
  if (missing)
    for (let row = 0; row < rows; row++)
      if (bad[row] === 0 && column.isNull(row)) bad[row] = (index << 4) | MISSING;
  if (check) checkColumn(check, column, bad, { index, from: 0, to: rows });
  return missing || check !== undefined;
}
