import { expect, test } from 'vitest';
import { DataError } from '../core/errors.ts';
import { type RefusedRow, RowsRefused } from '../core/quarantine.ts';
import { PutAside } from './put-aside.ts';

const SLICE = { id: 's', range: { kind: 'all' }, overlap: false } as const;

function refused(...rows: number[]): RowsRefused {
  const cause = new DataError('no', { code: 'postgres.constraint' });
  return new RowsRefused(
    rows.map((row): RefusedRow => ({ row, code: 'row.refused', reason: `${row}` })),
    cause,
  );
}

test('rows that are refused in a later attempt are numbered among all', async () => {
  const job = { planned: { plan: { stream: {} } } } as unknown as ConstructorParameters<typeof PutAside>[0];
  const aside = new PutAside(job);
  expect(aside.leavesOut(SLICE, new Error('no'))).toBe(false);
  expect(aside.leavesOut(SLICE, refused())).toBe(false);
  expect(aside.leavesOut(SLICE, refused(2, 3, 7))).toBe(true);
  // Of 1 4 5 6 8 9 10: the first, the third and the fifth.
  expect(aside.leavesOut(SLICE, refused(1, 3, 5))).toBe(true);
  const { aside: given } = await aside.wanted(SLICE, 'scratch');
  expect(given!.refused.map(({ row }) => row)).toEqual([1, 2, 3, 5, 7, 8]);
  expect((await aside.wanted({ ...SLICE, id: 'other' }, 'scratch')).aside!.refused).toEqual([]);
});
