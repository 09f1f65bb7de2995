import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { unpackBzip2 } from './bzip2.ts';
import { BZIP2 } from './packed.fixture.ts';

async function unpack(packed: Uint8Array, pieces = 1 << 16): Promise<Buffer> {
  const stored = (async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < packed.length; at += pieces) yield packed.subarray(at, at + pieces);
  })();
  return Buffer.concat(await Array.fromAsync(unpackBzip2(stored)));
}

describe('bzip2', () => {
  it.each([1, 7, 1 << 16])('unpacks what comes in pieces of %d bytes', async (pieces) => {
    expect((await unpack(BZIP2.blocks, pieces)).toString()).toBe('0123456789abcdef\n'.repeat(20_000));
    expect((await unpack(BZIP2.streams, pieces)).toString()).toBe('id,name\n1,one\n2,two\n');
    const runs = await unpack(BZIP2.runs, pieces);
    expect([runs.length, createHash('md5').update(runs).digest('hex')]).toEqual([
      47_351,
      '6f5e0a6473c28f449021997cd844ed66',
    ]);
  });

  it('gives out a little at a time what few bytes stand for', async () => {
    let bytes = 0;
    for await (const piece of unpackBzip2(only(BZIP2.zeros))) {
      expect(piece.length).toBeLessThanOrEqual(1 << 18);
      bytes += piece.length;
      expect(piece.every((byte) => byte === 0)).toBe(true);
    }
    expect(bytes).toBe(2_000_000);
  });

  it('takes zeros behind the end, as tapes have them, and nothing else', async () => {
    const { streams } = BZIP2;
    const whole = await unpack(streams);
    expect(await unpack(Buffer.concat([streams, Buffer.alloc(10_000)]))).toEqual(whole);
    await expect(unpack(Buffer.concat([streams, Buffer.alloc(9), Buffer.from('x')]))).rejects.toThrow();
    await expect(unpack(Buffer.concat([streams, Buffer.from('x'.repeat(100))]))).rejects.toThrow();
  });

  it('refuses whatever is cut off', async () => {
    const { streams } = BZIP2;
    const ends: number[] = [];
    for (let end = 0; end < streams.length; end++)
      await unpack(streams.subarray(0, end)).then(
        () => ends.push(end),
        () => undefined,
      );
    // Between two streams nothing is missing that could be noticed.
    expect(ends).toEqual([52, 66]);
  });

  it('refuses or reads rightly what differs in one bit', async () => {
    const { streams } = BZIP2;
    const whole = await unpack(streams);
    let same = 0;
    for (let bit = 0; bit < streams.length * 8; bit++) {
      const other = Buffer.from(streams);
      other[bit >> 3]! ^= 1 << (bit & 7);
      const text = await unpack(other).catch(() => undefined);
      if (text === undefined) continue;
      expect(text).toEqual(whole);
      same++;
    }
    // Bits that say nothing: sizes of blocks that are larger than needed, and what fills the last byte of a stream.
    expect(same).toBeLessThan(40);
  });
});

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
