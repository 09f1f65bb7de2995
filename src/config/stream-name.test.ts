import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matcher, nameMistake, tableName } from './stream-name.ts';

test.each([
  ['public.orders', 'orders'],
  ['orders', 'orders'],
  ['sales.orders', 'sales_orders'],
  ['public', 'public'],
  ['shop.public.orders', 'shop_public_orders'],
  ['public."Order Items"', 'Order_Items'],
  ['public."order.items"', 'order_items'],
  ['"My Schema"."a""b"', 'My_Schema_a_b'],
  ['public.straße', 'straße'],
  ['public.a$b', 'a_b'],
  ['public.2024', '2024'],
  ['daily revenue (EUR)', 'daily_revenue_EUR_'],
  ['../../etc', '___etc'],
  ['...', 'stream'],
])('%s goes to the table %s', (stream, table) => expect(tableName(stream)).toBe(table));

test('a table name is always fit for a folder', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => /^[\p{L}\p{N}_]+$/u.test(tableName(name))));
});

test.each([
  ['*', 'a.b', true],
  ['public.*', 'public.x', true],
  ['public.*', 'public', false],
  ['*.log', 'a.b.log', true],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*a', 'aba', true],
  ['a*b*a', 'aa', false],
  ['a*bc*c', 'abc', false],
  ['public."Order*"', 'public."Orders"', false],
  ['public."Order*"', 'public."Order*"', true],
  ['public.Order*', 'public."Order %"', true],
  ['public.*"*', 'public."a""b"', true],
  ['a.c', 'abc', false],
])('%s and %s: %s', (wildcard, name, fits) => expect(matcher(wildcard)(name)).toBe(fits));

test('a wildcard with many stars does not take long', () => {
  const started = performance.now();
  expect(matcher('*a'.repeat(40))(`${'a'.repeat(10_000)}b`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(100);
});

test.each([
  ['public.orders', undefined],
  ['public.country_*', undefined],
  ['public."What? 100%"', undefined],
  ['', 'a stream needs a name'],
  [' a', 'the name has spaces around it'],
  ['a**', 'one * already stands for any number of characters'],
  ['public."orders', 'a quote in the name is not closed'],
  ['public.order?', '"?" is no wildcard here, only * is; names that have it are written in double quotes'],
])('the name %j', (name, mistake) => expect(nameMistake(name)).toBe(mistake));
