/** Binary COPY as PostgreSQL writes it, made by hand from the descriptions of its `*send` functions. */
import { createRing, RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import type { Batch, Column } from '../../core/batch.ts';
import type { Decoder, RowLimit } from '../../core/decoder.ts';
import type { LogicalType } from '../../core/types.ts';
import { createCopyDecoder, type CopyDecoderOptions } from './copy-decoder.ts';

type Field = Buffer | null;

export const wire = {
  bool: (value: boolean): Buffer => Buffer.from([value ? 1 : 0]),
  int2: (value: number): Buffer => written(2, (b) => b.writeInt16BE(value)),
  int4: (value: number): Buffer => written(4, (b) => b.writeInt32BE(value)),
  oid: (value: number): Buffer => written(4, (b) => b.writeUInt32BE(value)),
  int8: (value: bigint): Buffer => written(8, (b) => b.writeBigInt64BE(value)),
  float4: (value: number): Buffer => written(4, (b) => b.writeFloatBE(value)),
  float8: (value: number): Buffer => written(8, (b) => b.writeDoubleBE(value)),
  text: (value: string): Buffer => Buffer.from(value),
  jsonb: (value: string): Buffer => Buffer.concat([Buffer.from([1]), Buffer.from(value)]),
  uuid: (value: string): Buffer => Buffer.from(value.replaceAll('-', ''), 'hex'),
  numeric: (unscaled: bigint, scale: number): Buffer => numeric(unscaled, scale),
  /** NaN 0xC000, Infinity 0xD000, -Infinity 0xF000. */
  numericSpecial: (sign: number): Buffer => Buffer.from([0, 0, 0, 0, sign >> 8, sign & 255, 0, 0]),
};

function written(size: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}

/** numeric_send: count, weight, sign, display scale, then digits of 10,000 without zeros at either end. */
function numeric(unscaled: bigint, scale: number): Buffer {
  const groupsBehind = Math.ceil(scale / 4);
  let rest = (unscaled < 0n ? -unscaled : unscaled) * 10n ** BigInt(groupsBehind * 4 - scale);
  const digits: number[] = [];
  for (; rest > 0n; rest /= 10_000n) digits.unshift(Number(rest % 10_000n));
  const weight = digits.length - groupsBehind - 1;
  while (digits.at(-1) === 0) digits.pop();
  const words = [
    digits.length,
    digits.length === 0 ? 0 : weight,
    unscaled < 0n ? 0x4000 : 0,
    scale,
    ...digits,
  ];
  return written(words.length * 2, (b) => words.forEach((word, i) => b.writeUInt16BE(word & 0xffff, 2 * i)));
}

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);

export function message(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write('d');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function tuple(fields: Field[]): Buffer {
  const parts = [wire.int2(fields.length)];
  for (const field of fields) parts.push(wire.int4(field ? field.length : -1), field ?? Buffer.alloc(0));
  return Buffer.concat(parts);
}

export const TRAILER: Buffer = message(wire.int2(-1));

/** The messages of a whole COPY: the header travels with the first row, the trailer alone. */
export function copyMessages(rows: Field[][]): Buffer[] {
  if (rows.length === 0) return [message(Buffer.concat([HEADER, wire.int2(-1)]))];
  return [
    ...rows.map((row, i) => message(i === 0 ? Buffer.concat([HEADER, tuple(row)]) : tuple(row))),
    TRAILER,
  ];
}

export interface Shape {
  types: LogicalType[];
  formats: CopyDecoderOptions['formats'];
  cursor?: number[];
  maxRows?: number;
  maxBytes?: number;
}

export interface Feed {
  blockBytes?: number;
  /** Where a block ends early. */
  cut?: number;
  end?: 'ended' | 'failed';
  limit?: RowLimit;
}

/** A decoder whose ring already holds all the bytes, so that one thread is enough. */
export function decoderOver(bytes: Buffer, shape: Shape, feed: Feed = {}): Decoder {
  const blockBytes = feed.blockBytes ?? Math.max(bytes.length, 1);
  const ring = createRing(blockBytes, Math.ceil(bytes.length / blockBytes) + 2);
  const producer = new RingProducer(ring);
  const cut = feed.cut ?? 0;
  // Nobody is reading yet, so the first write is handed over at once, however small.
  const taken = producer.write(bytes, 0, cut) + producer.write(bytes, cut, bytes.length);
  if (taken !== bytes.length) throw new Error(`the ring took ${taken} of ${bytes.length} bytes`);
  producer.end(feed.end ?? 'ended');
  const fields = shape.types.map((type, i) => ({ name: `f${i}`, type, nullable: true }));
  const options: CopyDecoderOptions = {
    formats: shape.formats,
    cursor: shape.cursor ?? [],
    maxRows: shape.maxRows ?? 2048,
    maxBytes: shape.maxBytes ?? 1 << 20,
  };
  return createCopyDecoder(new RingConsumer(ring), { fields, key: [] }, options, feed.limit);
}

export type Value = boolean | number | bigint | string | null;

/** One value of a column, read without the code under test. */
function valueAt(column: Column, row: number): Value {
  if ((column.validity[row >> 3]! & (1 << (row & 7))) === 0) return null;
  const view = new DataView(column.data);
  switch (column.type.kind) {
    case 'bool':
      return (view.getUint8(row >> 3) & (1 << (row & 7))) !== 0;
    case 'int16':
      return view.getInt16(row * 2, true);
    case 'int32':
    case 'date':
      return view.getInt32(row * 4, true);
    case 'float32':
      return view.getFloat32(row * 4, true);
    case 'float64':
      return view.getFloat64(row * 8, true);
    case 'int64':
    case 'time':
    case 'timestamp':
      return view.getBigInt64(row * 8, true);
    case 'decimal':
      return integerAt(view, row, column.width);
    case 'uuid':
      return Buffer.from(column.data, row * 16, 16).toString('hex');
    case 'utf8':
    case 'json':
      return Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1])).toString(
        'utf8',
      );
    case 'binary':
      return Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1])).toString('hex');
  }
}

function integerAt(view: DataView, row: number, width: number): bigint {
  let value = 0n;
  for (let k = width - 1; k >= 0; k--) value = (value << 8n) | BigInt(view.getUint8(row * width + k));
  return BigInt.asIntN(width * 8, value);
}

function rowsOf(batch: Batch): Value[][] {
  return Array.from({ length: batch.rows }, (_, r) => batch.columns.map((column) => valueAt(column, r)));
}

export function allRows(decoder: Decoder): Value[][] {
  const rows: Value[][] = [];
  for (let batch = decoder.next(); batch; batch = decoder.next()) rows.push(...rowsOf(batch));
  return rows;
}
