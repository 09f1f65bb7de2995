/**
 * Compares the two ends of a pipeline. The target is looked at first, then the source's snapshot is taken: what was written
 * to the source in between lies above the watermark, and so is known to be newer than the target.
 */
import type { ComparedTable, ComparedTables } from '../core/compare.ts';
import { asSluiceError, CancelledError } from '../core/errors.ts';
import { errorInfo } from '../core/error-json.ts';
import type { ProjectContext } from './context.ts';
import { closePipeline, openPipeline, streamsOf } from './session.ts';
import { compareTables } from './compare-tables.ts';
import { emptyComparison, verifyStream } from './verify-stream.ts';
import type { StreamComparison, VerifyOptions, VerifyReport } from './verify-types.ts';

/** Reads both ends, writes nothing, holds no lease. A stream that cannot be compared does not keep the others away. */
export async function verifyPipeline(
  context: ProjectContext,
  pipeline: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  const session = await openPipeline(context, pipeline, { memoryBytes: options.memoryBytes, workers: 1 });
  const tables = new Map<string, ComparedTable | undefined>();
  let moment: ComparedTables | undefined;
  try {
    const select = { select: options.select };
    const configs = await streamsOf(session, pipeline, select, signal);
    const streams: StreamComparison[] = [];
    moment = await compareTables(session.destination, signal);
    for (const { table } of configs) tables.set(table, await moment.table(table, signal));
    const snapshot = await session.source.open(signal, session.accepts);
    for (const stream of configs) {
      const job = { stream, snapshot, table: tables.get(stream.table), options, signal };
      const comparison = await verified(job);
      await tables.get(stream.table)?.close();
      streams.push(comparison);
      options.onEvent?.({ kind: 'verify-finished', stream: stream.name, status: comparison.status });
    }
    await snapshot.close();
    return {
      pipeline,
      from: session.config.from,
      to: session.config.to,
      status: statusOf(streams),
      at: snapshot.at,
      seconds: (performance.now() - started) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      streams,
    };
  } finally {
    await Promise.allSettled([...tables.values()].map(async (table) => table?.close()));
    await moment?.close();
    await closePipeline(session);
  }
}

async function verified(job: Parameters<typeof verifyStream>[0]): Promise<StreamComparison> {
  try {
    return await verifyStream(job);
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    const info = errorInfo(asSluiceError(error, `comparing ${job.stream.name}`));
    return { ...emptyComparison(job.stream), status: 'failed', error: info };
  }
}

function statusOf(streams: readonly StreamComparison[]): VerifyReport['status'] {
  if (streams.some(({ status }) => status === 'differs')) return 'differs';
  return streams.some(({ status }) => status === 'failed') ? 'failed' : 'equal';
}
