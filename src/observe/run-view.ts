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
  /** What went wrong, while the next try is waited for. */
  retry: { until: number; message: string } | undefined;
  finished: { status: StreamStatus; totals: StreamTotals; error: ErrorInfo | undefined } | undefined;
  /** Slices at work; what they have read counts as long as they do not fail. */
  readonly open: Map<string, { rows: number; bytes: number }>;
  readonly samples: Sample[];
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
    retry: undefined,
    finished: undefined,
    open: new Map(),
    samples: [],
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
  view.samples.push({ at, rows: view.rows, bytes: view.bytes });
  while (view.samples.length > 2 && (view.samples[1]?.at ?? at) < at - WINDOW_MS) view.samples.shift();
}

export interface Rates {
  rows: number;
  bytes: number;
  /** Share of the estimate, below 1 while the stream runs; undefined when nothing was estimated. */
  share: number | undefined;
  secondsLeft: number | undefined;
}

export function ratesOf(view: StreamView, at: number): Rates {
  const first = view.samples.find((sample) => sample.at >= at - WINDOW_MS) ?? view.samples.at(-1);
  const seconds = first ? (at - first.at) / 1000 : 0;
  // Right after the start a rate would be a division by almost nothing.
  const rate = (now: number, then: number): number => (seconds < 0.2 ? 0 : (now - then) / seconds);
  const rows = first ? rate(view.rows, first.rows) : 0;
  const bytes = first ? rate(view.bytes, first.bytes) : 0;
  const estimate = view.estimatedRows;
  const share = estimate === undefined || estimate <= 0 ? undefined : Math.min(view.rows / estimate, 0.99);
  const left =
    estimate === undefined || view.rows >= estimate || rows <= 0 ? undefined : (estimate - view.rows) / rows;
  return { rows, bytes, share, secondsLeft: left };
}
