import { createRing, RingConsumer, RingProducer } from '../core/byte-ring.ts';
import type { DecoderFactory } from '../core/decoder.ts';
import { InternalError } from '../core/errors.ts';
import type { BytesReader, DecodeFacts, SliceReader } from '../core/source.ts';
import { type Cell, fromBatch } from './batch-rows.ts';

export interface SliceRows {
  rows: Cell[][];
  facts: DecodeFacts;
}

const BLOCK_BYTES = 1 << 20;
const BLOCKS = 32;

/**
 * Reads a small slice to its end, in whichever form it comes. Here one thread is both ends of the ring, so all bytes have
 * to fit into it; whoever moves real data decodes in a thread of its own.
 */
export async function readSlice(reader: SliceReader): Promise<SliceRows> {
  try {
    return reader.format === 'bytes' ? await readBytes(reader) : await readBatches(reader);
  } finally {
    await reader.close();
  }
}

async function readBatches(reader: Extract<SliceReader, { format: 'batches' }>): Promise<SliceRows> {
  const rows: Cell[][] = [];
  for await (const batch of reader.batches()) rows.push(...fromBatch(batch));
  return { rows, facts: reader.facts() };
}

async function readBytes(reader: BytesReader): Promise<SliceRows> {
  const memory = createRing(BLOCK_BYTES, BLOCKS);
  const consumer = new RingConsumer(memory);
  const producer = new RingProducer(memory);
  let bytes = 0;
  await reader.pump(producer, (more) => {
    bytes += more;
    // Half empty blocks may lie in between.
    if (bytes > (BLOCK_BYTES * BLOCKS) / 2) consumer.abandon();
  });
  if (producer.abandoned)
    throw new InternalError(`reading a slice: it has more than ${BLOCKS / 2} MiB`, {
      code: 'testing.large_slice',
    });
  producer.end('ended');
  const module = (await import(reader.decoder.module)) as Record<string, DecoderFactory>;
  const decoder = module[reader.decoder.name]!(consumer, reader.schema, reader.decoder.options);
  const rows: Cell[][] = [];
  for (let batch = decoder.next(); batch; batch = decoder.next()) rows.push(...fromBatch(batch));
  return { rows, facts: decoder.facts() };
}
