import type { Survey } from '../../core/source.ts';
import type { SliceRange, StreamConfig } from '../../core/stream.ts';

/** All days of a dated stream, to ask how many rows they have; undefined for streams without. */
export function datedRange(stream: StreamConfig, days: Survey['days']): SliceRange | undefined {
  const [first] = days ?? [];
  const last = days?.at(-1);
  if (!stream.date || !first || !last) return undefined;
  return { kind: 'column', column: stream.date.column, from: first.from, to: last.to };
}
