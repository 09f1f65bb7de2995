import { isUtf8 } from 'node:buffer';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DataError } from '../../../core/errors.ts';
import type { BadForm, BadRecord } from '../../../core/quarantine.ts';

const BUFFERED_CHARACTERS = 1 << 18;

/** Puts records that did not fit into a file, in the order in which they come. */
export class BadRecords {
  /** Of all records so far. */
  count = 0;
  readonly #file: string | undefined;
  #lines = '';
  #document: string | undefined;
  #made = false;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** `form`: how its document is read. */
  add(record: Omit<BadRecord, 'raw' | 'base64'> & { raw: Uint8Array }, form: string): void {
    const { document, line, reason } = record;
    if (this.#file === undefined)
      throw new DataError(`reading "${document}": line ${line}: ${reason}`, {
        code: 'data.bad_record',
        remedy: 'correct it, or give the stream a `types` that it fits',
        details: { document, line },
      });
    if (this.#document !== document) {
      this.#document = document;
      this.#lines += `${JSON.stringify({ document, form } satisfies BadForm)}\n`;
    }
    this.count++;
    const raw = Buffer.from(record.raw.buffer, record.raw.byteOffset, record.raw.byteLength);
    const text = isUtf8(raw) ? { raw: raw.toString('utf8') } : { raw: raw.toString('base64'), base64: true };
    this.#lines += `${JSON.stringify({ ...record, ...text })}\n`;
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
