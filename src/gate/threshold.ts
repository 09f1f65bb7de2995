/** How many records may not fit before a stream fails. Pure. */
import type { MaxBad } from '../core/stream.ts';

/** One in a hundred, where nothing is configured. */
const DEFAULT: MaxBad = { percent: 1 };
/** Fewer than so many bad records are no share of anything. */
const LEAST = 100;

/** What is exceeded, for people: `1 % (1,204 of 40,000)`; undefined: nothing. */
export function exceeded(
  maxBad: MaxBad | undefined,
  { rows, bad }: { rows: number; bad: number },
): string | undefined {
  const { rows: most, percent } = maxBad ?? DEFAULT;
  const found = `${bad.toLocaleString('en')} of ${rows.toLocaleString('en')} rows`;
  if (most !== undefined && bad > most) return `${found}, more than ${most.toLocaleString('en')}`;
  if (percent !== undefined && bad >= LEAST && bad > (rows * percent) / 100)
    return `${found}, more than ${percent} %`;
  return undefined;
}
