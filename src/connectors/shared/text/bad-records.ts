import { isUtf8 } from 'node:buffer';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DataError } from '../../../core/errors.ts';
import type { BadForm, BadLine, BadRecord } from '../../../core/quarantine.ts';

const BUFFERED_CHARACTERS = 1 << 18;

/** Puts records that did not fit into a file, in the order in which they come. */
export class BadRecords {
  /** Of all records so far. */
  count = 0;
  readonly #file: string | undefined;
  #lines = '';
  #form: BadForm = { as: 0, form: '' };
  #made = false;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** `form`: how it is read. */
  add(record: Omit<BadRecord, 'raw' | 'base64'> & { raw: Uint8Array }, form: string): void {
    const { document, line, reason } = record;
    if (this.#file === undefined)
      throw new DataError(`reading "${document}": line ${line}: ${reason}`, {
        code: 'data.bad_record',
        remedy: 'correct it, or give the stream a `types` that it fits',
        details: { document, line },
      });
    if (this.#form.form !== form) {
      this.#form = { as: this.#form.as + 1, form };
      this.#lines += `${JSON.stringify(this.#form)}\n`;
    }
    this.count++;
    const raw = Buffer.from(record.raw.buffer, record.raw.byteOffset, record.raw.byteLength);
    const text = isUtf8(raw)
      ? { raw: raw.toString('utf8') }
      : { raw: raw.toString('base64'), base64: true as const };
    this.#lines += `${JSON.stringify({ ...record, ...text, as: this.#form.as } satisfies BadLine)}\n`;
    if (this.#lines.length >= BUFFERED_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#lines === '' || this.#file === undefined) return;
    if (this.#made) appendFileSync(this.#file, this.#lines);
    else {
      mkdirSync(path.dirname(this.#file), { recursive: true });
      // Whoever has read the same before has put the same aside.
      writeFileSync(this.#file, this.#lines);
    }
    this.#made = true;
    this.#lines = '';
  }
}
