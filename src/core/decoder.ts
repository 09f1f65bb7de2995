import type { BatchReader } from './batch.ts';
import type { RingConsumer } from './byte-ring.ts';
import type { Schema } from './schema.ts';
import type { DecodeFacts } from './source.ts';

/** Turns wire bytes into batches on the consumer's thread. The batch it returns is reused by the next call. */
export interface Decoder extends BatchReader {
  /** Totals so far. */
  facts(): DecodeFacts;
  /**
   * Called before the first batch by who may want rows to go aside after all. What it returns puts rows of the last batch aside as
   * the source has written them, and leaves the batch as it is. Absent where nobody knows any more how they were written.
   */
  refusing?(): (rows: readonly RefusedInBatch[]) => void;
}

/** A row of a batch that goes aside. */
export interface RefusedInBatch {
  /** Its place in the batch, from 0; rows come in their order. */
  row: number;
  column: string | undefined;
  code: string;
  /** For people, without values. */
  reason: string;
}

/** The largest row that whoever reads the batches has memory for. */
export interface RowLimit {
  bytes: number;
  /**
   * The error for a larger one, which the decoder throws before it holds that row. With its largest column, or, where it is not taken
   * apart by then, with its place.
   */
  error(row: { bytes: number } & ({ column: string; columnBytes: number } | { place: string })): Error;
}

/** What the module of a DecoderSpec exports under its name. Throws DataError or InternalError from `next`. */
export type DecoderFactory = (
  ring: RingConsumer,
  schema: Schema,
  options: unknown,
  limit?: RowLimit,
) => Decoder;
