import type { Listener, StreamTotals } from '../core/events.ts';
import type { RunWindow, StreamConfig } from '../core/stream.ts';

interface Teller {
  pipeline: string;
  emit: Listener;
}

export function warn({ emit }: Teller, stream: string | undefined, code: string, message: string): void {
  emit({ kind: 'warning', stream, code, message });
}

/** The window, with which the source tells how far fetching is. */
export function telling({ emit }: Teller, stream: string, window: RunWindow = {}): RunWindow {
  return { ...window, onFetching: (fetching) => emit({ kind: 'fetching', stream, ...fetching }) };
}

/** Tells what has become of values and rows that could not be taken as they are; the same for the report. */
export function reportedOf(run: Teller, stream: StreamConfig, totals: StreamTotals): string[] {
  const coerced = Object.entries(totals.coerced).map(
    ([column, count]) =>
      `${count} values of "${column}" have no equal in the type of the table and were changed by rule (see the type table)`,
  );
  for (const message of coerced) warn(run, stream.name, 'data.coerced', message);
  const { quarantined } = totals;
  if (quarantined === 0) return coerced;
  const rows = quarantined === 1 ? '1 row does' : `${quarantined.toLocaleString('en')} rows do`;
  const message = `${rows} not fit and went to quarantine: sluice quarantine show ${run.pipeline} ${stream.name}`;
  warn(run, stream.name, 'data.quarantined', message);
  return [...coerced, message];
}

export function warnLeftOut(run: Teller, stream: StreamConfig, names: readonly string[]): void {
  const list = names.map((name) => `"${name}"`).join(', ');
  warn(
    run,
    stream.name,
    'parts.left_out',
    `foreign keys refer to tables that the pipeline does not load, and are not made: ${list}`,
  );
}
