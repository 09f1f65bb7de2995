import { expect, it } from 'vitest';
import { joinRanges } from './diagnose-stream.ts';

it('ranges that follow one another become one', () => {
  expect(
    joinRanges([
      { kind: 'pages', from: 0, to: 10 },
      { kind: 'pages', from: 10, to: 20 },
      { kind: 'pages', from: 30 },
    ]),
  ).toEqual([
    { kind: 'pages', from: 0, to: 20 },
    { kind: 'pages', from: 30 },
  ]);
  expect(
    joinRanges([
      { kind: 'key', columns: ['a', 'b'], to: ['5', 'x'] },
      { kind: 'key', columns: ['a', 'b'], from: ['5', 'x'], to: ['9', 'y'] },
      { kind: 'key', columns: ['a', 'b'], from: ['9', 'y'] },
      { kind: 'key', columns: ['a', 'b'], from: ['9', 'y'], since: '2026-01-01' },
      { kind: 'column', column: 'day', to: '5' },
      { kind: 'column', column: 'day', from: '5', to: '9' },
      { kind: 'cursor', above: '3' },
    ]),
  ).toEqual([
    { kind: 'key', columns: ['a', 'b'], to: undefined },
    { kind: 'key', columns: ['a', 'b'], from: ['9', 'y'], since: '2026-01-01' },
    { kind: 'column', column: 'day', to: '9' },
    { kind: 'cursor', above: '3' },
  ]);
  expect(joinRanges([])).toEqual([]);
});
