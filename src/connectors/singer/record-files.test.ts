import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Spool } from '../shared/records/spool.ts';
import { RecordFiles } from './record-files.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-records-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Ids of the records that are on disk, each of some bytes; `certain`: behind which record the tap has said how far it is. */
async function kept(
  bytes: number,
  records: number,
  certain: number,
): Promise<{ ids: number[]; documents: number }> {
  const spool = new Spool(folder);
  const files = new RecordFiles(spool, 't', false);
  const filler = 'x'.repeat(bytes);
  for (let id = 1; id <= records; id++) {
    const line = Buffer.from(`{"id":${id},"x":"${filler}"}`);
    files.write({
      stream: 't',
      bytes: line,
      start: 0,
      end: line.length,
      version: undefined,
      extractedStart: 0,
      extractedEnd: 0,
    });
    if (id === certain) files.mark(String(id));
    if (files.full) await files.flush();
  }
  await files.cut();
  const ids: number[] = [];
  for (const { key, bytes: size, records: own } of spool.documents) {
    const pieces: Uint8Array[] = [];
    for await (const piece of spool.storage.read(key, undefined, new AbortController().signal))
      pieces.push(piece);
    const text = Buffer.concat(pieces).toString('utf8');
    const lines = text.split('\n').slice(0, -1);
    expect([Buffer.byteLength(text), lines.length]).toEqual([size, own]);
    ids.push(...lines.map((line) => (JSON.parse(line) as { id: number }).id));
  }
  const { documents } = spool;
  await spool.close();
  return { ids, documents: documents.length };
}

test.each([
  [10, 100],
  [300_000, 10],
  [2 << 20, 5],
])('only what is certain stays, of records of %i bytes', async (bytes, records) => {
  for (const certain of [0, 1, 2, 3, records - 1, records]) {
    const { ids } = await kept(bytes, records, certain);
    expect(ids).toEqual(Array.from({ length: certain }, (_, i) => i + 1));
  }
});

test('records lie in files of some size', async () => {
  expect((await kept(2 << 20, 6, 6)).documents).toBe(3);
  expect((await kept(10, 1000, 1000)).documents).toBe(1);
});
