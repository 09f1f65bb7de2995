/** What is told of streams when a run has ended. */
import { errorInfo } from '../core/error-json.ts';
import { asSluiceError, CancelledError } from '../core/errors.ts';
import type { Listener, RunStatus, StreamTotals } from '../core/events.ts';
import type { RunStreamRecord } from '../core/state.ts';
import type { StreamConfig } from '../core/stream.ts';
import type { StreamReport } from './types.ts';

export function statusOf(streams: StreamReport[]): RunStatus {
  const bad = streams.filter((stream) => stream.status === 'failed').length;
  if (streams.some((stream) => stream.status === 'stopped')) return 'stopped';
  if (bad === 0) return 'succeeded';
  return bad === streams.length ? 'failed' : 'partial';
}

/** Of a stream without an error. */
export function outcomeOf(
  { loaded, deleted = 0, quarantined }: StreamTotals,
  files: readonly string[],
): 'loaded' | 'nothing-new' {
  return loaded + deleted + quarantined + files.length > 0 ? 'loaded' : 'nothing-new';
}

export function emptyTotals(): StreamTotals {
  return {
    rows: 0,
    bytes: 0,
    loaded: 0,
    written: 0,
    quarantined: 0,
    skipped: 0,
    retries: 0,
    coerced: {},
    seconds: 0,
  };
}

export function toRecord(report: StreamReport): RunStreamRecord {
  const { stream, table, status, totals, watermark, changes, verification, error } = report;
  return {
    stream,
    table,
    status,
    rows: totals.rows,
    loaded: totals.loaded,
    bytes: totals.bytes,
    written: totals.written,
    quarantined: totals.quarantined,
    skipped: totals.skipped,
    ...(totals.deleted !== undefined && { deleted: totals.deleted }),
    retries: totals.retries,
    changes,
    seconds: totals.seconds,
    watermark,
    error: error && { code: error.code, message: error.message, remedy: error.remedy },
    ...(verification && {
      verification: { by: verification.by, status: verification.status, rows: verification.rows },
    }),
  };
}

function failedReport(
  { name, table }: StreamConfig,
  what: Pick<StreamReport, 'status' | 'totals' | 'watermark' | 'error'>,
): StreamReport {
  return { stream: name, table, ...what, changes: [], warnings: [], verification: undefined };
}

/** Tells that a stream has failed, or was stopped. */
export function failedStream(
  emit: Listener,
  { stream, watermark }: { stream: StreamConfig; watermark?: string | undefined },
  thrown: unknown,
  totals: StreamTotals,
): StreamReport {
  const error = errorInfo(asSluiceError(thrown, `loading ${stream.name}`));
  const status = thrown instanceof CancelledError ? 'stopped' : 'failed';
  emit({ kind: 'stream-finished', stream: stream.name, status, totals, watermark, error });
  return failedReport(stream, { status, totals, watermark, error });
}
