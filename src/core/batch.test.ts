import { expect, it } from 'vitest';
import { Batch, Column } from './batch.ts';
import { fromBatch, toBatch } from '../testing/batch-rows.ts';
import type { Schema } from './schema.ts';

const SCHEMA: Schema = {
  fields: [
    { name: 'n', type: { kind: 'int64' }, nullable: true },
    { name: 't', type: { kind: 'utf8' }, nullable: true },
    { name: 'b', type: { kind: 'bool' }, nullable: true },
  ],
  key: [],
};

it('a column has room for its rows, rounded up to words of 64', () => {
  expect(new Column({ kind: 'int32' }, 100).i32.length).toBe(128);
  expect(new Column({ kind: 'decimal', precision: 9, scale: 2 }, 64).u8.length).toBe(64 * 4);
  expect(new Column({ kind: 'decimal', precision: 10, scale: 2 }, 64).u8.length).toBe(64 * 8);
  expect(new Column({ kind: 'decimal', precision: 19, scale: 2 }, 64).u8.length).toBe(64 * 16);
  expect(new Column({ kind: 'utf8' }, 65).offsets.length).toBe(129);
  expect(new Column({ kind: 'bool' }, 65).u8.length).toBe(16);
});

it('a copy keeps its rows when the batch is filled again', () => {
  const rows = [
    ['1', 'ä', 'true'],
    [null, null, null],
    ['-9223372036854775808', '', 'false'],
  ];
  const batch = toBatch(SCHEMA, rows);
  const copy = batch.copy();
  toBatch(
    SCHEMA,
    [
      ['7', 'other text', 'true'],
      ['8', 'x', 'true'],
      [null, null, 'true'],
    ],
    batch,
  );
  expect(fromBatch(copy)).toEqual(rows);
  expect(copy.columns.map(({ nullCount }) => nullCount)).toEqual([1, 1, 1]);
});

it('nulls are bits that a reset takes back', () => {
  const column = new Column({ kind: 'int32' }, 20);
  for (const row of [0, 7, 8, 19]) column.setNull(row);
  expect(Array.from({ length: 20 }, (_, row) => row).filter((row) => column.isNull(row))).toEqual([
    0, 7, 8, 19,
  ]);
  expect(column.nullCount).toBe(4);
  column.reset();
  expect(column.nullCount).toBe(0);
  expect(column.isNull(7)).toBe(false);
});

it('the bytes of a column grow without losing what is in use, and shrink after a huge value', () => {
  const column = new Column({ kind: 'utf8' }, 8);
  column.grow(0, 3).set([1, 2, 3]);
  const first = column.bytes;
  expect(column.grow(3, 10)).toBe(first);
  const grown = column.grow(3, 20 << 20);
  expect(grown.length).toBeGreaterThanOrEqual(3 + (20 << 20));
  expect([...grown.subarray(0, 3)]).toEqual([1, 2, 3]);
  column.reset();
  expect(column.bytes.length).toBe(1 << 16);
});

it('more than 2 GiB in one column of a batch is refused', () => {
  expect(() => new Column({ kind: 'binary' }, 8).grow(2_000_000_000, 200_000_000)).toThrow(
    'larger than 2 GiB',
  );
});

it('a batch knows how many bytes of values it holds and is empty after a reset', () => {
  const batch = new Batch(SCHEMA, 16);
  const [, text, flag] = batch.columns;
  batch.rows = 16;
  text!.offsets[16] = 100;
  flag!.u8[0] = 255;
  expect(batch.byteLength()).toBe(16 * 8 + (4 * 16 + 100) + 2);
  batch.reset();
  expect(batch.rows).toBe(0);
  expect(flag!.u8[0]).toBe(0);
});
