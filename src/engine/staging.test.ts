import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Batch } from '../core/batch.ts';
import { type ByteSink, sendAll } from '../core/byte-ring.ts';
import type { Load } from '../core/destination.ts';
import type { BatchesReader, BytesReader, DecodeFacts } from '../core/source.ts';
import { Staging, timingOf } from './staging.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const schema = { fields: [], key: [] };
const load = { timing: { copy: 1 } } as unknown as Load;
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Gives four pieces, and takes a while for each. */
function bytes(ms: number): BytesReader {
  return {
    format: 'bytes',
    schema,
    decoder: { module: '', name: '', options: undefined },
    async pump(sink) {
      for (let i = 0; i < 4; i++) {
        await pause(ms);
        await sendAll(sink, Buffer.from('ab'));
      }
    },
    close: async () => undefined,
  };
}

/** Takes a byte at a time, and a while for each. */
function sink(ms: number): ByteSink {
  let free = 1;
  return {
    abandoned: false,
    write(_source, from, to) {
      const taken = Math.min(free, to - from);
      free -= taken;
      return taken;
    },
    async room() {
      await pause(ms);
      free = 1;
    },
  };
}

async function* batches(ms: number): AsyncGenerator<Batch> {
  for (let i = 0; i < 4; i++) {
    await pause(ms);
    yield { rows: 1 } as Batch;
  }
}

/** Runs work on a clock that stands still but for its pauses. */
async function timed(work: Promise<unknown>): Promise<void> {
  const done = work.then(() => true);
  while ((await Promise.race([done, Promise.resolve(false)])) === false) await vi.advanceTimersByTimeAsync(1);
}

it.each([
  { source: 10, target: 1, bound: 'reading' },
  { source: 1, target: 10, bound: 'writing' },
])('bytes are bound by $bound', async ({ source, target, bound }) => {
  const staging = new Staging();
  const reader = staging.watch(bytes(source)) as BytesReader;
  await timed(reader.pump(sink(target), () => undefined));
  expect(timingOf(load, staging.end(), 0.5)).toMatchObject({ bound, timing: { copy: 1, commit: 0.5 } });
});

it.each([
  { source: 10, target: 1, bound: 'reading' },
  { source: 1, target: 10, bound: 'writing' },
])('batches are bound by $bound', async ({ source, target, bound }) => {
  const staging = new Staging();
  const facts: DecodeFacts = { rows: 4, bytes: 4, high: undefined, coerced: {} };
  const given: BatchesReader = {
    format: 'batches',
    schema,
    batches: () => batches(source),
    facts: () => facts,
    close: async () => undefined,
  };
  const reader = staging.watch(given) as BatchesReader;
  await timed(
    (async () => {
      for await (const batch of reader.batches()) await pause(batch.rows * target);
    })(),
  );
  expect(reader.facts()).toBe(facts);
  expect(timingOf(load, staging.end(), 0).bound).toBe(bound);
});
