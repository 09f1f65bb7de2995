/** Looking at the contracts of tables, and accepting what the source has become. What is accepted is committed with the table. */
import type { TableState } from '../core/destination.ts';
import { SchemaError } from '../core/errors.ts';
import type { ErrorInfo } from '../core/events.ts';
import type { SchemaVersion } from '../core/schema-changes.ts';
import { schemaToJson } from '../core/schema.ts';
import type { SchemaRules, StreamConfig } from '../core/stream.ts';
import type { Survey } from '../core/source.ts';
import { STRATEGIES } from '../strategies/index.ts';
import type { ProjectContext } from './context.ts';
import { planPipeline } from './plan.ts';
import { closePipeline, openPipeline, type PipelineSession, streamsOf } from './session.ts';
import { changeCheckpoint } from './state-ops.ts';
import { type Agreed, agreeOn, DEFAULT_RULES, incomingOf, usedBy } from './stream-contract.ts';
import type { StreamPlan } from './types.ts';

export interface SchemaScope {
  /** Names or wildcards of streams; all when empty. */
  select?: string[] | undefined;
}

export interface SchemaDiffOptions extends SchemaScope {
  /** As if everything were loaded again. */
  fullRefresh?: boolean | undefined;
}

/** What the table of a stream promises to its readers. */
export interface StreamSchema {
  pipeline: string;
  stream: string;
  table: string;
  rules: SchemaRules;
  /** Undefined when nothing is loaded yet, or when versions were not counted then. */
  version: number | undefined;
  loaded: boolean;
  columns: SchemaColumn[];
}

export interface SchemaColumn {
  name: string;
  type: string;
  nullable: boolean;
  key: boolean;
  /** Type in the source, where it has one. */
  native: string | undefined;
  /** Column of the source, where that is called something else. */
  source: string | undefined;
  /** The column whose type did not take the values that are here. */
  of: string | undefined;
  /** The source does not fill it any more. */
  gone: boolean;
}

/** What the next run would do to the table of a stream. */
export interface SchemaDiff {
  pipeline: string;
  stream: string;
  table: string;
  /** `stops`: the load would not begin. `failed`: it could not be found out. */
  status: 'same' | 'changes' | 'stops' | 'failed';
  /** Of `stops`, those that are known. */
  changes: string[];
  /** Columns of the source that the policy leaves out. */
  leftOut: string[];
  error: ErrorInfo | undefined;
}

export interface SchemaHistory {
  pipeline: string;
  stream: string;
  table: string;
  /** Newest first; empty where none are kept, or nothing is loaded. */
  versions: SchemaVersion[];
}

export interface AcceptedSchema {
  pipeline: string;
  stream: string;
  /** What the next run changes. */
  changes: string[];
  /** False: no run would have stopped at that, or left it out, so nothing was written. */
  accepted: boolean;
}

/** The columns of tables as they are committed. */
export async function showSchemas(
  context: ProjectContext,
  pipeline: string,
  { select }: SchemaScope = {},
): Promise<StreamSchema[]> {
  return eachStream(context, pipeline, select, ({ name, table, schema }, state) => ({
    pipeline,
    stream: name,
    table,
    rules: schema ?? DEFAULT_RULES,
    version: state?.schemas?.at(-1)?.version,
    loaded: state !== undefined,
    columns: state ? columnsOf(state) : [],
  }));
}

function columnsOf({ schema }: TableState): SchemaColumn[] {
  return schemaToJson(schema).fields.map(({ name, type, nullable, native, source, of, gone }) => ({
    name,
    type,
    nullable,
    key: schema.key.includes(name),
    native,
    source,
    of,
    gone: gone === true,
  }));
}

export async function schemaHistory(
  context: ProjectContext,
  pipeline: string,
  { select }: SchemaScope = {},
): Promise<SchemaHistory[]> {
  return eachStream(context, pipeline, select, ({ name, table }, state) => ({
    pipeline,
    stream: name,
    table,
    versions: (state?.schemas ?? []).toReversed(),
  }));
}

