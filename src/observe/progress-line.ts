import type { Fetching } from '../core/stream.ts';
import { formatBytes, formatClock, formatCount, formatSeconds } from '../core/units.ts';
import { plural } from './plural.ts';
import { fetchRatesOf, ratesOf, type StreamView } from './run-view.ts';
import type { Style } from './style.ts';
import { padEnd, padStart, textWidth, truncate } from './text-width.ts';

export interface LineContext {
  readonly at: number;
  readonly style: Style;
  readonly nameWidth: number;
  /** Cells of the terminal. */
  readonly width: number;
  /** Shown in the line when there is only one; otherwise it stands below all. */
  readonly memoryBytes: number | undefined;
}

interface Part {
  readonly text: string;
  /** Lower ones go first when the terminal is narrow; 9 stays. */
  readonly rank: number;
}

const BAR_CELLS = 15;

/** `  public.orders   ███████████░░░░  72 %   1/2 slices   27.4K rows   412K rows/s   38 MB/s   212 MB   0:01 left` */
export function runningLine(view: StreamView, context: LineContext): string {
  const { at, style } = context;
  const { fetching } = view;
  const rates = fetching ? fetchRatesOf(view, fetching, at) : ratesOf(view, at);
  const parts: Part[] = [{ text: padEnd(view.name, context.nameWidth), rank: 9 }];
  const percent = rates.share === undefined ? undefined : `${Math.floor(rates.share * 100)} %`.padStart(4);
  if (rates.share !== undefined) parts.push({ text: bar(rates.share, style), rank: 4 });
  if (percent !== undefined) parts.push({ text: percent, rank: 8 });
  if (view.retry) {
    const wait = formatClock(Math.max(0, view.retry.until - at) / 1000);
    parts.push({
      text: style.yellow(`again in ${wait}: ${view.retry.message}`),
      rank: 9,
    });
    return fit(parts, context.width);
  }
  if (fetching) parts.push({ text: fetchingText(fetching), rank: 8 });
  if (view.slices > 1)
    parts.push({ text: padStart(`${view.slicesDone}/${view.slices} slices`, 10), rank: 3 });
  if (!fetching || view.rows > 0) parts.push({ text: padStart(plural(view.rows, 'row'), 10), rank: 7 });
  const unit = fetching ? 'records/s' : 'rows/s';
  if (rates.rows > 0) parts.push({ text: padStart(`${formatCount(rates.rows)} ${unit}`, 12), rank: 5 });
  if (rates.bytes > 0) parts.push({ text: padStart(`${formatBytes(rates.bytes)}/s`, 8), rank: 2 });
  if (context.memoryBytes !== undefined)
    parts.push({ text: padStart(formatBytes(context.memoryBytes), 6), rank: 1 });
  if (rates.secondsLeft !== undefined)
    parts.push({ text: `${formatClock(rates.secondsLeft)} left`, rank: 6 });
  return fit(parts, context.width);
}

/** `fetching 1.2K records, 12 pages`; what is loaded of them meanwhile has its own place. */
export function fetchingText({ pages, records }: Fetching): string {
  const came = pages === undefined ? '' : `, ${plural(pages, 'page')}`;
  return `fetching ${plural(records, 'record')}${came}`;
}

/** `  public.customers   ✓          412 rows   0.2 s`; stays where it is. */
export function finishedLine(view: StreamView, context: LineContext): string {
  const { style } = context;
  const name = padEnd(view.name, context.nameWidth);
  const finished = view.finished;
  if (!finished) return fit([{ text: name, rank: 9 }], context.width);
  const seconds = formatSeconds(finished.totals.seconds);
  const loaded = padStart(plural(finished.totals.loaded, 'row'), 16);
  const rest: Record<typeof finished.status, string> = {
    loaded: `${style.green('✓')} ${loaded}   ${seconds}`,
    'nothing-new': `${style.green('✓')} ${padStart('nothing new', 16)}   ${seconds}`,
    failed: `${style.red('✗')} ${finished.error?.message ?? 'failed'}`,
    stopped: `${style.yellow('■')} ${padStart('stopped', 16)}   ${plural(finished.totals.loaded, 'row')} loaded`,
    skipped: `${style.dim('–')} ${padStart('skipped', 16)}`,
  };
  return fit(
    [
      { text: name, rank: 9 },
      { text: rest[finished.status], rank: 9 },
    ],
    context.width,
  );
}

function bar(share: number, style: Style): string {
  const full = Math.min(BAR_CELLS, Math.max(0, Math.round(share * BAR_CELLS)));
  return `${style.cyan('█'.repeat(full))}${style.dim('░'.repeat(BAR_CELLS - full))}`;
}

/** Leaves out the least important parts until the line fits; one cell stays free, since some terminals wrap at the last. */
function fit(parts: readonly Part[], width: number): string {
  let kept = [...parts];
  const room = Math.max(1, width - 1);
  const line = (): string => `  ${kept.map((part) => part.text).join('   ')}`;
  while (textWidth(line()) > room) {
    const lowest = kept.reduce((least, part) => Math.min(least, part.rank), 9);
    if (lowest === 9) break;
    kept = kept.filter((part) => part.rank !== lowest);
  }
  return truncate(line(), room);
}
