import { formatCount } from '../core/units.ts';
import type { DiagnoseEvent } from '../engine/diagnose-types.ts';
import { openProgressLine } from './progress-line.ts';
import type { Terminal } from './terminal.ts';

/** Which stream is being looked through now. */
export function openDiagnosisProgress(terminal: Terminal): {
  listener: (event: DiagnoseEvent) => void;
  close: () => void;
} {
  const line = openProgressLine(terminal);
  return {
    listener: (event) => line.show(stepText(event), event.kind === 'diagnose-started'),
    close: () => line.close(),
  };
}

function stepText(event: DiagnoseEvent): string {
  if (event.kind === 'diagnose-finished') return `${event.stream}   ${event.status}`;
  const rows = event.estimatedRows === undefined ? '' : ` at about ${formatCount(event.estimatedRows)} rows`;
  return `${event.stream}   looking${rows}`;
}
