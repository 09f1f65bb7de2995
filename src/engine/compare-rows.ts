/** Compares the rows of two sides: checksums of all buckets first, then the rows of those that differ. */
import type { Bucket } from '../core/compare.ts';
import { differingBuckets } from './compared-columns.ts';
import { matchRows } from './match-rows.ts';
import { describeRows } from './verify-rows.ts';
import type { Pair, Sides } from './verify-sides.ts';
import type { RowDifference, StreamComparison, VerifyOptions } from './verify-types.ts';

interface CompareOptions extends Pick<VerifyOptions, 'limit' | 'onEvent'> {
  stream: string;
}

/** What it finds is written into the report, which has columns and key. */
export type RowsReport = Pick<
  StreamComparison,
  'rows' | 'missing' | 'extra' | 'changed' | 'waiting' | 'differences' | 'columns' | 'key'
>;

const NAMED_ROWS = 20;

export async function compareRows(sides: Sides, report: RowsReport, options: CompareOptions): Promise<void> {
  const { source, target } = await checksums(sides, options);
  report.rows = { source: sum(source), target: sum(target) };
  const differing = differingBuckets(source, target);
  if (differing.length === 0) return;
  const { limit, stream, onEvent } = options;
  const all = 16 ** sides.source.request.digits;
  onEvent?.({ kind: 'verify-narrowed', stream, buckets: differing.length, of: all });
  // A long list costs more than it saves.
  const only = differing.length > all / 2 ? undefined : differing;
  const keyed = report.key.length > 0;
  const { request, rows } = sides.source;
  const { named, ...counts } = await matchRows(
    rows.rows(request, only, sides.signal),
    sides.target.rows.rows(sides.target.request, only, sides.signal),
    { keyed, limit: limit ?? NAMED_ROWS },
  );
  Object.assign(report, counts);
  report.differences = sorted(await describeRows(sides, report, named));
}

async function checksums(sides: Sides, { stream, onEvent }: CompareOptions): Promise<Pair<Bucket[]>> {
  return sides.both(async ({ rows, request }, side) => {
    const started = performance.now();
    const buckets = await rows.buckets(request, sides.signal);
    const seconds = (performance.now() - started) / 1000;
    onEvent?.({ kind: 'verify-checksums', stream, side, rows: sum(buckets), seconds });
    return buckets;
  });
}

function sum(buckets: readonly Bucket[]): number {
  return buckets.reduce((total, { rows }) => total + rows, 0);
}

const KINDS: readonly RowDifference['kind'][] = ['changed', 'missing', 'extra'];

function sorted(rows: readonly RowDifference[]): RowDifference[] {
  const text = ({ key }: RowDifference): string => Object.values(key).join('\0');
  const compareText = new Intl.Collator('en', { numeric: true }).compare;
  return rows.toSorted(
    (a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || compareText(text(a), text(b)),
  );
}
