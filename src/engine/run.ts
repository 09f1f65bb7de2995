/**
 * Runs a pipeline: leases → snapshot → plan → load, stream by stream. In: a checked project. Out: a report; it throws only
 * when nothing could be started at all. Streams do not fail each other.
 */
import { randomBytes } from 'node:crypto';
import { asSluiceError, CancelledError } from '../core/errors.ts';
import type { TableState } from '../core/destination.ts';
import type { Listener, LoadVerification } from '../core/events.ts';
import type { StateStore } from '../core/state.ts';
import type { StreamConfig } from '../core/stream.ts';
import type { KeptHome } from '../gate/kept-storage.ts';
import { openQuarantine, openState, type ProjectContext } from './context.ts';
import { LoadCounts } from './count-load.ts';
import { translateForeignKeys } from './foreign-keys.ts';
import { Journal } from './journal.ts';
import { type HeldStream, holdStream } from './held-stream.ts';
import type { HeldLease } from './leases.ts';
import { inOrder } from './load-order.ts';
import { tellNoChoice } from './load-method.ts';
import { loadStream } from './load-stream.ts';
import { inParallel } from './parallel.ts';
import { planStream } from './plan-stream.ts';
import { restoreParts } from './restore.ts';
import { inRounds, type Round } from './rounds.ts';
import { type Attempt, DEFAULT_RETRY, withRetry } from './retry.ts';
import { Slots } from './slots.ts';
import { chooseStreams, closePipeline, openPipeline, type PipelineSession } from './session.ts';
import { SharedSnapshot } from './shared-snapshot.ts';
import { reportedOf, telling, warn, warnLeftOut } from './stream-warnings.ts';
import { emptyTotals, failedStream, outcomeOf, statusOf } from './stream-report.ts';
import type { RunOptions, RunReport, StreamReport } from './types.ts';
import { type LoadedStream, loadDiffers, verifyLoad } from './verify-load.ts';

interface Run {
  id: string;
  pipeline: string;
  session: PipelineSession;
  state: StateStore;
  snapshot: SharedSnapshot;
  /** All of the pipeline, also those that were not selected: foreign keys may refer to them. */
  all: StreamConfig[];
  slots: Slots;
  options: RunOptions;
  quarantine: KeptHome;
  signal: AbortSignal;
  emit: Listener;
  /** Attempts made again that belong to no stream. */
  retries: number;
}

export async function runPipeline(
  context: ProjectContext,
  pipeline: string,
  options: RunOptions,
): Promise<RunReport> {
  const started = performance.now();
  const startedAt = new Date().toISOString();
  const signal = options.signal ?? new AbortController().signal;
  const id = `${startedAt.slice(0, 19)}Z-${randomBytes(3).toString('hex')}`;
  const session = await openPipeline(context, pipeline, options);
  let state: StateStore | undefined;
  const snapshot = new SharedSnapshot(session.source, session.accepts);
  try {
    state = await openState(context);
    const { onEvent } = options;
    const { project } = context;
    const { aside } = session;
    const record = { run: id, pipeline, shadow: aside !== '', startedAt };
    const journal = new Journal({ ...record, project, state, signal, onEvent });
    const { emit } = journal;
    const slots = slotsOf(session, emit);
    const run: Run = {
      id,
      pipeline,
      session,
      state,
      snapshot,
      all: [],
      slots,
      options,
      quarantine: await openQuarantine(context, session.config.to, aside),
      signal,
      emit,
      retries: 0,
    };
    const chosen = await chooseOrTell(run, journal);
    const configs = chosen.streams;
    run.all = chosen.all;
    emit({
      kind: 'run-started',
      run: id,
      pipeline,
      from: session.config.from,
      to: session.config.to,
      streams: configs.length,
      at: startedAt,
    });
    await journal.begin();
    tellNoChoice(session, options, emit);
    const streams = await loadAll(run, configs);
    // Whoever is told may take a while to answer: the source's snapshot need not wait for that.
    await snapshot.close();
    const report: RunReport = {
      run: id,
      pipeline,
      from: session.config.from,
      to: session.config.to,
      status: statusOf(streams),
      startedAt,
      seconds: (performance.now() - started) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      retries: streams.reduce((sum, { totals }) => sum + totals.retries, run.retries),
      streams,
      alerts: await journal.end({ status: statusOf(streams), retries: run.retries, streams }),
    };
    const { status, seconds, peakRssBytes } = report;
    emit({ kind: 'run-finished', run: id, status, seconds, peakRssBytes });
    return report;
  } finally {
    await snapshot.close();
    await closePipeline(session);
    await state?.close();
  }
}

function slotsOf({ resources: { workers: of } }: PipelineSession, emit: Listener): Slots {
  return new Slots(of, (workers, cause) =>
    emit({ kind: 'concurrency', workers, of, code: cause?.code, message: cause?.message }),
  );
}

