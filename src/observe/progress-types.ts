import type { Listener } from '../core/events.ts';
import type { Style } from './style.ts';

/** Where progress goes: process.stderr, or a fake. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly output: ProgressOutput;
  readonly style: Style;
  /** Bytes that the process holds now. */
  readonly memory: () => number;
}

export interface Progress {
  readonly listener: Listener;
  /** Prints a line of text without breaking what is being rewritten. */
  note(text: string): void;
  /** Leaves the terminal as it was found. Safe to call twice. */
  close(): void;
}
