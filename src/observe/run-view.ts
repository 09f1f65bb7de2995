import type { Fetching } from '../core/stream.ts';
import type { ErrorInfo, RunEvent, StreamStatus, StreamTotals } from '../core/events.ts';

/** What a display knows of a run at a moment, folded from its events. */
export interface RunView {
  readonly streams: ReadonlyMap<string, StreamView>;
  /** `at` is a clock in milliseconds that only ever rises. */
  apply(event: RunEvent, at: number): void;
}

export interface StreamView {
  readonly name: string;
  state: 'waiting' | 'running' | 'finished';
  startedAt: number;
  slices: number;
  slicesDone: number;
  estimatedRows: number | undefined;
  rows: number;
  bytes: number;
  /** While records are fetched: how far that is. */
  fetching: Fetching | undefined;
  /** What went wrong, while the next try is waited for. */
  retry: { until: number; message: string } | undefined;
  finished: { status: StreamStatus; totals: StreamTotals; error: ErrorInfo | undefined } | undefined;
  /** Slices at work; what they have read counts as long as they do not fail. */
  readonly open: Map<string, { rows: number; bytes: number }>;
  readonly samples: Sample[];
  readonly fetches: Sample[];
}

interface Sample {
  readonly at: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Rates are those of the last five seconds: short enough to show a stall, long enough not to flicker. */
const WINDOW_MS = 5000;

export function createRunView(): RunView {
  const streams = new Map<string, StreamView>();
  return {
    streams,
    apply(event, at) {
      // What concerns no stream in particular has an empty name. An alert may be of a stream that does not run.
      if (!('stream' in event) || event.stream === undefined || event.stream === '') return;
      if (event.kind === 'alert') return;
      let view = streams.get(event.stream);
      if (!view) {
        view = emptyView(event.stream, at);
        streams.set(event.stream, view);
      }
      applyToStream(view, event, at);
    },
  };
}

function emptyView(name: string, at: number): StreamView {
  return {
    name,
    state: 'waiting',
    startedAt: at,
    slices: 0,
    slicesDone: 0,
    estimatedRows: undefined,
    rows: 0,
    bytes: 0,
    fetching: undefined,
    retry: undefined,
    finished: undefined,
    open: new Map(),
    samples: [],
    fetches: [],
  };
}

function applyToStream(view: StreamView, event: RunEvent, at: number): void {
  switch (event.kind) {
    case 'stream-planned':
      // After a failure what is left is planned anew.
      view.slices = view.slicesDone + event.slices;
      view.estimatedRows = event.estimatedRows === undefined ? undefined : view.rows + event.estimatedRows;
      return;
    case 'stream-started':
      view.state = 'running';
      view.startedAt = at;
      addSample(view, at);
      return;
    case 'slice-started':
      view.slices = Math.max(view.slices, view.slicesDone + 1);
      view.retry = undefined;
      forget(view, event.slice);
      count(view, event.slice, { rows: 0, bytes: 0 }, at);
      return;
    case 'fetching':
      view.retry = undefined;
      view.fetching = event.done ? undefined : event;
      if (event.records === 0 && event.bytes === 0) view.fetches.length = 0;
      keepSample(view.fetches, { at, rows: event.records, bytes: event.bytes });
      return;
    case 'progress':
      view.retry = undefined;
      count(view, event.slice, event, at);
      return;
    case 'slice-committed':
      view.slicesDone += 1;
      count(view, event.slice, event, at);
      view.open.delete(event.slice);
      return;
    case 'retry':
      for (const slice of event.slice === undefined ? view.open.keys() : [event.slice]) forget(view, slice);
      if (event.slice !== undefined && view.open.size > 0) return;
      view.retry = { until: at + event.waitMs, message: event.message };
      return;
    case 'stream-finished':
      view.fetching = undefined;
      view.state = 'finished';
      view.finished = { status: event.status, totals: event.totals, error: event.error };
      return;
    default:
  }
}

function count(view: StreamView, slice: string, now: { rows: number; bytes: number }, at: number): void {
  const before = view.open.get(slice) ?? { rows: 0, bytes: 0 };
  view.rows += now.rows - before.rows;
  view.bytes += now.bytes - before.bytes;
  view.open.set(slice, { rows: now.rows, bytes: now.bytes });
  addSample(view, at);
}

/** What a failed try had read is no progress: the rate starts anew instead of turning negative. */
function forget(view: StreamView, slice: string): void {
  const lost = view.open.get(slice);
  view.rows -= lost?.rows ?? 0;
  view.bytes -= lost?.bytes ?? 0;
  view.open.delete(slice);
  if (lost && lost.rows > 0) view.samples.length = 0;
}

function addSample(view: StreamView, at: number): void {
  keepSample(view.samples, { at, rows: view.rows, bytes: view.bytes });
}

function keepSample(samples: Sample[], now: Sample): void {
  samples.push(now);
  while (samples.length > 2 && (samples[1]?.at ?? now.at) < now.at - WINDOW_MS) samples.shift();
}

export interface Rates {
  rows: number;
  bytes: number;
  /** Share of the estimate, below 1 while the stream runs; undefined when nothing was estimated. */
  share: number | undefined;
  secondsLeft: number | undefined;
}

export function ratesOf(view: StreamView, at: number): Rates {
  return rates(view.samples, { rows: view.rows, bytes: view.bytes, estimate: view.estimatedRows }, at);
}

/** The same for records that are being fetched. */
export function fetchRatesOf({ fetches }: StreamView, { records, bytes, of }: Fetching, at: number): Rates {
  return rates(fetches, { rows: records, bytes, estimate: of }, at);
}

function rates(
  samples: readonly Sample[],
  now: { rows: number; bytes: number; estimate: number | undefined },
  at: number,
): Rates {
  const first = samples.find((sample) => sample.at >= at - WINDOW_MS) ?? samples.at(-1);
  const seconds = first ? (at - first.at) / 1000 : 0;
  // Right after the start a rate would be a division by almost nothing.
  const rate = (to: number, from: number): number => (seconds < 0.2 ? 0 : (to - from) / seconds);
  const rows = first ? rate(now.rows, first.rows) : 0;
  const bytes = first ? rate(now.bytes, first.bytes) : 0;
  const { estimate } = now;
  const share = estimate === undefined || estimate <= 0 ? undefined : Math.min(now.rows / estimate, 0.99);
  const left =
    estimate === undefined || now.rows >= estimate || rows <= 0 ? undefined : (estimate - now.rows) / rows;
  return { rows, bytes, share, secondsLeft: left };
}