/** A run that cannot begin is in the history as well, and somebody may want to be told. */
async function chooseOrTell(run: Run, journal: Journal): ReturnType<typeof chooseStreams> {
  const { session, pipeline, options, signal } = run;
  try {
    return await retrying(run, undefined, () => chooseStreams(session, pipeline, options, signal));
  } catch (error) {
    if (!(error instanceof CancelledError))
      await journal.end({ status: 'failed', retries: run.retries, streams: [] });
    throw error;
  }
}

/** Leases first: a snapshot that is taken while we hold them cannot be older than what anybody else has loaded. */
async function loadAll(run: Run, configs: StreamConfig[]): Promise<StreamReport[]> {
  const reports = new Map<string, StreamReport>();
  const held: HeldStream[] = [];
  try {
    for (const stream of configs) {
      try {
        // Somebody whose lease has run out may stand still with a lock, until the server ends their session.
        const describe = (): Promise<TableState | undefined> =>
          retrying(run, stream.name, () => run.session.destination.describe(stream.table, run.signal));
        held.push(await holdStream(run, stream, describe));
        run.emit({ kind: 'step', stream: stream.name, slice: '', step: 'lease' });
      } catch (error) {
        reports.set(stream.name, failedStream(run.emit, { stream }, error, emptyTotals()));
      }
    }
    const unreachable = await cannotRead(run, held);
    for (const group of inGroups(held)) {
      await inParallel(group, run.session.resources.workers, async (each) => {
        const report = unreachable
          ? failedStream(run.emit, each, unreachable, emptyTotals())
          : await loadOne(run, each);
        reports.set(each.stream.name, report);
        await each.lease.release();
      });
    }
    const tables = held.map(({ stream }) => stream.table);
    await restoreParts({ ...partsOf(run), tables, stream: undefined, kind: 'foreign key' });
  } finally {
    await Promise.all(held.map(({ lease }) => lease.release()));
  }
  return configs.map((stream) => reports.get(stream.name)!);
}

/** Rows that others refer to come first. */
function inGroups(held: HeldStream[]): HeldStream[][] {
  const references = new Map(held.map(({ stream, refersTo }) => [stream.table, refersTo]));
  return inOrder(held, ({ stream }) => stream.table, references);
}

function partsOf(
  run: Run,
): Pick<Parameters<typeof restoreParts>[0], 'destination' | 'pipeline' | 'signal' | 'emit'> {
  const { session, pipeline, signal, emit } = run;
  return { destination: session.destination, pipeline, signal, emit };
}

/** Also after a failure: the table is used by others. Not when somebody else has taken it over. */
async function indexesOn(run: Run, { stream, lease }: HeldStream): Promise<StreamReport['indexes']> {
  if (lease.lost.aborted) return undefined;
  const started = performance.now();
  const tables = [stream.table];
  const made = await restoreParts({ ...partsOf(run), tables, stream: stream.name, kind: 'index' });
  const seconds = (performance.now() - started) / 1000;
  return made.length > 0 ? { made: made.length, seconds } : undefined;
}

/** A source that does not answer fails all streams at once instead of each after its own attempts. */
async function cannotRead(run: Run, held: HeldStream[]): Promise<unknown> {
  if (held.length === 0) return undefined;
  try {
    await retrying(run, undefined, () => run.snapshot.get(run.signal));
    run.emit({ kind: 'step', stream: '', slice: '', step: 'snapshot' });
    return undefined;
  } catch (error) {
    return error;
  }
}

async function loadOne(run: Run, held: HeldStream): Promise<StreamReport> {
  const { emit } = run;
  const { stream, lease } = held;
  const started = performance.now();
  const counts = new LoadCounts();
  const { totals } = counts;
  emit({ kind: 'stream-started', stream: stream.name });
  try {
    const signal = AbortSignal.any([run.signal, lease.lost]);
    const { watermark, changes, loaded } = await inRounds((alone) =>
      retrying(
        run,
        stream.name,
        (attempt) => attemptStream({ run, stream, lease, signal, counts, attempt, alone }),
        totals,
      ),
    );
    const indexes = await indexesOn(run, held);
    totals.seconds = (performance.now() - started) / 1000;
    const verification = loaded && (await verified(run, loaded, signal));
    if (verification?.status === 'differs') {
      const error = loadDiffers(stream.name, verification);
      return { ...failedStream(run.emit, { ...held, watermark }, error, totals), changes, verification };
    }
    const files = run.session.destination.published?.(stream.table) ?? [];
    const report: StreamReport = {
      stream: stream.name,
      table: stream.table,
      status: outcomeOf(totals, files),
      totals,
      watermark,
      changes,
      warnings: reportedOf(run, stream, totals),
      verification,
      error: undefined,
      ...(indexes && { indexes }),
      ...(files.length > 0 && { files }),
    };
    emit({ kind: 'stream-finished', stream: stream.name, status: report.status, totals, watermark });
    return report;
  } catch (error) {
    await indexesOn(run, held);
    totals.seconds = (performance.now() - started) / 1000;
    return failedStream(run.emit, held, error, totals);
  }
}

