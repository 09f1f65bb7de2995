import type { Load } from '../core/destination.ts';
import type { StreamTotals } from '../core/events.ts';

/** Counts what was read for a load; `sign` -1 takes it back. */
export function countLoad(totals: StreamTotals, { facts }: Load, sign: 1 | -1): void {
  totals.rows += sign * (facts.rows + (facts.quarantined ?? 0));
  totals.bytes += sign * facts.bytes;
  for (const [column, count] of Object.entries(facts.coerced))
    totals.coerced[column] =
      (Object.hasOwn(totals.coerced, column) ? totals.coerced[column]! : 0) + sign * count;
}
