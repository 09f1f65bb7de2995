/**
 * Moves a slice of a batch into DuckDB's vectors without a JavaScript value per row. Fixed-width columns are
 * copied as they are. Strings follow DuckDB's string_t (16 bytes: uint32 length, then 12 inlined bytes, or a
 * 4-byte prefix and a pointer; see duckdb/src/include/duckdb/common/types/string_type.hpp): the bytes of a
 * whole column are handed over in one call, and the pointers into them are written here. That layout is not a promise of
 * the API: the version is pinned, and vectors.test.ts proves the layout for it.
 */
import { isUtf8 } from 'node:buffer';
import bindings, { type DataChunk, type Vector } from '@duckdb/node-bindings';
import type { Batch, Column } from '../core/batch.ts';
import { DataError } from '../core/errors.ts';

/** Rows of one DuckDB vector. */
export const VECTOR_ROWS = 2048;

const STRING_BYTES = 16;
const INLINED = 12;
const NOTHING = new ArrayBuffer(4);
const scratch = new ArrayBuffer(VECTOR_ROWS * STRING_BYTES);
const scratch32 = new Int32Array(scratch);
const scratch16 = new Int16Array(scratch);
const scratch8 = new Uint8Array(scratch);

/** Fills `chunk` with rows `from … from + count` of `batch`; `from` is a multiple of 8, `count` ≤ VECTOR_ROWS. */
export function fillChunk(chunk: DataChunk, batch: Batch, from: number, count: number): void {
  bindings.data_chunk_set_size(chunk, count);
  batch.columns.forEach((column, index) => {
    const vector = bindings.data_chunk_get_vector(chunk, index);
    if (!fillVector(vector, column, from, count)) throw invalidText(batch.schema.fields[index]!.name);
  });
}

/** False when a text is not UTF-8. */
export function fillVector(vector: Vector, column: Column, from: number, count: number): boolean {
  if (column.width > 0 || column.type.kind === 'bool') fillFixed(vector, column, from, count);
  else if (!fillStrings(vector, column, from, count)) return false;
  if (column.nullCount > 0) {
    bindings.vector_ensure_validity_writable(vector);
    const bytes = Math.ceil(count / 64) * 8;
    bindings.copy_data_to_vector_validity(vector, 0, column.validity.buffer as ArrayBuffer, from >> 3, bytes);
  }
  return true;
}

function fillFixed(vector: Vector, column: Column, from: number, count: number): void {
  const type = column.type;
  if (type.kind === 'bool') {
    for (let r = 0; r < count; r++) scratch8[r] = (column.u8[(from + r) >> 3]! >> ((from + r) & 7)) & 1;
    bindings.copy_data_to_vector(vector, 0, scratch, 0, count);
  } else if (type.kind === 'decimal' && type.precision <= 4) {
    // DuckDB keeps the smallest decimals in 16 bits.
    for (let r = 0; r < count; r++) scratch16[r] = column.i32[from + r]!;
    bindings.copy_data_to_vector(vector, 0, scratch, 0, count * 2);
  } else if (type.kind === 'uuid') {
    for (let r = 0; r < count; r++) {
      const source = (from + r) * 16;
      for (let k = 0; k < 16; k++) scratch8[r * 16 + k] = column.u8[source + 15 - k]!;
      // DuckDB orders uuids as signed 128-bit integers, so their first bit is turned.
      scratch8[r * 16 + 15]! ^= 0x80;
    }
    bindings.copy_data_to_vector(vector, 0, scratch, 0, count * 16);
  } else {
    bindings.copy_data_to_vector(vector, 0, column.data, from * column.width, count * column.width);
  }
}

/** False when the bytes are not UTF-8. */
function fillStrings(vector: Vector, column: Column, from: number, count: number): boolean {
  const { offsets, bytes } = column;
  const first = offsets[from]!;
  const last = offsets[from + count]!;
  let low = 0;
  let high = 0;
  if (last - first > INLINED) {
    // The vector still holds the chunk before, whose first string may have the same length.
    bindings.copy_data_to_vector(vector, 0, NOTHING, 0, 4);
    bindings.vector_assign_string_element_len(vector, 0, bytes.subarray(first, last));
    const head = bindings.vector_get_data(vector, STRING_BYTES);
    const view = new DataView(head.buffer, head.byteOffset, STRING_BYTES);
    // Bytes that are not UTF-8 are refused silently: the old length stays.
    if (view.getUint32(0, true) !== last - first) return false;
    low = view.getUint32(8, true);
    high = view.getUint32(12, true);
  } else if (column.type.kind !== 'binary' && !isUtf8(bytes.subarray(first, last))) return false;
  for (let r = 0; r < count; r++) {
    const begin = offsets[from + r]!;
    const length = offsets[from + r + 1]! - begin;
    const word = r * 4;
    scratch32[word] = length;
    if (length <= INLINED) {
      scratch32[word + 1] = scratch32[word + 2] = scratch32[word + 3] = 0;
      const at = r * STRING_BYTES + 4;
      for (let k = 0; k < length; k++) scratch8[at + k] = bytes[begin + k]!;
    } else {
      scratch32[word + 1] =
        bytes[begin]! | (bytes[begin + 1]! << 8) | (bytes[begin + 2]! << 16) | (bytes[begin + 3]! << 24);
      const pointer = low + (begin - first);
      scratch32[word + 2] = pointer | 0;
      scratch32[word + 3] = high + (pointer > 0xffff_ffff ? 1 : 0);
    }
  }
  bindings.copy_data_to_vector(vector, 0, scratch, 0, count * STRING_BYTES);
  return true;
}

export function invalidText(name: string): DataError {
  return new DataError(`writing column "${name}": its text is not valid UTF-8`, {
    code: 'data.invalid_utf8',
    remedy: `read it as bytes: types: { ${name}: binary }`,
    details: { column: name },
  });
}
