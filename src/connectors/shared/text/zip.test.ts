import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeZip } from '../../../../test/support/zip-archive.ts';
import { openLocalStorage } from '../local-storage.ts';
import { ZIP } from './packed.fixture.ts';
import { textOf } from './text-stream.ts';
import { readArchive, type ZipArchive } from './zip.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-zip-'));
const storage = openLocalStorage(folder);
const { signal } = new AbortController();
afterAll(() => rmSync(folder, { recursive: true }));

function open(bytes: Uint8Array): Promise<ZipArchive> {
  writeFileSync(path.join(folder, 'a.zip'), bytes);
  const isText = (name: string): boolean => !name.endsWith('.md');
  return readArchive({ storage, path: 'a.zip', size: bytes.length, signal, isText });
}

/** Texts of all entries, by name. */
async function read(bytes: Uint8Array): Promise<Record<string, string>> {
  const { entries } = await open(bytes);
  const texts: Record<string, string> = {};
  for (const entry of entries) {
    const form = { packing: entry.packing, entry, encoding: 'utf-8', skip: 0 };
    const pieces = await Array.fromAsync(textOf(storage, { path: 'a.zip' }, form, { signal }));
    texts[entry.name] = Buffer.concat(pieces).toString();
  }
  return texts;
}

const A = 'id,name\n3,three\n';
const B = 'id,name\n1,one\n2,two\n';

describe('an archive of zip', () => {
  it('has entries in the order of their names, without what systems add', async () => {
    expect(Object.entries(await read(ZIP.plain))).toEqual([
      ['a.csv', A],
      ['b.csv', B],
      ['in/c.csv', 'id,name\n4,four\n'],
    ]);
    expect((await open(ZIP.plain)).others).toEqual(['in/notes.md']);
  });

  it('is read in each way that it can be written', async () => {
    expect(await read(ZIP.stored)).toEqual({ 'a.csv': A, 'b.csv': B });
    expect(await read(ZIP.stream)).toEqual({ '-': B });
    expect(await read(ZIP.bzip2)).toEqual({ 'a.csv': A });
    expect(await read(ZIP.wide)).toEqual({ 'big.csv': 'id,name\n5,five\n' });
    const files = Array.from({ length: 300 }, (_, i) => ({ name: `é${i}.csv`, text: `${'x'.repeat(i)}\n` }));
    const texts = Object.fromEntries(files.map(({ name, text }) => [name, text]));
    expect(await read(makeZip(files, { wide: true }))).toEqual(texts);
    expect(await read(makeZip([]))).toEqual({});
  });

  it('is refused by name when it is encrypted, or packed in another way', async () => {
    await expect(open(ZIP.encrypted)).rejects.toMatchObject({
      code: 'files.packing',
      message: 'reading "a.zip/a.csv": it is encrypted',
    });
    await expect(open(makeZip([{ name: 'a.csv', text: A, says: { method: 9 } }]))).rejects.toMatchObject({
      code: 'files.packing',
    });
    await expect(open(makeZip([{ name: 'a.md', text: A }]))).rejects.toMatchObject({ code: 'files.packing' });
  });

  it.each<[string, Uint8Array]>([
    ['cut off', ZIP.plain.subarray(0, -1)],
    ['cut off at the front', ZIP.plain.subarray(1)],
    ['longer than it says', Buffer.concat([ZIP.plain, Buffer.from('x')])],
    ['none', Buffer.from('id,name\n1,one\n')],
    [
      'with two entries in one place',
      makeZip([1, 2].map((i) => ({ name: `${i}`, text: A, says: { from: 0 } }))),
    ],
    ['with two entries of one name', makeZip([1, 2].map(() => ({ name: 'a.csv', text: A })))],
    ['with another checksum', makeZip([{ name: 'a.csv', text: A, says: { crc32: 1 } }])],
    ['with more text than it says', makeZip([{ name: 'a.csv', text: A, says: { bytes: 3 } }])],
    ['with less text than it says', makeZip([{ name: 'a.csv', text: A, says: { bytes: 3000 } }])],
  ])('is refused when it is %s', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'files.compression' });
  });

  it('gives out no more text than it says, however much there is', async () => {
    const bomb = makeZip([{ name: 'a.csv', text: Buffer.alloc(50_000_000), says: { bytes: 1000 } }]);
    expect(bomb.length).toBeLessThan(100_000);
    const { entries } = await open(bomb);
    const form = { packing: entries[0]!.packing, entry: entries[0]!, encoding: 'utf-8', skip: 0 };
    let bytes = 0;
    const all = async (): Promise<void> => {
      for await (const piece of textOf(storage, { path: 'a.zip' }, form, { signal })) bytes += piece.length;
    };
    await expect(all()).rejects.toMatchObject({ code: 'files.compression' });
    expect(bytes).toBeLessThanOrEqual(1000);
  });

  it('refuses, or reads rightly, what differs in one byte', async () => {
    const whole = await read(ZIP.plain);
    let same = 0;
    for (let at = 0; at < ZIP.plain.length; at++) {
      const other = Buffer.from(ZIP.plain);
      other[at]! ^= 0x10;
      const texts = await read(other).catch(() => undefined);
      if (texts === undefined) continue;
      // Names have no checksum, and what is not wanted is not read.
      const found = Object.values(texts).toSorted();
      const wanted = Object.values(whole).toSorted();
      if (found.length === wanted.length) expect(found).toEqual(wanted);
      same++;
    }
    expect(same).toBeGreaterThan(0);
  });
});
