import { expect, test } from 'vitest';
import { RecordSplitter, type SplitBody } from './record-splitter.ts';

/** Fed in pieces of some bytes. */
function split(
  text: string,
  path: string[] | undefined,
  bytes: number,
  prefix?: string,
): SplitBody & { lines: string[] } {
  const out: Buffer[] = [];
  const splitter = new RecordSplitter(path, (piece) => out.push(Buffer.from(piece)), prefix);
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) splitter.feed(all.subarray(at, at + bytes));
  const body = splitter.end();
  const lines = Buffer.concat(out).toString('utf8').split('\n').slice(0, -1);
  return { ...body, lines };
}

const RECORDS = [
  { id: 1, name: 'a "quoted" \\ name, with [brackets] and {braces}', in: { data: [1, 2, { data: [] }] } },
  { id: 2, name: 'line\nfeed', list: [] },
  { id: 3, name: 'ümläut ✓', none: null },
];

test.each([1, 2, 3, 7, 64, 4096])('records come out line by line, fed by %i bytes', (bytes) => {
  for (const space of [undefined, 2]) {
    const body = { count: 3, data: { other: [{ id: 9 }], items: RECORDS }, next: { cursor: 'x]}' } };
    const found = split(JSON.stringify(body, undefined, space), ['data', 'items'], bytes);
    expect(found.lines.map((line) => JSON.parse(line) as unknown)).toEqual(RECORDS);
    expect(found).toMatchObject({
      records: 3,
      absent: false,
      around: { count: 3, data: { other: [{ id: 9 }], items: [] }, next: { cursor: 'x]}' } },
    });
    const plain = split(JSON.stringify(RECORDS, undefined, space), [], bytes);
    expect(plain.lines.map((line) => JSON.parse(line) as unknown)).toEqual(RECORDS);
    expect(plain).toMatchObject({ records: 3, absent: false, around: undefined });
  }
});

test('an array of the same name somewhere else is not taken for the records', () => {
  const text = '{"a":{"data":[{"x":1}]},"b":[{"data":[{"x":2}]}],"data":[{"x":3}],"z":"data"}';
  expect(split(text, ['data'], 5)).toMatchObject({ lines: ['{"x":3}'], records: 1 });
});

test('a name may be written with escapes', () => {
  expect(split('{"d\\u0061ta":[1,"b"]}', ['data'], 3)).toMatchObject({ lines: ['1', '"b"'], records: 2 });
});

test('empty arrays have no records, and a body without the array says so', () => {
  expect(split('{"data":[ \n ],"n":1}', ['data'], 4)).toMatchObject({ records: 0, absent: false, lines: [] });
  expect(split('{"error":"none"}', ['data'], 4)).toMatchObject({ records: 0, absent: true });
  expect(split('{"data":null}', ['data'], 4)).toMatchObject({ records: 0, absent: true });
  expect(split('{"data":{"x":[1]}}', ['data'], 4)).toMatchObject({ records: 0, absent: true });
});

test.each(['{"data":[{"a":1}', '{"data":[{"a":1}]', '[{"a":"b', '', '{"data":[1]}}', 'oops'])(
  'a body that is cut off or no JSON is an error: %s',
  (text) => {
    expect(() => split(text, text.startsWith('[') ? [] : ['data'], 4)).toThrow(/reading a body of JSON/);
  },
);

test.each([1, 3, 4096])(
  'without a path, the body is the array, or has one record after the other, fed by %i bytes',
  (bytes) => {
    const lines = RECORDS.map((record) => JSON.stringify(record));
    const pretty = RECORDS.map((record) => JSON.stringify(record, undefined, 2));
    for (const text of [
      JSON.stringify(RECORDS),
      lines.join('\n'),
      `${lines.join('\r\n')}\n`,
      pretty.join('\n'),
    ]) {
      const found = split(text, undefined, bytes);
      expect(found.lines.map((line) => JSON.parse(line) as unknown)).toEqual(RECORDS);
      expect(found).toMatchObject({ records: 3, absent: false });
    }
    expect(split('', undefined, bytes)).toMatchObject({ records: 0 });
    expect(split('[]', undefined, bytes)).toMatchObject({ records: 0 });
  },
);

test.each([1, 4096])('each record can get members of its parent, fed by %i bytes', (bytes) => {
  const text = JSON.stringify({ data: [{ a: { b: 1 } }, {}, { c: [{}] }] }, undefined, 1);
  const found = split(text, ['data'], bytes, '"parent_id":"7"');
  expect(found.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { parent_id: '7', a: { b: 1 } },
    { parent_id: '7' },
    { parent_id: '7', c: [{}] },
  ]);
});
