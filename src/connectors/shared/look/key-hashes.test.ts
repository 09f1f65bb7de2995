import { expect, test } from 'vitest';
import { JsonScanner } from '../text/json-scanner.ts';
import { Records } from '../text/records.ts';
import { type DocumentKeys, earlierVersions, KeyHashes, KeySet } from './key-hashes.ts';

function keysOf(rows: readonly object[], key: string[]): DocumentKeys {
  const text = Buffer.from(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n\0`);
  const options = { maxBytes: 1 << 20, onBroken: () => undefined, grows: true };
  const scanner = new JsonScanner({ format: 'json', names: [], flatten: 0 }, new Records(8, 4096), options);
  const found = scanner.scan(text, { at: 0, end: text.length - 1, final: true, row: 0 });
  const hashes = new KeyHashes(key);
  hashes.add(scanner.records, text, { names: scanner.names, from: 0, to: found.row });
  return hashes.keys;
}

test('of records with one key the last one stays, in whichever document it is', () => {
  const first = keysOf([{ id: 1 }, { id: 2 }, { id: 1 }, { id: null }, { id: 3 }], ['id']);
  const second = keysOf([{ x: 1, id: 2 }, { id: 4 }, { id: null }, { id: 2 }], ['id']);
  expect(earlierVersions([first, undefined, second]).map((lines) => [...lines])).toEqual([[1, 2], [], [1]]);
});

test('keys of several columns are alike when all of them are', () => {
  const rows = [
    { a: 1, b: 'x' },
    { a: 1, b: 'y' },
    { a: 11, b: '' },
    { a: 1, b: 'x' },
    { b: 'y', a: 1 },
  ];
  expect(earlierVersions([keysOf(rows, ['a', 'b'])]).map((lines) => [...lines])).toEqual([[1, 2]]);
  expect(keysOf(rows, ['a', 'c']).lines).toHaveLength(0);
});

test('many keys are told apart, and each that comes again is found', () => {
  const ids = Array.from({ length: 3000 }, (_, i) => ({ id: `key-${i % 2000}` }));
  const [lines] = earlierVersions([keysOf(ids, ['id'])]);
  expect(lines).toEqual(Float64Array.from({ length: 1000 }, (_, i) => i + 1));
});

test.each([2, 4] as const)('a set that has grown knows all keys that it was given, by %s words', (words) => {
  const hashes = new KeyHashes([]);
  const texts = Array.from({ length: 50_000 }, (_, i) => Buffer.from(`key-${i}`));
  for (const text of [...texts, ...texts]) hashes.addText(text, 1);
  const { keys } = hashes;
  const set = new KeySet(words);
  const half = { hashes: keys.hashes.subarray(0, 4 * 50_000), lines: keys.lines.subarray(0, 50_000) };
  expect(set.addAll(half)).toBe(true);
  expect(set.size).toBe(50_000);
  const fresh = Array.from(keys.lines, (_, r) => set.add(keys.hashes, r)).filter(Boolean);
  expect(fresh).toEqual([]);
  expect(set.size).toBe(50_000);
});

test('without a key, records are alike when all of their text is', () => {
  const rows = [
    { id: 1, v: 1 },
    { id: 1, v: 2 },
    { id: 1, v: 1 },
  ];
  expect(earlierVersions([keysOf(rows, [])]).map((lines) => [...lines])).toEqual([[1]]);
});
