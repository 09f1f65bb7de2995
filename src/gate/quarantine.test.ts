import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { BadForm, BadLine } from '../core/quarantine.ts';
import { keptFolder } from './kept-storage.ts';
import { Quarantine } from './quarantine.ts';

test('keeps more records than there is memory for, in their order', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-kept-'));
  try {
    const quarantine = new Quarantine(
      { storage: keptFolder(folder), prefix: 'lake', readers: 'lake' },
      { run: 'r', table: 't', stream: 's' },
    );
    const scratch = quarantine.scratch();
    mkdirSync(path.dirname(scratch), { recursive: true });
    const file = openSync(scratch, 'w');
    const documents = ['b.csv', 'a.csv'];
    const each = 25_000;
    for (const [as, document] of documents.entries()) {
      const form: BadForm = { as, form: `{"of":"${document}"}` };
      const lines = [JSON.stringify(form)];
      for (let line = 1; line <= each; line++) {
        // What can be packed takes little room on the disk, and all of it in memory.
        const raw = `${line},`.padEnd(1500, String(line % 10));
        const record: BadLine = { as, document, line, column: 'n', code: 'row.type', reason: 'no', raw };
        lines.push(JSON.stringify(record));
      }
      writeSync(file, `${lines.join('\n')}\n`);
    }
    closeSync(file);
    const kept = await quarantine.keep(scratch, { id: 'all' });
    expect(kept?.rows).toBe(documents.length * each);
    const again = await quarantine.open([kept!]);
    expect(again.documents.map(({ document, form, lines }) => [document, form, lines.length])).toEqual(
      documents.map((document) => [document, `{"of":"${document}"}`, each]),
    );
    let row = 0;
    for await (const raw of again.raw()) {
      const line = (row++ % each) + 1;
      if (Buffer.from(raw.subarray(0, 6)).toString().split(',')[0] !== String(line))
        expect.fail(`row ${row}`);
    }
    expect(row).toBe(documents.length * each);
    expect(again.documents.every(({ lines }) => lines.every((line, i) => line === i + 1))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
