import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inParallel } from './parallel.ts';

it('starts in order and keeps to the width', async () => {
  const started: number[] = [];
  let running = 0;
  let most = 0;
  await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    started.push(item);
    most = Math.max(most, ++running);
    await sleep(item % 2);
    running--;
  });
  expect(started).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

it('starts nothing after a failure, waits for the rest and throws the first error', async () => {
  const done: number[] = [];
  const work = inParallel([1, 2, 3, 4], 2, async (item) => {
    if (item === 1) throw new Error('first');
    await sleep(5);
    done.push(item);
  });
  await expect(work).rejects.toThrow('first');
  expect(done).toEqual([2]);
});

it('does nothing for no items, and something for a width of nothing', async () => {
  await inParallel([], 3, () => expect.fail('there is nothing to do'));
  let count = 0;
  await inParallel([1, 2], 0, async () => void count++);
  expect(count).toBe(2);
});
