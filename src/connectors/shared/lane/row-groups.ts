/** How many rows a row group of a Parquet file gets, so that writing it stays within the memory of a lane. */
import type { Batch } from '../../../core/batch.ts';
import type { Schema } from '../../../core/schema.ts';
import { fixedWidth } from '../../../core/types.ts';
import type { Session } from '../../../duckdb/session.ts';
import { duckName } from '../../../duckdb/types.ts';

/**
 * DuckDB collects a row group in memory before it encodes it, beside itself, so wide rows get fewer rows: in all it takes
 * three to four times this.
 */
const ROW_GROUP_BYTES = 16 << 20;
const MOST_ROWS = 122_880;
const VECTOR_ROWS = 2048;
/** A value of fixed width, and what is kept of each text beside its bytes. */
const VALUE_BYTES = 8;
const TEXT_BYTES = 16;

/** Rows of a row group, in whole vectors as DuckDB would round it. */
export function rowGroupRows(rowBytes: number): number {
  const vectors = Math.floor(ROW_GROUP_BYTES / rowBytes / VECTOR_ROWS);
  return Math.min(MOST_ROWS, Math.max(1, vectors) * VECTOR_ROWS);
}

/** DuckDB sets so much aside for the dictionary of each column of text unless told otherwise. */
const DICTIONARY_BYTES = 1 << 20;

/** What the dictionary of a column of text may have, so that those of a thousand columns fit into memory together. */
export function dictionaryLimit(laneBytes: number, rowBytes: number): number {
  const columns = Math.ceil(rowBytes / TEXT_BYTES);
  return Math.min(DICTIONARY_BYTES, Math.max(4096, Math.floor(laneBytes / 4 / columns)));
}

/** Bytes after which a row group is written although it has fewer rows. */
export function rowGroupLimit(laneBytes: number): number {
  return Math.min(2 * ROW_GROUP_BYTES, Math.floor(laneBytes / 8));
}

/** Memory that one row takes on average in this batch. */
export function batchRowBytes(batch: Batch): number {
  const texts = batch.columns.filter((column) => column.width === 0).length;
  // Of the 16 bytes, 4 are in the batch as well.
  return Math.ceil(batch.byteLength() / batch.rows) + texts * (TEXT_BYTES - 4);
}

/** The same of rows that are text still, as far as their bytes and types tell. */
export function textRowBytes({ fields }: Schema, { rows, bytes }: { rows: number; bytes: number }): number {
  const texts = fields.filter(({ type }) => fixedWidth(type) === undefined).length;
  const fixed = (fields.length - texts) * VALUE_BYTES;
  // Values of fixed width are about as long as text.
  return Math.max(fixed, Math.ceil(bytes / Math.max(1, rows))) + texts * TEXT_BYTES;
}

/** Bytes of each column of texts, as SQL. */
export function textLengths(columns: readonly { name: string; type: string }[]): string[] {
  return columns.flatMap(({ name, type }) => {
    const length = type === 'VARCHAR' ? 'strlen' : type === 'BLOB' ? 'octet_length' : undefined;
    return length === undefined ? [] : [`coalesce(${length}(${duckName(name)}), 0)`];
  });
}

/** The same for the result of a query, from its first rows. */
export async function queryRowBytes(session: Session, query: string): Promise<number> {
  const doing = 'looking at the width of rows';
  const columns = await session.columns(query, doing);
  const lengths = textLengths(columns);
  const fixed = lengths.length * TEXT_BYTES + (columns.length - lengths.length) * VALUE_BYTES;
  if (lengths.length === 0) return fixed;
  const [first] = await session.rows(
    `SELECT avg(bytes) AS bytes FROM (SELECT ${lengths.join(' + ')} AS bytes FROM (${query}) LIMIT ${VECTOR_ROWS})`,
    doing,
  );
  return fixed + Math.ceil(Number(first?.['bytes'] ?? 0));
}
