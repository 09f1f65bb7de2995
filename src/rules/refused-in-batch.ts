/** Rows of batches that do not pass, and how they go aside. */
import type { Batch } from '../core/batch.ts';
import type { Decoder, RefusedInBatch } from '../core/decoder.ts';
import type { RefusedRow } from '../core/quarantine.ts';
import { BadRecords } from '../connectors/shared/text/bad-records.ts';
import { ROW_FORM } from './row-form.ts';
import { memberHeads, rowText } from './row-text.ts';

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
  const bad = new BadRecords(file);
  let before = 0;
  let heads: string[] | undefined;
  return {
    put(batch, rows) {
      heads ??= memberHeads(batch.schema);
      for (const { row, ...why } of rows)
        bad.add(
          { document, line: before + row + 1, ...why, raw: Buffer.from(rowText(batch, row, heads)) },
          ROW_FORM,
        );
      before += batch.rows;
    },
    get count() {
      return bad.count;
    },
    flush: () => bad.flush(),
  };
}

/** Rows that the target has refused, by their number among those that pass. */
export class RefusedByTarget {
  readonly #rows: readonly RefusedRow[];
  #next = 0;
  #passed = 0;

  constructor(rows: readonly RefusedRow[]) {
    this.#rows = rows;
  }

  /** Whether the next row is one of them. */
  meets(): boolean {
    return ++this.#passed === this.#rows[this.#next]?.row;
  }

  /** The one that was met. */
  take(): Pick<RefusedRow, 'code' | 'reason'> {
    return this.#rows[this.#next++]!;
  }
}
