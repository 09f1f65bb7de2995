import { expect, test } from 'vitest';
import type { RefusedRow } from '../core/quarantine.ts';
import { PutAside } from './put-aside.ts';

const SLICE = { id: 's', range: { kind: 'all' }, overlap: false } as const;

function refused(...rows: number[]): RefusedRow[] {
  return rows.map((row) => ({ row, code: 'row.refused', reason: `${row}` }));
}

test('rows that are refused in a later attempt are numbered among all', async () => {
  const job = { planned: { plan: { stream: {} }, survey: {} } } as unknown as ConstructorParameters<
    typeof PutAside
  >[0];
  const aside = new PutAside(job);
  aside.leaveOut(SLICE, refused(2, 3, 7));
  // Of 1 4 5 6 8 9 10: the first, the third and the fifth.
  aside.leaveOut(SLICE, refused(1, 3, 5));
  const { aside: given } = await aside.wanted(SLICE, 'scratch');
  expect(given!.refused.map(({ row }) => row)).toEqual([1, 2, 3, 5, 7, 8]);
  expect((await aside.wanted({ ...SLICE, id: 'other' }, 'scratch')).aside!.refused).toEqual([]);
});
