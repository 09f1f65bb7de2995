import type { DataFile } from './records.ts';

const INTEGER = /^-?\d+$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIMESTAMP = /^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|\+00(?::?00)?)?$/;

/**
 * The range of cursor values of merged files. Undefined when a file has none or when texts are of a form whose order
 * is not certain; the merged file then counts as one that may hold any value.
 */
export function mergedCursor(ranges: readonly DataFile['cursor'][]): DataFile['cursor'] {
  const [first, ...rest] = ranges;
  if (!first) return undefined;
  let { min, max } = first;
  for (const range of rest) {
    if (!range) return undefined;
    const [low, high, within] = [order(range.min, min), order(range.max, max), order(min, max)];
    if (low === undefined || high === undefined || within === undefined) return undefined;
    if (low < 0) min = range.min;
    if (high > 0) max = range.max;
  }
  return { min, max };
}

function order(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (INTEGER.test(a) && INTEGER.test(b)) return BigInt(a) < BigInt(b) ? -1 : 1;
  if (DATE.test(a) && DATE.test(b)) return a < b ? -1 : 1;
  const [ta, tb] = [TIMESTAMP.exec(a), TIMESTAMP.exec(b)];
  if (!ta || !tb || ta[3] !== tb[3]) return undefined;
  const [ka, kb] = [sortable(ta), sortable(tb)];
  return ka === kb ? 0 : ka < kb ? -1 : 1;
}

function sortable([, seconds, fraction = '']: RegExpExecArray): string {
  return `${seconds!.replace('T', ' ')}.${fraction.padEnd(9, '0')}`;
}
