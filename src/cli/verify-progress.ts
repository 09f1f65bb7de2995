import { formatCount } from '../core/units.ts';
import type { VerifyEvent } from '../engine/verify-types.ts';
import { plural } from '../observe/plural.ts';
import { openProgressLine } from './progress-line.ts';
import type { Terminal } from './terminal.ts';

/** What is being compared now. */
export function openVerifyProgress(terminal: Terminal): {
  listener: (event: VerifyEvent) => void;
  close: () => void;
} {
  const line = openProgressLine(terminal);
  return {
    listener: (event) => line.show(stepText(event), event.kind === 'verify-started'),
    close: () => line.close(),
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
