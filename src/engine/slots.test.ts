import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TransientError } from '../core/errors.ts';
import { Slots } from './slots.ts';

it('slots are shared by all who use them, given on in order, and given back after a failure', async () => {
  const slots = new Slots(2);
  const order: number[] = [];
  let now = 0;
  let most = 0;
  const work = (item: number): Promise<void> =>
    slots.use(async () => {
      most = Math.max(most, ++now);
      order.push(item);
      await sleep(5);
      now--;
      if (item === 2) throw new Error('second');
    });
  const settled = await Promise.allSettled([1, 2, 3, 4, 5].map(work));
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(order).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

it('fewer run side by side after failures that may pass, and more again when it goes well', async () => {
  const widths: [number, string | undefined][] = [];
  const slots = new Slots(8, (width, cause) => widths.push([width, cause?.code]));
  const deadlock = (): TransientError => new TransientError('deadlock', { code: 'x.deadlock' });
  let running = 0;
  let most = 0;
  const work = (fails: boolean): Promise<unknown> =>
    slots
      .use(async () => {
        most = Math.max(most, ++running);
        await sleep(3);
        running--;
        if (fails) throw deadlock();
      })
      .catch((error: TransientError) => slots.eased(error));
  // All of one round count once.
  const eased = await Promise.all(Array.from({ length: 8 }, () => work(true)));
  expect(widths).toEqual([[4, 'x.deadlock']]);
  expect(eased.filter(Boolean)).toHaveLength(1);
  most = 0;
  await Promise.all(Array.from({ length: 8 }, (_, i) => work(i === 0)));
  expect(most).toBe(4);
  expect(widths[1]).toEqual([2, 'x.deadlock']);
  while (widths.at(-1)![0] > 1) await work(true);
  // Less than one is nothing.
  expect(await work(true)).toBe(false);
  widths.length = 0;
  for (let i = 0; i < 40; i++) await work(false);
  expect(widths.map(([width]) => width)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  most = 0;
  await Promise.all(Array.from({ length: 20 }, () => work(false)));
  expect(most).toBe(8);
});

it('errors that nothing is gained from waiting for leave the number as it is', async () => {
  const slots = new Slots(4, () => expect.fail('nothing has changed'));
  for (const next of ['at-once', 'replan'] as const)
    await slots
      .use(() => Promise.reject(new TransientError('x', { code: 'x', next })))
      .catch(() => undefined);
  await slots.use(() => Promise.reject(new Error('x'))).catch(() => undefined);
});
