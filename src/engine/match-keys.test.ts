import { expect, it } from 'vitest';
import type { HashedRows } from '../core/compare.ts';
import { goneKeys, type KeyCounts, MOST_MISSED, noKeys } from './match-keys.ts';

/** Keys in batches, as a system sends them; an empty batch may be among them. */
async function* listed(...batches: string[]): AsyncGenerator<HashedRows> {
  for (const batch of batches) {
    const keys = batch === '' ? [] : batch.split(' ');
    yield { keys, rows: keys, names: [], waiting: undefined };
  }
}

async function found(
  target: string[],
  source: string[],
  all?: string[],
): Promise<{ gone: string[]; counts: KeyCounts }> {
  const counts = noKeys();
  const lists = { target: listed(...target), source: listed(...source), all: all && listed(...all) };
  const gone: string[] = [];
  for await (const piece of goneKeys(lists, counts)) gone.push(...piece);
  return { gone, counts };
}

it.each([
  [['a b c'], ['a b c'], [], []],
  [['a b', 'c', 'd'], ['b', '', 'd'], ['a', 'c'], []],
  [['b'], ['a b', 'c'], [], ['a', 'c']],
  [[], ['a'], [], ['a']],
  [['a b'], [], ['a', 'b'], []],
  [['a a b'], ['a b b'], [], []],
])('of %j and %j', async (target, source, gone, missed) => {
  expect(await found(target, source)).toEqual({
    gone,
    counts: { gone: gone.length, missing: missed.length, missed, unselected: 0 },
  });
});

it('remembers some of the keys that are missing, and counts all', async () => {
  const keys = Array.from({ length: MOST_MISSED + 5 }, (_, n) => String(n).padStart(6, '0'));
  const { counts } = await found([], [keys.join(' ')]);
  expect(counts.missing).toBe(MOST_MISSED + 5);
  expect(counts.missed).toEqual(keys.slice(0, MOST_MISSED));
});

it('a key that the source has and does not select is not gone', async () => {
  const { gone, counts } = await found(['a b c d'], ['a'], ['a b', 'd e']);
  expect(gone).toEqual(['c']);
  expect(counts).toEqual({ gone: 1, missing: 0, missed: [], unselected: 2 });
});

it('gives the lists back when nobody wants more', async () => {
  let closed = 0;
  async function* endless(prefix: string): AsyncGenerator<HashedRows> {
    try {
      for (let i = 0; ; i++) {
        const keys = Array.from(
          { length: 3000 },
          (_, n) => `${prefix}${String(i * 3000 + n).padStart(9, '0')}`,
        );
        yield { keys, rows: keys, names: [], waiting: undefined };
      }
    } finally {
      closed++;
    }
  }
  const counts = noKeys();
  for await (const piece of goneKeys(
    { target: endless('a'), source: endless('b'), all: undefined },
    counts,
  )) {
    expect(piece).toHaveLength(2048);
    break;
  }
  expect(closed).toBe(2);
});
