import { expect, it } from 'vitest';
import { type ByteSink, sendAll } from '../../core/byte-ring.ts';
import { BATCH_DECODER } from '../../core/batch-wire.ts';
import type { BytesReader } from '../../core/source.ts';
import { firstBytes } from './first-bytes.ts';

/** A source of so many bytes, in pieces; `fails` after them. */
function reader(size: number, piece: number, fails?: Error): BytesReader {
  const bytes = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
  return {
    format: 'bytes',
    schema: { fields: [], key: [] },
    decoder: BATCH_DECODER,
    pump: async (sink, onBytes) => {
      for (let at = 0; at < size; at += piece) {
        const next = bytes.subarray(at, at + piece);
        if (!(await sendAll(sink, next))) throw new Error('nobody reads');
        onBytes(next.length);
      }
      if (fails) throw fails;
    },
    close: async () => {},
  };
}

/** Takes little at a time. */
class SlowSink implements ByteSink {
  taken: Buffer = Buffer.alloc(0);
  abandoned = false;
  #room = 0;

  write(source: Buffer, from: number, to: number): number {
    const size = Math.min(this.#room, to - from);
    this.taken = Buffer.concat([this.taken, source.subarray(from, from + size)]);
    this.#room -= size;
    return size;
  }

  async room(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#room = 7000;
  }
}

const never = (): Promise<never> => Promise.reject(new Error('not to be called'));

it.each([0, 1, 65_536, 99_999, 100_000])('gives all of a slice of %i bytes', async (size) => {
  const bytes = await firstBytes(reader(size, 10_000), 100_000, { whole: async (all) => all, more: never });
  expect(bytes).toEqual(Buffer.from(Array.from({ length: size }, (_, i) => i % 251)));
});

it.each([
  [100_001, 10_000],
  [250_000, 1234],
  [1_000_000, 300_000],
])('gives a reader of all when there are more: %i bytes in pieces of %i', async (size, piece) => {
  const sink = new SlowSink();
  let counted = 0;
  await firstBytes(reader(size, piece), 100_000, {
    whole: never,
    more: (rest) => rest.pump(sink, (bytes) => (counted += bytes)),
  });
  expect(sink.taken.equals(Buffer.from(Array.from({ length: size }, (_, i) => i % 251)))).toBe(true);
  expect(counted).toBe(size);
});

it('fails as the source does, before and after its first bytes', async () => {
  const error = new Error('broken');
  const then = { whole: never, more: (rest: BytesReader) => rest.pump(new SlowSink(), () => undefined) };
  await expect(firstBytes(reader(10, 10, error), 100, then)).rejects.toBe(error);
  await expect(firstBytes(reader(1000, 10, error), 100, then)).rejects.toBe(error);
});

it('lets the source go when nobody wants the rest, and when its taker gives up', async () => {
  let ended: Promise<void> | undefined;
  const given = reader(1000, 10);
  const watched: BytesReader = {
    ...given,
    pump: (sink, onBytes) => (ended = given.pump(sink, onBytes)),
  };
  const refused = firstBytes(watched, 100, {
    whole: never,
    more: () => Promise.reject(new Error('no table')),
  });
  await expect(refused).rejects.toThrow('no table');
  await expect(ended).rejects.toThrow('nobody reads');
  const sink = new SlowSink();
  const stopped = firstBytes(reader(1000, 10), 100, {
    whole: never,
    more: (rest) => {
      sink.abandoned = true;
      return rest.pump(sink, () => undefined);
    },
  });
  await expect(stopped).rejects.toThrow('nobody reads');
});
