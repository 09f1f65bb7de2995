import type { Alert } from '../core/alerts.ts';
import type { ErrorInfo, LoadVerification, RunStatus, StreamStatus, StreamTotals } from '../core/events.ts';
import { redactUrl } from '../core/redact.ts';
import { formatBytes, formatCount, formatSeconds } from '../core/units.ts';
import { alertLines } from './alert-text.ts';
import { plural } from './plural.ts';
import type { Phases } from './phases.ts';
import type { Style } from './style.ts';
import { type Column, renderTable } from './table.ts';

/** What the summary reads of a run's report; the engine's RunReport is one. */
export interface FinishedRun {
  readonly pipeline: string;
  readonly status: RunStatus;
  readonly seconds: number;
  readonly peakRssBytes: number;
  readonly streams: readonly FinishedStream[];
  readonly alerts: readonly Alert[];
}

export interface FinishedStream {
  readonly stream: string;
  readonly status: StreamStatus;
  readonly totals: StreamTotals;
  readonly watermark: string | undefined;
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
  readonly verification?: LoadVerification | undefined;
  readonly error: ErrorInfo | undefined;
  readonly indexes?: { readonly made: number; readonly seconds: number } | undefined;
  readonly files?: readonly string[] | undefined;
}

export interface SummaryOptions {
  readonly style: Style;
  readonly phases?: Phases | undefined;
  /** Warnings that were given on the way; those that the report has as well are shown once. */
  readonly warnings?: readonly Warning[] | undefined;
  /** Which files there were, by stream. */
  readonly found?: ReadonlyMap<string, string> | undefined;
}

