import { Batch } from '../../core/batch.ts';
import type { RingConsumer } from '../../core/byte-ring.ts';
import type { Decoder, RowLimit } from '../../core/decoder.ts';
import { InternalError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import type { DecodeFacts } from '../../core/source.ts';
import { HighWater } from '../shared/high-water.ts';
import type { ColumnDecoder, FieldRun } from './field-run.ts';
import { LargeRow } from './large-row.ts';
import { COLUMN_DECODERS, WIDTHS, type WireFormat } from './row-columns.ts';

/** Everything the consumer's thread needs to decode the rows of one query; plain data. */
export interface RowDecoderOptions {
  /** Wire format of each field of the schema, in order. */
  formats: WireFormat[];
  /** Indexes of the cursor columns, whose greatest value is tracked. */
  cursor: number[];
  /** Rows of a batch; it closes earlier when `maxBytes` of wire have gone into it. */
  maxRows: number;
  maxBytes: number;
}

/** int<3> length of the payload, int<1> number. https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html */
const HEADER = 4;
/** A packet of this length goes on in the next one. */
const LONGEST = 0xff_ffff;
/** The buffer for rows across borders of blocks; after a larger row it gets this size again. */
const STITCH_BYTES = 1 << 16;
const KEPT_STITCH_BYTES = 8 << 20;

/** Decodes binary result rows, still framed in packets; the end of the result does not come this way. */
export function createRowDecoder(
  ring: RingConsumer,
  schema: Schema,
  options: unknown,
  limit?: RowLimit,
): Decoder {
  return new RowDecoder(ring, schema, options as RowDecoderOptions, limit);
}

class RowDecoder implements Decoder {
  readonly #ring: RingConsumer;
  readonly #batch: Batch;
  readonly #decoders: ColumnDecoder[];
  readonly #widths: Int32Array;
  readonly #maxBytes: number;
  readonly #fields: Int32Array;
  readonly #lengths: Int32Array;
  readonly #changed: number[];
  readonly #high: HighWater[];
  readonly #limit: RowLimit | undefined;
  #rows = 0;
  #bytes = 0;
  // The part of a buffer that is being read; `after` is the rest of a block behind a stitched row.
  #view: DataView;
  #memory: Uint8Array;
  #at = 0;
  #end = 0;
  /** The buffer holds one row without headers, put together from pieces; it ends at `#end`. */
  #single = false;
  #after: { at: number; end: number } | undefined;
  readonly #ringView: DataView;
  #stitch: Uint8Array = new Uint8Array(STITCH_BYTES);

  constructor(ring: RingConsumer, schema: Schema, options: RowDecoderOptions, limit?: RowLimit) {
    this.#ring = ring;
    this.#limit = limit;
    this.#batch = new Batch(schema, options.maxRows);
    this.#decoders = options.formats.map((format) => COLUMN_DECODERS[format]);
    this.#widths = Int32Array.from(options.formats, (format) => WIDTHS[format]);
    this.#changed = options.formats.map(() => 0);
    this.#maxBytes = options.maxBytes;
    this.#fields = new Int32Array(options.maxRows * options.formats.length);
    this.#lengths = new Int32Array(this.#fields.length);
    this.#high = options.cursor.map((index) => new HighWater(this.#batch.columns[index]!));
    this.#memory = ring.memory;
    this.#ringView = this.#view = new DataView(ring.memory.buffer);
  }

  next(): Batch | undefined {
    const batch = this.#batch;
    batch.reset();
    const before = this.#bytes;
    while (batch.rows < batch.capacity && this.#bytes - before < this.#maxBytes) {
      if (!this.#whole() && !this.#advance()) break;
      const from = batch.rows;
      const start = this.#at;
      const to = this.#single
        ? this.#scanSingle(from)
        : this.#scan(from, this.#maxBytes - (this.#bytes - before));
      this.#bytes += this.#at - start;
      if (to > from) this.#decode(from, to);
      batch.rows = to;
    }
    this.#rows += batch.rows;
    return batch.rows > 0 ? batch : undefined;
  }

  facts(): DecodeFacts {
    const changed = this.#changed.map((count, i) => [this.#batch.schema.fields[i]!.name, count] as const);
    const coerced = Object.fromEntries(changed.filter(([, count]) => count > 0));
    return { rows: this.#rows, bytes: this.#bytes, high: HighWater.greatest(this.#high), coerced };
  }

  #length(at: number): number {
    const m = this.#memory;
    return m[at]! | (m[at + 1]! << 8) | (m[at + 2]! << 16);
  }

  /** Whether a whole row lies at the reading position. */
  #whole(): boolean {
    const left = this.#end - this.#at;
    if (this.#single) return left > 0;
    if (left < HEADER) return false;
    const length = this.#length(this.#at);
    return length < LONGEST && left >= HEADER + length;
  }

  /** Notes where each field of the whole rows ahead lies; returns the row after the last one. */
  #scan(from: number, budget: number): number {
    const end = this.#end;
    const capacity = this.#batch.capacity;
    const stop = Math.min(end, this.#at + budget);
    let row = from;
    let p = this.#at;
    while (row < capacity && p < stop && end - p >= HEADER) {
      const length = this.#length(p);
      const next = p + HEADER + length;
      if (length === LONGEST || next > end) break;
      this.#scanRow(p + HEADER, next, row++);
      p = next;
    }
    this.#at = p;
    return row;
  }

  #scanSingle(row: number): number {
    this.#scanRow(this.#at, this.#end, row);
    this.#at = this.#end;
    return row + 1;
  }

  /** A zero byte, a bit per column that says NULL (two bits further on), then the values. */
  #scanRow(start: number, end: number, row: number): void {
    const m = this.#memory;
    const widths = this.#widths;
    const columns = widths.length;
    const fields = this.#fields;
    const lengths = this.#lengths;
    if (m[start] !== 0) throw malformed('a row does not begin with a zero');
    const nulls = start + 1;
    let p = nulls + ((columns + 9) >> 3);
    let f = row * columns;
    for (let c = 0, bit = 2; c < columns; c++, bit++, f++) {
      if ((m[nulls + (bit >> 3)]! & (1 << (bit & 7))) !== 0) {
        fields[f] = -1;
        continue;
      }
      const width = widths[c]!;
      if (width > 0) {
        fields[f] = p;
        p += width;
        continue;
      }
      let length = m[p++]!;
      if (width === 0 && length > 250) {
        length = this.#longLength(p, length);
        p += m[p - 1] === 0xfc ? 2 : m[p - 1] === 0xfd ? 3 : 8;
      }
      fields[f] = p;
      lengths[f] = length;
      p += length;
    }
    if (p !== end) throw malformed('a row does not end where its packet ends');
  }

  #longLength(p: number, sort: number): number {
    const view = this.#view;
    if (sort === 0xfc) return view.getUint16(p, true);
    if (sort === 0xfd) return view.getUint16(p, true) | (view.getUint8(p + 2) << 16);
    if (sort === 0xfe && view.getUint32(p + 4, true) === 0) return view.getUint32(p, true);
    throw malformed('a value has no length that can be');
  }

  #decode(from: number, to: number): void {
    const columns = this.#batch.columns;
    const stride = columns.length;
    const run: FieldRun = {
      bytes: this.#memory,
      view: this.#view,
      fields: this.#fields,
      lengths: this.#lengths,
      start: 0,
      stride,
      from,
      to,
    };
    for (let c = 0; c < stride; c++) {
      run.start = from * stride + c;
      this.#changed[c]! += this.#decoders[c]!(run, columns[c]!);
    }
    for (const high of this.#high) high.look(from, to);
  }

  /** Goes on to the next block, stitching a row that lies across the border; false at the end of the stream. */
  #advance(): boolean {
    if (this.#after) {
      const { at, end } = this.#after;
      this.#after = undefined;
      this.#enter(this.#ring.memory, this.#ringView, at, end);
      // One huge row must not pin its buffer for the rest of the run.
      if (this.#stitch.length > KEPT_STITCH_BYTES) this.#stitch = new Uint8Array(STITCH_BYTES);
      if (this.#whole()) return true;
    }
    const left = this.#end - this.#at;
    if (left === 0) {
      const block = this.#ring.next();
      if (!block) return false;
      this.#enter(this.#ring.memory, this.#ringView, block.start, block.end);
      return this.#whole() || this.#advance();
    }
    return this.#stitchRow();
  }

  /** Puts one row together, without the headers of its packets. */
  #stitchRow(): boolean {
    const source = new Pieces(this.#ring, this.#at, this.#end);
    let have = 0;
    for (;;) {
      const length = source.header();
      if (length === undefined) return this.#cut();
      if (have + length > (this.#limit?.bytes ?? Infinity)) this.#refuse(source, have, length);
      this.#reserve(have + length, have);
      if (
        !source.take(length, (from, to) => {
          this.#stitch.set(this.#ring.memory.subarray(from, to), have);
          have += to - from;
        })
      )
        return this.#cut();
      if (length < LONGEST) break;
    }
    this.#after = source.rest();
    this.#enter(this.#stitch, new DataView(this.#stitch.buffer), 0, have);
    this.#single = true;
    return true;
  }

  /** What is missing of a row would pass for the end. */
  #cut(): false {
    this.#at = this.#end = 0;
    if (this.#ring.end === 'ended') throw malformed('the stream ends within a row');
    return false;
  }

  /** Reads over the rest of a row that is too large, to say which value makes it so. */
  #refuse(source: Pieces, have: number, first: number): never {
    const row = new LargeRow(this.#widths);
    row.take(this.#stitch, 0, have);
    let size = have;
    let length: number | undefined = first;
    for (; length !== undefined; length = length === LONGEST ? source.header() : undefined) {
      size += length;
      if (!source.take(length, (from, to) => row.take(this.#ring.memory, from, to))) break;
      if (length < LONGEST) break;
    }
    const column = this.#batch.schema.fields[row.column]!.name;
    throw this.#limit!.error({ bytes: size, column, columnBytes: row.columnBytes });
  }

  #reserve(size: number, keep: number): void {
    if (size <= this.#stitch.length) return;
    const next = new Uint8Array(size > KEPT_STITCH_BYTES ? size : Math.max(size, this.#stitch.length * 2));
    next.set(this.#stitch.subarray(0, keep));
    this.#stitch = next;
  }

  #enter(memory: Uint8Array, view: DataView, at: number, end: number): void {
    this.#memory = memory;
    this.#view = view;
    this.#at = at;
    this.#end = end;
    this.#single = false;
  }
}

/** The bytes from a place in one block on, through the blocks that follow. */
class Pieces {
  readonly #ring: RingConsumer;
  #at: number;
  #end: number;

  constructor(ring: RingConsumer, at: number, end: number) {
    this.#ring = ring;
    this.#at = at;
    this.#end = end;
  }

  /** Hands on the next bytes, block by block; false when the stream ends before. */
  take(count: number, each: (from: number, to: number) => void): boolean {
    let left = count;
    while (left > 0) {
      if (this.#at === this.#end && !this.#next()) return false;
      const step = Math.min(left, this.#end - this.#at);
      each(this.#at, this.#at + step);
      this.#at += step;
      left -= step;
    }
    return true;
  }

  /** Length of the packet that begins here, read past its header. */
  header(): number | undefined {
    let length = 0;
    let shift = 0;
    const whole = this.take(HEADER, (from, to) => {
      for (let p = from; p < to; p++, shift += 8) if (shift < 24) length |= this.#ring.memory[p]! << shift;
    });
    return whole ? length : undefined;
  }

  rest(): { at: number; end: number } {
    return { at: this.#at, end: this.#end };
  }

  #next(): boolean {
    const block = this.#ring.next();
    if (!block) return false;
    this.#at = block.start;
    this.#end = block.end;
    return true;
  }
}

function malformed(found: string): InternalError {
  return new InternalError(`decoding binary rows: ${found}`, {
    code: 'mysql.malformed_rows',
    remedy: 'report it, with the versions of the server and of what lies between',
  });
}
