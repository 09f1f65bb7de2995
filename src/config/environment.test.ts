import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapePlaceholders, expand } from './environment.ts';

test.each([
  ['plain', 'plain'],
  ['${A}', 'x'],
  ['a${A}b${B}c', 'axbyc'],
  ['${MISSING:-}', ''],
  ['${MISSING:-a b:c}', 'a b:c'],
  ['${EMPTY:-fallback}', 'fallback'],
  ['${EMPTY}', ''],
  ['$A $ {A} $', '$A $ {A} $'],
  ['$${A}', '${A}'],
  ['$$${A}', '$${A}'],
])('%j becomes %j', (written, text) => {
  expect(expand(written, { A: 'x', B: 'y', EMPTY: '' })).toMatchObject({ text, mistakes: [] });
});

test('what comes out is not expanded again', () => {
  expect(expand('${A}', { A: '${B}', B: 'no' }).text).toBe('${B}');
});

test('values are noted with their placeholders', () => {
  expect(expand('${A}:${B:-z}', { A: 'x', B: 'y' }).values).toEqual([
    { value: 'x', placeholder: '${A}' },
    { value: 'y', placeholder: '${B:-z}' },
  ]);
});

test('escaped text comes back as it was', () => {
  const text = fc.string({ unit: fc.constantFrom('$', '{', '}', 'A', ':', '-') });
  fc.assert(fc.property(text, (written) => expand(escapePlaceholders(written), {}).text === written));
});
