/** Documents of records in text into batches. Records that do not fit the schema go aside, and cost about what others cost. */
import { Batch } from '../../../core/batch.ts';
import type { RingConsumer } from '../../../core/byte-ring.ts';
import type { Decoder, RefusedInBatch, RowLimit } from '../../../core/decoder.ts';
import type { ColumnLimits } from '../../../core/diagnose.ts';
import { DataError } from '../../../core/errors.ts';
import type { RefusedRow } from '../../../core/quarantine.ts';
import type { Schema } from '../../../core/schema.ts';
import type { DecodeFacts } from '../../../core/source.ts';
import { renderType } from '../../../core/types.ts';
import { HighWater } from '../high-water.ts';
import { BadRecords } from './bad-records.ts';
import { DocumentInput } from './document-input.ts';
import { Guess, type GuessOptions, otherwise } from './guess.ts';
import type { InsertScanner } from './insert-scanner.ts';
import { JsonScanner } from './json-scanner.ts';
import type { DocumentKeys } from '../look/key-hashes.ts';
import { badColumn, badFault } from './faults.ts';
import {
  type BrokenRecord,
  type FieldForm,
  NULL,
  QUOTED,
  Records,
  type RecordScanner,
  type TextRun,
} from './records.ts';
import { RecordTexts } from './record-texts.ts';
import { type Dialect, escapesOf, openScanner } from './scanners.ts';
import { checkColumn, type ColumnCheck, checkOf } from './target-checks.ts';
import { readColumn } from './text-columns.ts';
import type { Escapes } from './escapes.ts';

/** Everything the consumer's thread needs; plain data. */
export interface TextDecoderOptions {
  /** In the order of the stream. */
  documents: readonly DocumentLayout[];
  /** Rows of a batch; it closes earlier when `maxBytes` of text have gone into it. */
  maxRows: number;
  maxBytes: number;
  /** File for the records that do not fit; undefined: the first one of them is an error. */
  badRecords: string | undefined;
  /** What columns of the target refuse. */
  limits?: readonly ColumnLimits[] | undefined;
  /** Rows that go aside although they fit the schema, in their order. */
  refused?: readonly RefusedRow[] | undefined;
  /** Field of the schema whose greatest value is wanted. */
  cursor?: number | undefined;
  /** The schema is known from a sample only. */
  guess?: GuessOptions | undefined;
}

export interface DocumentLayout {
  name: string;
  dialect: Dialect;
  /** Records before the first one with data. */
  skip: number;
  /** Line of the first byte. */
  line: number;
  /** Its records come one by one, each as a document of the stream; these are their lines. */
  lines?: Float64Array | undefined;
  /** Lines of records that a later one takes the place of, ascending: they are left out. */
  superseded?: Float64Array | undefined;
  /** Its records are no rows: only their cursor counts. */
  unread?: true | undefined;
  /** Records that do not fit are left out, and nobody is told. */
  lenient?: true | undefined;
  /** Fields of a record. */
  fields: number;
  /** For each field of the schema the field of the record, or a text for all records, or null. */
  columns: readonly (number | string | null)[];
  /** For fields of the schema whose values are not written in the usual way. */
  forms?: readonly (FieldForm | undefined)[] | undefined;
  /** For records that do not fit: how they are read again; text that only the source understands. */
  form: string;
}

/** What {@link DecodeFacts.own} holds: rows that were read of each document, and those of them that did not fit. */
export interface DocumentFacts {
  rows: number[];
  bad: number[];
  /** Of all of them, where nobody has looked at them before. */
  keys?: DocumentKeys | undefined;
}

/** No record is longer, also where there is memory for more. */
const MOST_RECORD_BYTES = 64 << 20;

export function createTextDecoder(
  ring: RingConsumer,
  schema: Schema,
  options: unknown,
  limit?: RowLimit,
): Decoder {
  return new TextDecoder(ring, schema, options as TextDecoderOptions, limit);
}

