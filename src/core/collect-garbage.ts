/**
 * Gives back the memory of buffers that nobody needs any more. They lie outside of V8's heap, which in a thread of ours is small
 * and hardly grows: V8 would look for them only once there are some 64 MB, in each thread. Reading through such a heap takes a
 * few milliseconds.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Fewer bytes are not worth it. */
const WORTH_BYTES = 6 << 20;

let collect: (() => void) | undefined;
let kept = 0;
const last: { used: readonly object[] } = { used: [] };

/**
 * Holds what worked on a task until the next one is done: V8 forgets the shapes of objects when a collection finds none of them,
 * and with them all code that it has compiled for these.
 */
export function keepShapes(...used: object[]): void {
  last.used = used;
}

/** For the end of a task of a thread. */
export function collectGarbage(): void {
  if (process.memoryUsage().arrayBuffers - kept < WORTH_BYTES) return;
  collectNow();
}

/** What is given up in a thread before its owners are looked for. */
const UNSEEN_BYTES = 128 << 20;
let unseen = 0;

/**
 * For memory of a library that comes back once V8 has found its owner to be garbage, and of which V8 knows nothing: it sees an
 * owner of a few bytes, and might look for it after hours. Called when so many bytes are not needed any more.
 */
export function givenUp(bytes: number): void {
  unseen += bytes;
  if (unseen >= UNSEEN_BYTES) collectNow();
}

function collectNow(): void {
  collect ??= collector();
  collect();
  unseen = 0;
  kept = process.memoryUsage().arrayBuffers;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
