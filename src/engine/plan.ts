import { asSluiceError } from '../core/errors.ts';
import { errorInfo } from '../core/error-json.ts';
import type { StreamConfig } from '../core/stream.ts';
import type { ProjectContext } from './context.ts';
import { planStream, type StreamRequest } from './plan-stream.ts';
import { closePipeline, openPipeline, streamsOf } from './session.ts';
import type { PipelinePlan, RunOptions, StreamPlan } from './types.ts';

/** Works out what a run would do now. Reads both ends, writes nothing, holds no lease. */
export async function planPipeline(
  context: ProjectContext,
  pipeline: string,
  options: RunOptions,
): Promise<PipelinePlan> {
  const signal = options.signal ?? new AbortController().signal;
  const session = await openPipeline(context, pipeline, options);
  try {
    const [facts, target] = await Promise.all([
      session.source.check(signal),
      session.destination.check(signal),
    ]);
    const configs = await streamsOf(session, pipeline, options, signal);
    const source = await session.source.open(signal, session.accepts);
    const streams: StreamPlan[] = [];
    for (const stream of configs) {
      const { destination } = session;
      streams.push(
        await planned({
          stream,
          source,
          destination,
          window: { ...options.window, preview: true },
          fullRefresh: options.fullRefresh ?? false,
          restart: options.restart ?? false,
          keepIndexes: options.keepIndexes ?? false,
          signal,
        }),
      );
    }
    await source.close();
    return {
      pipeline,
      from: { connection: session.config.from, title: facts.title },
      to: { connection: session.config.to, title: target.title },
      at: source.at,
      streams,
      warnings: [
        ...facts.warnings.map((warning) => ({ stream: undefined, ...warning })),
        ...streams.flatMap(({ notes, stream }) => notes.map((note) => ({ stream: stream.name, ...note }))),
      ],
    };
  } finally {
    await closePipeline(session);
  }
}

/** A stream that cannot be planned does not hide the others. */
async function planned(request: StreamRequest): Promise<StreamPlan> {
  try {
    return (await planStream(request)).plan;
  } catch (error) {
    return failedPlan(request.stream, error);
  }
}

function failedPlan(stream: StreamConfig, thrown: unknown): StreamPlan {
  const error = asSluiceError(thrown, `planning ${stream.name}`);
  const { changes } = error.details;
  return {
    stream,
    error: errorInfo(error),
    action: 'nothing-new',
    window: '',
    slices: [],
    estimatedRows: undefined,
    estimatedBytes: undefined,
    // What a frozen schema stops at.
    changes: Array.isArray(changes) ? changes.map(String) : [],
    leftOut: [],
    target: stream.table,
    note: undefined,
    notes: [],
    watermark: { before: undefined, after: undefined },
    sql: '',
  };
}
