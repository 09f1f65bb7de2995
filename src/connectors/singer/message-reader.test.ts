import { expect, test } from 'vitest';
import { type Message, MessageReader } from './message-reader.ts';

/** Messages of a text that comes in pieces of some bytes; records as they are written. */
function read(text: string, bytes: number = 4096): unknown[] {
  const reader = new MessageReader();
  const found: unknown[] = [];
  const take = (): void => {
    for (let message = reader.next(); message; message = reader.next()) found.push(shown(reader, message));
  };
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) {
    reader.add(all.subarray(at, at + bytes));
    take();
  }
  reader.end();
  take();
  return found;
}

function shown({ record, line }: MessageReader, message: Message): unknown {
  if (message.kind !== 'record') return message;
  const { bytes, start, end, stream, version, extractedStart, extractedEnd } = record;
  const text = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString('utf8');
  const extracted = extractedEnd === 0 ? undefined : text(extractedStart, extractedEnd);
  return [line, stream, text(start, end), version, extracted];
}

const NASTY =
  '{"id": 1, "a": "},\\"record\\":{ \\\\", "b": {"record": {"stream": "x"}, "type": "STATE"}, "c": [[{}], "]"]}';

test.each([1, 2, 7, 64, 4096])('records are taken as they are, fed by %i bytes', (bytes) => {
  const lines = [
    `{"type": "RECORD", "stream": "t", "record": ${NASTY}, "time_extracted": "2026-01-01T00:00:00Z"}`,
    `{"record":${NASTY},"version":17,"stream":"ümläut \\"t\\"","type":"RECORD"}\r`,
    '',
    '  {"time_extracted":null,"type":"record","stream":"t","record" : {} , "more":[{"record":{"a":1}}]}  ',
    `{"type":"RECORD","stream":"t","rec\\u006frd":{"x":"${'y'.repeat(3000)}"}}`,
  ];
  expect(read(lines.join('\n'), bytes)).toEqual([
    [1, 't', NASTY, undefined, '"2026-01-01T00:00:00Z"'],
    [2, 'ümläut "t"', NASTY, 17, undefined],
    [4, 't', '{}', undefined, 'null'],
    [5, 't', `{"x":"${'y'.repeat(3000)}"}`, undefined, undefined],
  ]);
});

test('a state keeps all digits', () => {
  const value = '{"bookmarks": {"t": {"id": 12345678901234567890, "at": 1.10}}}';
  expect(read(`{"type": "STATE", "value": ${value}}`)).toEqual([{ kind: 'state', value }]);
  expect(read('{"type": "STATE", "value": null}\n')).toEqual([{ kind: 'state', value: 'null' }]);
});

test('other messages are read', () => {
  const lines = [
    { type: 'SCHEMA', stream: 't', schema: { properties: {} }, key_properties: ['id'] },
    { type: 'SCHEMA', stream: 't', schema: {} },
    { type: 'ACTIVATE_VERSION', stream: 't', version: 1_541_199_424_491 },
    {
      type: 'BATCH',
      stream: 't',
      encoding: { format: 'jsonl', compression: 'gzip' },
      manifest: ['file:///x'],
    },
    { type: 'BATCH', stream: 't', manifest: ['file:///x'] },
    { type: 'HELLO', stream: 't' },
  ];
  expect(read(lines.map((line) => JSON.stringify(line)).join('\n'))).toEqual([
    { kind: 'schema', stream: 't', schema: { properties: {} }, key: ['id'] },
    { kind: 'schema', stream: 't', schema: {}, key: [] },
    { kind: 'activate', stream: 't', version: 1_541_199_424_491 },
    { kind: 'batch', stream: 't', format: 'jsonl', compression: 'gzip', manifest: ['file:///x'] },
    { kind: 'batch', stream: 't', format: 'jsonl', compression: 'none', manifest: ['file:///x'] },
    { kind: 'unknown', type: 'HELLO' },
  ]);
});

test.each([
  ['Starting sync…', 'noise'],
  ['[1, 2]', 'noise'],
  ['{"level": "info", "msg": "hello"}', 'noise'],
  ['{"type": "RECORD", "stream": "t", "record": {"id": 1}', 'broken'],
  ['{"type": "RECORD", "stream": "t", "record": {"id": 1}}}', 'broken'],
  ['{"type": "RECORD", "stream": "t", "record": {"id": "1}}', 'broken'],
  ['{"type": "RECORD", "stream": "t"}', 'broken'],
  ['{"type": "RECORD", "stream": "t", "record": [1]}', 'broken'],
  ['{"type": "RECORD", "stream": "t", "record": null}', 'broken'],
  ['{"type": "RECORD", "record": {"id": 1}}', 'broken'],
  ['{"type": "RECORD", "stream": 7, "record": {"id": 1}}', 'broken'],
  ['{"type": "STATE"}', 'broken'],
  ['{"type": "STATE", "value": {"a" 1}}', 'broken'],
  ['{"type": "SCHEMA", "stream": "t"}', 'broken'],
  ['{"type": "SCHEMA", "schema": {}}', 'broken'],
  ['{"type": "SCHEMA", "stream": "t", "schema": {"a" 1}}', 'broken'],
  ['{"type": "ACTIVATE_VERSION", "stream": "t"}', 'broken'],
  ['{"type" "RECORD"}', 'broken'],
  ['{type: RECORD}', 'broken'],
])('%s is %s', (line, kind) => {
  expect(read(line)).toMatchObject([{ kind }]);
  // And takes nothing with it.
  expect(read(`${line}\n{"type":"STATE","value":1}\n`)).toMatchObject([
    { kind },
    { kind: 'state', value: '1' },
  ]);
});
