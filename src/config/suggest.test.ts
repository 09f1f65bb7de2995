import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hint, nearest } from './suggest.ts';

test.each([
  ['lookbak', ['lookback', 'load'], 'lookback'],
  ['dya', ['day', 'hour'], 'day'],
  ['cusror', ['cursor'], 'cursor'],
  ['LOAD', ['load'], 'load'],
  ['orders', ['public.orders', 'public.items'], 'public.orders'],
  ['orders', ['public.orders', 'sales.orders'], undefined],
  ['required', ['require', 'disable'], 'require'],
  ['xyz', ['load', 'cursor'], undefined],
  ['', ['load'], undefined],
  ['x', [], undefined],
])('%s among %j is %s', (found, names, name) => expect(nearest(found, names)).toBe(name));

test('a name with one letter wrong is found again', () => {
  const word = fc.string({
    unit: fc.constantFrom(...'a b c d e f g h i j k l m n o p q r s t u v w x y z'.split(' ')),
    minLength: 4,
    maxLength: 20,
  });
  fc.assert(
    fc.property(word, fc.nat(), fc.constantFrom('drop', 'double', 'swap'), (name, seed, change) => {
      const at = seed % (name.length - 1);
      const written = {
        drop: name.slice(0, at) + name.slice(at + 1),
        double: name.slice(0, at) + name[at] + name.slice(at),
        swap: name.slice(0, at) + name[at + 1] + name[at] + name.slice(at + 2),
      }[change];
      return nearest(written, [name, '0000000000']) === name;
    }),
  );
});

test('a hint names what there is when nothing is near, but not hundreds', () => {
  expect(hint('xyz', ['a', 'b'])).toBe('; known are a, b');
  expect(hint('xyz', [])).toBe('');
  expect(
    hint(
      'xyz',
      Array.from({ length: 30 }, (_, i) => `name_${i}`),
      'it has',
    ),
  ).toMatch(/^; it has name_0, .*name_19, …$/);
});
