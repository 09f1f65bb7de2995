/** Rows of batches that do not pass, and how they go aside. */
import type { Batch } from '../core/batch.ts';
import type { Decoder, RefusedInBatch } from '../core/decoder.ts';
import { AsideRows } from '../connectors/shared/text/aside-rows.ts';

/** Puts rows of a batch aside, which still has them. */
export interface AsideWriter {
  put(batch: Batch, rows: readonly RefusedInBatch[]): void;
  /** How many that the decoder does not count. */
  readonly count: number;
  flush(): void;
}

/** A source knows how its records were written, or the values that they became are written down. */
export function asideWriter(
  decoder: Decoder,
  { document, file }: { document: string; file: string | undefined },
): AsideWriter {
  const refuse = decoder.refusing?.();
  if (refuse) return { put: (_, rows) => refuse(rows), count: 0, flush: () => undefined };
  const aside = new AsideRows(file);
  let before = 0;
  return {
    put(batch, rows) {
      for (const { row, ...why } of rows) aside.add(batch, row, { document, line: before + row + 1, ...why });
      before += batch.rows;
    },
    get count() {
      return aside.count;
    },
    flush: () => aside.flush(),
  };
}
