import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HashedRows } from '../core/compare.ts';
import { type Matched, matchRows } from './match-rows.ts';

interface Row {
  key: string;
  hash: string;
  waiting?: boolean;
}

/** As a system gives them: sorted by key, in batches of any size, also empty ones. */
async function* batches(rows: readonly Row[], size: number): AsyncGenerator<HashedRows> {
  const sorted = rows.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (let from = 0; from < sorted.length || from === 0; from += size) {
    const some = sorted.slice(from, from + size);
    await Promise.resolve();
    yield {
      keys: some.map(({ key }) => key),
      rows: some.map(({ hash }) => hash),
      names: [some.map(({ key }) => key)],
      waiting: some.map(({ waiting }) => waiting ?? false),
    };
  }
}

async function match(
  source: readonly Row[],
  target: readonly Row[],
  size = 3,
  limit = 1000,
): Promise<Matched> {
  return matchRows(batches(source, size), batches(target, size), { keyed: true, limit });
}

const row = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  hash: fc.constantFrom('1', '2', '3'),
});

it('finds what a comparison of whole lists finds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row),
      fc.array(row),
      fc.integer({ min: 1, max: 5 }),
      async (source, target, size) => {
        const expected = { missing: 0, extra: 0, changed: 0 };
        for (const key of new Set([...source, ...target].map((each) => each.key))) {
          const hashes = (rows: Row[]): string[] =>
            rows.filter((each) => each.key === key).map(({ hash }) => hash);
          const [mine, theirs] = [hashes(source), hashes(target)];
          for (const hash of hashes(source)) {
            if (!theirs.includes(hash)) continue;
            mine.splice(mine.indexOf(hash), 1);
            theirs.splice(theirs.indexOf(hash), 1);
          }
          const changed = Math.min(mine.length, theirs.length);
          expected.changed += changed;
          expected.missing += mine.length - changed;
          expected.extra += theirs.length - changed;
        }
        const { named, waiting, ...found } = await match(source, target, size);
        expect({ ...found, waiting, named: named.length }).toEqual({
          ...expected,
          waiting: 0,
          named: expected.changed + expected.missing + expected.extra,
        });
      },
    ),
  );
});

it('counts rows that wait apart, and names no more rows than asked for', async () => {
  const source = [
    { key: 'a', hash: '1', waiting: true },
    { key: 'b', hash: '1' },
    { key: 'c', hash: '1', waiting: true },
    { key: 'd', hash: '1' },
  ];
  const target = [
    { key: 'a', hash: '2' },
    { key: 'b', hash: '2' },
    { key: 'e', hash: '1' },
  ];
  expect(await match(source, target, 2, 2)).toEqual({
    missing: 1,
    extra: 1,
    changed: 1,
    waiting: 2,
    named: [
      { kind: 'changed', key: 'b', row: '1', names: ['b'] },
      { kind: 'missing', key: 'd', row: '1', names: ['d'] },
    ],
  });
});

it('ends both sides when one fails', async () => {
  let ended = false;
  const long = async function* (): AsyncGenerator<HashedRows> {
    try {
      for (let i = 0; i < 1000; i++) yield* batches([{ key: String(i).padStart(4, '0'), hash: '1' }], 1);
    } finally {
      ended = true;
    }
  };
  const failing = async function* (): AsyncGenerator<HashedRows> {
    yield* batches([{ key: 'a', hash: '1' }], 1);
    throw new Error('lost');
  };
  await expect(matchRows(long(), failing(), { keyed: false, limit: 1 })).rejects.toThrow('lost');
  expect(ended).toBe(true);
});