/** What a plan says of the columns. */
export async function diffSchemas(
  context: ProjectContext,
  pipeline: string,
  { select, fullRefresh }: SchemaDiffOptions = {},
): Promise<SchemaDiff[]> {
  const { streams } = await planPipeline(context, pipeline, { select, fullRefresh });
  return streams.map((plan) => ({ pipeline, ...diffOf(plan) }));
}

function diffOf({
  stream,
  target: table,
  changes,
  leftOut,
  error,
}: StreamPlan): Omit<SchemaDiff, 'pipeline'> {
  const same = changes.length + leftOut.length === 0;
  const status = error ? (error.recovery === 'schema' ? 'stops' : 'failed') : same ? 'same' : 'changes';
  return { stream: stream.name, table, status, changes, leftOut, error };
}

/**
 * Lets the next load take the columns and types that the source has now, where the policy of the stream would stop it or leave
 * some out. It holds for just these: when the source has changed once more by then, the load stops as it would have.
 */
export async function acceptSchema(
  context: ProjectContext,
  pipeline: string,
  name: string,
  { fullRefresh = false }: { fullRefresh?: boolean | undefined } = {},
): Promise<AcceptedSchema> {
  let outcome: AcceptedSchema | undefined;
  await changeCheckpoint({ context, pipeline, name }, async (session, stream, state) => {
    const fresh = fullRefresh || state.checkpoint?.reload === true;
    const before = fresh ? undefined : state.checkpoint;
    return surveyed(session, async (look) => {
      const survey = await look(stream, before);
      const { accepted: _, ...checkpoint } = state.checkpoint ?? { cursor: stream.cursor };
      const hold = (table: TableState): Promise<Agreed> =>
        agreeOn({ stream, survey, table, ...looking(stream, fresh), look: (as) => look(as, before) });
      const plain = await hold({ ...state, checkpoint }).catch((error: unknown) => {
        if (error instanceof SchemaError) return undefined;
        throw error;
      });
      if (plain && plain.contract.detours.without.length === 0) {
        outcome = { pipeline, stream: stream.name, changes: plain.changes, accepted: false };
        return state.checkpoint ?? checkpoint;
      }
      const pinned = { ...checkpoint, accepted: schemaToJson(incomingOf(stream, survey, state)) };
      const { changes } = await hold({ ...state, checkpoint: pinned });
      outcome = { pipeline, stream: stream.name, changes, accepted: true };
      return pinned;
    });
  });
  return outcome!;
}

function looking({ load }: StreamConfig, fresh: boolean): { fresh: boolean; keeps: boolean } {
  const keeps = STRATEGIES[load].history === 'versions';
  return { fresh: fresh && !keeps, keeps };
}

type Look = (stream: StreamConfig, before: TableState['checkpoint']) => Promise<Survey>;

async function surveyed<T>(
  { source, destination, accepts }: PipelineSession,
  work: (look: Look) => Promise<T>,
): Promise<T> {
  const signal = new AbortController().signal;
  const snapshot = await source.open(signal, accepts);
  try {
    return await work(async (stream, before) =>
      usedBy(destination, await snapshot.survey(stream, before, {}, signal)),
    );
  } finally {
    await snapshot.close();
  }
}

async function eachStream<T>(
  context: ProjectContext,
  pipeline: string,
  select: string[] | undefined,
  show: (stream: StreamConfig, state: TableState | undefined) => T,
): Promise<T[]> {
  const signal = new AbortController().signal;
  const session = await openPipeline(context, pipeline, {});
  try {
    const shown: T[] = [];
    for (const stream of await streamsOf(session, pipeline, { select }, signal))
      shown.push(show(stream, await session.destination.describe(stream.table, signal)));
    return shown;
  } finally {
    await closePipeline(session);
  }
}
