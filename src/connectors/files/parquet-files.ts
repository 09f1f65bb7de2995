/** Looks at Parquet files: what their footers say, and whether all of their values can be read as the types of the stream. */
import { ConfigError, DataError, InternalError, type SluiceError } from '../../core/errors.ts';
import type { FilesConfig, FileRange } from '../../core/ledger.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { type LogicalType, renderType } from '../../core/types.ts';
import { duckError } from '../../duckdb/errors.ts';
import { duckName, duckText, literalPattern } from '../../duckdb/types.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { fileChecksum } from '../shared/file-checksum.ts';
import { unsound } from '../shared/text/packing.ts';
import { checksumOf, type FileProblem, problemOf } from '../shared/look/documents.ts';
import type { FoundFile } from './found-files.ts';
import type { UnpackedTables } from './unpacked-tables.ts';
import { forcedType } from '../shared/look/contract.ts';
import {
  followed,
  type FooterElement,
  lossOf,
  type ParquetColumn,
  parquetColumn,
  readAs,
} from './parquet-columns.ts';

export interface ParquetPlace {
  storage: ObjectStorage;
  /** Where an engine opens them. */
  tables: UnpackedTables;
  engine: SourceEngine;
  config: FilesConfig;
  /** Compressed bytes of one part of a large file. */
  partBytes: number;
  signal: AbortSignal;
}

export interface ParquetFile {
  file: FoundFile;
  crc32: string | undefined;
  rows: number;
  columns: ParquetColumn[];
  /** Rows of each part; empty when it has one. */
  parts: FileRange[];
  /** Why some of its rows go aside. */
  misfits: readonly Misfit[];
}

/** What is wrong with values of a column. */
export interface Misfit {
  column: string;
  kind: 'missing' | 'type' | 'utf8';
  /** A condition that rows with such a value meet. */
  sql: string;
}

export interface ParquetLook {
  files: ParquetFile[];
  problems: FileProblem[];
  /** By name, in the order in which they come. */
  types: Map<string, LogicalType>;
}

/** What a column has to be. */
export interface ParquetContract {
  /** What is loaded has these. */
  known: ReadonlyMap<string, LogicalType>;
  pinned: Readonly<Record<string, string>>;
  /** Whether a column is read; nothing is asked of others. */
  reads: (name: string) => boolean;
  /** Columns that have to have a value. */
  key: readonly string[];
}

/** Objects that are brought together. */
const TOGETHER = 8;

/** Each in its turn: a file that does not fit what is known by then is a problem, and leaves no trace in the types. */
export async function lookAtParquet(
  files: readonly FoundFile[],
  contract: ParquetContract,
  place: ParquetPlace,
): Promise<ParquetLook> {
  const found: ParquetLook = { files: [], problems: [], types: new Map(contract.known) };
  const { storage, signal } = place;
  for (let at = 0; at < files.length; at += TOGETHER) {
    const some = files.slice(at, at + TOGETHER);
    const plain = some.map(({ key }) => key).filter((key) => !place.tables.isPacked(key));
    const copies = await storage.fetch(plain, signal);
    try {
      for (const file of some) {
        try {
          await lookAt(file, { contract, place, found });
        } catch (error) {
          found.problems.push({ file, error: problemOf(error) });
        }
      }
    } finally {
      copies.release();
    }
  }
  return found;
}

async function lookAt(
  file: FoundFile,
  looking: { contract: ParquetContract; place: ParquetPlace; found: ParquetLook },
): Promise<void> {
  const { tables, signal } = looking.place;
  if (!tables.isPacked(file.key)) return lookAtOne(file, looking);
  const copies = await tables.fetch([file.key], signal);
  try {
    await lookAtOne(file, looking);
  } finally {
    copies.release();
  }
}

async function lookAtOne(
  file: FoundFile,
  { contract, place, found }: { contract: ParquetContract; place: ParquetPlace; found: ParquetLook },
): Promise<void> {
  const { key } = file;
  const looked = await footerOf(file, place);
  const types = new Map(found.types);
  const misfits: string[] = [];
  for (const column of looked.columns) {
    if (!contract.reads(column.name)) {
      const type = types.get(column.name) ?? column.type;
      if (type) types.set(column.name, type);
      continue;
    }
    if (column.tooManyDigits !== undefined) {
      misfits.push(
        `"${column.name}" has decimals of ${column.tooManyDigits} digits, and 38 are the most that can be read`,
      );
      continue;
    }
    const pinned = Object.hasOwn(contract.pinned, column.name) ? contract.pinned[column.name] : undefined;
    const next =
      pinned === undefined ? followed(column, types.get(column.name)) : { type: forcedType(pinned) };
    if ('misfit' in next) misfits.push(next.misfit);
    else if (next.type && !readAs(column, next.type))
      misfits.push(`"${column.name}" is ${column.native} and cannot be read as ${renderType(next.type)}`);
    else if (next.type) types.set(column.name, next.type);
  }
  if (misfits.length > 0) throw misfit(key, misfits);
  const bad = await checkValues(looked, { types, contract, place });
  for (const [name, type] of types) found.types.set(name, type);
  found.files.push({ ...looked, misfits: bad });
}

/** The name of a file in FROM. */
export function scanOf(tables: UnpackedTables, key: string): string {
  return `read_parquet(${pathOf(tables, key)}, hive_partitioning = false)`;
}

function pathOf(tables: UnpackedTables, key: string): string {
  return duckText(literalPattern(tables.localPath(key)));
}

