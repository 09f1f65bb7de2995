/** Records of one stream on their way to disk, up to which all is certain where the tap has said how far it is. */
import type { Spool, SpooledDocument, SpoolWriter } from '../shared/records/spool.ts';
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
  /** What is certain. */
  #mark = { documents: 0, bytes: 0, records: 0 };

  /** `name`: for people. With `extracted` records get a column with the time when they were read. */
  constructor(spool: Spool, name: string, extracted: boolean) {
    this.#spool = spool;
    this.#name = name;
    this.extracted = extracted;
  }

  write({ bytes, start, end, extracted }: ReadRecord): void {
    this.#writer ??= this.#spool.begin();
    const writer = this.#writer;
    let from = start;
    if (this.extracted && extracted !== undefined) {
      from = start + 1;
      while (bytes[from]! <= 0x20) from++;
      writer.write(EXTRACTED);
      writer.write(Buffer.from(extracted));
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

  /** All that was written is certain. */
  mark(): void {
    const { documents } = this.#spool;
    this.#mark = { documents: documents.length, bytes: this.#writer?.bytes ?? 0, records: this.records };
  }

  /** Only what is certain stays. */
  async cut(): Promise<void> {
    const { documents, bytes, records } = this.#mark;
    const uncertain = this.#spool.documents.splice(documents);
    const [first] = uncertain;
    if (first && bytes > 0) await this.#cutDocument(first, bytes, records);
    else if (!first && bytes > 0) await this.#writer!.cut(bytes);
    if (first || bytes === 0) {
      await this.#writer?.discard();
      this.#writer = undefined;
    }
    this.records = records;
    await this.end();
  }

  async #cutDocument(document: SpooledDocument, bytes: number, records: number): Promise<void> {
    await this.#spool.cut(document.key, bytes);
    const before = this.#spool.records;
    this.#spool.documents.push({ ...document, bytes, records: records - before });
    this.#before = records;
  }

  async end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    this.#writer = undefined;
    const first = this.#before + 1;
    const name = `${this.#name}, records from ${first.toLocaleString('en')}`;
    await this.#spool.add(writer, { name, records: this.records - this.#before });
    this.#before = this.records;
  }

  /** Never throws. */
  async discard(): Promise<void> {
    await this.#writer?.discard();
    this.#writer = undefined;
  }
}
