import { expect, it } from 'vitest';
import { dateSlices } from './date-slices.ts';

const DAY = 86_400_000;

function days(first: string, count: number): { day: string; from: string; to: string; settled: boolean }[] {
  const text = (i: number): string =>
    new Date(Date.parse(`${first}T00:00:00Z`) + i * DAY).toISOString().slice(0, 10);
  return Array.from({ length: count }, (_, i) => ({
    day: text(i),
    from: text(i),
    to: text(i + 1),
    settled: true,
  }));
}

it('cuts days at the borders of weeks, months and years', () => {
  const ids = (by: 'day' | 'week' | 'month' | 'year'): string[] =>
    dateSlices(days('2025-12-28', 9), 'd', by, false).slices.map(({ id }) => id);
  expect(ids('day')).toHaveLength(9);
  expect(ids('week')).toEqual(['day-2025-12-28', 'days-2025-12-29-2026-01-04', 'day-2026-01-05']);
  expect(ids('month')).toEqual(['days-2025-12-28-2025-12-31', 'days-2026-01-01-2026-01-05']);
  expect(ids('year')).toEqual(ids('month'));
});

it('gives slices without a gap, and the slice of each day', () => {
  const { slices, sliceOf } = dateSlices(days('2024-01-15', 100), 'd', 'month', false);
  expect(slices.map(({ range }) => range)).toEqual([
    { kind: 'column', column: 'd', from: '2024-01-15', to: '2024-02-01' },
    { kind: 'column', column: 'd', from: '2024-02-01', to: '2024-03-01' },
    { kind: 'column', column: 'd', from: '2024-03-01', to: '2024-04-01' },
    { kind: 'column', column: 'd', from: '2024-04-01', to: '2024-04-24' },
  ]);
  expect(sliceOf).toHaveLength(100);
  expect(sliceOf[16]).toBe(slices[0]!.id);
  expect(sliceOf[17]).toBe(slices[1]!.id);
});

it('lets the first one begin before its day', () => {
  expect(dateSlices(days('2024-01-15', 2), 'd', 'month', true).slices[0]!.range).toEqual({
    kind: 'column',
    column: 'd',
    to: '2024-01-17',
  });
});