class TextDecoder implements Decoder {
  readonly #input: DocumentInput;
  readonly #options: TextDecoderOptions;
  readonly #batch: Batch;
  readonly #marks: Int32Array;
  readonly #bad: BadRecords;
  readonly #limit: RowLimit | undefined;
  readonly #maxRecord: number;
  readonly #facts: DocumentFacts;
  /** By field of the schema. */
  readonly #limits: readonly (ColumnLimits | undefined)[];
  readonly #checks: readonly (ColumnCheck | undefined)[];
  #scanner: RecordScanner | undefined;
  #records: Records | undefined;
  #columns: TextColumn[] = [];
  #escapes: Escapes | undefined;
  #forms: DocumentLayout['forms'];
  #json = false;
  /** The present one of `documents`, and the documents of the stream that are its: `[begin, end)`. */
  #document = -1;
  #begin = 0;
  #end = 0;
  /** Of the bytes that are being read. */
  #noted: Noted[] = [];
  /** Records that are still to be left out. */
  #skip = 0;
  #rows = 0;
  readonly #coerced: Record<string, number> = {};
  /** Of all that fit the schema. */
  #fitting = 0;
  /** How many of them were refused. */
  #refused = 0;
  #marked = false;
  #superseded: Float64Array | undefined;
  /** Records that a later one took the place of. */
  #replaced = 0;
  /** The first of them that may still come. */
  #next = 0;
  readonly #water: HighWater | undefined;
  readonly #guess: Guess | undefined;
  #texts: RecordTexts | undefined;

  constructor(ring: RingConsumer, schema: Schema, options: TextDecoderOptions, limit?: RowLimit) {
    this.#input = new DocumentInput(ring);
    this.#options = options;
    this.#limit = limit;
    this.#maxRecord = Math.min(limit?.bytes ?? MOST_RECORD_BYTES, MOST_RECORD_BYTES);
    this.#batch = new Batch(schema, options.maxRows);
    this.#marks = new Int32Array(options.maxRows);
    this.#bad = new BadRecords(options.badRecords);
    this.#limits = schema.fields.map(({ name }) => options.limits?.find(({ field }) => field === name));
    this.#checks = schema.fields.map(({ type }, i) => checkOf(type, this.#limits[i]?.limits ?? []));
    const cursor = options.cursor === undefined ? undefined : this.#batch.columns[options.cursor];
    this.#water = cursor && new HighWater(cursor);
    this.#guess = options.guess && new Guess(options.guess);
    const none = (): number[] => options.documents.map(() => 0);
    this.#facts = { rows: none(), bad: none() };
  }

