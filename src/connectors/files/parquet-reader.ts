/** Parts of Parquet files as batches, one file after the other. */
import type { Batch } from '../../core/batch.ts';
import { DataError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { BatchesReader, DecodeFacts } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { duckText, duckType } from '../../duckdb/types.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import type { DocumentFacts } from '../shared/text/text-decoder.ts';
import { FittingRows } from './fitting-rows.ts';
import { unchanged } from './found-files.ts';
import { readAs } from './parquet-columns.ts';
import { parquetError, ROW_NUMBER, scanOf } from './parquet-files.ts';
import type { FilesSurvey } from './survey.ts';
import type { UnpackedTables } from './unpacked-tables.ts';

export interface ParquetJob {
  stream: string;
  survey: FilesSurvey;
  /** Where rows go that the target does not take; undefined: nobody has asked it. */
  aside: Aside | undefined;
  parts: readonly FilePart[];
  storage: ObjectStorage;
  tables: UnpackedTables;
  engine: SourceEngine;
  signal: AbortSignal;
}

export function readParquet(job: ParquetJob): BatchesReader {
  const own: DocumentFacts = { rows: job.parts.map(() => 0), bad: job.parts.map(() => 0) };
  const facts: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {}, quarantined: 0, own };
  const fitting = job.aside && new FittingRows(job.survey.schema, job.aside);
  let reading: AsyncGenerator<Batch> | undefined;
  async function* all(): AsyncGenerator<Batch> {
    for (const [number, part] of job.parts.entries()) {
      const reader = readPart(part, job);
      try {
        await unchanged(part, job.storage);
        for await (const batch of reader.batches()) {
          const { rows } = batch;
          fitting?.keep(batch, { document: part.path, line: lineOf(part) + own.rows[number]! });
          own.rows[number]! += rows;
          facts.rows += batch.rows;
          if (batch.rows > 0) yield batch;
        }
        fitting?.flush();
        await unchanged(part, job.storage);
      } finally {
        await reader.close();
        facts.bytes += reader.facts().bytes;
        const before = facts.quarantined!;
        facts.quarantined = fitting?.count ?? 0;
        facts.superseded = fitting?.superseded ?? 0;
        own.bad[number] = facts.quarantined - before;
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

/** The number of its first row, from 1. */
function lineOf({ range }: FilePart): number {
  return range?.line ?? 1;
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
