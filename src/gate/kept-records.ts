/** Reads files of quarantine: to load their records again, and for people. Rows come in the order in which they were written. */
import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import type { DuckDBBlobValue, DuckDBValue } from '@duckdb/node-api';
import type { BadRecord, KeptRecords, QuarantineFile } from '../core/quarantine.ts';
import { duckError } from '../duckdb/errors.ts';
import type { Session } from '../duckdb/session.ts';
import { duckText as text } from '../duckdb/types.ts';
import { fetchKept, type KeptPlace } from './kept-storage.ts';
import { KEPT_FORM, openDuck, withDuck } from './quarantine-session.ts';

/** A record as it was put aside. */
export interface KeptRecord extends BadRecord {
  run: string;
}

/** What files of quarantine hold. */
export interface KeptSummary {
  /** Names of what the records are from. */
  documents: number;
  /** Most frequent first. */
  reasons: { code: string; reason: string; rows: number }[];
}

/** For a row group of records, beside what an engine has anyway. */
const READING_BYTES = 192 << 20;

/** Records that are to be loaded again. */
export async function openKept(place: KeptPlace, files: readonly QuarantineFile[]): Promise<KeptRecords> {
  const documents: { document: string; form: string; lines: number[] }[] = [];
  for await (const columns of chunks(place, files, 'SELECT file, form, line::DOUBLE FROM kept')) {
    const [names, forms, lines] = columns as [string[], string[], number[]];
    for (const [i, document] of names.entries()) {
      const form = forms[i]!;
      const last = documents.at(-1);
      if (last?.document === document && last.form === form) last.lines.push(lines[i]!);
      else documents.push({ document, form, lines: [lines[i]!] });
    }
  }
  return {
    documents: documents.map((each) => ({ ...each, lines: Float64Array.from(each.lines) })),
    raw: () => rawOf(place, files),
  };
}

async function* rawOf(place: KeptPlace, files: readonly QuarantineFile[]): AsyncGenerator<Uint8Array> {
  for await (const [values] of chunks(place, files, 'SELECT raw FROM kept'))
    for (const value of values!) yield (value as DuckDBBlobValue).bytes;
}

export async function summarize(place: KeptPlace, files: readonly QuarantineFile[]): Promise<KeptSummary> {
  return withKept(place, files, 0, async (session) => {
    const ask = (sql: string): ReturnType<Session['rows']> => session.rows(sql, 'looking into quarantine');
    const [counted] = await ask('SELECT count(DISTINCT file) AS n FROM kept');
    const reasons = await ask(
      'SELECT code, reason, count(*) AS n FROM kept GROUP BY ALL ORDER BY n DESC, code, reason',
    );
    return {
      documents: Number(counted!['n']),
      reasons: reasons.map(({ code, reason, n }) => ({
        code: String(code),
        reason: String(reason),
        rows: Number(n),
      })),
    };
  });
}

export interface KeptFilter {
  /** Code of a reason. */
  code?: string | undefined;
  limit?: number | undefined;
}

export async function* readKept(
  place: KeptPlace,
  files: readonly QuarantineFile[],
  filter: KeptFilter,
): AsyncGenerator<KeptRecord> {
  const { code, limit } = filter;
  const which = code === undefined ? '' : ` WHERE code = ${text(code)}`;
  const most = limit === undefined ? '' : ` LIMIT ${limit}`;
  const sql = `SELECT run, file, line::DOUBLE, "column", code, reason, raw FROM kept${which}${most}`;
  for await (const columns of chunks(place, files, sql))
    for (const i of columns[0]!.keys()) {
      const [run, document, line, column, found, reason, raw] = columns.map((values) => values[i]);
      yield {
        run: String(run),
        document: String(document),
        line: Number(line),
        column: typeof column === 'string' ? column : undefined,
        code: String(found),
        reason: String(reason),
        ...asText((raw as DuckDBBlobValue).bytes),
      };
    }
}

