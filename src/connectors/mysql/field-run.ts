import type { Column } from '../../core/batch.ts';

/** The rows `from..to` of one batch whose fields lie at `fields[start + row × stride]` (-1 = NULL) in `bytes`. */
export interface FieldRun {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly fields: Int32Array;
  /** Bytes of the values that are not of one width. */
  readonly lengths: Int32Array;
  /** Index in `fields` of this column's field in row `from`. */
  start: number;
  readonly stride: number;
  readonly from: number;
  readonly to: number;
}

/** Decodes one column of a run and returns how many values were changed by rule (stored as NULL or repaired). */
export type ColumnDecoder = (run: FieldRun, column: Column) => number;
