import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent, StreamTotals } from '../core/events.ts';
import { openProgress } from './progress.ts';
import type { Progress } from './progress-types.ts';
import { createStyle } from './style.ts';
import { textWidth } from './text-width.ts';

/** A terminal that understands the few codes that progress uses, so that tests see what a person would. */
class FakeScreen {
  readonly isTTY: boolean;
  columns = 120;
  rows = 24;
  writes = 0;
  raw = '';
  cursorHidden = false;
  readonly lines: string[] = [''];
  #row = 0;

  constructor(isTTY = true) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.writes += 1;
    this.raw += text;
    // oxlint-disable-next-line no-control-regex -- terminal codes begin with ESC
    for (const [token] of text.matchAll(/\u001b\[\??\d*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g)) this.#apply(token);
  }

  #apply(token: string): void {
    if (token.startsWith('\u001b[') && token.endsWith('A')) this.#row -= Number.parseInt(token.slice(2), 10);
    else if (token === '\n') this.#row += 1;
    else if (token === '\u001b[J') this.lines.length = this.#row;
    else if (token === '\u001b[?25l') this.cursorHidden = true;
    else if (token === '\u001b[?25h') this.cursorHidden = false;
    else if (!token.startsWith('\u001b') && token !== '\r') this.lines[this.#row] = token;
    while (this.lines.length <= this.#row) this.lines.push('');
  }

  shown(): string[] {
    return this.lines.filter((line) => line !== '');
  }
}

const TOTALS: StreamTotals = {
  rows: 412,
  bytes: 41_200,
  loaded: 412,
  written: 9000,
  quarantined: 0,
  skipped: 0,
  retries: 0,
  coerced: {},
  seconds: 0.2,
};

function start(progress: Progress, ...streams: string[]): void {
  progress.listener({
    kind: 'run-started',
    run: 'r',
    pipeline: 'p',
    from: 'a',
    to: 'b',
    streams: streams.length,
    at: '',
  });
  for (const stream of streams) {
    progress.listener({ kind: 'stream-planned', stream, slices: 2, estimatedRows: 40_000, window: 'all' });
  }
}

function send(progress: Progress, ...events: RunEvent[]): void {
  for (const event of events) progress.listener(event);
}

const started = (stream: string): RunEvent => ({ kind: 'stream-started', stream });
const slice = (stream: string, id = 's1', attempt = 1): RunEvent => ({
  kind: 'slice-started',
  stream,
  slice: id,
  index: 0,
  slices: 2,
  attempt,
});
const rows = (stream: string, count: number, id = 's1'): RunEvent => ({
  kind: 'progress',
  stream,
  slice: id,
  rows: count,
  bytes: count * 100,
});
const committed = (stream: string, count: number, id = 's1'): RunEvent => ({
  kind: 'slice-committed',
  stream,
  slice: id,
  rows: count,
  loaded: count,
  bytes: count * 100,
  seconds: 1,
  timing: { copy: 0.5, commit: 0.25 },
  bound: 'writing',
});
const finished = (stream: string): RunEvent => ({
  kind: 'stream-finished',
  stream,
  status: 'loaded',
  totals: TOTALS,
  watermark: undefined,
});

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setInterval', 'clearInterval', 'performance', 'Date'],
    now: new Date('2026-07-25T01:00:00Z'),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function openLive(screen: FakeScreen): Progress {
  return openProgress({ output: screen, style: createStyle(false), memory: () => 212_000_000 });
}

describe('on a terminal', () => {
  it('rewrites one line for a running stream', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    start(progress, 'public.orders');
    send(progress, started('public.orders'), slice('public.orders'));
    vi.advanceTimersByTime(1000);
    send(progress, rows('public.orders', 14_400));
    vi.advanceTimersByTime(1000);
    send(progress, committed('public.orders', 28_800));
    vi.advanceTimersByTime(100);
    expect(screen.shown()).toEqual([
      '  public.orders   ███████████░░░░   72 %   1/2 slices   28.8K rows   13.7K rows/s   1.4 MB/s   212 MB   0:01 left',
    ]);
    progress.close();
    expect(screen.shown()).toEqual([]);
  });

  it('shows how far fetching is, up to how many there are, until it is loaded', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    send(progress, started('loans'));
    const fetching = (seconds: number, records: number, done: boolean = false): void => {
      const facts = { pages: records / 100, records, bytes: records * 1000, of: 4000, seconds, done };
      send(progress, { kind: 'fetching', stream: 'loans', ...facts });
    };
    fetching(0, 0);
    vi.advanceTimersByTime(1000);
    fetching(1, 1000);
    vi.advanceTimersByTime(100);
    expect(screen.shown()).toEqual([
      '  loans   ████░░░░░░░░░░░   25 %   fetching 1K records, 10 pages   909 records/s   909 kB/s   212 MB   0:04 left',
    ]);
    fetching(2, 4000, true);
    send(progress, slice('loans'));
    vi.advanceTimersByTime(100);
    expect(screen.shown()[0]).not.toContain('fetching');
    progress.close();
  });

