import type { Batch } from './batch.ts';
import type { Schema } from './schema.ts';

/** Turns batches into the bytes of a destination's bulk load, on the thread that decodes. */
export interface Encoder {
  /** The bytes of a batch; valid until the next call. */
  encode(batch: Batch): Uint8Array;
  /** Values changed by rule because the destination has no equal, by column. */
  coerced(): Record<string, number>;
}

/** Where the thread finds the codec: `module` exports `name(schema, options): Encoder`. */
export interface EncoderSpec {
  readonly module: string;
  readonly name: string;
  readonly options: unknown;
}

/** What the module of an EncoderSpec exports under its name. Throws DataError for values that cannot be sent. */
export type EncoderFactory = (schema: Schema, options: unknown) => Encoder;
