/** Rows of text to batches and back, for tests and for the memory connector; nothing that moves data uses it. */
import { Batch, type Column } from '../core/batch.ts';
import type { Schema } from '../core/schema.ts';

/**
 * One value as text; null is NULL. Numbers as people write them, decimals with all digits of their scale, bytes as hex
 * digits, a date as days since 1970-01-01, a time as microseconds since midnight, a timestamp as microseconds since
 * 1970-01-01 00:00.
 */
export type Cell = string | null;

/** Writes rows into a batch, which is emptied first, or into a new one. */
export function toBatch(schema: Schema, rows: readonly (readonly Cell[])[], into?: Batch): Batch {
  const batch = into && into.capacity >= rows.length ? into : new Batch(schema, rows.length);
  batch.reset();
  batch.rows = rows.length;
  batch.columns.forEach((column, c) => rows.forEach((row, r) => writeCell(column, r, row[c] ?? null)));
  return batch;
}

export function fromBatch(batch: Batch): Cell[][] {
  return Array.from({ length: batch.rows }, (_, r) =>
    batch.columns.map((column) => (column.isNull(r) ? null : readCell(column, r))),
  );
}

function writeCell(column: Column, row: number, cell: Cell): void {
  if (column.width === 0)
    return writeBytes(column, row, cell === null ? new Uint8Array(0) : bytesOf(column, cell), cell === null);
  if (cell === null) return column.setNull(row);
  switch (column.type.kind) {
    case 'bool':
      if (cell === 'true') column.u8[row >> 3]! |= 1 << (row & 7);
      return;
    case 'float32':
    case 'float64': {
      const values = column.width === 4 ? new Float32Array(column.data) : new Float64Array(column.data);
      values[row] = Number(cell);
      column.negativeZero ||= Object.is(values[row], -0);
      return;
    }
    case 'uuid':
      column.u8.set(Buffer.from(cell.replaceAll('-', ''), 'hex'), row * 16);
      return;
    case 'decimal':
      writeInteger(column, row, BigInt(cell.replace('.', '')));
      return;
    default:
      writeInteger(column, row, BigInt(cell));
  }
}

function bytesOf(column: Column, cell: string): Uint8Array {
  return column.type.kind === 'binary' ? Buffer.from(cell, 'hex') : Buffer.from(cell, 'utf8');
}

function writeBytes(column: Column, row: number, bytes: Uint8Array, isNull: boolean): void {
  const used = column.offsets[row]!;
  column.grow(used, bytes.length).set(bytes, used);
  column.offsets[row + 1] = used + bytes.length;
  if (isNull) column.setNull(row);
}

/** Little-endian two's complement of the column's width. */
function writeInteger(column: Column, row: number, value: bigint): void {
  for (let i = 0; i < column.width; i++)
    column.u8[row * column.width + i] = Number((value >> BigInt(8 * i)) & 255n);
}

function readInteger(column: Column, row: number): bigint {
  let value = 0n;
  for (let i = column.width - 1; i >= 0; i--)
    value = (value << 8n) | BigInt(column.u8[row * column.width + i]!);
  return BigInt.asIntN(8 * column.width, value);
}

function readCell(column: Column, row: number): string {
  const { type } = column;
  switch (type.kind) {
    case 'bool':
      return String((column.u8[row >> 3]! & (1 << (row & 7))) !== 0);
    case 'float32':
    case 'float64': {
      const value = (column.width === 4 ? new Float32Array(column.data) : new Float64Array(column.data))[row];
      return Object.is(value, -0) ? '-0' : String(value);
    }
    case 'uuid': {
      const hex = Buffer.from(column.u8.subarray(row * 16, row * 16 + 16)).toString('hex');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    }
    case 'decimal':
      return pointed(readInteger(column, row), type.scale);
    case 'utf8':
    case 'json':
    case 'binary': {
      const bytes = Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1]));
      return bytes.toString(type.kind === 'binary' ? 'hex' : 'utf8');
    }
    case 'int16':
    case 'int32':
    case 'int64':
    case 'date':
    case 'time':
    case 'timestamp':
      return readInteger(column, row).toString();
  }
}

function pointed(value: bigint, scale: number): string {
  if (scale === 0) return value.toString();
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
