import { expect, test } from 'vitest';
import { RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import { giveRing, takeRing } from './idle-rings.ts';

test('a ring that was given back is taken again as if it were new, and is nobody else’s', () => {
  const ring = takeRing();
  const producer = new RingProducer(ring);
  producer.write(Buffer.from('first'), 0, 5);
  producer.end();
  const consumer = new RingConsumer(ring);
  while (consumer.next());
  expect(consumer.end).toBe('ended');
  giveRing(ring);
  const again = takeRing();
  expect(again).toBe(ring);
  expect(takeRing()).not.toBe(ring);
  expect(new RingConsumer(again).end).toBeUndefined();
  const next = new RingProducer(again);
  next.write(Buffer.from('second'), 0, 6);
  next.end();
  const reader = new RingConsumer(again);
  const block = reader.next()!;
  expect(Buffer.from(reader.memory.slice(block.start, block.end)).toString()).toBe('second');
});
