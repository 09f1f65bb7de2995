/** Parts of Parquet files as batches, one file after the other. */
import { Batch } from '../../core/batch.ts';
import { DataError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import type { Aside } from '../../core/quarantine.ts';
import type { Field, Schema } from '../../core/schema.ts';
import type { BatchesReader, DecodeFacts } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { renderType } from '../../core/types.ts';
import { duckName, duckText, duckType } from '../../duckdb/types.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { AskingFiles } from '../shared/duckdb/asking-files.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { faultOf, MISSING, TYPE } from '../shared/text/faults.ts';
import type { DocumentFacts } from '../shared/text/text-decoder.ts';
import { FittingRows, type Misfits } from './fitting-rows.ts';
import { unchanged } from './found-files.ts';
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

export function readParquet(job: ParquetJob): BatchesReader {
  const own: DocumentFacts = { rows: job.parts.map(() => 0), bad: job.parts.map(() => 0) };
  const facts: DecodeFacts = { rows: 0, bytes: 0, high: undefined, coerced: {}, quarantined: 0, own };
  const { schema } = job.survey;
  const fitting = new FittingRows(schema, job.aside);
  let reading: AsyncGenerator<Batch> | undefined;
  async function* all(): AsyncGenerator<Batch> {
    for (const [number, part] of job.parts.entries()) {
      const query = partQuery(part, job.survey, job.tables);
      const reader = readPart(part, query, job);
      try {
        await unchanged(part, job.storage);
        for await (const read of reader.batches()) {
          const { rows } = read;
          const { batch, misfits } = splitBatch(read, query, schema);
          fitting.keep(batch, { document: part.path, line: lineOf(part) + own.rows[number]!, misfits });
          own.rows[number]! += rows;
          facts.rows += batch.rows;
          if (batch.rows > 0) yield batch;
        }
        fitting.flush();
        await unchanged(part, job.storage);
      } finally {
        await reader.close();
        facts.bytes += reader.facts().bytes;
        const before = facts.quarantined!;
        facts.quarantined = fitting.count;
        facts.superseded = fitting.superseded;
        own.bad[number] = facts.quarantined - before;
      }
    }
  }
  return {
    format: 'batches',
    schema,
    batches: () => (reading = all()),
    facts: () => facts,
    close: async () => void (await reading?.return(undefined).catch(() => undefined)),
  };
}

/** The number of its first row, from 1. */
function lineOf({ range }: FilePart): number {
  return range?.line ?? 1;
}

/** What is read of a part: the columns of the schema, and behind them, when some of its rows do not fit, a number and texts. */
interface PartQuery {
  sql: string;
  schema: Schema;
  misfits: readonly PlacedMisfit[];
}

interface PlacedMisfit extends Misfit {
  /** Of its column in the schema. */
  index: number;
  why: Misfits['why'][number];
}

function readPart(part: FilePart, { sql, schema }: PartQuery, job: ParquetJob): BatchesReader {
  const { stream, survey, tables, engine, signal } = job;
  const { path } = part;
  const rows = part.range ? part.range.to - part.range.from : survey.layouts.get(path)!.parquet!.rows;
  const asking = new AskingFiles({ storage: tables, engine }, [{ key: path }]);
  const exact = { rows, differs: (found: number) => miscounted(path, found, rows) };
  return readQuery({ stream, schema, sql, cursor: undefined, exact }, asking, signal, async (error) =>
    parquetError(error, path),
  );
}

function partQuery({ path, range }: FilePart, survey: FilesSurvey, tables: UnpackedTables): PartQuery {
  const { read, schema } = survey;
  const { columns: all, constants, misfits: found } = survey.layouts.get(path)!.parquet!;
  const columns = new Map(all.map((column) => [column.name, column]));
  const misfits = found.flatMap((misfit) => placed(misfit, survey));
  const typed = misfits.filter(({ kind }) => kind === 'type');
  const list = read.map(({ name, type }, i) => {
    const constant = constants.get(name);
    if (constant !== undefined)
      return `CAST(${constant === null ? 'NULL' : duckText(constant)} AS ${duckType(type)})`;
    const column = columns.get(name);
    const value = column ? readAs(column, type)! : `CAST(NULL AS ${duckType(type)})`;
    const misfit = typed.find(({ index }) => index === i);
    return misfit ? `CASE WHEN ${misfit.sql} THEN NULL ELSE TRY(${value}) END` : value;
  });
  const more: Field[] = [];
  if (misfits.length > 0) {
    const cases = misfits.map(({ sql }, i) => `WHEN ${sql} THEN ${i + 1}`);
    list.push(`CAST(CASE ${cases.join(' ')} ELSE 0 END AS SMALLINT)`);
    list.push(
      ...typed.map(({ sql, column }) => `CASE WHEN ${sql} THEN CAST(${duckName(column)} AS VARCHAR) END`),
    );
    more.push({ name: 'misfit', type: { kind: 'int16' }, nullable: false });
    more.push(...typed.map(({ column: name }): Field => ({ name, type: { kind: 'utf8' }, nullable: true })));
  }
  const where = range ? ` WHERE ${ROW_NUMBER} >= ${range.from} AND ${ROW_NUMBER} < ${range.to}` : '';
  const named = list.map((sql, i) => `${sql} AS c${i}`);
  return {
    sql: `SELECT ${named.join(', ')} FROM ${scanOf(tables, path)}${where}`,
    schema: { ...schema, fields: [...schema.fields, ...more] },
    misfits,
  };
}

/** Nothing, where the column is not loaded. */
function placed(misfit: Misfit, { read, schema }: FilesSurvey): PlacedMisfit[] {
  const index = read.findIndex(({ name }) => name === misfit.column);
  if (index < 0) return [];
  const { name: column, type } = schema.fields[index]!;
  const { code, found } = faultOf(misfit.kind === 'missing' ? MISSING : TYPE);
  const reason = `${column} ${found.replace('{type}', renderType(type))}`;
  return [{ ...misfit, index, why: { column, code, reason } }];
}

function splitBatch(
  read: Batch,
  { misfits }: PartQuery,
  schema: Schema,
): { batch: Batch; misfits: Misfits | undefined } {
  if (misfits.length === 0) return { batch: read, misfits: undefined };
  const width = schema.fields.length;
  const batch = new Batch(schema, read.capacity, read.columns.slice(0, width));
  batch.rows = read.rows;
  const typed = misfits.filter(({ kind }) => kind === 'type');
  const texts = new Map(typed.map(({ index }, i) => [index, read.columns[width + 1 + i]!]));
  return { batch, misfits: { numbers: read.columns[width]!, why: misfits.map(({ why }) => why), texts } };
}

function miscounted(path: string, found: number, said: number): DataError {
  return new DataError(`reading "${path}": it has ${found} rows where its footer says ${said}`, {
    code: 'files.compression',
    remedy: 'write the file again',
    details: { file: path },
  });
}
