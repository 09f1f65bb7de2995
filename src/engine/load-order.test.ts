import { expect, it } from 'vitest';
import { inOrder } from './load-order.ts';

const order = (names: string[], references: Record<string, string[]>): string[][] =>
  inOrder(names, (name) => name, new Map(Object.entries(references)));

it('tables without references are one group', () => {
  expect(order(['b', 'a'], {})).toEqual([['b', 'a']]);
  expect(order([], {})).toEqual([]);
});

it('what others refer to comes first', () => {
  expect(
    order(['track', 'album', 'artist', 'genre'], { track: ['album', 'genre'], album: ['artist'] }),
  ).toEqual([['artist', 'genre'], ['album'], ['track']]);
});

it('a table that is not there keeps nobody waiting', () => {
  expect(order(['track'], { track: ['album'] })).toEqual([['track']]);
});

it('a table may refer to itself', () => {
  expect(order(['a', 'b'], { a: ['a', 'b'] })).toEqual([['b'], ['a']]);
});

it('a circle comes last, in one group', () => {
  expect(order(['a', 'b', 'c'], { a: ['b'], b: ['a', 'c'] })).toEqual([['c'], ['a', 'b']]);
});
