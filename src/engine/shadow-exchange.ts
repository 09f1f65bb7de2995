/**
 * Shadow tables take the place of those that readers see, and back. In: nothing but names; everything is looked at again under
 * the leases of all tables, so nobody loads them meanwhile. Out: a report. What the destination has exchanged is whole, whatever
 * happens to us.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { MissingPart, TableState } from '../core/destination.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { ConfigError } from '../core/errors.ts';
import { FORMER, READERS, SHADOW, shadowHistory } from '../core/side-tables.ts';
import type { StateStore } from '../core/state.ts';
import type { StreamConfig } from '../core/stream.ts';
import { forgetPlace, type KeptHome, notePlace } from '../gate/kept-storage.ts';
import { Quarantine } from '../gate/quarantine.ts';
import { openQuarantine, openState, type ProjectContext } from './context.ts';
import { HeldLease } from './leases.ts';
import {
  closePipeline,
  leaseName,
  openPipeline,
  type PipelineSession,
  sideTablesOf,
  streamsOf,
} from './session.ts';
import { compareSides } from './shadow-compare.ts';
import { keptBeside } from './side-quarantine.ts';
import type { ExchangeReport, PromoteOptions, ShadowReport, ShadowScope } from './shadow-types.ts';

interface Job {
  session: PipelineSession;
  state: StateStore;
  pipeline: string;
  into: string;
  run: string;
  startedAt: string;
  streams: StreamConfig[];
  held: Map<string, HeldLease>;
  /** Of the tables beside those of readers. */
  quarantine: KeptHome;
  signal: AbortSignal;
}

/** Readers get the shadow tables; those that they had are kept as the former ones, until the next time. */
export function promoteShadow(
  context: ProjectContext,
  pipeline: string,
  options: PromoteOptions,
): Promise<ExchangeReport> {
  return underLeases(context, pipeline, options, async (job) => {
    const states = await statesAt(job, job.into);
    const { together } = sideTablesOf(job.session.readers);
    const there = job.streams.filter(({ table }) => states.get(table));
    const before = there.length === 0 && (await promotedBefore(job));
    if (before) return before;
    // Whoever was killed between two tables has promoted some.
    if (!together && there.length > 0) job = { ...job, streams: there };
    for (const stream of job.streams) await refuseUnfinished(job, stream, states.get(stream.table));
    let comparison: ShadowReport | undefined;
    if (options.force !== true) {
      comparison = await compareSides(job.session, { ...options, ...job }, job.streams);
      if (comparison.status !== 'equal')
        return { pipeline, to: job.session.config.to, status: 'refused', tables: [], comparison };
    }
    const report = await exchange(job, { from: job.into, to: FORMER, states });
    return { ...report, status: 'promoted', comparison };
  });
}

/** Undefined unless all of the tables have former ones. */
async function promotedBefore(job: Job): Promise<ExchangeReport | undefined> {
  const { session, streams, pipeline } = job;
  const former = await statesAt(job, FORMER);
  if (streams.length === 0 || !streams.every(({ table }) => former.get(table)?.checkpoint)) return undefined;
  const beside = sideTablesOf(session.readers);
  const tables = streams.map(({ name: stream, table }) => ({
    stream,
    table,
    was: beside.name(FORMER, table),
  }));
  return { pipeline, to: session.config.to, status: 'promoted', already: true, tables };
}

/** Readers get the former tables; those that they had are the shadow tables again, and can be promoted again. */
export function rollbackShadow(
  context: ProjectContext,
  pipeline: string,
  options: ShadowScope,
): Promise<ExchangeReport> {
  return underLeases(context, pipeline, options, async (job) => {
    const states = await statesAt(job, FORMER);
    const there = job.streams.filter(({ table }) => states.get(table));
    if (there.length === 0) throw nothingThere(job, job.streams[0]!, FORMER);
    const part = there.find(({ table }) => !states.get(table)!.checkpoint);
    if (part) throw unfinished(job, part, FORMER, 'a promotion was killed before it was whole');
    const report = await exchange({ ...job, streams: there }, { from: FORMER, to: job.into, states });
    return { ...report, status: 'rolled-back' };
  });
}

