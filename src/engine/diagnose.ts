/**
 * Looks for rows that a load would change or stop at, before it runs. The plan says which rows are read, the destination what
 * its columns do not hold, and the source counts. Writes nothing, holds no lease.
 */
import { asSluiceError, CancelledError } from '../core/errors.ts';
import { errorInfo } from '../core/error-json.ts';
import type { ProjectContext } from './context.ts';
import { diagnoseStream, emptyDiagnosis } from './diagnose-stream.ts';
import type { DiagnoseOptions, DiagnosisReport, StreamDiagnosis } from './diagnose-types.ts';
import { closePipeline, openPipeline, streamsOf } from './session.ts';

export async function diagnosePipeline(
  context: ProjectContext,
  pipeline: string,
  options: DiagnoseOptions,
): Promise<DiagnosisReport> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  const session = await openPipeline(context, pipeline, { memoryBytes: options.memoryBytes, workers: 1 });
  try {
    const configs = await streamsOf(session, pipeline, { select: options.select }, signal);
    const source = await session.source.open(signal, session.accepts);
    const streams: StreamDiagnosis[] = [];
    for (const stream of configs) {
      const job = { stream, source, destination: session.destination, options, signal };
      const found = await diagnosed(job);
      streams.push(found);
      options.onEvent?.({ kind: 'diagnose-finished', stream: stream.name, status: found.status });
    }
    await source.close();
    return {
      pipeline,
      from: session.config.from,
      to: session.config.to,
      status: worst(streams),
      at: source.at,
      seconds: (performance.now() - started) / 1000,
      streams,
    };
  } finally {
    await closePipeline(session);
  }
}

/** A stream that cannot be looked at does not keep the others away. */
async function diagnosed(job: Parameters<typeof diagnoseStream>[0]): Promise<StreamDiagnosis> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    return { ...(await diagnoseStream(job)), seconds: seconds() };
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    const info = errorInfo(asSluiceError(error, `looking at ${job.stream.name}`));
    return { ...emptyDiagnosis(job.stream), status: 'failed', seconds: seconds(), error: info };
  }
}

const STATUSES: readonly StreamDiagnosis['status'][] = ['fits', 'changes', 'unknown', 'refused', 'failed'];

function worst(streams: readonly StreamDiagnosis[]): StreamDiagnosis['status'] {
  return STATUSES[Math.max(0, ...streams.map(({ status }) => STATUSES.indexOf(status)))]!;
}
