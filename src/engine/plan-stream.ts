/** Plans one stream: asks destination and source, then decides. Writes nothing. */
import type { Destination, TableState } from '../core/destination.ts';
import { ConfigError, TransientError } from '../core/errors.ts';
import type { Schema, SchemaJson } from '../core/schema.ts';
import type { Snapshot, Survey } from '../core/source.ts';
import { type Checkpoint, renamed, type RunWindow, type StreamConfig } from '../core/stream.ts';
import { renderType } from '../core/types.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { checkDeletes, deletesOf } from './plan-deletes.ts';
import { indexesOff } from './index-choice.ts';
import { expectedMethod } from './load-method.ts';
import { planSlices, type SlicePlan } from './plan-slices.ts';
import { agreeOn, usedBy } from './stream-contract.ts';
import type { StreamPlan } from './types.ts';

export interface StreamRequest {
  stream: StreamConfig;
  source: Snapshot;
  destination: Destination;
  window: RunWindow;
  fullRefresh: boolean;
  restart: boolean;
  keepIndexes: boolean;
  signal: AbortSignal;
}

/** A plan with all that carrying it out needs. */
export interface Planned {
  plan: StreamPlan;
  slices: SlicePlan;
  survey: Survey;
  table: TableState | undefined;
  /** What the load goes on from; undefined for first loads, full refreshes and restarts. */
  checkpoint: Checkpoint | undefined;
  schema: Schema;
  /** What the user has accepted for a load that has not come yet. */
  accepted: SchemaJson | undefined;
  /** What is there is replaced in one step. */
  fullRefresh: boolean;
}

export async function planStream(request: StreamRequest): Promise<Planned> {
  const { stream, source, destination, signal } = request;
  checkReplay(request);
  const table = await destination.describe(stream.table, signal);
  checkOwner(stream, table);
  const keeps = STRATEGIES[stream.load].history === 'versions';
  checkVersions(stream, table, keeps);
  const reload = request.fullRefresh || table?.checkpoint?.reload === true;
  // What was put aside is no part of what takes the place of everything.
  const fullRefresh = reload && request.window.replay === undefined;
  const committed = fullRefresh ? undefined : table?.checkpoint;
  // A version cannot begin before the one that it follows.
  const earlier = keeps ? table?.checkpoint : committed;
  if (earlier?.readAt !== undefined && newer(earlier.readAt, source.at)) {
    throw new TransientError(`planning ${stream.name}: another run has read a later moment`, {
      code: 'engine.old_snapshot',
      remedy: `run again; if it stays, the source's clock went back or another server answers: ${keeps ? `wait until its clock is past ${earlier.readAt}` : 'load it once with --full-refresh'}`,
    });
  }
  const look = async (as: StreamConfig): Promise<Survey> => {
    const window = fullRefresh ? { ...request.window, atOnce: true } : request.window;
    const survey = await source.survey(as, committed, window, signal);
    return usedBy(destination, survey);
  };
  const found = await look(request.stream);
  const misfit = STRATEGIES[stream.load].misfit(stream, found.schema);
  if (misfit !== undefined)
    throw new ConfigError(`planning ${stream.name}: ${misfit}`, {
      code: 'stream.strategy',
      remedy: 'give the stream what is missing, or another `load`',
    });
  checkPartition(stream, found.schema);
  checkDeletes(stream, source, destination);
  const { window, restart } = request;
  const cut = (survey: Survey): SlicePlan =>
    planSlices({ stream, survey, checkpoint: committed, window, fullRefresh, restart });
  const fresh = !keeps && (fullRefresh || cut(found).restart);
  const there = destination.separate ? undefined : table;
  const agreed = await agreeOn({ stream, survey: found, table: there, fresh, keeps, look });
  const { survey, changes } = agreed;
  const slices = cut(survey);
  const rows = estimate(slices, survey);
  const plan: StreamPlan = {
    stream: agreed.stream,
    action: slices.action,
    window: slices.window,
    slices: slices.slices,
    estimatedRows: rows,
    estimatedBytes: survey.estimatedBytes,
    changes,
    columns: agreed.contract.schema.fields.map(({ name, type }) => ({ name, type: renderType(type) })),
    columnsFound: stream.files !== undefined || survey.fetched === true,
    leftOut: agreed.contract.detours.without,
    target: stream.table,
    note: survey.cursor?.note,
    notes: [...(survey.notes ?? []), ...agreed.notes],
    indexesOff: spareOf(request, { table, incoming: rows, fresh }),
    deletes: deletesOf(stream, {
      table,
      window,
      // With versions, what is read as a whole shows what is gone by itself.
      whole: fresh || (keeps && slices.whole === true),
    }),
    loadedBy: expectedMethod(stream, destination, { survey, slices: slices.slices.length, rows }),
    watermark: { before: committed?.watermark, after: undefined },
    sql: survey.sql,
  };
  return {
    plan,
    slices,
    survey,
    table,
    checkpoint: slices.restart ? undefined : committed,
    schema: agreed.contract.schema,
    accepted: agreed.accepted,
    fullRefresh,
  };
}

