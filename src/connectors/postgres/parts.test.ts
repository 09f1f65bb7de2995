import { expect, it } from 'vitest';
import { pageCuts } from './parts.ts';

/** Pages of all tables in each range. */
function shares(pages: number[], cuts: number[]): number[] {
  const upTo = (cut: number): number => pages.reduce((sum, size) => sum + Math.min(size, cut), 0);
  return [...cuts, Infinity].map((cut, i) => upTo(cut) - upTo(cuts[i - 1] ?? 0));
}

it('cuts one table into ranges of about equal size', () => {
  expect(pageCuts([100], 4)).toEqual([25, 50, 75]);
  expect(pageCuts([10], 3)).toEqual([4, 7]);
  expect(pageCuts([2], 10)).toEqual([1]);
  expect(pageCuts([0], 2)).toEqual([]);
  expect(pageCuts([], 2)).toEqual([]);
});

it.each([[[1000, 10, 10, 10]], [[100, 200, 300, 400]], [[0, 0, 500]], [Array<number>(40).fill(25)]])(
  'cuts the pages of all partitions together: %j',
  (pages) => {
    const cuts = pageCuts(pages, 5);
    expect(cuts).toHaveLength(4);
    expect(cuts).toEqual(cuts.toSorted((a, b) => a - b));
    const all = pages.reduce((sum, size) => sum + size, 0);
    for (const share of shares(pages, cuts))
      expect(Math.abs(share - all / 5)).toBeLessThanOrEqual(pages.length);
  },
);
