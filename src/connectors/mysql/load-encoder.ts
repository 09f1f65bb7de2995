import type { Batch, Column } from '../../core/batch.ts';
import type { Encoder } from '../../core/encoder.ts';
import type { Schema } from '../../core/schema.ts';
import { clipValues, countNegativeZeros } from './clip-values.ts';
import { roomFor, TextRoom, type Texts, textWriter } from './encode-text.ts';
import { escapeTexts, hexTexts } from './escape-text.ts';

/**
 * `load`: lines of LOAD DATA with its default escapes; `insert`: rows of a multi-row INSERT, in frames of a length
 * (uint32, little-endian) and that many bytes, each row with a comma behind it.
 */
type LoadForm = 'load' | 'insert';

export interface LoadEncoderOptions {
  form: LoadForm;
  /** Expressions that end each row of an INSERT. */
  stamps: readonly string[];
  /** The server tells -0 from 0. */
  signedZeros: boolean;
  /** Rows of one INSERT; a single row may be larger. */
  frameBytes: number;
}

const FRAME_HEADER = 4;

/** What stands before and behind a value, and in the place of NULL. */
interface Dress {
  before: Buffer;
  after: Buffer;
  null: Buffer;
}

export function createLoadEncoder(schema: Schema, options: unknown): Encoder {
  return new LoadEncoder(schema, options as LoadEncoderOptions);
}

class LoadEncoder implements Encoder {
  readonly #schema: Schema;
  readonly #form: LoadForm;
  readonly #signedZeros: boolean;
  readonly #frameBytes: number;
  readonly #dresses: Dress[];
  readonly #rooms: TextRoom[];
  readonly #changed: number[];
  #at = new Int32Array(0);
  #out: Buffer = Buffer.alloc(0);

  constructor(schema: Schema, { form, stamps, signedZeros, frameBytes }: LoadEncoderOptions) {
    this.#schema = schema;
    this.#form = form;
    this.#signedZeros = signedZeros;
    this.#frameBytes = frameBytes;
    const last = schema.fields.length - 1;
    this.#dresses = schema.fields.map(({ type }, i) =>
      form === 'load'
        ? lineDress(i === last ? '\n' : '\t')
        : rowDress(type.kind, i === 0 ? '(' : '', i === last ? `${[''].concat(stamps).join(',')}),` : ','),
    );
    this.#rooms = schema.fields.map(() => new TextRoom());
    this.#changed = schema.fields.map(() => 0);
  }

  coerced(): Record<string, number> {
    const counts = this.#schema.fields.map(({ name }, i) => [name, this.#changed[i]!] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  encode(batch: Batch): Uint8Array {
    const { rows, columns } = batch;
    const texts = columns.map((column, i) => {
      this.#changed[i]! += clipValues(column, rows);
      if (!this.#signedZeros) this.#changed[i]! += countNegativeZeros(column, rows);
      return this.#texts(column, rows, this.#rooms[i]!);
    });
    const sizes = this.#sizes(columns, texts, rows);
    const end = this.#place(sizes, rows);
    for (const [i, column] of columns.entries())
      putColumn({ column, texts: texts[i]!, dress: this.#dresses[i]! }, this.#out, { at: this.#at, rows });
    return this.#out.subarray(0, end);
  }

  #texts(column: Column, rows: number, room: TextRoom): Texts {
    const { kind } = column.type;
    if (column.width !== 0) return textWriter(column.type)(column, rows, room);
    if (this.#form === 'insert' && kind === 'binary') return hexTexts(column, rows, room);
    return escapeTexts(column, rows, { room, quotes: this.#form === 'insert' });
  }

  /** Bytes of each row, in `#at`. */
  #sizes(columns: readonly Column[], texts: readonly Texts[], rows: number): Int32Array {
    if (this.#at.length < rows) this.#at = new Int32Array(rows);
    const sizes = this.#at.fill(0, 0, rows);
    for (const [i, column] of columns.entries()) {
      const { offsets } = texts[i]!;
      const dress = this.#dresses[i]!;
      const around = dress.before.length + dress.after.length;
      const some = column.nullCount > 0;
      for (let r = 0; r < rows; r++)
        sizes[r]! += some && column.isNull(r) ? dress.null.length : around + offsets[r + 1]! - offsets[r]!;
    }
    return sizes;
  }

  /** Turns sizes into places, and makes room; where the rows end. */
  #place(sizes: Int32Array, rows: number): number {
    const frames: { at: number; bytes: number }[] = [];
    let at = 0;
    for (let r = 0; r < rows; r++) {
      const size = sizes[r]!;
      if (this.#form === 'insert') at = openFrame(frames, { at, size, most: this.#frameBytes });
      sizes[r] = at;
      at += size;
    }
    this.#out = roomFor(this.#out, at);
    for (const frame of frames) this.#out.writeUInt32LE(frame.bytes, frame.at);
    return at;
  }
}

/** Adds a row to the frames, in a new one when the last has enough; where the row goes. */
function openFrame(
  frames: { at: number; bytes: number }[],
  { at, size, most }: { at: number; size: number; most: number },
): number {
  const last = frames.at(-1);
  if (last && last.bytes + size <= most) {
    last.bytes += size;
    return at;
  }
  frames.push({ at, bytes: size });
  return at + FRAME_HEADER;
}

function lineDress(after: string): Dress {
  return { before: Buffer.alloc(0), after: Buffer.from(after), null: Buffer.from(`\\N${after}`) };
}

/** Kinds whose text is a literal by itself. */
const BARE: ReadonlySet<string> = new Set([
  'bool',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'decimal',
]);

function rowDress(kind: string, open: string, close: string): Dress {
  const quote = BARE.has(kind) ? '' : "'";
  return {
    before: Buffer.from(`${open}${kind === 'binary' ? 'x' : ''}${quote}`),
    after: Buffer.from(quote + close),
    null: Buffer.from(`${open}NULL${close}`),
  };
}

interface Dressed {
  column: Column;
  texts: Texts;
  dress: Dress;
}

/** Writes one column at the place that the ones before it have left in every row. */
function putColumn(
  { column, texts, dress }: Dressed,
  out: Buffer,
  { at, rows }: { at: Int32Array; rows: number },
): void {
  const { offsets, bytes } = texts;
  const { before, after } = dress;
  const some = column.nullCount > 0;
  for (let r = 0; r < rows; r++) {
    if (some && column.isNull(r)) {
      at[r] = put(dress.null, 0, dress.null.length, { out, at: at[r]! });
      continue;
    }
    let p = put(before, 0, before.length, { out, at: at[r]! });
    p = put(bytes, offsets[r]!, offsets[r + 1]!, { out, at: p });
    at[r] = put(after, 0, after.length, { out, at: p });
  }
}

function put(from: Uint8Array, begin: number, end: number, { out, at }: { out: Buffer; at: number }): number {
  const length = end - begin;
  // A call costs more than a short loop.
  if (length < 32) for (let k = 0; k < length; k++) out[at + k] = from[begin + k]!;
  else out.set(from.subarray(begin, end), at);
  return at + length;
}
