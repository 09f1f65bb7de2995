import { expect, it } from 'vitest';
import { createJsonLines } from './json-lines.ts';

it('writes each event as one line with the time, without secrets', () => {
  const lines: string[] = [];
  const listener = createJsonLines(
    (line) => lines.push(line),
    () => new Date('2026-07-25T01:00:00Z'),
  );
  listener({ kind: 'progress', stream: 'public.orders', slice: 's1', rows: 7, bytes: 9 });
  listener({
    kind: 'warning',
    stream: undefined,
    code: 'x',
    message: 'two\nlines of postgres://app:s3cret@db/shop',
  });
  expect(lines).toEqual([
    '{"at":"2026-07-25T01:00:00.000Z","kind":"progress","stream":"public.orders","slice":"s1","rows":7,"bytes":9}\n',
    '{"at":"2026-07-25T01:00:00.000Z","kind":"warning","code":"x","message":"two\\nlines of postgres://app@db/shop"}\n',
  ]);
});
