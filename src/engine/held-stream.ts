/** A stream that is ours to load: its lease, and what was known of its table when we got it. */
import type { TableState } from '../core/destination.ts';
import type { Listener } from '../core/events.ts';
import type { StateStore } from '../core/state.ts';
import type { StreamConfig } from '../core/stream.ts';
import { lastLoad } from './last-load.ts';
import { HeldLease } from './leases.ts';
import { leaseName, type PipelineSession } from './session.ts';
import { warn } from './stream-warnings.ts';
import type { RunOptions } from './types.ts';

export interface HeldStream {
  stream: StreamConfig;
  lease: HeldLease;
  /** Where the last run left it. */
  watermark: string | undefined;
  /** Tables. */
  refersTo: readonly string[];
}

interface Run {
  id: string;
  pipeline: string;
  session: PipelineSession;
  state: StateStore;
  options: RunOptions;
  signal: AbortSignal;
  emit: Listener;
}

/**
 * The lease comes before anything is asked of the table, which whoever has it may have locked. Throws ConflictError while somebody
 * else has it.
 */
export async function holdStream(
  run: Run,
  stream: StreamConfig,
  describe: () => Promise<TableState | undefined>,
): Promise<HeldStream> {
  const { session, state, id } = run;
  const lease = await HeldLease.acquire(state, leaseName(session, stream.table), id);
  try {
    const table = await describe();
    if (!table) await warnIfGone(run, stream);
    const { checkpoint, refersTo = [], fence = 0 } = table ?? {};
    return { stream, lease: await lease.above(fence), watermark: checkpoint?.watermark, refersTo };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** A lake that was moved, or whose drive is not mounted, looks like a new one: everything is loaded again. */
async function warnIfGone(run: Run, stream: StreamConfig): Promise<void> {
  const { pipeline, session, options } = run;
  if (options.fullRefresh === true || session.destination.separate === true || session.aside !== '') return;
  const last = await lastLoad(run.state, pipeline, stream.table);
  if (last === undefined) return;
  const { title } = await session.destination.check(run.signal);
  const found = `table "${stream.table}" was loaded before (last on ${last}) and is not in ${title} any more`;
  const advice = 'if that was moved, or its drive is not mounted, stop and correct its path';
  warn(run, stream.name, 'table.gone', `${found}: it is loaded from its beginning; ${advice}`);
}
