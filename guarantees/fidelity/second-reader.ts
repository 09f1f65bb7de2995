/**
 * Parquet files as a reader sees them that has no line of code in common with their writer. It is asked for the stored
 * numbers and bytes only; what they mean is worked out here, as the format says: https://github.com/apache/parquet-format
 */
import { zstdDecompressSync, gunzipSync } from 'node:zlib';
import {
  asyncBufferFromFile,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import type { Session } from '../../src/duckdb/session.ts';
import { duckName, duckText } from '../../src/duckdb/types.ts';

type Element = FileMetaData['schema'][number];

const COMPRESSORS: Compressors = {
  ZSTD: (input) => zstdDecompressSync(input),
  GZIP: (input) => gunzipSync(input),
};

/** Throws when DuckDB and the second reader do not find the same in a file. Returns the number of values. */
export async function compareReaders(session: Session, file: string): Promise<number> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(buffer);
  const columns = metadata.schema.slice(1);
  const plain = { ...metadata, schema: metadata.schema.map(stored) };
  const rows = await parquetReadObjects({
    file: buffer,
    metadata: plain,
    compressors: COMPRESSORS,
    utf8: false,
  });
  const list = columns.map((column, i) => `${duckForm(column)} AS c${i}`);
  const others = await session.rows(
    `SELECT ${list.join(', ')} FROM read_parquet(${duckText(file)}, hive_partitioning = false)`,
    `reading ${file}`,
  );
  if (rows.length !== others.length)
    throw new Error(`${file}: ${others.length} rows by DuckDB, ${rows.length} by hyparquet`);
  for (const [r, row] of rows.entries()) {
    for (const [c, column] of columns.entries()) {
      const value: unknown = row[column.name];
      const one = value === null || value === undefined ? null : meaning(column, value);
      const two = normal(column, others[r]![`c${c}`] as string | null);
      if (one !== two)
        throw new Error(
          `${file}: row ${r} of "${column.name}" is ${JSON.stringify(two)} by DuckDB, ${JSON.stringify(one)} by hyparquet`,
        );
    }
  }
  return rows.length * columns.length;
}

/** The element without what its values mean. */
function stored(element: Element): Element {
  const { converted_type: _, logical_type: _logical, ...rest } = element;
  return rest;
}

/** A stored value as text: the unscaled number of a decimal, days, microseconds, bytes in hexadecimal. */
function meaning(column: Element, value: unknown): string {
  const kind = kindOf(column);
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : undefined;
  if (kind === 'DECIMAL' && bytes)
    return String(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`)));
  if (bytes) return bytes.toString('hex');
  const number = String(value);
  const endless = kind === 'DATE' ? '2147483647' : kind === 'TIMESTAMP' ? '9223372036854775807' : undefined;
  if (number === endless) return 'infinity';
  if (number === `-${endless}`) return '-infinity';
  return Object.is(value, -0) ? '-0' : number;
}

/** The same from DuckDB. */
function duckForm(column: Element): string {
  const name = duckName(column.name);
  const unless = (form: string): string =>
    `CASE WHEN isfinite(${name}) THEN CAST(${form} AS VARCHAR) ELSE CAST(${name} AS VARCHAR) END`;
  switch (kindOf(column)) {
    case 'DATE':
      return unless(`${name} - DATE '1970-01-01'`);
    case 'TIMESTAMP':
      return unless(`epoch_us(${name})`);
    case 'TIME':
      return `CAST(epoch_us(${name}) AS VARCHAR)`;
    case 'UUID':
      return `replace(CAST(${name} AS VARCHAR), '-', '')`;
    case 'TEXT':
      return `lower(hex(encode(CAST(${name} AS VARCHAR))))`;
    case 'BYTES':
      return `lower(hex(${name}))`;
    default:
      return `CAST(${name} AS VARCHAR)`;
  }
}

/** DuckDB's text of a value in the form that {@link meaning} has. */
function normal(column: Element, text: string | null): string | null {
  if (text === null) return null;
  if (kindOf(column) === 'DECIMAL') return String(BigInt(text.replace('.', '')));
  if (column.type !== 'FLOAT' && column.type !== 'DOUBLE') return text;
  const number = Number(text.replace(/inf$/, 'Infinity'));
  return meaning(column, column.type === 'FLOAT' ? Math.fround(number) : number);
}

type Kind = 'DECIMAL' | 'DATE' | 'TIMESTAMP' | 'TIME' | 'UUID' | 'TEXT' | 'BYTES' | 'NUMBER';

function kindOf({ type, converted_type: converted, logical_type: logical }: Element): Kind {
  const name = logical?.type ?? converted ?? '';
  if (name === 'DECIMAL' || name === 'DATE' || name === 'UUID') return name;
  if (name.startsWith('TIMESTAMP')) return 'TIMESTAMP';
  if (name.startsWith('TIME')) return 'TIME';
  if (name === 'STRING' || name === 'UTF8' || name === 'JSON') return 'TEXT';
  return type === 'BYTE_ARRAY' || type === 'FIXED_LEN_BYTE_ARRAY' ? 'BYTES' : 'NUMBER';
}
