/** Makes the indexes and foreign keys that tables of a destination are without. The source is not asked. */
import { randomBytes } from 'node:crypto';
import type { Destination, MissingPart, RestoredPart } from '../core/destination.ts';
import { ConflictError } from '../core/errors.ts';
import type { StateStore } from '../core/state.ts';
import { openDestination, openState, pipelineOf, type ProjectContext } from './context.ts';
import { HeldLease } from './leases.ts';
import { resourcesOf } from './session.ts';

export interface RepairOptions {
  /** Only look. */
  dryRun?: boolean | undefined;
  /** Cross out what cannot be made, so that nobody tries again. */
  forget?: boolean | undefined;
  workers?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface RepairedPart extends Omit<RestoredPart, 'status'> {
  /** `missing`: nothing was tried. `busy`: a run is at work on the table, and makes it. `forgotten`: it could not be made. */
  status: RestoredPart['status'] | 'missing' | 'busy' | 'forgotten';
}

export interface RepairReport {
  pipeline: string;
  to: string;
  /** Empty when nothing was missing. */
  parts: RepairedPart[];
  seconds: number;
}

/** Parts of all tables in the destination, whichever pipeline loads them: what is missing is known there. */
export async function repairPipeline(
  context: ProjectContext,
  pipeline: string,
  options: RepairOptions,
): Promise<RepairReport> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  const config = pipelineOf(context, pipeline);
  const { to } = config;
  const { destination: resources } = resourcesOf(context, config, options);
  const destination = await openDestination(context, to, resources);
  let state: StateStore | undefined;
  try {
    const missing = (await destination.parts?.missing(signal)) ?? [];
    let parts: RepairedPart[] = missing.map((part) => ({ ...part, status: 'missing' }));
    if (options.dryRun !== true && missing.length > 0) {
      state = await openState(context);
      parts = await repairAll({ destination, state, to, signal }, missing);
      if (options.forget === true) parts = await forget(destination, parts, signal);
    }
    return { pipeline, to, parts, seconds: (performance.now() - started) / 1000 };
  } finally {
    await destination.close();
    await state?.close();
  }
}

interface Place {
  destination: Destination;
  state: StateStore;
  to: string;
  signal: AbortSignal;
}

/** Under the leases of the tables, for a run that is at work on one wants it as it is. */
async function repairAll(
  { destination, state, to, signal }: Place,
  missing: readonly MissingPart[],
): Promise<RepairedPart[]> {
  const run = `repair-${randomBytes(4).toString('hex')}`;
  const held: HeldLease[] = [];
  const free: string[] = [];
  const busy = new Set<string>();
  try {
    for (const table of new Set(missing.flatMap(({ tables }) => tables))) {
      try {
        held.push(await HeldLease.acquire(state, `${to}/${table}`, run));
        free.push(table);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        busy.add(table);
      }
    }
    const isBusy = ({ tables }: MissingPart): boolean => tables.some((table) => busy.has(table));
    const done: RepairedPart[] = missing.filter(isBusy).map((part) => ({ ...part, status: 'busy' }));
    // What a busy table shares with a free one is that run's affair.
    const indexes = await destination.parts!.restore(free, 'index', signal);
    const keys = await destination.parts!.restore(free, 'foreign key', signal);
    return [...indexes, ...keys.filter((part) => !isBusy(part)), ...done];
  } finally {
    await Promise.all(held.map((lease) => lease.release()));
  }
}

async function forget(
  destination: Destination,
  parts: readonly RepairedPart[],
  signal: AbortSignal,
): Promise<RepairedPart[]> {
  const failed = parts.filter(({ status }) => status === 'failed');
  await destination.parts!.forget(failed, signal);
  return parts.map((part) => (part.status === 'failed' ? { ...part, status: 'forgotten' } : part));
}
