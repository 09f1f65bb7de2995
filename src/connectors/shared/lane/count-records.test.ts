import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { countRecords } from './count-records.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-count-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function counted(text: string, quoted: boolean): number {
  const file = path.join(folder, 't');
  writeFileSync(file, text);
  return countRecords(file, { quoted });
}

it.each([
  ['', true, 0],
  ['a,b\n1,2\n', true, 2],
  ['"a\nb",1\n2,"""\n"""\n', true, 2],
  // A line that is cut off is no record.
  ['a\nb', true, 1],
  ['"a\n', true, 0],
  ['{"a":"\\""}\n{"a":"\\""}\n', false, 2],
])('counts what ends: %j', (text, quoted, records) => {
  expect(counted(text, quoted)).toBe(records);
});

it('goes on within quotes from one piece of the file to the next', () => {
  const long = 'x'.repeat(300_000);
  const plain = '1,2\n'.repeat(100_000);
  expect(counted(`${plain}"${long}\n${long}\n",2\n${plain}"\n"\n`, true)).toBe(200_002);
});