/** Text as JSON can hold it. */
function asText(bytes: Uint8Array): Pick<BadRecord, 'raw' | 'base64'> {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(raw) ? { raw: raw.toString('utf8') } : { raw: raw.toString('base64'), base64: true };
}

/** Files, and what is in them when they are archives. */
export interface ReplacedFiles {
  files: readonly string[];
  /** Files whose names look as if they were in one of these archives. */
  others: readonly string[];
}

/** Writes the records that are of none of the `replaced` files to another one; how many there are. */
export async function writeOthers(
  place: KeptPlace,
  file: QuarantineFile,
  { replaced, to }: { replaced: ReplacedFiles; to: string },
): Promise<number> {
  const gone = replaced.files.map((each) => `file = ${text(each)} OR starts_with(file, ${text(`${each}/`)})`);
  const known = replaced.others.map((each) => `file = ${text(each)}`);
  const others = `kept WHERE ${[`NOT (${gone.join(' OR ')})`, ...known].join(' OR ')}`;
  return withKept(place, [file], READING_BYTES, async (session) => {
    const [counted] = await session.rows(`SELECT count(*) AS n FROM ${others}`, 'looking into quarantine');
    const rows = Number(counted!['n']);
    if (rows > 0 && rows < file.rows)
      await session.run(
        `COPY (SELECT * FROM ${others}) TO ${text(to)} (${KEPT_FORM})`,
        'writing records to quarantine',
      );
    return rows;
  });
}

const EXPORTS = { csv: 'FORMAT csv, HEADER', jsonl: 'FORMAT json', parquet: 'FORMAT parquet' } as const;
export type ExportFormat = keyof typeof EXPORTS;

/** By the ending of the name. */
export function exportFormat(file: string): ExportFormat | undefined {
  const ending = path.extname(file).slice(1).toLowerCase();
  return Object.hasOwn(EXPORTS, ending) ? (ending as ExportFormat) : undefined;
}

/** Writes all records to a file; those that are no UTF-8 have `\xE9` for the bytes that are none in text formats. */
export async function exportKept(
  place: KeptPlace,
  files: readonly QuarantineFile[],
  target: { file: string; format: ExportFormat },
): Promise<void> {
  const { file, format } = target;
  const raw = format === 'parquet' ? 'raw' : 'coalesce(try(decode(raw)), raw::VARCHAR) AS raw';
  const sql = `COPY (SELECT stream, run, file, line, "column", code, reason, ${raw} FROM kept)
    TO ${text(file)} (${EXPORTS[format]})`;
  await withKept(place, files, READING_BYTES, (session) => session.run(sql, `writing "${file}"`));
}

/** An engine with the records of files as a view, `kept`. */
async function withKept<T>(
  place: KeptPlace,
  files: readonly QuarantineFile[],
  moreBytes: number,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const copies = await fetchKept(
    place.storage,
    files.map(({ file }) => file),
  );
  try {
    return await withDuck(place.scratch, moreBytes, async (session) => {
      await session.run(viewOf(copies.paths), 'looking into quarantine');
      return work(session);
    });
  } finally {
    copies.release();
  }
}

function viewOf(paths: readonly string[]): string {
  return `CREATE TEMP VIEW kept AS FROM read_parquet([${paths.map(text).join(', ')}])`;
}

/** The columns of a result, some rows at a time. */
async function* chunks(
  place: KeptPlace,
  files: readonly QuarantineFile[],
  sql: string,
): AsyncGenerator<DuckDBValue[][]> {
  const copies = await fetchKept(
    place.storage,
    files.map(({ file }) => file),
  );
  const session = await openDuck(place.scratch, READING_BYTES);
  try {
    await session.run(viewOf(copies.paths), 'looking into quarantine');
    for await (const chunk of await session.connection.stream(sql)) {
      const columns: DuckDBValue[][] = [];
      for (let c = 0; c < chunk.columnCount; c++) columns.push(chunk.getColumnValues(c));
      if (chunk.rowCount > 0) yield columns;
    }
  } catch (error) {
    throw duckError(error, 'looking into quarantine');
  } finally {
    session.close();
    copies.release();
  }
}