/** Forgets shadow and former tables. */
export function dropShadow(
  context: ProjectContext,
  pipeline: string,
  options: ShadowScope,
): Promise<ExchangeReport> {
  return underLeases(context, pipeline, options, async (job) => {
    const { session, streams, into, run, quarantine, signal } = job;
    const beside = sideTablesOf(session.readers);
    const tables: ExchangeReport['tables'] = [];
    for (const place of [into, FORMER]) {
      const states = await statesAt(job, place);
      const names = streams.map(({ table }) => table);
      const missing = await missingOf(session, names, signal);
      await beside.drop(place, names, signal);
      await session.destination.parts?.forget(missing, signal);
      for (const { name: stream, table } of streams.filter((each) => states.get(each.table)))
        tables.push({ stream, table, was: beside.name(place, table) });
    }
    for (const { name: stream, table } of streams) {
      await new Quarantine(quarantine, { run, table, stream }).sweep([], () =>
        keptBeside({ beside, home: quarantine, table, signal }),
      );
      await forgetPlace(quarantine, table, into);
    }
    await record(job, 'dropped', tables);
    return { pipeline, to: session.config.to, status: 'dropped', tables };
  });
}

async function underLeases(
  context: ProjectContext,
  pipeline: string,
  options: ShadowScope,
  work: (job: Job) => Promise<ExchangeReport>,
): Promise<ExchangeReport> {
  const { into = SHADOW, memoryBytes, select, signal = new AbortController().signal } = options;
  const startedAt = new Date().toISOString();
  const run = `shadow-${startedAt.slice(0, 19)}Z-${randomBytes(3).toString('hex')}`;
  const session = await openPipeline(context, pipeline, { memoryBytes, workers: 1, into });
  let state: StateStore | undefined;
  const held = new Map<string, HeldLease>();
  try {
    state = await openState(context);
    const streams = await streamsOf(session, pipeline, { select }, signal);
    for (const { table } of streams) {
      const names = ['', session.aside].map((aside) => leaseName({ config: session.config, aside }, table));
      // Before anything is asked of tables, which whoever has the lease may have locked.
      for (const name of names) held.set(name, await HeldLease.acquire(state, name, run));
      const states = [session.readers, session.destination].map((end) => end.describe(table, signal));
      // Rows of the one that comes must be older than those that are loaded after it.
      const fence = Math.max(...(await Promise.all(states)).map((found) => found?.fence ?? 0));
      for (const name of names) held.set(name, await held.get(name)!.above(fence));
    }
    await sideTablesOf(session.readers).settle(
      streams.map(({ table }) => table),
      signal,
    );
    const lost = [...held.values()].map((lease) => lease.lost);
    const quarantine = await openQuarantine(context, session.config.to, session.aside);
    const job = { session, state, pipeline, into, run, startedAt, streams, held, quarantine };
    return await work({ ...job, signal: AbortSignal.any([signal, ...lost]) });
  } finally {
    await Promise.all([...held.values()].map((lease) => lease.release()));
    await closePipeline(session);
    await state?.close();
  }
}

type States = ReadonlyMap<string, TableState | undefined>;

async function statesAt({ session, streams, signal }: Job, place: string): Promise<States> {
  const tables = await sideTablesOf(session.readers).at(place);
  const states = new Map<string, TableState | undefined>();
  try {
    for (const { table } of streams) states.set(table, await tables.describe(table, signal));
  } finally {
    await tables.close();
  }
  return states;
}

