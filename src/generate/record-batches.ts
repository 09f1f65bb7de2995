import type { Batch, BatchReader } from '../core/batch.ts';
import { BATCH_ROWS, type RowFault } from './record-reader.ts';
import type { Section } from './sections.ts';
import { spoilTexts } from './spoil-rows.ts';

/** Told after each batch: faults of its records, the first of which has this position among all. */
export type OnBatch = (count: number, faults: readonly RowFault[], position: number) => void;

/** The batches of all sections; each is used up before the next is made. */
export function batchesOf(sections: readonly Section[], onRecords: OnBatch): BatchReader {
  let section = 0;
  let at = 0;
  let written = 0;
  const next = (): Batch | undefined => {
    const current = sections[section];
    if (!current) return undefined;
    const { selection, reader } = current;
    if (at >= selection.count) {
      section++;
      at = 0;
      return next();
    }
    const count = Math.min(BATCH_ROWS, selection.count - at);
    reader.load(selection, at, count);
    spoilTexts(reader.batch, reader.faults);
    onRecords(count, reader.faults, written);
    at += count;
    written += count;
    return reader.batch;
  };
  return { next };
}