  it('keeps finished streams above the running ones and says what else is going on', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    start(progress, 'public.orders', 'public.customers', 'public.items', 'public.countries');
    send(
      progress,
      started('public.orders'),
      started('public.customers'),
      started('public.items'),
      finished('public.customers'),
    );
    vi.advanceTimersByTime(100);
    expect(screen.shown().map((line) => line.trimEnd())).toEqual([
      '  public.customers   ✓         412 rows   0.2 s',
      '  public.orders      ░░░░░░░░░░░░░░░    0 %   0/2 slices       0 rows',
      '  public.items       ░░░░░░░░░░░░░░░    0 %   0/2 slices       0 rows',
      '  1 waiting · 212 MB memory',
    ]);
    send(progress, finished('public.orders'), finished('public.items'));
    progress.close();
    expect(screen.shown()).toHaveLength(3);
  });

  it('redraws at most ten times a second', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    start(progress, 'public.orders');
    send(progress, started('public.orders'), slice('public.orders'));
    screen.writes = 0;
    for (let i = 0; i < 1000; i += 1) {
      send(progress, rows('public.orders', i));
      vi.advanceTimersByTime(1);
    }
    expect(screen.writes).toBeGreaterThan(5);
    expect(screen.writes).toBeLessThanOrEqual(10);
    screen.writes = 0;
    vi.advanceTimersByTime(5000);
    // Nothing happens: once a second for the clocks.
    expect(screen.writes).toBe(5);
    progress.close();
  });

  it.each([20, 40, 60, 80, 100])('fits %i columns', (columns) => {
    const screen = new FakeScreen();
    screen.columns = columns;
    const progress = openLive(screen);
    start(progress, 'public.a_table_with_a_name_that_is_rather_long');
    send(
      progress,
      started('public.a_table_with_a_name_that_is_rather_long'),
      slice('public.a_table_with_a_name_that_is_rather_long'),
    );
    vi.advanceTimersByTime(1000);
    send(progress, rows('public.a_table_with_a_name_that_is_rather_long', 20_000));
    vi.advanceTimersByTime(1000);
    const [line = ''] = screen.shown();
    expect(textWidth(line)).toBeLessThan(columns);
    expect(line.length).toBeGreaterThan(10);
    progress.close();
  });

  it('never draws more lines than the window has', () => {
    const screen = new FakeScreen();
    screen.rows = 6;
    const progress = openLive(screen);
    const names = Array.from({ length: 10 }, (_, i) => `stream_${i}`);
    start(progress, ...names);
    send(progress, ...names.map(started));
    vi.advanceTimersByTime(100);
    expect(screen.shown()).toHaveLength(5);
    expect(screen.shown().at(-1)).toBe('  6 more running · 212 MB memory');
    progress.close();
  });

  it('hides the cursor while it draws and gives it back, also when the process ends', () => {
    const screen = new FakeScreen();
    const before = process.listenerCount('exit');
    const progress = openLive(screen);
    expect(screen.cursorHidden).toBe(true);
    expect(process.listenerCount('exit')).toBe(before + 1);
    progress.close();
    progress.close();
    expect(screen.cursorHidden).toBe(false);
    expect(process.listenerCount('exit')).toBe(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('prints notes above what is being rewritten', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    start(progress, 'public.orders');
    send(progress, started('public.orders'));
    vi.advanceTimersByTime(100);
    progress.note('stopping at a clean point');
    expect(screen.shown()[0]).toBe('stopping at a clean point');
    expect(screen.shown()[1]).toMatch(/^ {2}public\.orders/);
    progress.close();
    progress.note('bye');
    expect(screen.shown()).toEqual(['stopping at a clean point', 'bye']);
  });

  it('shows a retry instead of figures, and starts the slice anew', () => {
    const screen = new FakeScreen();
    const progress = openLive(screen);
    start(progress, 'public.orders');
    send(progress, started('public.orders'), slice('public.orders'), rows('public.orders', 20_000));
    send(progress, {
      kind: 'retry',
      stream: 'public.orders',
      slice: 's1',
      attempt: 1,
      waitMs: 3000,
      code: 'x',
      message: 'connection lost',
    });
    vi.advanceTimersByTime(100);
    expect(screen.shown()[0]).toContain('again in 0:03: connection lost');
    send(progress, slice('public.orders', 's1', 2));
    vi.advanceTimersByTime(100);
    expect(screen.shown()[0]).toContain('0 rows');
    progress.close();
  });
});

