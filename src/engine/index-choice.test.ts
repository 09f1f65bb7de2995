import { expect, it } from 'vitest';
import { indexesOff } from './index-choice.ts';

const large = { incoming: 2_000_000, present: 2_000_000, spare: 4 };

it('takes indexes away when about as many rows come as are there', () => {
  expect(indexesOff(large)).toBe(true);
  expect(indexesOff({ ...large, incoming: 1_000_000 })).toBe(true);
  expect(indexesOff({ ...large, present: 10_000 })).toBe(true);
});

it('leaves them when few rows come to many', () => {
  expect(indexesOff({ ...large, incoming: 900_000 })).toBe(false);
  expect(indexesOff({ incoming: 5_000_000, present: 100_000_000, spare: 1 })).toBe(false);
});

it('leaves them for a load that is small by itself, however small the table is', () => {
  expect(indexesOff({ incoming: 199_999, present: 1, spare: 9 })).toBe(false);
  expect(indexesOff({ incoming: 200_000, present: 1, spare: 9 })).toBe(true);
});

it('leaves them when nobody knows how many rows come, or there is nothing to take away or to make again', () => {
  expect(indexesOff({ ...large, incoming: undefined })).toBe(false);
  expect(indexesOff({ ...large, spare: 0 })).toBe(false);
  expect(indexesOff({ ...large, present: 0 })).toBe(false);
});
