import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../core/byte-ring.ts';
import type { DecoderFactory } from '../core/decoder.ts';
import type { KeptRecords } from '../core/quarantine.ts';
import type { Schema } from '../core/schema.ts';
import { type Cell, fromBatch, toBatch } from '../testing/batch-rows.ts';
import { schemaOf } from '../testing/kit-load.ts';
import { memberHeads, rowForm, rowText } from '../connectors/shared/text/row-text.ts';
import { areRows, readKeptRows } from './kept-rows.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-rows-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Puts rows aside as text, and reads them again. */
async function again(schema: Schema, rows: Cell[][]): Promise<Cell[][]> {
  const batch = toBatch(schema, rows);
  const texts = rows.map((_, row) => Buffer.from(rowText(batch, row, memberHeads(schema))));
  const kept: KeptRecords = {
    documents: [{ document: 't', form: rowForm(), lines: Float64Array.from(rows, (_, i) => i + 1) }],
    raw: async function* () {
      yield* texts;
    },
  };
  expect(areRows(kept, 't')).toBe(true);
  const aside = { file: path.join(folder, 'bad.jsonl'), limits: [], refused: [] };
  const reader = readKeptRows(kept, schema, { aside, batchBytes: 1 << 20 });
  const memory = createRing(1 << 16, 256);
  const producer = new RingProducer(memory);
  await reader.pump(producer, () => undefined);
  producer.end();
  const { module, name, options } = reader.decoder;
  const factory = ((await import(module)) as Record<string, DecoderFactory>)[name]!;
  const decoder = factory(new RingConsumer(memory), schema, options);
  const found: Cell[][] = [];
  for (let next = decoder.next(); next; next = decoder.next()) found.push(...fromBatch(next));
  expect(decoder.facts().quarantined).toBe(0);
  return found;
}

const SCHEMA = schemaOf(
  [
    'b bool, i int16, n int32, l int64, f float32, g float64, d decimal(38,10), e decimal(4,0)',
    't utf8, j json, x binary, u uuid, day date, time time, at timestamp, moment timestamptz',
  ]
    .join(', ')
    .replaceAll(/, (?![^(]*\))|$/g, ' null$&'),
);

it('a row is the same when it is read again', async () => {
  const whole = (min: bigint, max: bigint): fc.Arbitrary<string> => fc.bigInt({ min, max }).map(String);
  const bits = (n: bigint): fc.Arbitrary<string> => whole(-(2n ** n), 2n ** n - 1n);
  const pointed = (value: bigint): string => {
    const digits = (value < 0n ? -value : value).toString().padStart(11, '0');
    return `${value < 0n ? '-' : ''}${digits.slice(0, -10)}.${digits.slice(-10)}`;
  };
  const number = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
  // From the year 1 to 9999, which every system writes in one way.
  const DAYS = [-719_162n, 2_932_896n] as const;
  const micros = whole(DAYS[0] * 86_400_000_000n, (DAYS[1] + 1n) * 86_400_000_000n - 1n);
  const text = fc
    .string({ unit: 'binary', maxLength: 40 })
    .filter((t) => t.isWellFormed() && !t.includes('\0'));
  const cells = [
    fc.boolean().map(String),
    bits(15n),
    bits(31n),
    bits(63n),
    fc.float().map(number),
    fc.double().map(number),
    fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map(pointed),
    whole(-9999n, 9999n),
    text,
    fc.json(),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    fc.uuid(),
    whole(...DAYS),
    whole(0n, 86_399_999_999n),
    micros,
    micros,
  ];
  const row = fc.tuple(...cells.map((cell) => fc.option(cell, { nil: null, freq: 5 })));
  const property = fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
    expect(await again(SCHEMA, rows)).toEqual(rows);
  });
  await fc.assert(property, { numRuns: 100 });
});

it('a value that no text stands for is still there to be seen', () => {
  const schema = schemaOf('day date, at timestamp');
  const batch = toBatch(schema, [['2147483647', '-9223372036854775808']]);
  expect(rowText(batch, 0, memberHeads(schema))).toBe(
    '{"day":"2147483647 days since 1970-01-01","at":"-106751992 days since 1970-01-01 19:59:05.224192"}',
  );
});
