/** Looking at and changing how far streams are loaded, by hand. Changes are commits in the destination, under the stream's lease. */
import { randomBytes } from 'node:crypto';
import type { TableState } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Checkpoint, StreamConfig } from '../core/stream.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { openState, type ProjectContext } from './context.ts';
import { HeldLease } from './leases.ts';
import { closePipeline, leaseName, openPipeline, type PipelineSession, streamsOf } from './session.ts';

export interface StreamState {
  stream: string;
  table: string;
  /** Undefined when nothing was loaded yet. */
  committed: TableState | undefined;
}

/** What is committed for the streams of a pipeline. */
export async function showState(
  context: ProjectContext,
  pipeline: string,
  select: string[] = [],
): Promise<StreamState[]> {
  const signal = new AbortController().signal;
  const session = await openPipeline(context, pipeline, {});
  try {
    const streams = await streamsOf(session, pipeline, { select }, signal);
    const states: StreamState[] = [];
    for (const { name, table } of streams) {
      states.push({ stream: name, table, committed: await session.destination.describe(table, signal) });
    }
    return states;
  } finally {
    await closePipeline(session);
  }
}

/**
 * Puts the watermark of a stream to `value`. Rows from there on are read and compared with what is loaded, so going back
 * doubles nothing. The source checks the value before anything is written.
 */
export async function setWatermark(
  context: ProjectContext,
  pipeline: string,
  name: string,
  value: string,
): Promise<Checkpoint> {
  return changeCheckpoint({ context, pipeline, name }, async (session, stream, state) => {
    if (stream.cursor.length === 0) {
      throw new ConfigError(`setting the watermark of ${name}: the stream has no cursor`, {
        code: 'state.no_cursor',
        remedy: 'a run loads it in full anyway',
      });
    }
    const {
      high: _high,
      seen: _seen,
      position: _position,
      pending: _pending,
      unfinished: _unfinished,
      reload: _reload,
      ...kept
    } = state.checkpoint ?? { cursor: stream.cursor };
    const checkpoint: Checkpoint = { ...kept, cursor: stream.cursor, watermark: value };
    const signal = new AbortController().signal;
    const snapshot = await session.source.open(signal, session.accepts);
    try {
      await snapshot.survey(stream, checkpoint, { preview: true }, signal);
    } finally {
      await snapshot.close();
    }
    return checkpoint;
  });
}

/** Forgets how far a stream is loaded: the next run loads everything and replaces the table in one step. */
export async function resetStream(
  context: ProjectContext,
  pipeline: string,
  name: string,
): Promise<Checkpoint> {
  return changeCheckpoint({ context, pipeline, name }, async (_session, stream, state) => ({
    cursor: stream.cursor,
    readAt: state.checkpoint?.readAt,
    reload: true,
  }));
}

type Change = (session: PipelineSession, stream: StreamConfig, state: TableState) => Promise<Checkpoint>;

type Describe = (
  session: PipelineSession,
  stream: StreamConfig,
  signal: AbortSignal,
) => Promise<TableState | undefined>;

const committed: Describe = ({ destination }, { table }, signal) => destination.describe(table, signal);

interface StreamPlace {
  context: ProjectContext;
  pipeline: string;
  name: string;
  /** What there is of its table. */
  describe?: Describe;
}

/** Looks at the table of a stream, which has to be there. */
export function withStream<T>(
  place: StreamPlace,
  work: (session: PipelineSession, stream: StreamConfig, state: TableState) => Promise<T>,
): Promise<T> {
  return inSession(place, async (session, stream) =>
    work(session, stream, await stateOf(session, stream, place)),
  );
}

async function inSession<T>(
  { context, pipeline, name }: StreamPlace,
  work: (session: PipelineSession, stream: StreamConfig) => Promise<T>,
): Promise<T> {
  const session = await openPipeline(context, pipeline, {});
  try {
    const { signal } = new AbortController();
    return await work(session, (await streamsOf(session, pipeline, { select: [name] }, signal))[0]!);
  } finally {
    await closePipeline(session);
  }
}

async function stateOf(
  session: PipelineSession,
  stream: StreamConfig,
  { name, describe = committed }: StreamPlace,
): Promise<TableState> {
  const state = await describe(session, stream, new AbortController().signal);
  if (state) return state;
  throw new ConfigError(`changing the state of ${name}: nothing was loaded yet`, {
    code: 'state.nothing',
    remedy: 'a first run loads everything',
  });
}

/**
 * Commits what `change` makes of the checkpoint of a stream, under its lease; nothing when that is the one that is there. What
 * `describe` shows in version 0 is taken for ours.
 */
export function changeCheckpoint(place: StreamPlace, change: Change): Promise<Checkpoint> {
  return inSession(place, async (session, stream) => {
    const run = `state-${randomBytes(4).toString('hex')}`;
    const store = await openState(place.context);
    try {
      let lease = await HeldLease.acquire(store, leaseName(session, stream.table), run);
      try {
        const state = await stateOf(session, stream, place);
        lease = await lease.above(state.fence);
        const checkpoint = await change(session, stream, state);
        if (checkpoint !== state.checkpoint)
          await commitCheckpoint({ session, stream, state, run, fence: lease.fence }, checkpoint);
        return checkpoint;
      } finally {
        await lease.release();
      }
    } finally {
      await store.close();
    }
  });
}

interface Place {
  session: PipelineSession;
  stream: StreamConfig;
  state: TableState;
  run: string;
  fence: number;
}

async function commitCheckpoint(
  { session, stream, state, run, fence }: Place,
  checkpoint: Checkpoint,
): Promise<void> {
  const writer = await session.destination.openTable(
    {
      table: stream.table,
      stream: stream.name,
      schema: state.schema,
      partitionBy: undefined,
      run,
      fence,
      expectedVersion: state.version,
      loadedAt: state.checkpoint?.readAt ?? new Date().toISOString(),
      operation: 'upsert',
      history: STRATEGIES[stream.load].history,
      structure: undefined,
      adopts: state.version === 0 ? state.rows : undefined,
    },
    new AbortController().signal,
  );
  try {
    await writer.commit([], { kind: 'nothing' }, checkpoint);
  } finally {
    await writer.close();
  }
}
