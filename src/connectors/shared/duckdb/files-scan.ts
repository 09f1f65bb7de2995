/** Files of text that DuckDB reads by itself, where it reads what our own scanner does: see {@link FilesForm}. */
import { CancelledError, DataError, SluiceError, TransientError } from '../../../core/errors.ts';
import type { DelimitedText, FilesForm, FilesScan } from '../../../core/source.ts';
import type { Schema } from '../../../core/schema.ts';
import { duckName, duckText, duckType, literalPattern, sourceColumn } from '../../../duckdb/types.ts';

/** Lines that have room in a buffer at least, and how long those are at least. Small buffers are used again and again: large ones go back to the system. */
const BUFFER_LINES = 4;
const LINE_BYTES = 1 << 16;

/** A query with the columns of the schema as `c0`, `c1`, …. It fails where a file is not as it was found to be. */
export function scanQuery({ scan, schema }: { scan: FilesScan; schema: Schema }): string {
  const { text, files } = scan;
  /** By field of a record. */
  const types = new Map<number, string>();
  const name = (from: number): string => (text.format === 'csv' ? field(from) : text.names[from]!);
  const columns = scan.columns.map((from, i) => {
    const type = duckType(schema.fields[i]!.type);
    if (typeof from !== 'number') return `${constants(from, type)} AS ${sourceColumn(i)}`;
    types.set(from, type);
    return `${duckName(name(from))} AS ${sourceColumn(i)}`;
  });
  const fields =
    text.format === 'csv' ? Array.from({ length: text.fields }, (_, from) => from) : [...types.keys()];
  const typed = fields.map((from) => `${duckText(name(from))}: ${duckText(types.get(from) ?? 'VARCHAR')}`);
  const line = Math.max(scan.longest + 2, LINE_BYTES);
  const own = text.format === 'csv' ? delimitedOptions(text, line) : objectsOptions(line);
  const options = {
    ...own,
    auto_detect: 'false',
    columns: `{${typed.join(', ')}}`,
    ignore_errors: 'false',
    hive_partitioning: 'false',
    union_by_name: 'false',
  };
  const list = Object.entries(options).map(([option, value]) => `${option} = ${value}`);
  const paths = files.map(({ path }) => duckText(literalPattern(path)));
  return `SELECT ${columns.join(', ')} FROM read_${text.format}([${paths.join(', ')}], ${list.join(', ')})`;
}

function delimitedOptions({ delimiter, header }: DelimitedText, line: number): Record<string, string> {
  return {
    header: String(header),
    delim: duckText(delimiter),
    quote: duckText('"'),
    escape: duckText('"'),
    nullstr: duckText(''),
    // Texts without a character are no NULLs.
    allow_quoted_nulls: 'false',
    comment: duckText(''),
    null_padding: 'false',
    strict_mode: 'true',
    encoding: duckText('utf-8'),
    compression: duckText('none'),
    // Who begins in the middle has to guess where records begin.
    parallel: 'false',
    max_line_size: String(line),
    buffer_size: String(BUFFER_LINES * line),
  };
}

function objectsOptions(line: number): Record<string, string> {
  return {
    format: duckText('newline_delimited'),
    records: duckText('true'),
    compression: duckText('uncompressed'),
    // Its buffers are twice as large.
    maximum_object_size: String((BUFFER_LINES / 2) * line),
  };
}

/** Name that no column of a file has. */
function field(number: number): string {
  return `f${number}`;
}

function constants(texts: readonly (string | null)[], type: string): string {
  const [first] = texts;
  const literal = (text: string | null): string => (text === null ? 'NULL' : duckText(text));
  if (texts.every((text) => text === first)) return `CAST(${literal(first!)} AS ${type})`;
  return `CAST([${texts.map(literal).join(', ')}] AS ${type}[])[CAST(file_index AS BIGINT) + 1]`;
}

/** The same files in at most so many parts of about the same size, in their order. */
export function partsOfScan(scan: FilesScan, count: number): FilesScan[] {
  const total = scan.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts: FilesScan[] = [];
  let from = 0;
  let bytes = 0;
  for (const [i, file] of scan.files.entries()) {
    bytes += file.bytes;
    const last = i === scan.files.length - 1;
    if (!last && (bytes * count < total * (parts.length + 1) || parts.length === count - 1)) continue;
    parts.push({
      ...scan,
      files: scan.files.slice(from, i + 1),
      columns: scan.columns.map((column) =>
        typeof column === 'number' ? column : column.slice(from, i + 1),
      ),
    });
    from = i + 1;
  }
  return parts;
}

/** Checks that rows which were taken are those of the files. */
export async function expectScanned(direct: FilesForm, rows: number): Promise<void> {
  if (rows !== direct.facts().rows || !(await direct.unchanged())) throw direct.refused();
}

/** What failed may do so for how DuckDB reads files; what it says of them may hold values, and is not told. */
export function scanError(direct: FilesForm, error: unknown): unknown {
  const known =
    error instanceof TransientError ||
    error instanceof CancelledError ||
    (error instanceof DataError && error.code !== 'duckdb.conversion') ||
    (error instanceof SluiceError && error.code.startsWith('disk.'));
  return known ? error : direct.refused();
}
