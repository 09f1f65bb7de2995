import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRing, RingConsumer, type RingMemory, RingProducer } from './byte-ring.ts';

afterEach(() => vi.restoreAllMocks());

/** Byte n of the endless sequence that the tests send; it repeats nowhere near the size of a block. */
function fill(buffer: Buffer, from: number): Buffer {
  for (let i = 0; i < buffer.length; i++) buffer[i] = ((from + i) * 31 + ((from + i) >> 8)) & 255;
  return buffer;
}

function readAll(ring: RingMemory): Buffer {
  const consumer = new RingConsumer(ring);
  const parts: Buffer[] = [];
  for (let block = consumer.next(); block; block = consumer.next())
    parts.push(Buffer.from(consumer.memory.slice(block.start, block.end)));
  return Buffer.concat(parts);
}

interface Summary {
  bytes: number;
  wrong: number;
  end: string | undefined;
  most: number;
}

/** A consumer in a thread of its own: checks every byte of one ring after the other, waits `pauseMs` before each block, gives up after `giveUpAfter` blocks. */
function consumeInThread(
  rings: RingMemory[],
  options: { pauseMs?: number; giveUpAfter?: number } = {},
): Promise<Summary[]> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { rings, url, pauseMs, giveUpAfter } = workerData;
    import(url).then(({ RingConsumer }) => parentPort.postMessage(rings.map((ring) => {
      const consumer = new RingConsumer(ring);
      let bytes = 0, wrong = 0, blocks = 0, most = 0;
      for (let block = consumer.next(); block; block = consumer.next()) {
        if (pauseMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
        for (let i = block.start; i < block.end; i++, bytes++) {
          if (consumer.memory[i] !== ((bytes * 31 + (bytes >> 8)) & 255)) wrong++;
        }
        most = Math.max(most, block.end - block.start);
        if (++blocks === giveUpAfter) { consumer.abandon(); break; }
      }
      return { bytes, wrong, end: consumer.end, most };
    })));`;
  const url = new URL('./byte-ring.ts', import.meta.url).href;
  const workerData = { rings, url, pauseMs: options.pauseMs ?? 0, giveUpAfter: options.giveUpAfter ?? -1 };
  const worker = new Worker(code, { eval: true, workerData });
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

/** Sends `total` bytes in pieces of changing size, waiting for room as the socket's reader does. */
async function produce(
  ring: RingMemory,
  total: number,
  piece: (n: number) => number,
): Promise<{ sent: number; waits: number }> {
  const producer = new RingProducer(ring);
  let sent = 0;
  let waits = 0;
  for (let n = 0; sent < total && !producer.abandoned; n++) {
    const chunk = fill(Buffer.alloc(Math.min(piece(n), total - sent)), sent);
    for (let at = 0; at < chunk.length && !producer.abandoned;) {
      const taken = producer.write(chunk, at, chunk.length);
      at += taken;
      sent += taken;
      if (at < chunk.length) {
        waits++;
        await producer.room();
      }
    }
  }
  producer.end();
  return { sent, waits };
}

describe('a ring within one thread', () => {
  it('takes as much as fits, says how much that was, and gives it back in order', () => {
    const ring = createRing(10, 3);
    const producer = new RingProducer(ring);
    const bytes = fill(Buffer.alloc(50), 0);
    expect(producer.write(bytes, 0, 50)).toBe(30);
    expect(producer.write(bytes, 30, 50)).toBe(0);
    producer.end();
    expect(readAll(ring)).toEqual(bytes.subarray(0, 30));
  });

  it('hands the first bytes over at once and collects more while the consumer is busy', () => {
    const ring = createRing(10, 3);
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    const bytes = fill(Buffer.alloc(9), 0);
    producer.write(bytes, 0, 2);
    expect(consumer.next()).toEqual({ start: 0, end: 2 });
    producer.write(bytes, 2, 4);
    producer.write(bytes, 4, 9);
    producer.end();
    expect(consumer.next()).toEqual({ start: 10, end: 17 });
    expect(consumer.next()).toBeUndefined();
    expect(consumer.end).toBe('ended');
  });

  it('has room again when a block is given back', async () => {
    const ring = createRing(4, 2);
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    expect(producer.write(Buffer.alloc(20), 0, 20)).toBe(8);
    let resolved = false;
    const room = producer.room().then(() => (resolved = true));
    consumer.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(resolved).toBe(false);
    consumer.next();
    await room;
    expect(producer.write(Buffer.alloc(20), 0, 20)).toBe(4);
  });

  it('without bytes ends at once', () => {
    const ring = createRing(4, 2);
    new RingProducer(ring).end();
    expect(readAll(ring)).toEqual(Buffer.alloc(0));
  });

  it('tells whether the producer ended or failed, and the first end stays', () => {
    const ring = createRing(4, 2);
    const producer = new RingProducer(ring);
    producer.write(Buffer.from('abc'), 0, 3);
    producer.end('failed');
    producer.end('ended');
    const consumer = new RingConsumer(ring);
    expect(consumer.next()).toEqual({ start: 0, end: 3 });
    expect(consumer.next()).toBeUndefined();
    expect(consumer.end).toBe('failed');
  });

  it('that is abandoned lets a waiting producer go on, which then sees it', async () => {
    const ring = createRing(4, 1);
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    producer.write(Buffer.alloc(8), 0, 8);
    const room = producer.room();
    expect(producer.abandoned).toBe(false);
    consumer.abandon();
    await room;
    expect(producer.abandoned).toBe(true);
    producer.end();
    expect(consumer.end).toBe('abandoned');
  });

  it.each([1, 2, 3, 4])(
    'loses nothing when the last block and the end come right after look %i of the consumer',
    (moment) => {
      const ring = createRing(10, 3);
      const producer = new RingProducer(ring);
      const consumer = new RingConsumer(ring);
      const load = Atomics.load.bind(Atomics) as (array: Int32Array, index: number) => number;
      let looks = 0;
      vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
        const seen = load(array, index);
        if (++looks === moment) {
          vi.restoreAllMocks();
          producer.write(Buffer.from('last'), 0, 4);
          producer.end();
        }
        return seen;
      }) as typeof Atomics.load);
      expect(consumer.next()).toEqual({ start: 0, end: 4 });
      expect(consumer.next()).toBeUndefined();
    },
  );
});

describe('a ring between two threads', () => {
  it('carries every byte in order, whatever the sizes of pieces and blocks', async () => {
    const sizes = [1, 3, 100, 65_536, 7, 200_000, 4096];
    for (const [blockBytes, count] of [
      [64, 2],
      [1000, 3],
      [1 << 16, 6],
      [1 << 20, 1],
    ] as const) {
      const ring = createRing(blockBytes, count);
      const total = blockBytes < 1000 ? 100_000 : 6_000_000;
      const [{ sent }, [summary]] = await Promise.all([
        produce(ring, total, (n) => sizes[n % sizes.length]!),
        consumeInThread([ring]),
      ]);
      expect(sent).toBe(total);
      expect(summary).toMatchObject({ bytes: total, wrong: 0, end: 'ended' });
      expect(summary!.most).toBeLessThanOrEqual(blockBytes);
    }
  });

  it('makes a fast producer wait for a slow consumer', async () => {
    const ring = createRing(1000, 4);
    const [{ sent, waits }, [summary]] = await Promise.all([
      produce(ring, 50_000, () => 10_000),
      consumeInThread([ring], { pauseMs: 2 }),
    ]);
    expect({ sent, bytes: summary!.bytes, wrong: summary!.wrong }).toEqual({
      sent: 50_000,
      bytes: 50_000,
      wrong: 0,
    });
    // 50 blocks go through four: it cannot have been without waiting.
    expect(waits).toBeGreaterThan(5);
  });

  it('stops a producer whose consumer gives up', async () => {
    const ring = createRing(1000, 4);
    const [{ sent }, [summary]] = await Promise.all([
      produce(ring, 1_000_000, () => 10_000),
      consumeInThread([ring], { giveUpAfter: 3 }),
    ]);
    expect(summary!.end).toBe('abandoned');
    expect(sent).toBeLessThan(20_000);
  });

  it('ends many short streams without losing their last bytes', async () => {
    const rings = Array.from({ length: 2000 }, () => createRing(16, 2));
    const read = consumeInThread(rings);
    for (const [i, ring] of rings.entries()) await produce(ring, 20 + (i % 50), (n) => 1 + (n % 5));
    const wrong = (await read).filter(
      ({ bytes, wrong: bad, end }, i) => bytes !== 20 + (i % 50) || bad > 0 || end !== 'ended',
    );
    expect(wrong).toEqual([]);
  });
});
