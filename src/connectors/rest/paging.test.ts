import { expect, test } from 'vitest';
import { nextLink, pagingOf } from './paging.ts';

const facts = { around: undefined, headers: new Headers(), url: new URL('https://a.test/v1/x?page=1') };

test.each([
  ['<https://a.test/x?page=2>; rel="next"', 'https://a.test/x?page=2'],
  ['<https://a.test/x?a=1,2>; rel=prev, </x?page=3>;title="a, b";rel="last next"', '/x?page=3'],
  ['<https://a.test/x>; rel="nextish"', undefined],
  ['<https://a.test/x>; rel="prev"', undefined],
  ['', undefined],
])('the next page of a Link header: %s', (header, expected) => {
  expect(nextLink(header)).toBe(expected);
});

test('pages are counted up to the first empty one, or the number that the body tells', () => {
  const paging = pagingOf({ by: 'page', size_param: 'n', size: 2, pages: 'meta.pages' });
  const first = paging.first();
  expect(first.params).toEqual({ page: '1', n: '2' });
  expect(paging.next(first, { ...facts, records: 1 })?.params).toEqual({ page: '2', n: '2' });
  expect(paging.next(first, { ...facts, records: 0 })).toBeUndefined();
  expect(paging.next(first, { ...facts, records: 2, around: { meta: { pages: 1 } } })).toBeUndefined();
});

test('an offset goes on by as many records as came, for servers may give fewer than are asked for', () => {
  const paging = pagingOf({ by: 'offset', size: 100 });
  const next = paging.next(paging.first(), { ...facts, records: 50 });
  expect(next?.params).toEqual({ offset: '50', limit: '100' });
  expect(paging.next(next!, { ...facts, records: 0 })).toBeUndefined();
});

test('a cursor is a text or a number of the body, or a header; without one it was the last page', () => {
  const inBody = pagingOf({ by: 'cursor', next: 'meta.next', more: 'meta.more' });
  const around = { meta: { next: 17, more: true } };
  expect(inBody.next(inBody.first(), { ...facts, records: 1, around })?.params).toEqual({ cursor: '17' });
  expect(
    inBody.next(inBody.first(), { ...facts, records: 1, around: { meta: { next: 17, more: false } } }),
  ).toBeUndefined();
  expect(inBody.next(inBody.first(), { ...facts, records: 1, around: { meta: {} } })).toBeUndefined();
  const inHeader = pagingOf({ by: 'cursor', next: 'header: X-Next', param: 'after' });
  const headers = new Headers({ 'x-next': 'abc' });
  expect(inHeader.next(inHeader.first(), { ...facts, records: 1, headers })?.params).toEqual({
    after: 'abc',
  });
  const wrong = { ...facts, records: 1, around: { meta: { next: {}, more: true } } };
  expect(() => inBody.next(inBody.first(), wrong)).toThrow(/"meta.next" of the body is no text/);
});

test.each([
  [true, 'b'],
  [1, 'b'],
  ['true', 'b'],
  [undefined, 'b'],
  [null, 'b'],
  [false, undefined],
  [0, undefined],
  ['False', undefined],
])('whether there are more pages, when the body says %o', (more, cursor) => {
  const paging = pagingOf({ by: 'cursor', next: 'next', more: 'more' });
  const next = paging.next(paging.first(), { ...facts, records: 1, around: { next: 'b', more } });
  expect(next?.params['cursor']).toBe(cursor);
});

test.each([
  [-1, '2'],
  [0, '2'],
  ['', '2'],
  [null, '2'],
  ['2', undefined],
  [2, undefined],
])('a number of all records that is %o', (total, offset) => {
  const paging = pagingOf({ by: 'offset', total: 'total' });
  const next = paging.next(paging.first(), { ...facts, records: 2, around: { total } });
  expect(next?.params['offset']).toBe(offset);
});

test.each([
  ['?page=2', 'https://a.test/v1/x?page=2'],
  ['y?page=2', 'https://a.test/v1/y?page=2'],
  ['/y', 'https://a.test/y'],
  ['https://b.test/', 'https://b.test/'],
])('the address of the next page may be relative to that of the one before: %s', (next, url) => {
  const paging = pagingOf({ by: 'next_url', next: 'next' });
  expect(paging.next(paging.first(), { ...facts, records: 1, around: { next } })?.url).toBe(url);
});
