import { Batch } from '../../core/batch.ts';
import type { RingConsumer } from '../../core/byte-ring.ts';
import type { Decoder, RowLimit } from '../../core/decoder.ts';
import { InternalError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import type { DecodeFacts } from '../../core/source.ts';
import { COLUMN_DECODERS, type ColumnDecoder, type FieldRun, type WireFormat } from './copy-columns.ts';
import { FILE_HEADER, MESSAGE_HEADER } from './copy-wire.ts';
import { HighWater } from '../shared/high-water.ts';
import { LargeRow } from './large-row.ts';

/** Everything the consumer's thread needs to decode one COPY; plain data. */
export interface CopyDecoderOptions {
  /** Wire format of each field of the schema, in order. */
  formats: WireFormat[];
  /** Indexes of the cursor columns, whose greatest value is tracked. */
  cursor: number[];
  /** Rows of a batch; it closes earlier when `maxBytes` of wire have gone into it. */
  maxRows: number;
  maxBytes: number;
}

/** The buffer for messages across borders of blocks; after a larger message it gets this size again. */
const STITCH_BYTES = 1 << 16;
const KEPT_STITCH_BYTES = 8 << 20;

/** Decodes `COPY … TO STDOUT (FORMAT binary)`, still framed in CopyData messages, one row per message. */
export function createCopyDecoder(
  ring: RingConsumer,
  schema: Schema,
  options: unknown,
  limit?: RowLimit,
): Decoder {
  return new CopyDecoder(ring, schema, options as CopyDecoderOptions, limit);
}

class CopyDecoder implements Decoder {
  readonly #ring: RingConsumer;
  readonly #batch: Batch;
  readonly #decoders: ColumnDecoder[];
  readonly #maxBytes: number;
  readonly #fields: Int32Array;
  readonly #changed: number[];
  readonly #high: HighWater[];
  #rows = 0;
  #bytes = 0;
  #started = false;
  #ended = false;
  // The part of a buffer that is being read; `after` is the rest of a block behind a stitched message.
  #view: DataView;
  #memory: Uint8Array;
  #at = 0;
  #end = 0;
  #after: { at: number; end: number } | undefined;
  readonly #ringView: DataView;
  #stitch: Uint8Array = new Uint8Array(STITCH_BYTES);
  readonly #limit: RowLimit | undefined;

  constructor(ring: RingConsumer, schema: Schema, options: CopyDecoderOptions, limit?: RowLimit) {
    this.#ring = ring;
    this.#limit = limit;
    this.#batch = new Batch(schema, options.maxRows);
    this.#decoders = options.formats.map((format) => COLUMN_DECODERS[format]);
    this.#changed = options.formats.map(() => 0);
    this.#maxBytes = options.maxBytes;
    this.#fields = new Int32Array(options.maxRows * options.formats.length);
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
      const to = this.#scan(from, this.#maxBytes - (this.#bytes - before));
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

  /** Whether a whole message lies at the reading position. */
  #whole(): boolean {
    const left = this.#end - this.#at;
    return left >= MESSAGE_HEADER && left > this.#view.getInt32(this.#at + 1);
  }

  /** Notes where each field of the whole messages ahead lies; returns the row after the last one. */
  #scan(row: number, budget: number): number {
    const view = this.#view;
    const end = this.#end;
    const fields = this.#fields;
    const columns = this.#decoders.length;
    const capacity = this.#batch.capacity;
    const stop = Math.min(end, this.#at + budget);
    let p = this.#at;
    let f = row * columns;
    while (row < capacity && p < stop && end - p >= MESSAGE_HEADER) {
      const next = p + 1 + view.getInt32(p + 1);
      if (next > end) break;
      p += MESSAGE_HEADER;
      if (!this.#started) p = this.#start(p);
      if (p >= next) continue;
      const count = view.getInt16(p);
      // -1 is the trailer; nothing follows it.
      if (count === -1) this.#ended = true;
      else {
        if (count !== columns) throw malformed(`a row has ${count} fields where ${columns} were asked for`);
        p += 2;
        for (let c = 0; c < columns; c++) {
          const length = view.getInt32(p);
          p += 4;
          if (length < 0) fields[f++] = -1;
          else {
            fields[f++] = p;
            p += length;
          }
        }
        if (p !== next) throw malformed('a row does not end where its message ends');
        row++;
      }
      p = next;
    }
    this.#at = p;
    return row;
  }

  #start(p: number): number {
    this.#started = true;
    if (this.#view.getInt32(p) !== 0x5047_434f) throw malformed('the stream does not begin with PGCOPY');
    return p + FILE_HEADER + this.#view.getInt32(p + 15);
  }

  #decode(from: number, to: number): void {
    const columns = this.#batch.columns;
    const stride = columns.length;
    const run: FieldRun = {
      bytes: this.#memory,
      view: this.#view,
      fields: this.#fields,
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

  /** Goes on to the next block, stitching a message that lies across the border; false at the end of the stream. */
  #advance(): boolean {
    if (this.#after) {
      const { at, end } = this.#after;
      this.#after = undefined;
      this.#enter(this.#memory === this.#stitch ? this.#ring.memory : this.#memory, this.#ringView, at, end);
      // One huge row must not pin its buffer for the rest of the run.
      if (this.#stitch.length > KEPT_STITCH_BYTES) this.#stitch = new Uint8Array(STITCH_BYTES);
      if (this.#whole()) return true;
    }
    const left = this.#end - this.#at;
    if (left === 0) {
      const block = this.#ring.next();
      if (!block) return this.#atEnd();
      this.#enter(this.#ring.memory, this.#ringView, block.start, block.end);
      return this.#whole() || this.#advance();
    }
    return this.#stitchMessage(left);
  }

  #stitchMessage(left: number): boolean {
    this.#reserve(left);
    this.#stitch.set(this.#memory.subarray(this.#at, this.#end));
    let have = left;
    for (;;) {
      const block = this.#ring.next();
      if (!block) return this.#atEnd();
      let at = block.start;
      for (let need = this.#need(have); at < block.end && have < need; need = this.#need(have)) {
        if (need > (this.#limit?.bytes ?? Infinity)) this.#refuse(need, have, { at, end: block.end });
        const take = Math.min(need - have, block.end - at);
        this.#reserve(need, have);
        this.#stitch.set(this.#ring.memory.subarray(at, at + take), have);
        have += take;
        at += take;
      }
      if (have >= MESSAGE_HEADER && have === this.#need(have)) {
        this.#after = { at, end: block.end };
        this.#enter(this.#stitch, new DataView(this.#stitch.buffer), 0, have);
        return true;
      }
    }
  }

  /** Without its trailer the stream was cut: what is missing would pass for rows that were never there. */
  #atEnd(): false {
    if (this.#ring.end === 'ended' && !this.#ended) throw malformed('the stream ends before its trailer');
    return false;
  }

  /** Bytes of the message that begins the stitch: its header first, then what the header says. */
  #need(have: number): number {
    if (have < MESSAGE_HEADER) return MESSAGE_HEADER;
    const s = this.#stitch;
    return 1 + ((s[1]! << 24) | (s[2]! << 16) | (s[3]! << 8) | s[4]!);
  }

  /** Reads over the rest of a row that is too large, to say which value makes it so. */
  #refuse(size: number, have: number, rest: { at: number; end: number }): never {
    const row = new LargeRow(MESSAGE_HEADER + (this.#started ? 0 : FILE_HEADER) + 2);
    row.take(this.#stitch, 0, have);
    let left = size - have;
    let block: { start: number; end: number } | undefined = { start: rest.at, end: rest.end };
    while (block && left > 0) {
      const take = Math.min(left, block.end - block.start);
      row.take(this.#ring.memory, block.start, block.start + take);
      left -= take;
      if (left > 0) block = this.#ring.next();
    }
    const column = this.#batch.schema.fields[row.column]!.name;
    throw this.#limit!.error({ bytes: size, column, columnBytes: row.columnBytes });
  }

  #reserve(size: number, keep: number = 0): void {
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
  }
}

function malformed(found: string): InternalError {
  return new InternalError(`decoding a binary COPY: ${found}`, {
    code: 'postgres.malformed_copy',
    remedy: 'please report it with the version of the server and of the pooler in between',
  });
}
