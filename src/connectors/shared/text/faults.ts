/** Why values do not fit, and how rows are marked that have some. */
import type { Column } from '../../../core/batch.ts';

/** Why a value does not fit. */
export interface Fault {
  code: string;
  /** For people, without the value; `{type}` stands for that of the column. */
  found: string;
}

const FAULTS: readonly Fault[] = [
  { code: 'row.type', found: 'is no {type}' },
  { code: 'row.range', found: 'does not fit {type}' },
  { code: 'row.missing', found: 'is missing, and has to have a value' },
  { code: 'row.utf8', found: 'is no UTF-8' },
  { code: 'row.nul', found: 'has a byte 0, which texts may not have' },
  { code: 'row.too_long', found: 'is too long for {target}' },
  { code: 'row.too_large', found: 'is too large for {target}' },
  { code: 'row.expression', found: 'is an expression and no value' },
];
export const TYPE = 1;
export const RANGE = 2;
export const MISSING = 3;
export const UTF8 = 4;
export const NUL = 5;
export const TOO_LONG = 6;
export const TOO_LARGE = 7;
export const COMPUTED = 8;

/** Bad records of a run: by row 0, or `column << 4 | fault`, of the first column that does not fit. */
export type BadRows = Int32Array;

export function badColumn(mark: number): number {
  return mark >> 4;
}

export function badFault(mark: number): Fault {
  return faultOf(mark & 15);
}

/** One of the numbers above. */
export function faultOf(number: number): Fault {
  return FAULTS[number - 1]!;
}

/** A value that does not fit is NULL until its record is taken out. */
export function refuse(column: Column, bad: BadRows, row: number, mark: number): void {
  column.setNull(row);
  if (bad[row] === 0) bad[row] = mark;
}
