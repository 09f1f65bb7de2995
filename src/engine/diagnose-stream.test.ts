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
      { kind: 'column', column: 'id', to: '5' },
      { kind: 'column', column: 'id', from: '5', to: '9' },
      { kind: 'column', column: 'id', from: '9' },
      { kind: 'column', column: 'id', from: '9', since: '2026-01-01' },
      { kind: 'cursor', above: '3' },
    ]),
  ).toEqual([
    { kind: 'column', column: 'id', to: undefined },
    { kind: 'column', column: 'id', from: '9', since: '2026-01-01' },
    { kind: 'cursor', above: '3' },
  ]);
  expect(joinRanges([])).toEqual([]);
});
