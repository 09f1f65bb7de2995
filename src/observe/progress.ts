import { LiveProgress } from './progress-live.ts';
import { openLines } from './progress-log.ts';
import type { Progress, ProgressOptions } from './progress-types.ts';

/** Shows a run while it goes on: rewritten in place on a terminal, as plain lines anywhere else. */
export function openProgress(options: ProgressOptions): Progress {
  return options.output.isTTY === true ? new LiveProgress(options) : openLines(options);
}
