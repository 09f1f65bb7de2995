import { expect, test } from 'vitest';
import { Draws, threefry, Words } from './random.ts';

/** Vectors for `threefry2x32 20` of kat_vectors in Random123: counter, key, words. */
const KNOWN = [
  [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
  [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
] as const;

test('the words are those that the authors of Threefry publish', () => {
  for (const [index, version, key0, key1, a, b] of KNOWN) {
    const words = new Words(1);
    const rows = { count: 1, index: Uint32Array.of(index), version: Uint32Array.of(version) };
    threefry(words, rows, { key0, key1, changes: true });
    expect([words.a[0], words.b[0]]).toEqual([a, b]);
  }
});

test('the words of a record are the same alone and among others, and others for each purpose, seed and version', () => {
  const words = new Words(100);
  const rows = {
    count: 100,
    index: Uint32Array.from({ length: 100 }, (_, i) => i * 7),
    version: new Uint16Array(100).fill(3),
  };
  const draws = new Draws(1, 'amount');
  draws.fill(words, rows, true);
  expect(words.a.every((word, i) => word === draws.at(i * 7, 3))).toBe(true);
  const others = [
    new Draws(2, 'amount').at(7, 3),
    new Draws(1, 'rate').at(7, 3),
    draws.at(7, 2),
    draws.at(7, 3),
  ];
  expect(new Set(others).size).toBe(4);
  draws.fill(words, rows, false);
  expect(words.a[1]).toBe(draws.at(7));
});
