import { formatSeconds } from '../core/units.ts';
import { truncate } from '../observe/text-width.ts';
import type { Terminal } from './terminal.ts';

const FRAME_MS = 200;

export interface ProgressLine {
  /** `restart`: seconds are counted from here. */
  show(text: string, restart?: boolean): void;
  close(): void;
}

/** What is being done now, in one line that is rewritten; nothing where output is not a terminal. */
export function openProgressLine({ stderr, noteStyle }: Terminal): ProgressLine {
  if (stderr.isTTY !== true) return { show: () => undefined, close: () => undefined };
  let text = 'connecting';
  let began = performance.now();
  const draw = (): void => {
    const line = `  ${text}   ${formatSeconds((performance.now() - began) / 1000)}`;
    stderr.write(`\r\u001b[2K${noteStyle.dim(truncate(line, (stderr.columns ?? 80) - 1))}`);
  };
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  return {
    show: (given, restart = false) => {
      if (restart) began = performance.now();
      text = given;
      draw();
    },
    close: () => {
      clearInterval(timer);
      stderr.write('\r\u001b[2K');
    },
  };
}
