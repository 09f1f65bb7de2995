/** Values that are of the type of their column, and that the column of the target refuses nevertheless. */
import type { Column } from '../../../core/batch.ts';
import type { Limit } from '../../../core/diagnose.ts';
import type { LogicalType } from '../../../core/types.ts';
import { type BadRows, TOO_LARGE, TOO_LONG } from './faults.ts';

/** The fault of a value, or 0. */
export type ColumnCheck = (column: Column, row: number) => number;

/** Undefined: the column of the target holds whatever the type does. */
export function checkOf(type: LogicalType, limits: readonly Limit[]): ColumnCheck | undefined {
  const checks = limits
    .filter(({ fate }) => fate === 'refused')
    .map((limit) => {
      if (limit.problem === 'too-long') return lengthCheck(limit);
      return limit.problem === 'too-large' && type.kind === 'decimal' ? sizeCheck(type, limit) : undefined;
    })
    .filter((check) => check !== undefined);
  if (checks.length === 0) return undefined;
  return (column, row) => checks.reduce((fault, check) => (fault === 0 ? check(column, row) : fault), 0);
}

export function checkColumn(
  check: ColumnCheck,
  column: Column,
  bad: BadRows,
  { index, from, to }: { index: number; from: number; to: number },
): void {
  for (let row = from; row < to; row++) {
    if (bad[row] !== 0 || column.isNull(row)) continue;
    const fault = check(column, row);
    if (fault !== 0) bad[row] = (index << 4) | fault;
  }
}

const BLANK = 0x20;

function lengthCheck({ unit, most, blanks }: Extract<Limit, { problem: 'too-long' }>): ColumnCheck {
  return ({ offsets, bytes }, row) => {
    const from = offsets[row]!;
    let to = offsets[row + 1]!;
    if (to - from <= most) return 0;
    if (!blanks) while (to > from && bytes[to - 1] === BLANK) to--;
    let length = to - from;
    // Bytes that go on with a character begin none.
    if (unit === 'characters') for (let p = from; p < to; p++) if ((bytes[p]! & 0xc0) === 0x80) length--;
    return length > most ? TOO_LONG : 0;
  };
}

function sizeCheck(
  { precision, scale }: Extract<LogicalType, { kind: 'decimal' }>,
  limit: Extract<Limit, { problem: 'too-large' }>,
): ColumnCheck | undefined {
  const cut = Math.max(0, scale - limit.scale);
  if (precision - scale <= limit.whole && cut === 0) return undefined;
  // What is as large as this is rounded up to a digit too many.
  const half = cut === 0 ? 0n : 5n * 10n ** BigInt(cut - 1);
  const end = 10n ** BigInt(limit.whole + scale) - half;
  return ({ i32, width }, row) => {
    const value = wholeAt(i32, (row * width) >> 2, width >> 2);
    return (value < 0n ? -value : value) >= end ? TOO_LARGE : 0;
  };
}

/** A number in two's complement. */
function wholeAt(words: Int32Array, at: number, count: number): bigint {
  let value = BigInt(words[at + count - 1]!);
  for (let k = count - 2; k >= 0; k--) value = (value << 32n) | BigInt(words[at + k]! >>> 0);
  return value;
}
