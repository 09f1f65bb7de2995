import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cell, fromBatch, toBatch } from '../testing/batch-rows.ts';
import { rowsReader, schemaOf } from '../testing/kit-load.ts';
import { asBytes, createBatchDecoder, withFacts } from './batch-wire.ts';
import { createRing, RingConsumer, RingProducer } from './byte-ring.ts';
import { CancelledError } from './errors.ts';
import type { Schema } from './schema.ts';

const SCHEMA = schemaOf(
  'id int64, b bool null, f float64 null, t utf8 null, d decimal(30,3) null, x binary null, u uuid null',
);

/** Sends rows through a ring that holds all of it. */
async function roundTrip(schema: Schema, rows: Cell[][], batchRows: number): Promise<Cell[][]> {
  const memory = createRing(1024, 4096);
  const reader = asBytes(rowsReader(schema, rows, { batchRows }));
  const producer = new RingProducer(memory);
  await reader.pump(producer, () => undefined);
  producer.end('ended');
  const decoder = createBatchDecoder(new RingConsumer(memory), schema);
  const result: Cell[][] = [];
  for (let batch = decoder.next(); batch; batch = decoder.next()) result.push(...fromBatch(batch));
  expect(decoder.facts().rows).toBe(rows.length);
  return result;
}

describe('batches through a ring', () => {
  it('come out as they went in, whatever the sizes', async () => {
    const cell = (of: fc.Arbitrary<string>): fc.Arbitrary<Cell> => fc.option(of, { nil: null, freq: 4 });
    const row = fc.tuple(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      cell(fc.boolean().map(String)),
      cell(fc.double().map((value) => (Object.is(value, -0) ? '-0' : String(value)))),
      cell(fc.string({ unit: 'binary', maxLength: 3000 }).filter((text) => text.isWellFormed())),
      cell(
        fc
          .bigInt({ min: 0n, max: 10n ** 29n })
          .map((value) => `${value / 1000n}.${String(value % 1000n).padStart(3, '0')}`),
      ),
      cell(fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes).toString('hex'))),
      cell(fc.uuid()),
    );
    const property = fc.asyncProperty(
      fc.array(row, { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      async (rows, batchRows) => {
        expect(await roundTrip(SCHEMA, rows, batchRows)).toEqual(rows);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('bring the totals of their reader, where somebody else has counted', async () => {
    const schema = schemaOf('id int64');
    const memory = createRing();
    const producer = new RingProducer(memory);
    const rows = rowsReader(schema, [['1'], ['2'], ['3']], { batchRows: 2 });
    const told = { rows: 9, bytes: 70, high: '5', coerced: { a: 1 }, quarantined: 4, own: { bad: [1] } };
    await withFacts({ ...rows, facts: () => told }).pump(producer, () => undefined);
    producer.end('ended');
    const decoder = createBatchDecoder(new RingConsumer(memory), schema);
    while (decoder.next()) expect(decoder.facts().quarantined).toBeUndefined();
    // Rows are those that came.
    expect(decoder.facts()).toEqual({ ...told, rows: 3 });
  });

  it('tell the reader that a float is -0', async () => {
    const schema = schemaOf('f float64');
    expect(toBatch(schema, [['-0']]).negativeZero).toBe(true);
    const memory = createRing();
    const producer = new RingProducer(memory);
    await asBytes(rowsReader(schema, [['1'], ['-0'], ['0']], { batchRows: 1 })).pump(
      producer,
      () => undefined,
    );
    producer.end('ended');
    const decoder = createBatchDecoder(new RingConsumer(memory), schema);
    expect([
      decoder.next()?.negativeZero,
      decoder.next()?.negativeZero,
      decoder.next()?.negativeZero,
    ]).toEqual([false, true, false]);
  });

  it('end without a batch when the producer fails in the middle of one', () => {
    const memory = createRing();
    const producer = new RingProducer(memory);
    producer.write(Buffer.from([1, 0, 0]), 0, 3);
    producer.end('failed');
    expect(createBatchDecoder(new RingConsumer(memory), SCHEMA).next()).toBeUndefined();
  });

  it('are refused when they are cut short by one who claims to be done', () => {
    const memory = createRing();
    const producer = new RingProducer(memory);
    producer.write(Buffer.from([1, 0, 0]), 0, 3);
    producer.end('ended');
    expect(() => createBatchDecoder(new RingConsumer(memory), SCHEMA).next()).toThrow('ends in the middle');
  });

  it('are no longer sent when nobody reads them', async () => {
    const memory = createRing(64, 2);
    const rows = Array.from({ length: 100 }, (_, i): Cell[] => [
      String(i),
      null,
      null,
      'text',
      null,
      null,
      null,
    ]);
    const pumped = asBytes(rowsReader(SCHEMA, rows)).pump(new RingProducer(memory), () => undefined);
    setTimeout(() => new RingConsumer(memory).abandon(), 10);
    await expect(pumped).rejects.toBeInstanceOf(CancelledError);
  });
});
