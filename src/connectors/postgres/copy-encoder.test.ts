import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Schema } from '../../core/schema.ts';
import type { LogicalType } from '../../core/types.ts';
import { type Cell, fromBatch, toBatch } from '../../testing/batch-rows.ts';
import { createCopyEncoder } from './copy-encoder.ts';
import { allRows, decoderOver, message, type Shape, TRAILER } from './copy-wire.fixture.ts';

const COLUMNS: readonly { type: LogicalType; format: Shape['formats'][number]; cell: fc.Arbitrary<Cell> }[] =
  [
    { type: { kind: 'bool' }, format: 'bool', cell: fc.boolean().map(String) },
    { type: { kind: 'int16' }, format: 'int2', cell: integers(16) },
    { type: { kind: 'int32' }, format: 'int4', cell: integers(32) },
    { type: { kind: 'int64' }, format: 'int8', cell: integers(64) },
    { type: { kind: 'float32' }, format: 'float4', cell: fc.float().map(numberText) },
    { type: { kind: 'float64' }, format: 'float8', cell: fc.double().map(numberText) },
    ...[
      [4, 2],
      [9, 9],
      [10, 0],
      [18, 5],
      [18, 17],
      [19, 1],
      [38, 0],
      [38, 10],
      [38, 37],
      [38, 38],
    ].map(([precision, scale]) => ({
      type: { kind: 'decimal', precision: precision!, scale: scale! } as const,
      format: 'numeric' as const,
      cell: decimals(precision!, scale!),
    })),
    {
      type: { kind: 'utf8' },
      format: 'text',
      cell: fc.string({ unit: 'grapheme', maxLength: 80 }).filter((text) => !text.includes('\0')),
    },
    {
      type: { kind: 'binary' },
      format: 'bytea',
      cell: fc.uint8Array({ maxLength: 90 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    },
    { type: { kind: 'uuid' }, format: 'uuid', cell: fc.uuid() },
    {
      type: { kind: 'date' },
      format: 'date',
      cell: fc.integer({ min: -2_440_588, max: 2_145_042_905 }).map(String),
    },
    { type: { kind: 'time' }, format: 'time', cell: fc.bigInt(0n, 86_400_000_000n).map(String) },
    {
      type: { kind: 'timestamp', zone: true },
      format: 'timestamp',
      cell: fc.bigInt(-210_866_803_200_000_000n, 9_223_372_036_854_775_000n).map(String),
    },
  ];

function integers(bits: number): fc.Arbitrary<Cell> {
  const most = (1n << BigInt(bits - 1)) - 1n;
  return fc.oneof(fc.bigInt(-most - 1n, most), fc.constantFrom(-most - 1n, most, 0n, -1n)).map(String);
}

function decimals(precision: number, scale: number): fc.Arbitrary<Cell> {
  const most = 10n ** BigInt(precision) - 1n;
  const unscaled = fc.oneof(
    fc.bigInt(-most, most),
    fc.integer({ min: 0, max: precision - 1 }).map((zeros) => 10n ** BigInt(zeros)),
    fc.constantFrom(most, -most, 0n),
  );
  return unscaled.map((value) => {
    const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
    const whole = digits.slice(0, digits.length - scale);
    return `${value < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
  });
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

const schemaOf = (types: LogicalType[]): Schema => ({
  fields: types.map((type, i) => ({ name: `f${i}`, type, nullable: true })),
  key: [],
});

/** One message for each row, as a server sends them, out of one for all. */
function asServer(bytes: Uint8Array, fields: number): Buffer {
  const all = Buffer.from(bytes);
  expect(all[0]).toBe(100);
  expect(all.readInt32BE(1)).toBe(all.length - 1);
  const messages: Buffer[] = [];
  for (let at = 5; at < all.length;) {
    const start = at;
    expect(all.readInt16BE(at)).toBe(fields);
    at += 2;
    for (let f = 0; f < fields; f++) at += 4 + Math.max(0, all.readInt32BE(at));
    messages.push(all.subarray(start, at));
  }
  const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  return Buffer.concat([
    ...messages.map((row, i) => message(i === 0 ? Buffer.concat([header, row]) : row)),
    TRAILER,
  ]);
}

it('writes what the decoder of COPY reads back, for every type', () => {
  const types = COLUMNS.map(({ type }) => type);
  const formats = COLUMNS.map(({ format }) => format);
  const rows = fc.array(fc.tuple(...COLUMNS.map(({ cell }) => fc.option(cell, { freq: 6 }))), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(rows, (cells) => {
      const batch = toBatch(schemaOf(types), cells);
      const before = fromBatch(batch);
      const encoder = createCopyEncoder(schemaOf(types));
      const bytes = asServer(encoder.encode(batch), types.length);
      expect(encoder.coerced()).toEqual({});
      const again = allRows(decoderOver(bytes, { types, formats }));
      expect(again).toHaveLength(cells.length);
      const decoded = decoderOver(bytes, { types, formats }).next()!;
      expect(fromBatch(decoded)).toEqual(before);
    }),
    { numRuns: 300 },
  );
});

it('keeps the infinities, and makes NULL of what the calendar has no place for, counted', () => {
  const types: LogicalType[] = [{ kind: 'date' }, { kind: 'timestamp', zone: false }];
  const most = 0x7fff_ffff_ffff_ffffn;
  const cells: Cell[][] = [
    [String(0x7fff_ffff), String(most)],
    [String(-0x7fff_ffff), String(-most)],
    ['-2440589', '-210866803200000001'],
    ['0', '0'],
  ];
  const encoder = createCopyEncoder(schemaOf(types));
  const bytes = asServer(encoder.encode(toBatch(schemaOf(types), cells)), 2);
  expect(allRows(decoderOver(bytes, { types, formats: ['date', 'timestamp'] }))).toEqual([
    [0x7fff_ffff, most],
    [-0x7fff_ffff, -most],
    [null, null],
    [0, 0n],
  ]);
  expect(encoder.coerced()).toEqual({ f0: 1, f1: 1 });
});

it('replaces U+0000 in texts, counted, and nothing else', () => {
  const types: LogicalType[] = [{ kind: 'utf8' }, { kind: 'binary' }];
  const encoder = createCopyEncoder(schemaOf(types));
  const cells: Cell[][] = [
    ['a\0b\0', '00'],
    [null, null],
    ['', ''],
    ['ä', '6100'],
  ];
  const bytes = asServer(encoder.encode(toBatch(schemaOf(types), cells)), 2);
  expect(allRows(decoderOver(bytes, { types, formats: ['text', 'bytea'] }))).toEqual([
    ['a\uFFFDb\uFFFD', '00'],
    [null, null],
    ['', ''],
    ['ä', '6100'],
  ]);
  expect(encoder.coerced()).toEqual({ f0: 1 });
});

it('ends each row with the same fields', () => {
  const types: LogicalType[] = [{ kind: 'utf8' }];
  const stamp = { columns: ['load'], bytes: Buffer.from([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 77]) };
  const encoder = createCopyEncoder(schemaOf(types), stamp);
  const bytes = asServer(encoder.encode(toBatch(schemaOf(types), [['a'], [null], ['long enough']])), 2);
  const both: LogicalType[] = [...types, { kind: 'int64' }];
  expect(allRows(decoderOver(bytes, { types: both, formats: ['text', 'int8'] }))).toEqual([
    ['a', 77n],
    [null, 77n],
    ['long enough', 77n],
  ]);
});
