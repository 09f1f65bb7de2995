/** Rows in INSERT statements of some rows each, their values bound in the binary form that a COPY has. */
import type pg from 'pg';
import type { ByteSink } from '../../core/byte-ring.ts';
import { InternalError } from '../../core/errors.ts';
import { FILE_HEADER, MESSAGE_HEADER } from './copy-wire.ts';

/** Of one statement; the protocol has room for 65,535, but parsing so many takes longer, row for row. */
const VALUES = 8192;
/** Of one statement, unless a single row has more. */
const BYTES = 256 << 10;

/** Takes the CopyData messages that a CopyIn takes, from the header of the file to its trailer. One statement is under way at a time. */
export class InsertIn implements ByteSink {
  readonly #client: pg.Client;
  readonly #head: string;
  readonly #columns: number;
  /** What is inside of the messages, from the first row that is in no statement yet. */
  #bytes: Buffer = Buffer.allocUnsafe(BYTES);
  #at = 0;
  #end = 0;
  /** Of the file's header, which is to be left out. */
  #skip = FILE_HEADER;
  /** Still to come of the message that is being read, and a header that was cut. */
  #left = 0;
  #header: Buffer = Buffer.alloc(0);
  #trailer = false;
  #values: (Buffer | null)[] = [];
  #size = 0;
  /** The statement of so many rows, which is mostly that of the one before. */
  #text = { rows: 0, sql: '' };
  #sending: Promise<void> | undefined;
  #error: Error | undefined;
  #rows = 0;

  /** `table` and `columns` are quoted. */
  constructor(client: pg.Client, table: string, columns: readonly string[]) {
    this.#client = client;
    this.#columns = columns.length;
    // A COPY writes into columns that number themselves as well.
    this.#head = `INSERT INTO ${table} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE VALUES `;
  }

  /** Of the server, or of the connection; undefined while all is well. */
  get error(): Error | undefined {
    return this.#error;
  }

  get abandoned(): boolean {
    return this.#error !== undefined;
  }

  write(source: Buffer, from: number, to: number): number {
    if (this.#sending || this.abandoned) return 0;
    const end = Math.min(to, from + BYTES);
    for (let at = from; at < end;)
      at = this.#left === 0 ? this.#readHeader(source, at, end) : this.#take(source, at, end);
    this.#collect();
    return end - from;
  }

  async room(): Promise<void> {
    while (this.#sending) {
      await this.#sending;
      this.#sending = undefined;
      if (!this.abandoned) this.#collect();
    }
  }

  /** Sends what is left; the number of rows that the server has taken. */
  async finish(): Promise<number> {
    await this.room();
    if (this.#values.length > 0) this.#send();
    await this.room();
    if (this.#error) throw this.#error;
    if (!this.#trailer || this.#at < this.#end) throw malformed('they end before their trailer');
    return this.#rows;
  }

  /** Resolves when the server does nothing of it any more. */
  async fail(): Promise<void> {
    await this.#sending;
  }

  /** Takes the header of a message, or as much of it as there is; where reading goes on. */
  #readHeader(source: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + MESSAGE_HEADER - this.#header.length);
    this.#header = Buffer.concat([this.#header, source.subarray(from, end)]);
    if (this.#header.length === MESSAGE_HEADER) {
      this.#left = this.#header.readInt32BE(1) - 4;
      this.#header = Buffer.alloc(0);
    }
    return end;
  }

  #take(source: Buffer, from: number, to: number): number {
    const size = Math.min(this.#left, to - from);
    const skipped = Math.min(this.#skip, size);
    this.#skip -= skipped;
    this.#left -= size;
    this.#reserve(size - skipped);
    source.copy(this.#bytes, this.#end, from + skipped, from + size);
    this.#end += size - skipped;
    return from + size;
  }

  /** Values that wait to be sent lie in the buffer before it, which stays as it is. */
  #reserve(more: number): void {
    if (this.#end + more <= this.#bytes.length) return;
    const rest = this.#bytes.subarray(this.#at, this.#end);
    this.#bytes = Buffer.allocUnsafe(Math.max(BYTES, 2 * (rest.length + more)));
    rest.copy(this.#bytes);
    this.#at = 0;
    this.#end = rest.length;
  }

  /** Takes whole rows, and sends them when there are enough for a statement. */
  #collect(): void {
    for (let next = this.#readRow(); next !== undefined; next = this.#readRow()) {
      this.#size += next - this.#at;
      this.#at = next;
      if (this.#values.length + this.#columns > VALUES || this.#size >= BYTES) return this.#send();
    }
  }

  /** Adds the values of the next row; where it ends, or undefined when it is not all there. */
  #readRow(): number | undefined {
    const { length } = this.#values;
    let at = this.#at + 2;
    if (at > this.#end) return undefined;
    const count = this.#bytes.readInt16BE(this.#at);
    if (count >= 0 && count !== this.#columns)
      throw malformed(`a row has ${count} of ${this.#columns} values`);
    if (count < 0) {
      this.#trailer = true;
      this.#at = at;
      return undefined;
    }
    for (let c = 0; c < this.#columns; c++) {
      const size = at + 4 <= this.#end ? this.#bytes.readInt32BE(at) : 0;
      at += 4 + Math.max(0, size);
      if (at > this.#end) {
        this.#values.length = length;
        return undefined;
      }
      this.#values.push(size < 0 ? null : this.#bytes.subarray(at - size, at));
    }
    return at;
  }

  #send(): void {
    const values = this.#values;
    this.#values = [];
    this.#size = 0;
    this.#sending = this.#client.query(this.#statement(values.length / this.#columns), values).then(
      ({ rowCount }) => {
        this.#rows += rowCount ?? 0;
      },
      (error: unknown) => {
        this.#error = error as Error;
      },
    );
  }

  #statement(rows: number): string {
    if (this.#text.rows === rows) return this.#text.sql;
    const lines = Array.from({ length: rows }, (_, r) => {
      const list = Array.from({ length: this.#columns }, (__, c) => `$${r * this.#columns + c + 1}`);
      return `(${list.join(',')})`;
    });
    this.#text = { rows, sql: this.#head + lines.join(',') };
    return this.#text.sql;
  }
}

function malformed(found: string): InternalError {
  return new InternalError(`sending rows to PostgreSQL: ${found}`, {
    code: 'postgres.malformed_copy',
    remedy: 'please report it with the version of the server',
  });
}
