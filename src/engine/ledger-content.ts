/** What a table says of the files that its rows are from: by their paths, or by the days of their names. */
import type { ComparedTable } from '../core/compare.ts';
import type { Destination } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { FilePart } from '../core/ledger.ts';
import type { Schema } from '../core/schema.ts';
import type { SurveyedFile } from '../core/source.ts';
import { renamed, type StreamConfig } from '../core/stream.ts';
import { compareTables } from './compare-tables.ts';
import { noFiles } from './ledger-ops.ts';

/** A file that is there. */
export interface LookedFile extends SurveyedFile {
  path: string;
  /** The first part of it that would be loaded. */
  part: FilePart;
  /** How many there are. */
  pieces: number;
}

export interface Content {
  column: string;
  /** Rows by what the column holds. */
  rows: ReadonlyMap<string, number>;
  /** Rows without a value. */
  nulls: number;
  /** What it holds of the rows of a file. */
  valueOf: (file: LookedFile) => string | undefined;
  byDay: boolean;
}

interface ContentJob {
  destination: Destination;
  stream: StreamConfig;
  looked: readonly LookedFile[];
  dateColumn: string | undefined;
  /** Of a table that nobody has loaded. */
  adopts: Schema | undefined;
  doing: string;
}

export const DAY: RegExp = /^\d{4}-\d\d-\d\d$/;

/** The day that the name of a file gives. */
export function dayOf({ named }: LookedFile): string | undefined {
  return Object.values(named).find((value) => DAY.test(value ?? '')) ?? undefined;
}

/** Undefined where no column of the table tells. */
export async function contentOf(job: ContentJob, signal: AbortSignal): Promise<Content | undefined> {
  const tables = await compareTables(job.destination, signal, job.adopts);
  try {
    const table = await tables.table(job.stream.table, signal);
    if (!table?.rows.counts) throw noFiles(job.doing, 'the destination does not show its rows');
    try {
      return await countedOf(table, job, signal);
    } finally {
      await table.close();
    }
  } finally {
    await tables.close();
  }
}

async function countedOf(
  { state, rows: compared }: ComparedTable,
  { stream, looked, dateColumn, doing }: ContentJob,
  signal: AbortSignal,
): Promise<Content | undefined> {
  const has = (column: string): boolean => state.schema.fields.some((field) => field.name === column);
  const count = async (column: string): Promise<Pick<Content, 'rows' | 'nulls'>> => {
    const all = [...(await compared.counts!(column, signal))];
    const rows = new Map(all.flatMap(([value, each]) => (value === null ? [] : [[value, each] as const])));
    return { rows, nulls: all.find(([value]) => value === null)?.[1] ?? 0 };
  };
  const fileColumn = stream.files!.fileColumn;
  if (dateColumn === undefined && fileColumn !== false && has(fileColumn))
    return { column: fileColumn, ...(await count(fileColumn)), valueOf: ({ path }) => path, byDay: false };
  const dated = looked.every((file) => dayOf(file) !== undefined);
  if (dateColumn !== undefined && !(dated && has(dateColumn))) throw noDays(dateColumn, dated, doing);
  const day = Object.keys(looked[0]?.named ?? {}).find(
    (name) => has(renamed(stream, name)) && looked.every(({ named }) => DAY.test(named[name] ?? '')),
  );
  const column = dateColumn ?? (day === undefined ? undefined : renamed(stream, day));
  if (column === undefined) return undefined;
  const counted = await count(column);
  const rows = new Map<string, number>();
  for (const [value, each] of counted.rows)
    rows.set(value.slice(0, 10), (rows.get(value.slice(0, 10)) ?? 0) + each);
  const valueOf = (file: LookedFile): string | undefined =>
    dateColumn === undefined ? (file.named[day!] ?? undefined) : dayOf(file);
  return { column, rows, nulls: counted.nulls, valueOf, byDay: true };
}

function noDays(column: string, dated: boolean, doing: string): ConfigError {
  const found = dated ? `the table has no column "${column}"` : 'not all names of its files have a date';
  return new ConfigError(`${doing}: ${found}`, {
    code: 'state.no_date_column',
    remedy: dated
      ? 'name the column of the table with the date of the names'
      : 'say with `name` where the date is, or up to which file all are loaded with --up-to',
  });
}