/** A count that cannot be had must not make a good load a failure; checksums were asked for. */
async function verified(
  run: Run,
  loaded: LoadedStream,
  signal: AbortSignal,
): Promise<LoadVerification | undefined> {
  const { stream } = loaded.planned.plan;
  const how = run.options.verify ?? stream.verify ?? 'counts';
  if (how === 'off') return undefined;
  const { destination } = run.session;
  try {
    const verification = await retrying(run, stream.name, () =>
      run.slots.use(() => verifyLoad({ how, loaded, destination, signal })),
    );
    if (!verification) return undefined;
    run.emit({ kind: 'stream-verified', stream: stream.name, ...verification });
    if (verification.status === 'skipped')
      warn(run, stream.name, 'verify.skipped', `not compared: ${verification.details?.notes.join('; ')}`);
    return verification;
  } catch (error) {
    if (how === 'checksums' || error instanceof CancelledError) throw error;
    const { message } = asSluiceError(error, `counting the rows of ${stream.name}`);
    warn(run, stream.name, 'verify.not_counted', `what was loaded was not counted: ${message}`);
    return undefined;
  }
}

interface StreamAttempt {
  run: Run;
  stream: StreamConfig;
  lease: HeldLease;
  signal: AbortSignal;
  counts: LoadCounts;
  attempt: Attempt;
  /** The table has nothing but what the rounds before have loaded. */
  alone: boolean;
}

/** Plans from what is committed, so an attempt after a failure goes on where the last commit was. */
async function attemptStream({
  run,
  stream,
  lease,
  signal,
  counts,
  attempt,
  alone: before,
}: StreamAttempt): Promise<Round> {
  const { session, options, emit } = run;
  const source = await run.snapshot.get(signal);
  try {
    const fullRefresh = options.fullRefresh ?? false;
    const planned = await planStream({
      stream,
      source,
      destination: session.destination,
      window: telling(run, stream.name, options.window),
      fullRefresh,
      restart: options.restart ?? false,
      keepIndexes: options.keepIndexes ?? false,
      signal,
    });
    const { plan } = planned;
    emit({
      kind: 'stream-planned',
      stream: stream.name,
      slices: plan.slices.length,
      estimatedRows: plan.estimatedRows,
      window: plan.window,
      ...(stream.files && { found: plan.window }),
    });
    if (plan.note !== undefined) warn(run, stream.name, 'watermark.held', plan.note);
    for (const note of plan.notes) emit({ kind: 'warning', stream: stream.name, ...note });
    if (plan.changes.length > 0) emit({ kind: 'schema-changed', stream: stream.name, changes: plan.changes });
    const { problem } = planned.survey;
    // What is replaced as a whole would lose what was in there before and cannot be read now.
    const replaces = planned.table && (plan.action === 'reload' || stream.load === 'replace');
    if (problem && (plan.slices.length === 0 || replaces)) throw problem;
    const idle = (plan.changes.length === 0 && !plan.deletes) || options.window?.replay !== undefined;
    const rises = planned.slices.rises === true && session.destination.separate !== true;
    if (plan.slices.length === 0 && idle && !rises)
      return { watermark: planned.checkpoint?.watermark, changes: [] };
    const chosen = options.window?.from !== undefined || options.window?.to !== undefined;
    // Which files are loaded is known, whoever chose them.
    const ownWindow = chosen && !stream.files;
    const { structure, leftOut } = translateForeignKeys(planned.survey.structure, stream, run.all);
    if (leftOut.length > 0 && !planned.table) warnLeftOut(run, stream, leftOut);
    const { arrived } = planned.survey;
    const { checkpoint, version, read, aside, alone } = await loadStream({
      planned,
      structure,
      source,
      destination: session.destination,
      run: run.id,
      quarantine: run.quarantine,
      fence: lease.fence,
      takenOver: lease.takenOver,
      apart: before && arrived?.apart === true,
      ownWindow,
      slots: run.slots,
      signal,
      emit,
      progressed: () => attempt.progressed(),
      counts,
    });
    if (problem) throw problem;
    return {
      watermark: checkpoint?.watermark ?? checkpoint?.day,
      changes: plan.changes,
      alone,
      more: arrived?.more === true,
      ...(version !== undefined && { loaded: { planned, source, read, aside, version, ownWindow } }),
    };
  } catch (error) {
    if (asSluiceError(error, '').code === 'engine.old_snapshot') await run.snapshot.renew(source);
    else if (!signal.aborted) await run.snapshot.get(signal, source).catch(() => undefined);
    throw error;
  }
}

function retrying<T>(
  run: Run,
  stream: string | undefined,
  work: (attempt: Attempt) => Promise<T>,
  counted: { retries: number } = run,
): Promise<T> {
  return withRetry(
    {
      doing: stream === undefined ? `running ${run.pipeline}` : `loading ${stream}`,
      signal: run.signal,
      policy: DEFAULT_RETRY,
      onRetry: (error, attempt, waitMs) => {
        counted.retries++;
        run.emit({
          kind: 'retry',
          stream: stream ?? '',
          slice: undefined,
          attempt,
          waitMs,
          code: error.code,
          message: error.message,
        });
      },
    },
    work,
  );
}
