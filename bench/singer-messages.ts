/** Messages of a tap in a file: records of tenants with 20 fields, as programs in Python write them. */
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { readFileForm } from '../src/generate/files/file-form.ts';
import { generateFiles } from '../src/generate/files/generate-files.ts';
import { openModel } from '../src/generate/open-model.ts';

const INTEGER = { type: ['null', 'integer'] };
const TEXT = { type: ['null', 'string'] };
const cents = (multipleOf: number): object => ({
  type: ['null', 'number'],
  multipleOf,
  minimum: -1e6,
  maximum: 1e6,
});
const DAY = { type: ['null', 'string'], format: 'date' };

const PROPERTIES = {
  id: { type: 'integer' },
  tenant: TEXT,
  unit: INTEGER,
  contract: TEXT,
  status: TEXT,
  rent: cents(0.01),
  deposit: cents(0.01),
  rate: cents(0.0001),
  area: cents(0.1),
  rooms: INTEGER,
  born: DAY,
  moved_in: DAY,
  updated_at: { type: ['null', 'string'], format: 'date-time' },
  active: { type: ['null', 'boolean'] },
  score: INTEGER,
  email: TEXT,
  phone: TEXT,
  city: TEXT,
  zip: TEXT,
  note: TEXT,
};

/** A tap says now and then how far it is. */
const STATE_EVERY = 10_000;
const EXTRACTED = '"time_extracted": "2026-01-01T00:00:00.000000Z"';

const UPDATED = /("updated_at": ?"[^"]+)"/;

export async function writeMessages(file: string, rows: number): Promise<void> {
  const plain = `${file}.jsonl`;
  await generateFiles(openModel({ model: 'tenants', rows }), { form: readFileForm(plain), force: true });
  const lines = createInterface({ input: createReadStream(plain) });
  const out = createWriteStream(file);
  const schema = { type: 'object', properties: PROPERTIES };
  out.write(`${JSON.stringify({ type: 'SCHEMA', stream: 'tenants', schema, key_properties: ['id'] })}\n`);
  let written = 0;
  let text = '';
  for await (const plainLine of lines) {
    // A date-time of JSON Schema says how far from UTC it is.
    const line = plainLine.replace(UPDATED, '$1+00:00"');
    text += `{"type": "RECORD", "stream": "tenants", "record": ${line}, ${EXTRACTED}}\n`;
    if (++written % STATE_EVERY === 0)
      text += `{"type": "STATE", "value": {"bookmarks": {"tenants": {"id": ${written}}}}}\n`;
    if (text.length < 1 << 20) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'close');
  await rm(plain);
}
