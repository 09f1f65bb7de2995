import type { Listener, RunEvent } from '../core/events.ts';
import { formatBytes, formatClock, formatCount, formatSeconds } from '../core/units.ts';
import { plural } from './plural.ts';
import type { Progress, ProgressOptions } from './progress-types.ts';
import { fetchingText } from './progress-line.ts';
import { createRunView, fetchRatesOf, ratesOf, type StreamView } from './run-view.ts';

/** At most one line in this time for each stream that is merely going on. */
const QUIET_MS = 10_000;

/** Progress where nothing can be rewritten (files, CI, cron): a line when something changes, else every ten seconds. */
export function openLines(options: Pick<ProgressOptions, 'output'>): Progress {
  const view = createRunView();
  const lastLine = new Map<string, number>();
  const write = (text: string): void => {
    options.output.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
  };
  const listener: Listener = (event) => {
    const at = performance.now();
    view.apply(event, at);
    if (event.kind === 'retry' && event.stream === '') write(retryText(event));
    if (event.kind === 'concurrency') write(concurrencyText(event));
    const stream =
      'stream' in event && event.stream !== undefined ? view.streams.get(event.stream) : undefined;
    if (!stream) return;
    const silent = at - (lastLine.get(stream.name) ?? stream.startedAt);
    const due = (event.kind === 'progress' || event.kind === 'fetching') && silent >= QUIET_MS;
    // One slice is told of with its stream.
    const single = event.kind === 'slice-committed' && stream.slices < 2;
    const text = due ? progressText(stream, at) : single ? undefined : changeText(event);
    if (text === undefined) return;
    lastLine.set(stream.name, at);
    write(`${stream.name}: ${text}`);
  };
  return { listener, note: write, close: () => undefined };
}

/** Text for events that change a stream's state; undefined for those that do not. */
function changeText(event: RunEvent): string | undefined {
  switch (event.kind) {
    case 'stream-started':
      return 'started';
    case 'stream-planned':
      return event.slices > 0 ? plannedText(event) : undefined;
    case 'retry':
      return retryText(event);
    case 'slice-committed':
      return sliceText(event);
    case 'parts-restored':
      return `indexes on ${formatSeconds(event.seconds)} (${event.names.join(', ')})`;
    case 'keys-compared':
      return `keys compared, ${plural(event.deleted, 'row')} gone from the source (${formatSeconds(event.seconds)})`;
    case 'fetching':
      return event.done ? fetchedText(event) : undefined;
    case 'schema-changed':
      return `table changes: ${event.changes.join(', ')}`;
    case 'stream-finished':
      return finishedText(event);
    default:
      return undefined;
  }
}

function fetchedText({ pages, records, bytes, seconds }: RunEvent & { kind: 'fetching' }): string {
  const came = pages === undefined ? '' : ` in ${plural(pages, 'page')}`;
  return `fetched ${plural(records, 'record')}${came}, ${formatBytes(bytes)}, in ${formatSeconds(seconds)}`;
}

function plannedText({ window, slices, estimatedRows }: RunEvent & { kind: 'stream-planned' }): string {
  const rows = estimatedRows === undefined ? '' : `, about ${plural(estimatedRows, 'row')}`;
  return `reading ${window} in ${plural(slices, 'slice')}${rows}`;
}

export function concurrencyText({ workers, of, message }: RunEvent & { kind: 'concurrency' }): string {
  const text = `${workers} of ${of} slices side by side`;
  return message === undefined ? `${text} again` : `${text} from now on: ${message}`;
}

function retryText({ slice, attempt, waitMs, message }: RunEvent & { kind: 'retry' }): string {
  return `${slice === undefined ? '' : `${slice}: `}attempt ${attempt} failed, again in ${formatSeconds(waitMs / 1000)}: ${message}`;
}

function sliceText({
  slice,
  loaded,
  seconds,
  timing,
  bound,
}: RunEvent & { kind: 'slice-committed' }): string {
  const steps = Object.entries(timing).map(([step, time]) => `${step} ${formatSeconds(time)}`);
  return `${slice}: ${plural(loaded, 'row')}, ${steps.join(' · ')} · total ${formatSeconds(seconds)}, bound by ${bound}`;
}

function finishedText({ status, totals, error }: RunEvent & { kind: 'stream-finished' }): string {
  const seconds = formatSeconds(totals.seconds);
  switch (status) {
    case 'loaded':
      return `loaded ${plural(totals.loaded, 'row')} in ${seconds}`;
    case 'nothing-new':
      return `nothing new (${seconds})`;
    case 'failed':
      return `failed: ${error?.message ?? 'no reason was given'}`;
    case 'stopped':
      return `stopped, ${plural(totals.loaded, 'row')} loaded`;
    case 'skipped':
      return 'skipped';
  }
}

function progressText(stream: StreamView, at: number): string {
  const { fetching } = stream;
  const rates = fetching ? fetchRatesOf(stream, fetching, at) : ratesOf(stream, at);
  const parts = fetching ? [fetchingText(fetching)] : [plural(stream.rows, 'row')];
  if (fetching && stream.rows > 0) parts.push(`${plural(stream.rows, 'row')} loaded`);
  if (rates.share !== undefined) parts.unshift(`${Math.floor(rates.share * 100)} %`);
  if (stream.slices > 1) parts.push(`${stream.slicesDone}/${stream.slices} slices`);
  const unit = fetching ? 'records/s' : 'rows/s';
  if (rates.rows > 0) parts.push(`${formatCount(rates.rows)} ${unit}`, `${formatBytes(rates.bytes)}/s`);
  if (rates.secondsLeft !== undefined) parts.push(`${formatClock(rates.secondsLeft)} left`);
  return parts.join('  ');
}
