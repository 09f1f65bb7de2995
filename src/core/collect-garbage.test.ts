import { expect, test } from 'vitest';
import { collectGarbage, givenUp } from './collect-garbage.ts';

const MEBIBYTE = 1 << 20;

/** Buffers that nobody has, which only a look through the whole heap finds: bytes that are there more than at the beginning. */
function leaveBuffers(): () => number {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 32; i++) new Uint8Array(MEBIBYTE).fill(i);
  const more = (): number => process.memoryUsage().arrayBuffers - before;
  expect(more()).toBeGreaterThan(8 * MEBIBYTE);
  return more;
}

test('buffers that nobody needs any more are given back, and those that are used stay', async () => {
  const used = new Uint8Array(MEBIBYTE).fill(7);
  const more = leaveBuffers();
  collectGarbage();
  // V8 frees what it has found in a thread of its own.
  await expect.poll(more).toBeLessThan(4 * MEBIBYTE);
  expect(used.every((byte) => byte === 7)).toBe(true);
});

test('owners of much that V8 does not know of are looked for, of little they are not', async () => {
  const more = leaveBuffers();
  for (let i = 0; i < 100; i++) givenUp(MEBIBYTE);
  expect(more()).toBeGreaterThan(8 * MEBIBYTE);
  for (let i = 0; i < 28; i++) givenUp(MEBIBYTE);
  await expect.poll(more).toBeLessThan(4 * MEBIBYTE);
});
