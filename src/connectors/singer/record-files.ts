/** Records of one stream on their way to disk, up to which all is certain where the tap has said how far it is. */
import type { Spool, SpoolWriter } from '../shared/records/spool.ts';
import type { ReadRecord } from './message-reader.ts';

const DOCUMENT_BYTES = 4 << 20;
const LINE_FEED: Uint8Array = Buffer.from('\n');
/** Column with the time at which the tap read a record, as other targets call it. */
export const EXTRACTED_AT = '_sdc_extracted_at';
const EXTRACTED: Uint8Array = Buffer.from(`{"${EXTRACTED_AT}":`);
const COMMA: Uint8Array = Buffer.from(',');
const CLOSE_OBJECT = 0x7d;

export class RecordFiles {
  /** That were written. */
  records = 0;
  readonly extracted: boolean;
  readonly #spool: Spool;
  readonly #name: string;
  #writer: SpoolWriter | undefined;
  /** Records in the files before that of the writer. */
  #before = 0;
  /** The file that was closed last. */
  #closed = '';
  /** What is certain: files before this one, and so many bytes and records of it. */
  #mark = { key: '', bytes: 0, own: 0, records: 0 };
  /** Where the tap goes on behind that. */
  #position: string | undefined;

  /** `name`: for people. With `extracted` records get a column with the time when they were read. */
  constructor(spool: Spool, name: string, extracted: boolean) {
    this.#spool = spool;
    this.#name = name;
    this.extracted = extracted;
  }

  write({ bytes, start, end, extractedStart, extractedEnd }: ReadRecord): void {
    this.#writer ??= this.#spool.begin();
    const writer = this.#writer;
    let from = start;
    if (this.extracted && extractedEnd > 0) {
      from = start + 1;
      while (bytes[from]! <= 0x20) from++;
      writer.write(EXTRACTED);
      writer.writePart(bytes, extractedStart, extractedEnd);
      if (bytes[from] !== CLOSE_OBJECT) writer.write(COMMA);
    }
    writer.writePart(bytes, from, end);
    writer.write(LINE_FEED);
    this.records++;
  }

  /** Lines of records that lie in a file of the tap. */
  writeLines(lines: Uint8Array, records: number): void {
    this.#writer ??= this.#spool.begin();
    this.#writer.write(lines);
    this.records += records;
  }

  get full(): boolean {
    return this.#writer?.full ?? false;
  }

  /** Between two records. */
  async flush(): Promise<void> {
    await this.flushPart();
    if ((this.#writer?.bytes ?? 0) >= DOCUMENT_BYTES) await this.end();
  }

  /** Anywhere. */
  async flushPart(): Promise<void> {
    await this.#writer?.flush();
  }

  /** All that was written is certain; `position`: where the tap goes on from here. */
  mark(position: string | undefined): void {
    this.#position = position;
    const { records } = this;
    const writer = this.#writer;
    this.#mark = writer
      ? { key: writer.key, bytes: writer.bytes, own: records - this.#before, records }
      : { key: this.#closed, bytes: Infinity, own: 0, records };
  }

  /** Only what is certain stays, but for what is being loaded already. */
  async cut(): Promise<void> {
    const { key, bytes, own, records } = this.#mark;
    const { documents } = this.#spool;
    const first = documents.findIndex((each) => each.key >= key);
    const uncertain = first < 0 ? [] : documents.slice(first);
    const last = uncertain[0]?.key === key ? uncertain.shift() : undefined;
    if (last && bytes < last.bytes) await this.#spool.cut(last, { bytes, records: own });
    await this.#spool.takeBack(uncertain);
    const writer = this.#writer;
    if (writer?.key === key) await writer.cut(Math.min(bytes, writer.bytes));
    else await this.discard();
    this.records = records;
    await this.end();
  }

  async end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    this.#writer = undefined;
    const first = this.#before + 1;
    const name = `${this.#name}, records from ${first.toLocaleString('en')}`;
    const before = this.#before;
    this.#before = this.records;
    this.#closed = writer.key;
    const records = this.records - before;
    await this.#spool.add(writer, { name, records, position: this.#position });
  }

  /** Never throws. */
  async discard(): Promise<void> {
    await this.#writer?.discard();
    this.#writer = undefined;
  }
}