function checkReplay({ stream, destination, window }: StreamRequest): void {
  if (window.replay && destination.separate === true) {
    throw new ConfigError(
      `planning ${stream.name}: records in quarantine cannot be added to what a load has written`,
      {
        code: 'stream.replay',
        remedy: 'correct them in the source and run again, which writes all of it',
      },
    );
  }
}

/** How many indexes are to go; what takes the place of everything brings its own. */
function spareOf(
  { keepIndexes, stream }: StreamRequest,
  { table, incoming, fresh }: { table: TableState | undefined; incoming: number | undefined; fresh: boolean },
): number | undefined {
  if (keepIndexes || !table || fresh || STRATEGIES[stream.load].commits(stream) === 'together')
    return undefined;
  const spare = table.spareIndexes ?? 0;
  return indexesOff({ incoming, present: table.rows, spare }) ? spare : undefined;
}

/** Two streams in one table would take each other's rows for their own. */
export function checkOwner(stream: StreamConfig, table: TableState | undefined): void {
  if (!table || table.stream === stream.name) return;
  throw new ConfigError(
    `planning ${stream.name}: table "${stream.table}" holds the stream "${table.stream}"`,
    {
      code: 'stream.table_taken',
      remedy: 'give one of them another `table`',
    },
  );
}

/** Rows of a load would be taken for versions, or versions for rows; nobody gets the history back that a replaced table had. */
function checkVersions(stream: StreamConfig, table: TableState | undefined, keeps: boolean): void {
  if (!table || (table.versions === true) === keeps) return;
  const found = keeps ? 'was loaded without versions' : 'holds versions of rows';
  throw new ConfigError(`planning ${stream.name} by ${stream.load}: table "${stream.table}" ${found}`, {
    code: 'stream.history',
    remedy: 'give the stream another `table`, or drop that one',
  });
}

function checkPartition(stream: StreamConfig, schema: Schema): void {
  const by = stream.partitionBy;
  if (
    !by ||
    by.column.startsWith('_sluice_') ||
    schema.fields.some((field) => field.name === renamed(stream, by.column))
  )
    return;
  throw new ConfigError(`planning ${stream.name}: partition_by: there is no column "${by.column}"`, {
    code: 'stream.invalid',
    remedy: `there are ${schema.fields.map((field) => field.name).join(', ')}, and _sluice_loaded_at for the processing date`,
  });
}

function estimate(slices: SlicePlan, survey: Survey): number | undefined {
  if (slices.action === 'nothing-new') return 0;
  if (slices.slices.some(({ range }) => range.kind === 'quarantine'))
    return slices.slices.reduce((sum, { estimatedRows = 0 }) => sum + estimatedRows, 0);
  if (slices.action === 'load' || survey.cursor?.from !== undefined)
    return survey.cursor?.estimatedRows ?? survey.estimatedRows;
  return survey.estimatedRows;
}

/** Both are the database's own times as ISO text in UTC; fractions may have fewer digits. */
function newer(a: string, b: string): boolean {
  const plain = (text: string): string => {
    const [whole = '', fraction = ''] = text.replace(/(Z|\+00(:00)?)$/, '').split('.');
    return `${whole}.${fraction.padEnd(6, '0')}`;
  };
  return plain(a) > plain(b);
}