async function exchange(
  job: Job,
  { from, to, states }: { from: string; to: string; states: States },
): Promise<Pick<ExchangeReport, 'pipeline' | 'to' | 'tables'>> {
  const { session, streams, held, run, pipeline, signal } = job;
  const beside = sideTablesOf(session.readers);
  const readers = await statesAt(job, READERS);
  const tables = streams.map(({ table, load }) => ({
    table,
    history: STRATEGIES[load].history,
    fence: held.get(leaseName({ config: session.config, aside: '' }, table))!.fence,
    versions: { from: states.get(table)!.version, readers: readers.get(table)?.version },
  }));
  // Of foreign keys that wait for a table that is not loaded here.
  const names = streams.map(({ table }) => table);
  const wait = await missingOf(session, names, signal);
  // Files that they name are looked for there from now on.
  if (job.into !== SHADOW) for (const name of names) await notePlace(job.quarantine, name, job.into);
  await beside.exchange({ tables, from, to, run }, signal);
  await session.destination.parts?.forget(wait, signal);
  const done = streams.map(({ name: stream, table }) => ({
    stream,
    table,
    was: readers.get(table) && beside.name(to, table),
  }));
  await record(job, to === FORMER ? 'promoted' : 'rolled-back', done);
  return { pipeline, to: session.config.to, tables: done };
}

/** Parts that shadow tables are without. */
async function missingOf(
  { destination }: PipelineSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<MissingPart[]> {
  const missing = (await destination.parts?.missing(signal)) ?? [];
  return missing.filter(({ tables }) => tables.some((name) => names.includes(name)));
}

async function refuseUnfinished(
  job: Job,
  stream: StreamConfig,
  state: TableState | undefined,
): Promise<void> {
  const { session, into, signal } = job;
  if (!state) throw nothingThere(job, stream, into);
  const { checkpoint } = state;
  const parts = await missingOf(session, [stream.table], signal);
  const index = parts.find(({ kind }) => kind === 'index');
  const why =
    !checkpoint || checkpoint.unfinished || checkpoint.reload
      ? 'its load is not finished'
      : index && `it lacks index "${index.name}"`;
  if (why !== undefined) throw unfinished(job, stream, into, why);
}

function unfinished(
  { session, pipeline }: Job,
  { table }: StreamConfig,
  place: string,
  why: string,
): ConfigError {
  const name = sideTablesOf(session.readers).name(place, table);
  return new ConfigError(`putting ${name} where readers look: ${why}`, {
    code: 'shadow.unfinished',
    remedy:
      place === FORMER
        ? 'readers have what they had before that; a promotion makes it anew, and `--drop` removes it'
        : `load it to its end with \`sluice shadow ${pipeline}\``,
    details: { table },
  });
}

function nothingThere({ session, pipeline }: Job, { table }: StreamConfig, place: string): ConfigError {
  const name = sideTablesOf(session.readers).name(place, table);
  return new ConfigError(`putting ${name} where readers look: there is no such table`, {
    code: 'shadow.absent',
    remedy:
      place === FORMER
        ? 'it comes with a promotion, and goes with `--drop`'
        : `\`sluice shadow ${pipeline}\` loads it, and \`--select\` leaves it out; \`sluice runs ${pipeline}\` tells of promotions`,
    details: { table },
  });
}

/** The history says what readers have, and since when. */
async function record(job: Job, status: string, tables: ExchangeReport['tables']): Promise<void> {
  const { state, run, pipeline, startedAt } = job;
  const finishedAt = new Date().toISOString();
  const figures = { rows: 0, loaded: 0, bytes: 0, seconds: 0, watermark: undefined, error: undefined };
  const streams = tables.map(({ stream, table }) => ({ stream, table, status, ...figures }));
  await state
    .recordRun({
      run,
      pipeline: shadowHistory(pipeline),
      startedAt,
      finishedAt,
      status,
      host: hostname(),
      pid: process.pid,
      streams,
    })
    // The tables are exchanged, whoever knows of it.
    .catch(() => undefined);
}
