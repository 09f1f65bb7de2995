import type { Usage } from './measure.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Medians of times, and the greatest peak: memory is a bound, not an average. */
export function summarizeUsage(usages: readonly Usage[]): Usage {
  const known = (pick: (usage: Usage) => number | undefined): number[] =>
    usages.map(pick).filter((value) => value !== undefined);
  const orNone = (values: number[], sum: (values: number[]) => number): number | undefined =>
    values.length === 0 ? undefined : sum(values);
  return {
    seconds: median(usages.map((usage) => usage.seconds)),
    clientCpu: orNone(
      known((usage) => usage.clientCpu),
      median,
    ),
    serverCpu: orNone(
      known((usage) => usage.serverCpu),
      median,
    ),
    peakBytes: orNone(
      known((usage) => usage.peakBytes),
      (values) => Math.max(...values),
    ),
  };
}
