/**
 * Rings that nobody uses: used again, because the memory of those that are dropped stays until both threads look for what is
 * no longer needed, which they seldom do. There are no more than were in use at once.
 */
import { createRing, type RingMemory } from '../../core/byte-ring.ts';

const idle: RingMemory[] = [];

export function takeRing(): RingMemory {
  return idle.pop() ?? createRing();
}

/** Both ends have to be done with it: after an error it is dropped. */
export function giveRing(ring: RingMemory): void {
  new Int32Array(ring.control).fill(0);
  idle.push(ring);
}