  next(): Batch | undefined {
    const batch = this.#batch;
    for (;;) {
      batch.reset();
      this.#texts?.reset();
      this.#fill();
      this.#bad.flush();
      if (batch.rows === 0) {
        this.#guess?.end();
        return undefined;
      }
      if (this.#marked) {
        this.#texts?.drop(this.#marks, batch.rows);
        batch.drop(this.#marks);
        this.#marks.fill(0);
        this.#marked = false;
      }
      this.#rows += batch.rows;
      this.#water?.look(0, batch.rows);
      if (batch.rows > 0) return batch;
    }
  }

  refusing(): (rows: readonly RefusedInBatch[]) => void {
    const texts = (this.#texts = new RecordTexts(this.#batch.capacity));
    return (rows) => {
      this.#rows -= rows.length;
      for (const { row, ...why } of rows) {
        const { raw, line, document } = texts.of(row);
        const { name, form } = this.#options.documents[document]!;
        this.#facts.bad[document]!++;
        this.#bad.add({ document: name, line, ...why, raw }, form);
      }
    };
  }

  facts(): DecodeFacts {
    return {
      rows: this.#rows,
      bytes: this.#input.total,
      high: this.#water && HighWater.greatest([this.#water]),
      coerced: this.#coerced,
      quarantined: this.#bad.count,
      superseded: this.#replaced,
      own: { ...this.#facts, keys: this.#guess?.keys } satisfies DocumentFacts,
    };
  }

  /** Until the batch is full or all is read; then it has no rows. */
  #fill(): void {
    const input = this.#input;
    let bytes = 0;
    while (this.#batch.rows < this.#batch.capacity && bytes < this.#options.maxBytes) {
      const before = input.at;
      if (this.#scanner && input.at < input.end) this.#scan(this.#scanner);
      bytes += input.at - before;
      if (input.at > before || input.more()) continue;
      if (!input.nextDocument()) break;
      this.#go(input.document);
    }
  }

  /** To a document of the stream. */
  #go(number: number): void {
    const { documents } = this.#options;
    const from = this.#document;
    while (number >= this.#end) {
      this.#begin = this.#end;
      this.#end += documents[++this.#document]!.lines?.length ?? 1;
    }
    const layout = documents[this.#document]!;
    if (this.#document !== from) this.#open(layout);
    if (!layout.lines) return;
    this.#scanner!.line = layout.lines[number - this.#begin]!;
    if (layout.dialect.format === 'insert') (this.#scanner as InsertScanner).inside = layout.dialect.inside;
  }

  #open(layout: DocumentLayout): void {
    const { fields, dialect, skip, line } = layout;
    // Used again: with many files those that nobody needs any more would lie about for long.
    if (this.#records?.stride !== fields) this.#records = new Records(fields, this.#batch.capacity);
    this.#scanner = openScanner(dialect, this.#records, {
      maxBytes: this.#maxRecord,
      onBroken: (record) => this.#broken(layout, record),
    });
    this.#scanner.line = line;
    this.#superseded = layout.superseded;
    this.#next = 0;
    this.#skip = skip;
    this.#escapes = escapesOf(dialect);
    this.#forms = layout.forms;
    this.#json = dialect.format === 'json';
    this.#columns = layout.columns.map((from) =>
      typeof from === 'number' ? { field: from } : { field: 0, constant: constant(from) },
    );
  }

  #scan(scanner: RecordScanner): void {
    const { capacity, rows } = this.#batch;
    const input = this.#input;
    // One record at a time, into the last place, is left out.
    const row = this.#skip > 0 ? capacity - 1 : rows;
    const { bytes, at, end, final } = input;
    const found = scanner.scan(bytes, { at, end, final, row });
    if (scanner.tooLong) throw this.#tooLong(end - found.at, scanner.line);
    input.at = found.at;
    if (found.row > row) {
      if (this.#guess) this.#asGuessed(scanner, { bytes, from: row, to: found.row });
      if (this.#skip > 0) this.#skip--;
      else this.#read(scanner.records, found.row);
    }
    this.#putAside();
  }

  #asGuessed(
    scanner: RecordScanner,
    { bytes, ...range }: { bytes: Uint8Array; from: number; to: number },
  ): void {
    if (!(scanner instanceof JsonScanner)) return;
    if (scanner.strange) throw otherwise();
    this.#guess!.records(scanner.records, bytes, { names: scanner.names, ...range });
  }

  /** In the order of their lines: those without fields show before the fields of others are read. */
  #putAside(): void {
    if (this.#noted.length === 0) return;
    const { name, form } = this.#options.documents[this.#document]!;
    for (const record of this.#noted.toSorted((a, b) => a.line - b.line))
      this.#bad.add({ ...record, document: name }, form);
    this.#noted = [];
  }

  #tooLong(bytes: number, line: number): Error {
    const { name } = this.#options.documents[this.#document]!;
    const place = `which begins on line ${line} of ${name}`;
    if (this.#limit && bytes >= this.#limit.bytes && this.#maxRecord < MOST_RECORD_BYTES)
      return this.#limit.error({ bytes, place });
    return new DataError(
      `reading "${name}": a record, ${place}, is longer than ${MOST_RECORD_BYTES >> 20} MiB`,
      {
        code: 'files.record_too_long',
        remedy: 'are its line breaks and quotes those that `sluice plan` shows?',
        details: { file: name },
      },
    );
  }

  /** Rows from the end of the batch up to `to`. */
  #read(records: Records, to: number): void {
    const batch = this.#batch;
    const { fields } = batch.schema;
    const { stride } = records;
    const from = batch.rows;
    const { starts, ends, flags } = records;
    const { bytes } = this.#input;
    const { unread, lenient } = this.#options.documents[this.#document]!;
    const marks = this.#marks;
    const run: TextRun = {
      bytes,
      starts,
      ends,
      flags,
      first: 0,
      stride,
      from,
      to,
      escapes: this.#escapes!,
      coerced: 0,
      json: this.#json,
    };
    for (const [c, column] of this.#columns.entries()) {
      const each = column.constant ? { ...run, ...column.constant } : run;
      if (!column.constant) run.first = from * stride + column.field;
      const nullable = fields[c]!.nullable && this.#limits[c]?.nullable !== false;
      if (!column.constant) this.#guess?.column(each, c, batch.columns[c]!);
      const form = column.constant ? undefined : this.#forms?.[c];
      // Nothing else of these rows matters, whether or not it fits.
      const only = unread && c === this.#options.cursor;
      if (only) marks.fill(0, from, to);
      readColumn(each, batch.columns[c]!, marks, { index: c, nullable, form });
      if (each.coerced > 0) {
        const { name } = fields[c]!;
        this.#coerced[name] = (this.#coerced[name] ?? 0) + each.coerced;
        each.coerced = 0;
      }
      if (only) this.#lookAt(from, to);
      const check = this.#checks[c];
      if (check) checkColumn(check, batch.columns[c]!, marks, { index: c, from, to });
    }
    batch.rows = to;
    this.#texts?.add(bytes, records, { from, to, document: this.#document });
    if (unread || lenient) return this.#leave(records, { from, to, all: unread === true });
    this.#facts.rows[this.#document]! += to - from;
    for (let r = from; r < to; r++) {
      if (this.#isSuperseded(records.lines[r]!)) {
        this.#marked = true;
        this.#replaced++;
        marks[r] = -1;
      } else if (marks[r] !== 0) this.#refuse(records, r);
      else if (++this.#fitting === this.#options.refused?.[this.#refused]?.row) this.#leaveOut(records, r);
    }
  }

  /** Out of the batch: those that do not fit or that a later one takes the place of, or all. */
  #leave({ lines }: Records, { from, to, all }: { from: number; to: number; all: boolean }): void {
    for (let r = from; r < to; r++) {
      if (!all && !this.#isSuperseded(lines[r]!) && this.#marks[r] === 0) continue;
      this.#marks[r] = -1;
      this.#marked = true;
    }
  }

  #lookAt(from: number, to: number): void {
    for (let r = from; r < to; r++) if (this.#marks[r] === 0) this.#water?.look(r, r + 1);
  }

  #isSuperseded(line: number): boolean {
    const lines = this.#superseded;
    if (!lines) return false;
    while (lines[this.#next]! < line) this.#next++;
    return lines[this.#next] === line;
  }

  #leaveOut(records: Records, row: number): void {
    const { code, reason } = this.#options.refused![this.#refused++]!;
    this.#marked = true;
    this.#marks[row] = -1;
    if (code === 'row.superseded') return void this.#replaced++;
    const raw = this.#input.bytes.subarray(records.from[row], records.to[row]);
    this.#note({ line: records.lines[row]!, column: undefined, code, reason, raw });
  }

  #refuse(records: Records, row: number): void {
    this.#marked = true;
    const mark = this.#marks[row]!;
    const { name, type } = this.#batch.schema.fields[badColumn(mark)]!;
    const { code, found } = badFault(mark);
    this.#note({
      line: records.lines[row]!,
      column: name,
      code,
      reason: `${name} ${found
        .replace('{type}', renderType(type))
        .replace('{target}', this.#limits[badColumn(mark)]?.type ?? '')}`,
      raw: this.#input.bytes.subarray(records.from[row], records.to[row]),
    });
  }

  #broken(layout: DocumentLayout, { code, found, line, from, to }: BrokenRecord): void {
    if (this.#skip > 0)
      throw new DataError(`reading "${layout.name}": its first record ${found}`, {
        code: 'files.header',
        remedy: 'say how the file is written with `csv:`, or that it has no header',
        details: { file: layout.name },
      });
    this.#facts.rows[this.#document]!++;
    const raw = this.#input.bytes.subarray(from, to);
    this.#note({ line, column: undefined, code, reason: `the record ${found}`, raw });
  }

  #note(record: Noted): void {
    if (this.#guess) throw otherwise();
    this.#facts.bad[this.#document]!++;
    this.#noted.push(record);
  }
}

type Noted = Omit<Parameters<BadRecords['add']>[0], 'document'>;

/** Where a column comes from: a field of each record, or a text of its own. */
interface TextColumn {
  field: number;
  constant?: Pick<TextRun, 'bytes' | 'starts' | 'ends' | 'flags' | 'first' | 'stride'> | undefined;
}

function constant(text: string | null): TextColumn['constant'] {
  const bytes = Buffer.from(text ?? '');
  return {
    bytes,
    starts: Int32Array.of(0),
    ends: Int32Array.of(bytes.length),
    flags: Uint8Array.of(text === null ? NULL : QUOTED),
    first: 0,
    stride: 0,
  };
}
