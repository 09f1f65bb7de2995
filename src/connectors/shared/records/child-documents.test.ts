import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StreamConfig } from '../../../core/stream.ts';
import { type ChildDocuments, childDocuments } from './child-documents.ts';
import { childColumns, childShape } from './child-stream.ts';
import { lookThrough, surveyOf } from './records-survey.ts';
import { Spool } from './spool.ts';

const SIGNAL = new AbortController().signal;
const CHILD = { parent: 'orders', path: ['lines'] };
const STREAM: StreamConfig = {
  name: 'orders.lines',
  table: 't',
  load: 'merge',
  cursor: [],
  nullCursor: 'load',
  rename: {},
  types: {},
};

let folder = '';
let made: Spool;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-child-'));
  made = new Spool(folder);
});
afterEach(async () => {
  await made.close();
  rmSync(folder, { recursive: true, force: true });
});

async function split(...pages: string[]): Promise<ChildDocuments> {
  const spool = new Spool(folder);
  for (const [i, text] of pages.entries()) {
    const writer = spool.begin();
    writer.write(Buffer.from(text));
    await spool.add(writer, { name: `page ${i + 1}`, records: 1, position: String(i) });
  }
  const elements = { ...childColumns(CHILD, STREAM, ['id']), path: CHILD.path, flatten: 0 };
  const found = await childDocuments(spool, spool.documents, {
    spool: made,
    elements,
    groups: true,
    signal: SIGNAL,
  });
  await spool.close();
  return found;
}

function textOf(key: string): string {
  return readFileSync(path.join(folder, `${made.id}.spool`, key), 'utf8');
}

test('names each record once, and says which elements a later one takes the place of', async () => {
  const { documents, superseded } = await split(
    '{"id":1,"lines":[{"a":1},{"a":2}]}\n{"id":2,"lines":[{"a":3}]}\n\n{"lines":[{"a":4}]}\n{"id":3}',
    '{"id":1,"lines":[]}\nno record\n{"id":3,"lines":[{"a":5}]}\n',
  );
  expect(documents.map(({ name, records, position, groups }) => [name, records, position, groups])).toEqual([
    ['page 1, lines', 4, '0', undefined],
    ['page 1, lines, parents', 3, '0', true],
    ['page 2, lines', 2, '1', undefined],
    ['page 2, lines, parents', 2, '1', true],
  ]);
  expect(textOf(documents[1]!.key)).toBe('{"orders_id":1}\n{"orders_id":2}\n{"orders_id":3}\n');
  expect(textOf(documents[2]!.key)).toBe('no record\n{"orders_id":3,"lines_index":0,"a":5}\n');
  // Of the record without a key nobody knows whether it comes again.
  expect([...superseded]).toEqual([
    [documents[0]!.key, Float64Array.of(1, 2)],
    [documents[1]!.key, Float64Array.of(1, 3)],
  ]);
});

test('records are loaded with those that take the place of theirs, however many slices there are', async () => {
  const pages = Array.from({ length: 12 }, (_, i) =>
    i % 3 === 2 ? `{"id":${i}}` : `{"id":${i},"lines":[{"text":"${'x'.repeat(50 + i * 20)}"}]}`,
  );
  const { documents, superseded } = await split(...pages);
  const shape = childShape(CHILD, STREAM, { key: ['id'], asked: 'test' });
  const fetched = { ...shape, seconds: 0, notes: [] };
  const looked = await lookThrough(
    { spool: made, documents, round: 'r', shape, fetched, superseded },
    { key: undefined, partBytes: 300, whole: true, signal: SIGNAL },
  );
  const survey = surveyOf(looked, {
    stream: STREAM,
    before: undefined,
    partBytes: 300,
    apart: true,
    form: undefined,
  });
  expect(survey).toMatchObject({ group: ['orders_id'], estimatedRows: 8, arrived: { distinct: true } });
  expect(survey.parts.length).toBeGreaterThan(3);
  const order = documents.map(({ key }) => key);
  for (const part of survey.parts) {
    const keys = part.kind === 'files' ? part.files.map((file) => file.path) : [];
    const first = documents.find(({ key }) => key === keys[0])!;
    const before = documents[order.indexOf(first.key) - 1];
    // A part begins with elements, or with parents that have none.
    expect(first.groups && !before?.groups).toBeFalsy();
  }
});
