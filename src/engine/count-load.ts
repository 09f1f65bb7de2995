import type { Load } from '../core/destination.ts';
import type { MethodTotals, StreamTotals } from '../core/events.ts';

/** Counts what was read for a load; `sign` -1 takes it back. */
export function countLoad(totals: StreamTotals, { facts, by }: Load, sign: 1 | -1): void {
  totals.rows += sign * (facts.rows + (facts.quarantined ?? 0));
  totals.bytes += sign * facts.bytes;
  for (const [column, count] of Object.entries(facts.coerced))
    totals.coerced[column] =
      (Object.hasOwn(totals.coerced, column) ? totals.coerced[column]! : 0) + sign * count;
  if (by) countMethod(totals, { ...by, loads: sign, rows: sign * facts.rows, bytes: sign * facts.bytes });
}

function countMethod(totals: StreamTotals, more: MethodTotals): void {
  const all = (totals.methods ??= []);
  const same = all.find(({ method, why }) => method === more.method && why === more.why);
  if (!same) all.push(more);
  else {
    same.loads += more.loads;
    same.rows += more.rows;
    same.bytes += more.bytes;
  }
  totals.methods = all.filter(({ loads }) => loads > 0);
}
