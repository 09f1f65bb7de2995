/** Parts of Parquet files as batches, one file after the other. */
import type { Batch } from '../../core/batch.ts';
import { DataError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import type { BatchesReader, DecodeFacts } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { duckText, duckType } from '../../duckdb/types.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import type { DocumentFacts } from '../shared/text/text-decoder.ts';
import { unchanged } from './found-files.ts';
import { readAs } from './parquet-columns.ts';
import { parquetError, ROW_NUMBER, scanOf } from './parquet-files.ts';
import type { FilesSurvey } from './survey.ts';
import type { UnpackedTables } from './unpacked-tables.ts';

export interface ParquetJob {
  stream: string;
  survey: FilesSurvey;
  parts: readonly FilePart[];
  storage: ObjectStorage;
  tables: UnpackedTables;
  engine: SourceEngine;
  signal: AbortSignal;
}

export function readParquet(job: ParquetJob): BatchesReader {
  const own: DocumentFacts = { rows: job.parts.map(() => 0), bad: job.parts.map(() => 0) };
  const facts: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {}, quarantined: 0, own };
  let reading: AsyncGenerator<Batch> | undefined;
  async function* all(): AsyncGenerator<Batch> {
    for (const [number, part] of job.parts.entries()) {
      const reader = readPart(part, job);
      try {
        await unchanged(part, job.storage);
        yield* reader.batches();
        await unchanged(part, job.storage);
      } finally {
        await reader.close();
        const { rows, bytes } = reader.facts();
        own.rows[number] = rows;
        facts.rows += rows;
        facts.bytes += bytes;
      }
    }
  }
  return {
    format: 'batches',
    schema: job.survey.schema,
    batches: () => (reading = all()),
    facts: () => facts,
    close: async () => void (await reading?.return(undefined).catch(() => undefined)),
  };
}

function readPart(part: FilePart, { stream, survey, tables, engine, signal }: ParquetJob): BatchesReader {
  const { path } = part;
  const { parquet } = survey.layouts.get(path)!;
  const rows = part.range ? part.range.to - part.range.from : parquet!.rows;
  const asking = new AskingFiles({ storage: tables, engine }, [{ key: path }]);
  return readQuery(
    {
      stream,
      schema: survey.schema,
      sql: partSql(part, survey, tables),
      cursor: undefined,
      exact: { rows, differs: (found) => miscounted(path, found, rows) },
    },
    asking,
    signal,
    async (error) => parquetError(error, path),
  );
}

function partSql({ path, range }: FilePart, { layouts, read }: FilesSurvey, tables: UnpackedTables): string {
  const { columns: all, constants } = layouts.get(path)!.parquet!;
  const columns = new Map(all.map((column) => [column.name, column]));
  const list = read.map(({ name, type }, i) => {
    const constant = constants.get(name);
    if (constant !== undefined)
      return `CAST(${constant === null ? 'NULL' : duckText(constant)} AS ${duckType(type)}) AS c${i}`;
    const column = columns.get(name);
    return `${column ? readAs(column, type) : `CAST(NULL AS ${duckType(type)})`} AS c${i}`;
  });
  const where = range ? ` WHERE ${ROW_NUMBER} >= ${range.from} AND ${ROW_NUMBER} < ${range.to}` : '';
  return `SELECT ${list.join(', ')} FROM ${scanOf(tables, path)}${where}`;
}

function miscounted(path: string, found: number, said: number): DataError {
  return new DataError(`reading "${path}": it has ${found} rows where its footer says ${said}`, {
    code: 'files.compression',
    remedy: 'write the file again',
    details: { file: path },
  });
}