async function footerOf(file: FoundFile, place: ParquetPlace): Promise<Omit<ParquetFile, 'misfits'>> {
  const { tables, engine, signal, partBytes } = place;
  const path = pathOf(tables, file.key);
  const packed = tables.isPacked(file.key);
  // Of those on S3 there is a copy by now.
  const checksum = packed
    ? await checksumOf(file, place)
    : await fileChecksum(tables.localPath(file.key), signal);
  return readable(file.key, async () => {
    const described = await engine.rows(
      `SELECT '=' || column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${scanOf(tables, file.key)})`,
      signal,
    );
    const elements = await engine.rows(
      `SELECT type, logical_type AS logical, precision::DOUBLE AS digits, num_children AS children FROM parquet_schema(${path})`,
      signal,
    );
    const groups = await engine.rows(
      `SELECT row_group_id AS id, any_value(row_group_num_rows)::DOUBLE AS rows, sum(total_compressed_size)::DOUBLE AS bytes
       FROM parquet_metadata(${path}) GROUP BY ALL ORDER BY id`,
      signal,
    );
    const footers = byColumn(elements);
    const columns = described.map(({ name, type }, i) =>
      parquetColumn(String(name).slice(1), String(type), footers[i] ?? []),
    );
    const sizes = groups.map(({ rows, bytes }) => ({ rows: Number(rows), bytes: Number(bytes) }));
    const rows = sizes.reduce((all, group) => all + group.rows, 0);
    // Rows go by a number that such a column would hide.
    const whole = packed || columns.some(({ name }) => name.toLowerCase() === ROW_NUMBER);
    const cuts = whole ? [] : partsOf(sizes, partBytes);
    return { file, crc32: checksum, rows, columns, parts: cuts };
  });
}

export const ROW_NUMBER = 'file_row_number';

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The columns, each with what is within it, without the root. */
function byColumn(elements: readonly Record<string, unknown>[]): FooterElement[][] {
  const columns: FooterElement[][] = [];
  for (let at = 1; at < elements.length;) {
    const column: FooterElement[] = [];
    columns.push(column);
    // Each element is followed by what it has.
    for (let open = 1; open > 0 && at < elements.length; at++) {
      const { type, logical, digits, children } = elements[at]!;
      column.push({
        type: textOf(type),
        logical: textOf(logical),
        digits: typeof digits === 'number' ? digits : undefined,
      });
      open += Number(children ?? 0) - 1;
    }
  }
  return columns;
}

function partsOf(groups: readonly { rows: number; bytes: number }[], partBytes: number): FileRange[] {
  const parts: FileRange[] = [];
  let from = 0;
  let to = 0;
  let bytes = 0;
  for (const [i, group] of groups.entries()) {
    to += group.rows;
    bytes += group.bytes;
    if (bytes < partBytes && i < groups.length - 1) continue;
    parts.push({ from, to, line: from + 1 });
    from = to;
    bytes = 0;
  }
  return parts.length > 1 ? parts : [];
}

/** Reads all of a file once, so that what cannot be read is known before any of it is loaded. */
async function checkValues(
  { file: { key: path }, columns, rows }: Omit<ParquetFile, 'misfits'>,
  {
    types,
    contract: { reads, key },
    place,
  }: { types: ReadonlyMap<string, LogicalType>; contract: ParquetContract; place: ParquetPlace },
): Promise<Misfit[]> {
  const { tables, engine, signal } = place;
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0 && rows > 0)
    throw misfit(path, [`it has no "${missing.join('", "')}", which is of the key`]);
  const checks = columns
    .filter(({ name }) => reads(name))
    .flatMap((column) => checksOf(column, types.get(column.name), key));
  const list = [
    'count(*)::DOUBLE AS n',
    // Values that nobody looks at would not be read.
    `bit_xor(hash(${columns.map(({ name }) => duckName(name)).join(', ')})) IS NULL AS h`,
    ...checks.map(({ sql }, i) => `count(*) FILTER (WHERE ${sql})::DOUBLE AS c${i}`),
  ];
  const [row] = await readable(path, () =>
    engine.rows(`SELECT ${list.join(', ')} FROM ${scanOf(tables, path)}`, signal),
  );
  if (Number(row!['n']) !== rows) throw unsound(new Error('rows are missing'), path, 'parquet');
  return checks.filter((_, i) => Number(row![`c${i}`]) > 0);
}

function checksOf(column: ParquetColumn, type: LogicalType | undefined, key: readonly string[]): Misfit[] {
  const { name } = column;
  const loss = type && lossOf(column, type);
  const checks: Misfit[] = [];
  if (loss !== undefined)
    checks.push({ column: name, kind: column.type!.kind === 'binary' ? 'utf8' : 'type', sql: loss });
  if (key.includes(name)) checks.push({ column: name, kind: 'missing', sql: `${duckName(name)} IS NULL` });
  return checks;
}

function misfit(path: string, found: readonly string[]): DataError {
  return new DataError(`reading "${path}": ${found.join('; ')}`, {
    code: 'files.type',
    remedy:
      'write the file as the others are, pin a type with `types` that holds all values, or leave columns out with `columns: { exclude: […] }`',
    details: { file: path },
  });
}

/** Errors of an engine that reads one file. */
async function readable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw parquetError(error, path);
  }
}

/** What DuckDB says of a file that it cannot read is told by the name of that file. */
export function parquetError(error: unknown, path: string): SluiceError {
  const found = duckError(error, `reading "${path}"`);
  const broken =
    (found instanceof ConfigError && found.code === 'disk.damaged') || found instanceof InternalError;
  return broken ? unsound(found.cause ?? found, path, 'parquet') : found;
}
