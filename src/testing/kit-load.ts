/** What the checks of a destination have in common: schemas, readers, and one load from plan to commit. */
import type { Batch } from '../core/batch.ts';
import type {
  Destination,
  Load,
  StageOptions,
  Supersede,
  TableSpec,
  TableWriter,
} from '../core/destination.ts';
import type { Schema } from '../core/schema.ts';
import type { BatchesReader, DecodeFacts } from '../core/source.ts';
import type { Checkpoint, Slice } from '../core/stream.ts';
import { parseType } from '../core/types.ts';
import { type Cell, toBatch } from './batch-rows.ts';

/** `id int64, label utf8 null`; the first column is the key unless `key` says otherwise. */
export function schemaOf(columns: string, key?: string[]): Schema {
  const fields = columns.split(/, (?![^(]*\))/).map((column) => {
    const [, name, type, nullable] = /^(\S+) (\S+)( null)?$/.exec(column)!;
    return { name: name!, type: parseType(type!)!, nullable: nullable !== undefined };
  });
  return { fields, key: key ?? [fields[0]!.name] };
}

/** The table that most checks load. */
export const PEOPLE: Schema = schemaOf('id int64, name utf8 null, age int32 null');

export interface ReaderOptions {
  /** Rows of one batch. */
  batchRows?: number;
  /** Thrown in the place of the end. */
  failWith?: Error;
  /** Called after the last row; the reader ends when it is fulfilled. */
  before?: () => Promise<void>;
}

/** A reader that fills one batch again and again, as decoders do. */
export function rowsReader(
  schema: Schema,
  rows: readonly Cell[][],
  options: ReaderOptions = {},
): BatchesReader {
  const { batchRows = 1000, failWith, before } = options;
  const facts: DecodeFacts = { rows: rows.length, bytes: rows.length, high: undefined, coerced: {} };
  return {
    format: 'batches',
    schema,
    async *batches() {
      let batch: Batch | undefined;
      for (let from = 0; from < rows.length; from += batchRows) {
        batch = toBatch(schema, rows.slice(from, from + batchRows), batch);
        yield batch;
      }
      await before?.();
      if (failWith) throw failWith;
    },
    facts: () => facts,
    close: async () => {},
  };
}

export interface LoadPlan {
  rows: readonly Cell[][];
  /** That of {@link PEOPLE} unless told, or of the rows when they lack columns of the table. */
  schema?: Schema;
  readerSchema?: Schema;
  supersede?: Supersede;
  /** For `supersede` of the kind `groups`: values of its columns. */
  groups?: readonly Cell[][];
  /** The rows may have been loaded before: compare them. */
  overlap?: boolean;
  /** It is committed with others. */
  together?: boolean;
  fence?: number;
  checkpoint?: Checkpoint;
  slice?: string;
  /** For `supersede` of the kind `versions`. */
  history?: TableSpec['history'];
  /** A new one when absent. */
  loadedAt?: string;
}

let moments = 0;

/** A moment of the source that is later than all before. */
export function nextMoment(): string {
  return `2026-07-24 00:00:00.${String(++moments).padStart(6, '0')}+00`;
}

/** A moment as batch-rows.ts writes it; NULL when there is none. */
export function microseconds(moment: string | undefined): Cell {
  if (moment === undefined) return null;
  const [, second, fraction = ''] = /^(.{19})(?:\.(\d+))?\+00$/.exec(moment)!;
  return String(Date.parse(`${second!}Z`) * 1000 + Number(fraction.padEnd(6, '0')));
}

export function sliceOf(id: string, overlap: boolean = false): Slice {
  return { id, range: { kind: 'all' }, overlap };
}

export async function openWriter(
  destination: Destination,
  table: string,
  more: Partial<TableSpec> = {},
): Promise<TableWriter> {
  const signal = new AbortController().signal;
  const state = await destination.describe(table, signal);
  const spec: TableSpec = {
    table,
    stream: `stream of ${table}`,
    schema: PEOPLE,
    partitionBy: undefined,
    run: 'run of the kit',
    fence: (state?.fence ?? 0) + 1,
    expectedVersion: state?.version ?? 0,
    loadedAt: nextMoment(),
    operation: state ? 'upsert' : 'snapshot',
    history: 'loads',
    structure: undefined,
    ...more,
  };
  return destination.openTable(spec, signal);
}

/** A load that takes the place of nothing and is committed by itself. */
export const STAGE_ALL: StageOptions = {
  distinct: undefined,
  supersede: { kind: 'nothing' },
  together: false,
  onRows: () => undefined,
};

function onlyColumns({ fields }: Schema, names: readonly string[]): Schema {
  return { fields: fields.filter(({ name }) => names.includes(name)), key: [...names] };
}

export async function stage(writer: TableWriter, plan: LoadPlan): Promise<Load> {
  const schema = plan.schema ?? PEOPLE;
  const distinct = plan.overlap === true ? { key: [...schema.key], cursor: [], from: undefined } : undefined;
  const own = rowsReader(plan.readerSchema ?? schema, plan.rows);
  const { supersede, groups = [] } = plan;
  const named =
    supersede?.kind === 'groups' ? rowsReader(onlyColumns(schema, supersede.columns), groups) : undefined;
  const reader = named ? { ...own, groups: named } : own;
  return writer.stage(
    sliceOf(plan.slice ?? 'all', plan.overlap ?? false),
    reader,
    {
      ...STAGE_ALL,
      distinct,
      together: plan.together ?? false,
      ...(plan.supersede && { supersede: plan.supersede }),
    },
    new AbortController().signal,
  );
}

/** One load as the engine makes it; returns how many rows became visible. */
export async function load(destination: Destination, table: string, plan: LoadPlan): Promise<number> {
  const writer = await openWriter(destination, table, {
    schema: plan.schema ?? PEOPLE,
    ...(plan.fence !== undefined && { fence: plan.fence }),
    ...(plan.history !== undefined && { history: plan.history }),
    ...(plan.loadedAt !== undefined && { loadedAt: plan.loadedAt }),
  });
  try {
    const staged = await stage(writer, plan);
    await writer.commit(
      [staged],
      plan.supersede ?? { kind: 'nothing' },
      plan.checkpoint ?? { cursor: [], readAt: nextMoment() },
    );
    return staged.rows;
  } finally {
    await writer.close();
  }
}
