import type { Listener, RunEvent } from '../core/events.ts';
import { formatBytes } from '../core/units.ts';
import { concurrencyText } from './progress-log.ts';
import { finishedLine, type LineContext, runningLine } from './progress-line.ts';
import type { Progress, ProgressOptions } from './progress-types.ts';
import { createRunView, type RunView, type StreamView } from './run-view.ts';
import { textWidth } from './text-width.ts';

/** Ten redraws a second are all that an eye can use. */
const REDRAW_MS = 100;
/** Clocks and rates move even when nothing happens. */
const IDLE_REDRAW_MS = 1000;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_TO_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** One line for each running stream, rewritten in place; finished streams stay above as they are. */
export class LiveProgress implements Progress {
  readonly #options: ProgressOptions;
  readonly #view: RunView = createRunView();
  readonly #timer: NodeJS.Timeout;
  /** Lines to print above the live ones with the next redraw; they are not touched again. */
  readonly #above: string[] = [];
  /** A process that ends in the middle must not leave a terminal without cursor. */
  readonly #restore = (): void => {
    this.close();
  };
  #liveLines = 0;
  #dirty = false;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      const waited = performance.now() - this.#drawnAt;
      if (this.#dirty || waited >= IDLE_REDRAW_MS) this.#draw();
    }, REDRAW_MS);
    this.#timer.unref();
    process.once('exit', this.#restore);
    options.output.write(HIDE_CURSOR);
  }

  readonly listener: Listener = (event: RunEvent) => {
    if (this.#closed) return;
    this.#view.apply(event, performance.now());
    this.#dirty = true;
    if (event.kind === 'stream-finished') {
      const view = this.#view.streams.get(event.stream);
      if (view) this.#above.push(finishedLine(view, this.#context(1)));
    }
    // That it recovers is of no concern.
    if (event.kind === 'concurrency' && event.code !== undefined) this.#above.push(concurrencyText(event));
    if (event.kind === 'run-finished') this.close();
  };

  note(text: string): void {
    if (this.#closed) {
      this.#options.output.write(`${text}\n`);
      return;
    }
    this.#above.push(...text.split('\n'));
    this.#draw();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    process.off('exit', this.#restore);
    this.#paint([]);
    this.#options.output.write(SHOW_CURSOR);
  }

  #context(running: number): LineContext {
    const { output, style, memory } = this.#options;
    const width = output.columns ?? 80;
    const longest = Math.max(0, ...[...this.#view.streams.keys()].map(textWidth));
    return {
      at: performance.now(),
      style,
      width,
      nameWidth: Math.min(longest, Math.max(10, Math.floor(width * 0.4))),
      memoryBytes: running === 1 ? memory() : undefined,
    };
  }

  #draw(): void {
    this.#dirty = false;
    this.#drawnAt = performance.now();
    const views = [...this.#view.streams.values()];
    const running = views.filter((view) => view.state === 'running');
    const context = this.#context(running.length);
    // Lines that scroll out at the top cannot be rewritten, so never more than the window holds.
    const room = Math.max(1, (this.#options.output.rows ?? 24) - 2);
    const lines = running.slice(0, room).map((view) => runningLine(view, context));
    const footer = this.#footer(views, running.length, running.length - room);
    if (footer !== '') lines.push(footer);
    this.#paint(lines);
  }

  #footer(views: readonly StreamView[], running: number, hidden: number): string {
    const waiting = views.filter((view) => view.state === 'waiting').length;
    const parts: string[] = [];
    if (hidden > 0) parts.push(`${hidden} more running`);
    if (waiting > 0 && running > 0) parts.push(`${waiting} waiting`);
    if (running > 1) parts.push(`${formatBytes(this.#options.memory())} memory`);
    return parts.length === 0 ? '' : `  ${this.#options.style.dim(parts.join(' · '))}`;
  }

  /** One write per redraw, so that no half-painted picture is ever seen. */
  #paint(lines: readonly string[]): void {
    const up = this.#liveLines > 0 ? `\u001b[${this.#liveLines}A` : '';
    const text = [...this.#above, ...lines].map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join('');
    this.#above.length = 0;
    if (up === '' && text === '') return;
    this.#liveLines = lines.length;
    this.#options.output.write(`${up === '' ? '' : `\r${up}`}${text}${CLEAR_BELOW}`);
  }
}
