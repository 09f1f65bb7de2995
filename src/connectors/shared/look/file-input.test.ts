import { appendFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { FileInput, OtherFile } from './file-input.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(content: string | Uint8Array): string {
  const file = path.join(folder, `${files++}.csv`);
  writeFileSync(file, content);
  return file;
}

const open = (paths: string[], guesses: boolean = true): FileInput =>
  new FileInput(paths, guesses, () => false);

function textsOf(input: FileInput): Map<number, string> {
  const texts = new Map<number, string>();
  while (input.nextDocument()) {
    const pieces: Buffer[] = [];
    while (input.at < input.end || input.more()) {
      pieces.push(Buffer.from(input.bytes.subarray(input.at, input.end)));
      input.at = input.end;
    }
    texts.set(input.document, Buffer.concat(pieces).toString());
  }
  input.close();
  return texts;
}

test('files come one after the other, without those that have no bytes and without marks', () => {
  const long = 'äöü€'.repeat(500_000);
  const contents = ['a\n', '', '\ufeffb\n', long];
  const input = open(contents.map(fileOf));
  const texts = textsOf(input);
  expect(texts).toEqual(new Map([0, 2, 3].map((n) => [n, contents[n]!.replace('\ufeff', '')])));
  expect(input.read.map(({ crc, bytes, text }) => ({ crc, bytes, text }))).toEqual(
    contents.map((content, n) => {
      const bytes = Buffer.from(content);
      return { crc: crc32(bytes), bytes: bytes.length, text: bytes.length - (n === 2 ? 3 : 0) };
    }),
  );
  expect(input.total).toBe(2 + 2 + Buffer.byteLength(long));
});

test('a file that nobody reads on is left', () => {
  const input = open([fileOf('x'.repeat(3 << 20)), fileOf('b\n')]);
  input.nextDocument();
  input.more();
  expect(textsOf(input)).toEqual(new Map([[1, 'b\n']]));
  expect(input.read[0]!.bytes).toBe(3 << 20);
});

test('files that another way of reading is for are refused', () => {
  const latin = Buffer.from('x,\xe4\xf6\xfc\xe4\xf6\xfc\xe4\xf6\xfc\xe4\xf6\xfc\n', 'latin1');
  for (const content of [latin, Buffer.from('a,b\n', 'utf16le')])
    expect(() => textsOf(open([fileOf(content)]))).toThrow(OtherFile);
  expect(textsOf(open([fileOf(latin)], false)).size).toBe(1);
  expect(() => textsOf(open([path.join(folder, 'missing.csv')]))).toThrow(OtherFile);
  expect(() => textsOf(open([folder]))).toThrow(OtherFile);
});

test('a file that changes while it is read is refused, also when its time is set back', () => {
  for (const change of [
    (file: string) => appendFileSync(file, 'more'),
    (file: string) => utimesSync(file, 1, 1),
    (file: string) => writeFileSync(file, 'y'),
  ]) {
    const file = fileOf('x'.repeat(3 << 20));
    const input = open([file]);
    input.nextDocument();
    input.more();
    change(file);
    expect(() => textsOf(input)).toThrow(OtherFile);
    input.close();
  }
});

test('who is told to stop reads no more', () => {
  const input = new FileInput([fileOf('x')], true, () => true);
  input.nextDocument();
  expect(() => input.more()).toThrow(OtherFile);
  input.close();
});
