/** What a benchmark says whose loads took turns with the limit. */
import { atMost, type BenchOutcome, type BenchResult, type Target } from './context.ts';
import type { EngineRun } from './engine.ts';
import type { Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { median, summarizeUsage } from './statistics.ts';

export interface Pair {
  limit: Usage;
  engine: EngineRun;
}

export interface Paired {
  bench: string;
  quick: boolean;
  pairs: readonly Pair[];
  /** What was moved, for people. */
  title: string;
  /** Rows of the result, and of which it is told how many there were in a second. */
  figures: Pick<BenchResult, 'rows'> & { changed_rows?: number };
  moved: number;
  wireBytes?: number | undefined;
  limit: { name: string; wireBytes?: number | undefined };
  /** How many rows were compared, and how that is told. */
  verified: number;
  compared: (rows: string) => string;
  targets: (engine: Usage, ratio: number) => Target[];
}

export function pairedOutcome(paired: Paired): BenchOutcome {
  const { bench, quick, pairs, figures, moved: rows, verified } = paired;
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const ratio = median(ratios);
  const targets = quick ? [] : paired.targets(engine, ratio);
  const text = [
    `${bench}: ${paired.title}`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes: paired.wireBytes },
      { name: `limit: ${paired.limit.name}`, usage: limit, rows, wireBytes: paired.limit.wireBytes },
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')})`,
    `  ${paired.compared(count(verified))}`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench,
      ...figures,
      seconds: round(engine.seconds, 3),
      limit_seconds: round(limit.seconds, 3),
      ratio: round(ratio, 3),
      peak_rss_mb: peakMb(engine),
      quick,
      verified,
      targets,
      ...usageFields('', engine),
    },
  };
}

/** Bounds of the ratio and of the memory. */
export function boundsOf(bounds: { ratio: number; peakMb: number }): Paired['targets'] {
  return ({ peakBytes }, ratio) => [
    ...atMost('ratio', ratio, bounds.ratio),
    ...atMost('peak MB', peakBytes === undefined ? undefined : peakBytes / MEGABYTE, bounds.peakMb),
  ];
}
