/**
 * Batches as bytes of this process, for sources that make batches on the main thread and a destination whose engine
 * lives in another: they cross by the same ring as the bytes of a wire. Numbers have the byte order of the machine.
 *
 *     batch  = uint32 rows, then per column uint32 nulls, uint32 bytes (of texts), uint32 flags; then per column:
 *              [validity bitmap, when there are nulls] [values or bool bitmap | offsets, bytes]
 *     facts  = a head whose number of rows is 2^32 - 1; then uint32 bytes, and the totals as JSON, for whoever reads the batches
 */
import { Batch, type Column } from './batch.ts';
import { type RingConsumer, sendAll } from './byte-ring.ts';
import type { Decoder } from './decoder.ts';
import { CancelledError, InternalError } from './errors.ts';
import type { Schema } from './schema.ts';
import type { BatchesReader, BytesReader, DecodeFacts, DecoderSpec } from './source.ts';

/** Numbers about one column at the head of a batch. */
const HEAD = 3;
/** In the place of a number of rows. */
const FACTS = 0xffff_ffff;

/** Finds {@link createBatchDecoder}. */
export const BATCH_DECODER: DecoderSpec = {
  module: import.meta.url,
  name: 'createBatchDecoder',
  options: undefined,
};

/** The same slice in the form of bytes; {@link createBatchDecoder} is its decoder. */
export function asBytes(reader: BatchesReader): BytesReader {
  return {
    format: 'bytes',
    schema: reader.schema,
    decoder: BATCH_DECODER,
    async pump(ring, onBytes) {
      for await (const batch of reader.batches()) {
        if (batch.rows === 0) continue;
        for (const piece of encodeBatch(batch)) {
          if (!(await sendAll(ring, piece)))
            throw new CancelledError('the reader was told to stop', { code: 'batch.abandoned' });
          onBytes(piece.length);
        }
      }
    },
    close: () => reader.close(),
  };
}

/** The same with the reader's totals behind the batches. */
export function withFacts(reader: BatchesReader): BytesReader {
  const bytes = asBytes(reader);
  return {
    ...bytes,
    async pump(ring, onBytes) {
      await bytes.pump(ring, onBytes);
      for (const piece of encodeFacts(reader.schema, reader.facts())) await sendAll(ring, piece);
    },
  };
}

/** The bytes of a batch, in pieces that are valid until it changes. */
export function* encodeBatch(batch: Batch): Generator<Uint8Array> {
  const { rows, columns } = batch;
  const head = new Uint32Array(1 + HEAD * columns.length);
  head[0] = rows;
  columns.forEach((column, i) => {
    head.set(
      [column.nullCount, column.width === 0 ? column.offsets[rows]! : 0, column.negativeZero ? 1 : 0],
      1 + HEAD * i,
    );
  });
  yield new Uint8Array(head.buffer);
  for (const column of columns) {
    if (column.nullCount > 0) yield column.validity.subarray(0, (rows + 7) >> 3);
    if (column.width !== 0) {
      yield column.u8.subarray(0, valueBytes(column, rows));
      continue;
    }
    yield new Uint8Array(column.offsets.buffer, 0, 4 * (rows + 1));
    yield column.bytes.subarray(0, column.offsets[rows]);
  }
}

/** Totals that are told in the place of what the decoder counts, but for the rows; after the last batch. */
export function* encodeFacts(schema: Schema, facts: DecodeFacts): Generator<Uint8Array> {
  const head = new Uint32Array(1 + HEAD * schema.fields.length);
  head[0] = FACTS;
  yield new Uint8Array(head.buffer);
  const text = Buffer.from(JSON.stringify(facts));
  yield new Uint8Array(Uint32Array.of(text.length).buffer);
  yield text;
}

function valueBytes(column: Column, rows: number): number {
  return column.width < 0 ? (rows + 7) >> 3 : column.width * rows;
}

export function createBatchDecoder(ring: RingConsumer, schema: Schema): Decoder {
  return new BatchDecoder(ring, schema);
}

class BatchDecoder implements Decoder {
  readonly #ring: RingConsumer;
  readonly #schema: Schema;
  readonly #head: Uint32Array;
  #batch: Batch;
  #block: { start: number; end: number } | undefined;
  #rows = 0;
  #bytes = 0;
  #told: DecodeFacts | undefined;

  constructor(ring: RingConsumer, schema: Schema) {
    this.#ring = ring;
    this.#schema = schema;
    this.#head = new Uint32Array(1 + HEAD * schema.fields.length);
    this.#batch = new Batch(schema, 0);
  }

  next(): Batch | undefined {
    const head = this.#head;
    if (!this.#read(new Uint8Array(head.buffer), true)) return undefined;
    const rows = head[0]!;
    if (rows === FACTS) return this.#readFacts();
    if (this.#batch.capacity < rows) this.#batch = new Batch(this.#schema, rows);
    this.#batch.reset();
    for (const [i, column] of this.#batch.columns.entries()) {
      const [nulls, bytes, flags] = head.subarray(1 + HEAD * i);
      column.nullCount = nulls!;
      column.negativeZero = flags === 1;
      if (nulls! > 0 && !this.#read(column.validity.subarray(0, (rows + 7) >> 3))) return undefined;
      if (!this.#readValues(column, rows, bytes!)) return undefined;
    }
    this.#batch.rows = rows;
    this.#rows += rows;
    return this.#batch;
  }

  facts(): DecodeFacts {
    const { high, coerced = {}, ...told } = this.#told ?? {};
    return { bytes: this.#bytes, ...told, rows: this.#rows, high, coerced };
  }

  #readFacts(): Batch | undefined {
    const length = new Uint32Array(1);
    if (!this.#read(new Uint8Array(length.buffer))) return undefined;
    const text = new Uint8Array(length[0]!);
    if (!this.#read(text)) return undefined;
    this.#told = JSON.parse(Buffer.from(text).toString()) as DecodeFacts;
    return this.next();
  }

  #readValues(column: Column, rows: number, bytes: number): boolean {
    if (column.width !== 0) return this.#read(column.u8.subarray(0, valueBytes(column, rows)));
    if (!this.#read(new Uint8Array(column.offsets.buffer, 0, 4 * (rows + 1)))) return false;
    return this.#read(column.grow(0, bytes).subarray(0, bytes));
  }

  /** Fills `into`; false when the producer failed, or when it ended where a batch may begin. */
  #read(into: Uint8Array, first: boolean = false): boolean {
    let have = 0;
    while (have < into.length) {
      if (!this.#block || this.#block.start === this.#block.end) {
        this.#block = this.#ring.next();
        if (!this.#block) {
          if (this.#ring.end === 'ended' && (have > 0 || !first))
            throw new InternalError('reading batches: the stream ends in the middle of one', {
              code: 'batch.cut',
            });
          return false;
        }
      }
      const { start, end } = this.#block;
      const take = Math.min(into.length - have, end - start);
      into.set(this.#ring.memory.subarray(start, start + take), have);
      this.#block.start += take;
      have += take;
    }
    this.#bytes += have;
    return true;
  }
}
