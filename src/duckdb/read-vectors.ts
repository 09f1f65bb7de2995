/**
 * Moves DuckDB's vectors into columns of a batch, the way back of vectors.ts: values of fixed width are copied as they are,
 * strings in runs. Strings of a chunk mostly lie side by side, so that one call brings many of them.
 */
import bindings, { type DataChunk } from '@duckdb/node-bindings';
import type { Column } from '../core/batch.ts';
import { givenUp } from '../core/collect-garbage.ts';

const STRING_BYTES = 16;
const INLINED = 12;
/** For which a chunk has room, however many it has. */
const CHUNK_ROWS = 2048;
/**
 * What lies between two strings may be read with them when it is less than a page of memory: every byte of it is then in the
 * page where the one ends, or in that where the other begins.
 */
const SAME_PAGES = 4095;
/** Of one call, so that gaps do not add up. */
const LONGEST_RUN = 4 << 20;

const pointer = new ArrayBuffer(8);
const pointerWords = new Uint32Array(pointer);

/** The rows of one chunk, whose columns are of the types of `columns`, in this order. */
export class ChunkRows {
  readonly rows: number;
  readonly #chunk: DataChunk;
  readonly #columns: ChunkColumn[];
  readonly #bytes: number;

  constructor(chunk: DataChunk, columns: readonly Column[]) {
    this.#chunk = chunk;
    this.#bytes = columns.reduce((sum, column) => sum + vectorWidth(column) * CHUNK_ROWS, 0);
    this.rows = bindings.data_chunk_get_size(chunk);
    this.#columns = columns.map((column, index) => {
      const vector = bindings.data_chunk_get_vector(chunk, index);
      const data = bindings.vector_get_data(vector, this.rows * vectorWidth(column));
      // Without a NULL there is no bitmap, whatever the declaration says.
      const bits = bindings.vector_get_validity(vector, Math.ceil(this.rows / 64) * 8) as Uint8Array | null;
      return { data, bits, lengths: column.width === 0 ? lengthsOf(data, bits, this.rows) : undefined };
    });
  }

  /** Where rows from `from` on exceed so many bytes of texts; at least one row further. */
  cut(from: number, mostBytes: number): number {
    let bytes = 0;
    for (let row = from; row < this.rows; row++) {
      for (const { lengths } of this.#columns) bytes += lengths?.[row] ?? 0;
      if (bytes > mostBytes && row > from) return row;
    }
    return this.rows;
  }

  /** Fills `columns`, which are empty, with the rows of [from, to). */
  read(columns: readonly Column[], from: number, to: number): void {
    columns.forEach((column, index) => {
      const { data, bits, lengths } = this.#columns[index]!;
      if (bits) for (let row = from; row < to; row++) if (isNull(bits, row)) column.setNull(row - from);
      if (lengths) readStrings(data, lengths, { column, from, to });
      else readFixed(data, column, from, to);
    });
  }

  /** After the last read. Gives the memory of strings back; that of their places and of other values comes back with the chunk. */
  release(): void {
    bindings.data_chunk_reset(this.#chunk);
    givenUp(this.#bytes);
  }
}

interface ChunkColumn {
  /** As DuckDB keeps it. */
  data: Uint8Array;
  bits: Uint8Array | null;
  /** Of strings, in bytes; 0 for NULL. */
  lengths: Uint32Array | undefined;
}

function isNull(bits: Uint8Array, row: number): boolean {
  return (bits[row >> 3]! & (1 << (row & 7))) === 0;
}

/** Bytes of a value in DuckDB. */
function vectorWidth({ type, width }: Column): number {
  if (type.kind === 'bool') return 1;
  if (type.kind === 'decimal' && type.precision <= 4) return 2;
  return width === 0 ? STRING_BYTES : width;
}

function lengthsOf(data: Uint8Array, bits: Uint8Array | null, rows: number): Uint32Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, rows * 4);
  const lengths = new Uint32Array(rows);
  // What stands in the place of a NULL is anything.
  for (let row = 0; row < rows; row++)
    if (bits === null || !isNull(bits, row)) lengths[row] = words[row * 4]!;
  return lengths;
}

function readFixed(data: Uint8Array, column: Column, from: number, to: number): void {
  const { type, u8, i32, width } = column;
  const rows = to - from;
  switch (type.kind) {
    case 'bool':
      for (let r = 0; r < rows; r++) if (data[from + r] !== 0) u8[r >> 3]! |= 1 << (r & 7);
      return;
    case 'uuid':
      for (let r = 0; r < rows; r++) {
        const end = (from + r) * 16 + 15;
        for (let k = 0; k < 16; k++) u8[r * 16 + k] = data[end - k]!;
        // DuckDB orders uuids as signed 128-bit integers, so their first bit is turned.
        u8[r * 16]! ^= 0x80;
      }
      return;
    case 'decimal':
      if (type.precision <= 4) {
        const words = new Int16Array(data.buffer, data.byteOffset, to);
        for (let r = 0; r < rows; r++) i32[r] = words[from + r]!;
        return;
      }
      break;
    default:
  }
  u8.set(data.subarray(from * width, to * width));
  if (type.kind === 'float32' || type.kind === 'float64')
    column.negativeZero = anyNegativeZero(i32, rows, width >> 2);
}

const SIGN_ONLY = -0x8000_0000;

/** `width` in words of 32 bits. */
function anyNegativeZero(words: Int32Array, rows: number, width: number): boolean {
  for (let at = width - 1; at < rows * width; at += width)
    if (words[at] === SIGN_ONLY && (width === 1 || words[at - 1] === 0)) return true;
  return false;
}

interface Target {
  column: Column;
  from: number;
  to: number;
}

function readStrings(data: Uint8Array, lengths: Uint32Array, { column, from, to }: Target): void {
  const { offsets } = column;
  offsets[0] = 0;
  for (let row = from; row < to; row++) offsets[row - from + 1] = offsets[row - from]! + lengths[row]!;
  const into = column.grow(0, offsets[to - from]!);
  const words = new Uint32Array(data.buffer, data.byteOffset);
  const long: LongString[] = [];
  for (let row = from; row < to; row++) {
    const length = lengths[row]!;
    const at = offsets[row - from]!;
    if (length > INLINED)
      long.push({ address: words[row * 4 + 2]! + words[row * 4 + 3]! * 2 ** 32, length, at });
    else {
      const start = row * STRING_BYTES + 4;
      for (let k = 0; k < length; k++) into[at + k] = data[start + k]!;
    }
  }
  readLong(long, into);
}

/** A string that DuckDB keeps elsewhere. */
interface LongString {
  address: number;
  length: number;
  /** Where it belongs. */
  at: number;
}

function readLong(strings: LongString[], into: Uint8Array): void {
  if (strings.some(({ address }, i) => i > 0 && address < strings[i - 1]!.address))
    strings.sort((a, b) => a.address - b.address);
  for (let first = 0; first < strings.length;) {
    const begin = strings[first]!.address;
    let end = begin;
    let next = first;
    for (; next < strings.length; next++) {
      const { address, length } = strings[next]!;
      if (next > first && (address - end >= SAME_PAGES || end - begin >= LONGEST_RUN)) break;
      end = Math.max(end, address + length);
    }
    pointerWords[0] = begin % 2 ** 32;
    pointerWords[1] = Math.floor(begin / 2 ** 32);
    const bytes = bindings.get_data_from_pointer(pointer, 0, end - begin);
    for (; first < next; first++) {
      const { address, length, at } = strings[first]!;
      into.set(bytes.subarray(address - begin, address - begin + length), at);
    }
  }
}