describe('elsewhere', () => {
  it('prints every ten seconds how far fetching is, and when it has ended', () => {
    const screen = new FakeScreen(false);
    const progress = openLive(screen);
    send(progress, started('loans'));
    for (let i = 0; i <= 120; i += 1) {
      const facts = { pages: i, records: i * 100, bytes: i * 10_000, of: undefined, seconds: i / 10 };
      send(progress, { kind: 'fetching', stream: 'loans', ...facts, done: i === 120 });
      vi.advanceTimersByTime(100);
    }
    progress.close();
    expect(screen.raw.trimEnd().split('\n').slice(1)).toEqual([
      '01:00:10 loans: fetching 10K records, 100 pages  1K records/s  100 kB/s',
      '01:00:12 loans: fetched 12K records in 120 pages, 1.2 MB, in 12 s',
    ]);
  });

  it('prints a line when a stream changes state and every ten seconds in between', () => {
    const screen = new FakeScreen(false);
    const progress = openLive(screen);
    start(progress, 'public.orders');
    send(progress, started('public.orders'), slice('public.orders'));
    for (let i = 1; i <= 250; i += 1) {
      vi.advanceTimersByTime(100);
      send(progress, rows('public.orders', i * 100));
    }
    send(progress, {
      kind: 'retry',
      stream: 'public.orders',
      slice: 's1',
      attempt: 1,
      waitMs: 3000,
      code: 'x',
      message: 'connection lost',
    });
    send(progress, { kind: 'schema-changed', stream: 'public.orders', changes: ['+ tier text'] });
    send(progress, finished('public.orders'));
    progress.close();
    expect(screen.raw).toBe(
      [
        '01:00:00 public.orders: reading all in 2 slices, about 40K rows',
        '01:00:00 public.orders: started',
        '01:00:10 public.orders: 25 %  10K rows  0/2 slices  1K rows/s  100 kB/s  0:30 left',
        '01:00:20 public.orders: 50 %  20K rows  0/2 slices  1K rows/s  100 kB/s  0:20 left',
        '01:00:25 public.orders: s1: attempt 1 failed, again in 3 s: connection lost',
        '01:00:25 public.orders: table changes: + tier text',
        '01:00:25 public.orders: loaded 412 rows in 0.2 s',
        '',
      ].join('\n'),
    );
  });
});
