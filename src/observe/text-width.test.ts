import { describe, expect, it } from 'vitest';
import { padEnd, padStart, textWidth, truncate } from './text-width.ts';

const RED = '\u001b[31m';
const PLAIN = '\u001b[39m';

describe('textWidth', () => {
  it.each([
    ['', 0],
    ['orders', 6],
    ['größe', 5],
    ['e\u0301', 1],
    ['注文', 4],
    ['한국어', 6],
    ['ﾊﾝｶｸ', 4],
    ['✓ ✗ █░ ≥ …', 10],
    ['👍', 2],
    ['👩‍👩‍👧', 2],
    [`${RED}ab${PLAIN}`, 2],
  ])('of %j is %i', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

describe('truncate', () => {
  it.each([
    ['orders', 6, 'orders'],
    ['orders', 5, 'orde…'],
    ['orders', 1, '…'],
    ['orders', 0, ''],
    ['注文明細', 6, '注文…'],
    [`${RED}orders${PLAIN}`, 4, `${RED}ord…${PLAIN}`],
    [`ab${RED}cdef${PLAIN}gh`, 4, `abc…`.replace('c', `${RED}c`) + PLAIN],
  ])('of %j to %i cells', (text, width, expected) => {
    expect(truncate(text, width)).toBe(expected);
    expect(textWidth(truncate(text, width))).toBeLessThanOrEqual(width);
  });
});

it('pads by cells', () => {
  expect(padEnd('注文', 6)).toBe('注文  ');
  expect(padStart(`${RED}7${PLAIN}`, 3)).toBe(`  ${RED}7${PLAIN}`);
});
