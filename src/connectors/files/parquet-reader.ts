/** Parts of Parquet files as batches, one file after the other. */
import { asBytes } from '../../core/batch-wire.ts';
import { DataError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { Schema } from '../../core/schema.ts';
import type { BatchesReader, BytesReader } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { renderType } from '../../core/types.ts';
import { duckName, duckText, duckType } from '../../duckdb/types.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { faultOf, MISSING, TYPE, UTF8 } from '../shared/text/faults.ts';
import { unchanged } from './found-files.ts';
import { type ParquetDecoding, type ParquetPart, wireSchema } from './parquet-decoder.ts';
import { readAs } from './parquet-columns.ts';
import { type Misfit, parquetError, ROW_NUMBER, scanOf } from './parquet-files.ts';
import type { FilesSurvey } from './survey.ts';
import type { UnpackedTables } from './unpacked-tables.ts';

export interface ParquetJob {
  stream: string;
  survey: FilesSurvey;
  /** Where rows go that do not fit, or that the target does not take. */
  aside: Aside | undefined;
  parts: readonly FilePart[];
  storage: ObjectStorage;
  tables: UnpackedTables;
  engine: SourceEngine;
  signal: AbortSignal;
}

const DECODER = `./parquet-decoder${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;

export function readParquet(job: ParquetJob): BytesReader {
  const { schema } = job.survey;
  const found = job.parts.map((part) => ({ part, misfits: misfitsOf(part, job.survey) }));
  const misfits = columnsOf(found.flatMap((each) => each.misfits));
  const options: ParquetDecoding = {
    parts: found.map(({ part, misfits: own }) => ({
      document: part.path,
      line: part.range?.line ?? 1,
      rows: rowsOf(part, job.survey),
      why: own.map((misfit) => whyOf(misfit, schema)),
    })),
    misfits,
    aside: job.aside,
  };
  return {
    format: 'bytes',
    schema,
    decoder: { module: new URL(DECODER, import.meta.url).href, name: 'createParquetDecoder', options },
    async pump(sink, onBytes) {
      for (const { part, misfits: own } of found) {
        const reader = readPart(part, { job, misfits, own });
        try {
          await unchanged(part, job.storage);
          await asBytes(reader).pump(sink, onBytes);
          await unchanged(part, job.storage);
        } finally {
          await reader.close();
        }
      }
    },
    close: async () => {},
  };
}

function rowsOf({ path, range }: FilePart, { layouts }: FilesSurvey): number {
  return range ? range.to - range.from : layouts.get(path)!.parquet!.rows;
}

/** With the place of its column in the schema. */
type PlacedMisfit = Misfit & { index: number };

/** Nothing of columns that are not loaded. */
function misfitsOf({ path }: FilePart, { read, layouts }: FilesSurvey): PlacedMisfit[] {
  const { misfits } = layouts.get(path)!.parquet!;
  return misfits
    .map((misfit) => ({ ...misfit, index: read.findIndex(({ name }) => name === misfit.column) }))
    .filter(({ index }) => index >= 0);
}

function columnsOf(misfits: readonly PlacedMisfit[]): ParquetDecoding['misfits'] {
  if (misfits.length === 0) return undefined;
  const odd = new Map(misfits.filter(isOdd).map(({ index, kind }) => [index, kind === 'utf8']));
  return [...odd].map(([index, bytes]) => ({ index, bytes }));
}

/** Its value is there. */
function isOdd({ kind }: Misfit): boolean {
  return kind !== 'missing';
}

const FAULTS: Readonly<Record<Misfit['kind'], number>> = { missing: MISSING, type: TYPE, utf8: UTF8 };

function whyOf({ kind, index }: PlacedMisfit, { fields }: Schema): ParquetPart['why'][number] {
  const { name: column, type } = fields[index]!;
  const { code, found } = faultOf(FAULTS[kind]);
  return { column, code, reason: `${column} ${found.replace('{type}', renderType(type))}` };
}

interface PartReading {
  job: ParquetJob;
  /** Of all parts. */
  misfits: ParquetDecoding['misfits'];
  own: readonly PlacedMisfit[];
}

function readPart(part: FilePart, reading: PartReading): BatchesReader {
  const { stream, survey, tables, engine, signal } = reading.job;
  const { path } = part;
  const rows = rowsOf(part, survey);
  const schema = wireSchema(survey.schema, reading.misfits);
  const asking = new AskingFiles({ storage: tables, engine }, [{ key: path }]);
  const exact = { rows, differs: (found: number) => miscounted(path, found, rows) };
  const sql = partQuery(part, reading);
  return readQuery({ stream, schema, sql, cursor: undefined, exact }, asking, signal, async (error) =>
    parquetError(error, path),
  );
}

function partQuery({ path, range }: FilePart, { job, misfits, own }: PartReading): string {
  const { read, layouts } = job.survey;
  const { columns: all, constants } = layouts.get(path)!.parquet!;
  const columns = new Map(all.map((column) => [column.name, column]));
  const odd = new Map(own.filter(isOdd).map((misfit) => [misfit.index, misfit]));
  const list = read.map(({ name, type }, i) => {
    const constant = constants.get(name);
    if (constant !== undefined)
      return `CAST(${constant === null ? 'NULL' : duckText(constant)} AS ${duckType(type)})`;
    const column = columns.get(name);
    const value = column ? readAs(column, type)! : `CAST(NULL AS ${duckType(type)})`;
    const misfit = odd.get(i);
    return misfit ? `CASE WHEN ${misfit.sql} THEN NULL ELSE TRY(${value}) END` : value;
  });
  if (misfits) {
    const cases = own.map(({ sql }, i) => `WHEN ${sql} THEN ${i + 1}`);
    list.push(`CAST(${cases.length === 0 ? 0 : `CASE ${cases.join(' ')} ELSE 0 END`} AS SMALLINT)`);
    list.push(...misfits.map(({ index }) => textOf(odd.get(index))));
  }
  const where = range ? ` WHERE ${ROW_NUMBER} >= ${range.from} AND ${ROW_NUMBER} < ${range.to}` : '';
  const named = list.map((sql, i) => `${sql} AS c${i}`);
  return `SELECT ${named.join(', ')} FROM ${scanOf(job.tables, path)}${where}`;
}

/** Values that are none of their type. */
function textOf(misfit: Misfit | undefined): string {
  if (!misfit) return 'CAST(NULL AS VARCHAR)';
  const name = duckName(misfit.column);
  const text = misfit.kind === 'utf8' ? `'\\x' || lower(hex(${name}))` : `CAST(${name} AS VARCHAR)`;
  return `CASE WHEN ${misfit.sql} THEN ${text} END`;
}

function miscounted(path: string, found: number, said: number): DataError {
  return new DataError(`reading "${path}": it has ${found} rows where its footer says ${said}`, {
    code: 'files.compression',
    remedy: 'write the file again',
    details: { file: path },
  });
}
