import { expect, test } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';

const MEBIBYTE = 1 << 20;

test('buffers that nobody needs any more are given back, and those that are used stay', async () => {
  const used = new Uint8Array(MEBIBYTE).fill(7);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 32; i++) new Uint8Array(MEBIBYTE).fill(i);
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(8 * MEBIBYTE);
  collectGarbage();
  // V8 frees what it has found in a thread of its own.
  await expect.poll(() => process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MEBIBYTE);
  expect(used.every((byte) => byte === 7)).toBe(true);
});
