/** Which thresholds a run has crossed, and which streams were not loaded for too long. Pure. */
import type { Alert, AlertName, AlertThresholds } from '../core/alerts.ts';
import type { RunRecord, RunStreamRecord } from '../core/state.ts';
import { formatExact, formatSeconds } from '../core/units.ts';
import { type Figures, figuresOf, figuresOfRun } from './figures.ts';

/** What holds for a pipeline as a whole, and for its streams. */
export interface Thresholds {
  run: Limits;
  streams: ReadonlyMap<string, StreamLimits>;
}

/** Thresholds without those that were taken away. */
export type Limits = {
  [Name in AlertName]?: Exclude<AlertThresholds[Name], false> | undefined;
};

/** `own`: what the stream says itself; `all`: over what its pipeline and the project say. */
interface StreamLimits {
  own: Limits;
  all: Limits;
}

/** A shorter time is mostly spent on beginning. */
const LEAST_SECONDS = 10;

/** The thresholds that hold after those of several levels, the widest first. */
export function limitsOf(...levels: readonly (AlertThresholds | undefined)[]): Limits {
  const given = levels.flatMap((level) => Object.entries(level ?? {}));
  const merged = new Map(given.filter(([, limit]) => limit !== undefined));
  return Object.fromEntries([...merged].filter(([, limit]) => limit !== false));
}

/** What a finished run gives reason to tell, but for staleness. */
export function runAlerts(record: RunRecord, { run, streams }: Thresholds): Alert[] {
  const { pipeline } = record;
  const ofRun = paceAlerts(figuresOfRun(record), run, { pipeline, stream: undefined });
  const begun = record.streams.length > 0 || record.status !== 'failed';
  if (run.failed === true && !begun)
    ofRun.unshift(alert('failed', { pipeline, stream: undefined }, 'the run could not begin'));
  const ofStreams = record.streams.flatMap((stream) => {
    const limits = streams.get(stream.stream);
    return limits ? streamAlerts(stream, limits, { pipeline, stream: stream.stream }) : [];
  });
  return [...ofRun, ...ofStreams];
}

type About = Pick<Alert, 'pipeline' | 'stream'>;

function streamAlerts(stream: RunStreamRecord, { own, all }: StreamLimits, about: About): Alert[] {
  const figures = figuresOf(stream);
  const alerts: Alert[] = [];
  if (all.failed === true && stream.status === 'failed')
    alerts.push(alert('failed', about, `failed: ${stream.error?.message ?? 'for an unknown reason'}`));
  const percent = figures.rows > 0 ? (figures.quarantined / figures.rows) * 100 : 0;
  if (all.error_rate !== undefined && percent > all.error_rate) {
    const rows = `${formatExact(figures.quarantined)} of ${formatExact(figures.rows)} rows`;
    const message = `${rows} are in quarantine (${round(percent)} %), more than ${round(all.error_rate)} %`;
    alerts.push(alert('error_rate', about, message, [percent, all.error_rate]));
  }
  return [...alerts, ...paceAlerts(figures, own, about)];
}

/** How long it took, and how fast it was. */
function paceAlerts({ seconds, rows, rowsPerSecond }: Figures, limits: Limits, about: About): Alert[] {
  const { duration, min_rows_per_second: least } = limits;
  const alerts: Alert[] = [];
  if (duration !== undefined && seconds > duration) {
    const message = `took ${formatSeconds(seconds)}, longer than ${formatSeconds(duration)}`;
    alerts.push(alert('duration', about, message, [seconds, duration]));
  }
  if (least !== undefined && rows > 0 && seconds >= LEAST_SECONDS && rowsPerSecond < least) {
    const message = `${round(rowsPerSecond)} rows per second, fewer than ${least}`;
    alerts.push(alert('min_rows_per_second', about, message, [rowsPerSecond, least]));
  }
  return alerts;
}

/**
 * Streams whose last good load is too long ago. `succeeded` holds when that was, ISO 8601; of a stream that is not in it only
 * this is known, that it was not loaded since `horizon`, or never when that is undefined. `now` is a time in milliseconds.
 */
export function staleAlerts(
  pipeline: string,
  { run, streams }: Thresholds,
  { succeeded, horizon }: { succeeded: ReadonlyMap<string, string>; horizon: string | undefined },
  now: number,
): Alert[] {
  if (streams.size === 0 && run.staleness !== undefined)
    return [alert('staleness', { pipeline, stream: undefined }, NEVER, [undefined, run.staleness])];
  return [...streams].flatMap(([stream, { all }]) => {
    const { staleness } = all;
    if (staleness === undefined) return [];
    const about = { pipeline, stream };
    const last = succeeded.get(stream) ?? horizon;
    if (last === undefined) return [alert('staleness', about, NEVER, [undefined, staleness])];
    const seconds = (now - Date.parse(last)) / 1000;
    if (seconds <= staleness) return [];
    const message = `not loaded for ${formatSeconds(seconds)}, longer than ${formatSeconds(staleness)}`;
    return [alert('staleness', about, message, [seconds, staleness])];
  });
}

const NEVER = 'was never loaded';

function alert(
  name: AlertName,
  { pipeline, stream }: About,
  message: string,
  [value, threshold]: readonly [number | undefined, number | undefined] = [undefined, undefined],
): Alert {
  return { alert: name, pipeline, stream, value, threshold, message };
}

/** Four digits: enough to tell it from the threshold that it has crossed. */
function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}
