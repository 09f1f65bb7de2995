import { formatCount, formatSeconds } from '../core/units.ts';
import type { VerifyEvent } from '../engine/verify-types.ts';
import { plural } from '../observe/plural.ts';
import { truncate } from '../observe/text-width.ts';
import type { Terminal } from './terminal.ts';

const FRAME_MS = 200;

/** What is being compared now, in one line that is rewritten; nothing where output is not a terminal. */
export function openVerifyProgress({ stderr, noteStyle }: Terminal): {
  listener: (event: VerifyEvent) => void;
  close: () => void;
} {
  if (stderr.isTTY !== true) return { listener: () => undefined, close: () => undefined };
  let text = 'connecting';
  let began = performance.now();
  const draw = (): void => {
    const line = `  ${text}   ${formatSeconds((performance.now() - began) / 1000)}`;
    stderr.write(`\r\u001b[2K${noteStyle.dim(truncate(line, (stderr.columns ?? 80) - 1))}`);
  };
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  return {
    listener: (event) => {
      if (event.kind === 'verify-started') began = performance.now();
      text = stepText(event);
      draw();
    },
    close: () => {
      clearInterval(timer);
      stderr.write('\r\u001b[2K');
    },
  };
}

function stepText(event: VerifyEvent): string {
  switch (event.kind) {
    case 'verify-started': {
      const rows =
        event.estimatedRows === undefined ? '' : ` of about ${formatCount(event.estimatedRows)} rows`;
      return `${event.stream}   checksums${rows}`;
    }
    case 'verify-checksums':
      return `${event.stream}   ${event.side} done: ${plural(event.rows, 'row')}, waiting for the other side`;
    case 'verify-narrowed':
      return `${event.stream}   looking into ${formatCount(event.buckets)} of ${formatCount(event.of)} groups of rows`;
    case 'verify-finished':
      return `${event.stream}   ${event.status}`;
  }
}
