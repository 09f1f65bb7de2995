import type { Batch } from '../core/batch.ts';
import { LONG_TEXT } from './faults.ts';
import type { RowFault } from './record-reader.ts';

/** Puts faults into rows with types, where a value can be missing or too long, but not of another type. */
export function spoilTexts(batch: Batch, faults: readonly RowFault[]): void {
  for (const { kind, field, row } of faults) {
    const column = batch.columns[field]!;
    if (kind === 'missing') column.setNull(row);
    if (kind !== 'too-long') continue;
    const { offsets } = column;
    const [from, to, end] = [offsets[row]!, offsets[row + 1]!, offsets[batch.rows]!];
    const more = LONG_TEXT.length - (to - from);
    const bytes = column.grow(end, Math.max(0, more));
    bytes.copyWithin(to + more, to, end);
    bytes.set(LONG_TEXT, from);
    for (let r = row + 1; r <= batch.rows; r++) offsets[r]! += more;
  }
}
