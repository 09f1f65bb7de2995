import type { Column } from '../../core/batch.ts';

/** 0001-01-01 and 10000-01-01. Year 0 cannot be told from a missing date there. */
export const DAYS: { from: number; below: number } = { from: -719_162, below: 2_932_897 };
export const MICROS: { from: bigint; below: bigint } = {
  from: -62_135_596_800_000_000n,
  below: 253_402_300_800_000_000n,
};
/** High words of the same, for a look without bigints. */
const HIGH = { from: -14_467_071, below: 58_999_820 };

/** How many values of a column are -0, which MariaDB keeps as 0. */
export function countNegativeZeros(column: Column, rows: number): number {
  if (!column.negativeZero) return 0;
  const values = column.width === 4 ? column.f32 : column.f64;
  let count = 0;
  for (let r = 0; r < rows; r++) if (Object.is(values[r], -0) && !column.isNull(r)) count++;
  return count;
}

/** Makes values NULL that the server has no equal for: NaN, infinities, and years outside of 1 to 9999; returns how many. */
export function clipValues(column: Column, rows: number): number {
  switch (column.type.kind) {
    case 'date':
      return clip(column, rows, (r) => column.i32[r]! >= DAYS.from && column.i32[r]! < DAYS.below);
    case 'timestamp':
      return clip(column, rows, (r) => momentFits(column, r));
    case 'float32':
      return clip(column, rows, (r) => Number.isFinite(column.f32[r]));
    case 'float64':
      return clip(column, rows, (r) => Number.isFinite(column.f64[r]));
    default:
      return 0;
  }
}

function momentFits(column: Column, row: number): boolean {
  const high = column.i32[2 * row + 1]!;
  if (high > HIGH.from && high < HIGH.below) return true;
  const value = column.i64[row]!;
  return value >= MICROS.from && value < MICROS.below;
}

function clip(column: Column, rows: number, fits: (row: number) => boolean): number {
  let changed = 0;
  for (let r = 0; r < rows; r++) {
    if (fits(r) || column.isNull(r)) continue;
    column.setNull(r);
    changed++;
  }
  return changed;
}
