import { expect, test } from 'vitest';
import { retryAfter } from './http-client.ts';

test('a server says in seconds, or by a date, when to ask again', () => {
  const at = (value: string): number | undefined =>
    retryAfter(new Headers({ 'retry-after': value }), Date.UTC(2026, 0, 1));
  expect(at('2')).toBe(2000);
  expect(at('Thu, 01 Jan 2026 00:00:30 GMT')).toBe(30_000);
  expect(at('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
  expect(at('soon')).toBeUndefined();
  expect(retryAfter(new Headers())).toBeUndefined();
});