interface Warning {
  readonly stream: string | undefined;
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** Seconds. */
const WORTH_TELLING = 0.5;

/** The closing words of a run: headline, table of what was loaded, and what went wrong with what to do about it. */
export function renderSummary(run: FinishedRun, options: SummaryOptions): string {
  const lines = [headline(run, options)];
  const shown = run.streams.filter(
    (stream) => stream.status !== 'nothing-new' && stream.status !== 'skipped',
  );
  // A table of nothing but "failed" says less than the reasons below.
  if (shown.some(({ totals }) => totals.rows > 0)) lines.push(streamTable(shown, options.style));
  const quiet = run.streams.filter((stream) => stream.status === 'nothing-new').length;
  if (quiet > 0 && shown.length > 0) lines.push(`  ${plural(quiet, 'stream')} had nothing new`);
  for (const { stream } of run.streams.length === 1 ? run.streams : shown) {
    const found = options.found?.get(stream);
    if (found !== undefined) lines.push(`  ${options.style.cyan('←')} ${stream}: ${found}`);
  }
  for (const { stream, files = [] } of run.streams) {
    const more = files.length > 1 ? ` and ${plural(files.length - 1, 'more file')}` : '';
    if (files.length > 0) lines.push(`  ${options.style.cyan('→')} ${stream}: ${files[0]}${more}`);
  }
  for (const { stream, changes } of run.streams) {
    if (changes.length > 0)
      lines.push(`  ${options.style.cyan('~')} ${stream}: table changed: ${changes.join(', ')}`);
  }
  for (const { stream, totals } of run.streams)
    if (totals.deleted)
      lines.push(
        `  ${options.style.cyan('~')} ${stream}: ${plural(totals.deleted, 'row')} gone from the source`,
      );
  for (const { stream, indexes } of run.streams) {
    if (indexes && indexes.seconds >= WORTH_TELLING)
      lines.push(
        `  ${options.style.cyan('~')} ${stream}: ${plural(indexes.made, 'index', 'indexes')} made after the load in ${formatSeconds(indexes.seconds)}`,
      );
  }
  lines.push(...verifiedLines(run, options.style), ...warningLines(run, options));
  lines.push(...failureLines(run, options.style), ...alertLines(run.alerts, options.style));
  return redactUrl(lines.join('\n'));
}

function headline(run: FinishedRun, { style, phases }: SummaryOptions): string {
  const name = style.bold(run.pipeline);
  const time = formatSeconds(run.seconds);
  const loaded = run.streams.reduce((sum, stream) => sum + stream.totals.loaded, 0);
  const deleted = run.streams.reduce((sum, { totals }) => sum + (totals.deleted ?? 0), 0);
  const also = deleted > 0 ? `, ${plural(deleted, 'delete')}` : '';
  const details: string[] = [];
  if (phases && loaded > 0) {
    const bound = phases.bound === undefined ? '' : ` (bound by ${phases.bound})`;
    const fetch = phases.fetch === undefined ? '' : `fetch ${tenth(phases.fetch)} · `;
    details.push(`${fetch}load ${tenth(phases.load)}${bound} · commit ${tenth(phases.commit)}`);
  }
  if (run.peakRssBytes > 0) details.push(`peak ${formatBytes(run.peakRssBytes)}`);
  const tail = details.length > 0 ? `   ${style.dim(details.join('   '))}` : '';
  const good = run.streams.filter(
    (stream) => stream.status === 'loaded' || stream.status === 'nothing-new',
  ).length;
  switch (run.status) {
    case 'succeeded':
      return run.streams.every(({ status }) => status !== 'loaded')
        ? `${style.green('✓')} ${name}   nothing new   ${time}`
        : `${style.green('✓')} ${name}   ${plural(loaded, 'row')}${also} in ${time}${tail}`;
    case 'partial':
      return `${style.yellow('!')} ${name}   ${good} of ${plural(run.streams.length, 'stream')} done, ${plural(loaded, 'row')} in ${time}${tail}`;
    case 'failed':
      return `${style.red('✗')} ${name}   failed after ${time}${loaded > 0 ? `, ${plural(loaded, 'row')} loaded` : ''}`;
    case 'stopped':
      return `${style.yellow('■')} ${name}   stopped after ${time}; ${loaded > 0 ? `${plural(loaded, 'row')} loaded, the next run goes on from there` : 'nothing was loaded'}`;
  }
}

function tenth(seconds: number): string {
  return seconds.toFixed(1);
}

const LOADED_BY: Column = { title: 'loaded by' };
const REASONS = { asked: 'asked for', server: 'nothing else is allowed' };
const QUARANTINED: Column = { title: 'quarantined', align: 'right' };
const SKIPPED: Column = { title: 'skipped', align: 'right' };
const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: 'read', align: 'right' },
  { title: 'loaded', align: 'right' },
  { title: 'rows/s', align: 'right' },
  { title: 'written', align: 'right' },
  { title: 'watermark' },
];

/** Which ways the loads of a stream have gone, and why. */
function loadedBy(methods: StreamTotals['methods'] = []): string {
  const only = methods.length === 1;
  return methods
    .map(({ method, why, loads, rows, bytes }) => {
      const reason = why === 'size' ? `${plural(rows, 'row')}, ${formatBytes(bytes)}` : REASONS[why];
      return `${method} (${only ? '' : `${plural(loads, 'load')}: `}${reason})`;
    })
    .join(', ');
}

function streamTable(streams: readonly FinishedStream[], style: Style): string {
  // Hardly ever are there any.
  const bad = streams.some(({ totals }) => totals.quarantined > 0);
  const skips = streams.some(({ totals }) => totals.skipped > 0);
  const ways = streams.some(({ totals }) => totals.methods !== undefined && totals.methods.length > 0);
  const rows = streams.map(({ stream, totals, watermark, status }) => [
    stream,
    formatCount(totals.rows),
    formatCount(totals.loaded),
    ...(bad ? [formatCount(totals.quarantined)] : []),
    ...(skips ? [formatCount(totals.skipped)] : []),
    totals.seconds > 0 && totals.rows > 0 ? formatCount(totals.rows / totals.seconds) : '',
    totals.written > 0 ? formatBytes(totals.written) : '',
    ...(ways ? [loadedBy(totals.methods)] : []),
    status === 'loaded'
      ? (watermark ?? '')
      : status === 'failed'
        ? style.red('failed')
        : style.yellow('stopped'),
  ]);
  const columns = [
    ...COLUMNS.slice(0, 3),
    ...(bad ? [QUARANTINED] : []),
    ...(skips ? [SKIPPED] : []),
    ...COLUMNS.slice(3, -1),
    ...(ways ? [LOADED_BY] : []),
    COLUMNS.at(-1)!,
  ];
  return renderTable(columns, rows, { paintTitle: style.dim });
}

/** Who agrees is only counted; who does not has failed. */
function verifiedLines(run: FinishedRun, style: Style): string[] {
  const agreed = run.streams.flatMap(({ verification }) =>
    verification?.status === 'equal' ? [verification] : [],
  );
  return [...Map.groupBy(agreed, ({ by }) => by)].map(([by, found]) => {
    const seconds = found.reduce((sum, each) => sum + each.seconds, 0);
    return `  ${style.green('=')} ${by} agree with the source: ${plural(found.length, 'stream')}, ${formatSeconds(seconds)}`;
  });
}

/** What several streams are warned of is said once. */
function warningLines(run: FinishedRun, { warnings, style }: SummaryOptions): string[] {
  const reported = run.streams.flatMap(({ stream, warnings: own }) =>
    own.map((message): Warning => ({ stream, message })),
  );
  const byMessage = new Map<string, { streams: Set<string>; remedy: string | undefined }>();
  const failures = new Map(run.streams.map(({ stream, error }) => [stream, error?.message ?? '']));
  for (const { stream, message, remedy } of [...reported, ...(warnings ?? [])]) {
    // The error below says it as well.
    if (stream !== undefined && failures.get(stream)?.includes(message) === true) continue;
    const known = byMessage.get(message) ?? { streams: new Set<string>(), remedy };
    if (stream !== undefined) known.streams.add(stream);
    byMessage.set(message, known);
  }
  return [...byMessage].flatMap(([message, { streams, remedy }]) => {
    const shown = nameList([...streams]);
    const line = `  ${style.yellow('!')} ${shown === '' ? '' : `${shown}: `}${message}`;
    return remedy === undefined ? [line] : [line, `    ${remedy}`];
  });
}

/** One cause often fails many streams: it is told once. */
function failureLines(run: FinishedRun, style: Style): string[] {
  const failed = run.streams.filter((stream) => stream.error && stream.status === 'failed');
  const groups = Map.groupBy(failed, ({ error, ...stream }) =>
    [error?.message, error?.remedy ?? '', nextRun(stream)].join('\n'),
  );
  return [...groups.values()].flatMap((streams) => {
    const [{ stream, error } = { stream: '', error: undefined }] = streams;
    const message = error?.message ?? '';
    // Most messages name the stream themselves.
    const names =
      streams.length === run.streams.length || message.includes(stream)
        ? ''
        : `${nameList(streams.map((each) => each.stream))}: `;
    const lines = [`  ${style.red('✗')} ${names}${message}`];
    if (error?.remedy !== undefined) lines.push(`    ${error.remedy}`);
    for (const each of streams.slice(0, 1)) lines.push(`    ${style.dim(nextRun(each))}`);
    return lines;
  });
}

/** What is durable of a stream that did not end well, and where the next run takes it up. */
function nextRun({ totals, watermark }: Pick<FinishedStream, 'totals' | 'watermark'>): string {
  const durable =
    totals.loaded > 0 ? `${plural(totals.loaded, 'row')} are loaded and stay` : 'nothing was written';
  // Without a watermark in the report nobody here knows where that is, but the destination does.
  const next =
    watermark === undefined
      ? totals.loaded > 0
        ? 'goes on from there'
        : 'does it again'
      : `continues at ${watermark}`;
  return `${durable}; the next run ${next}`;
}

function nameList(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', ');
}
