import type { RingMemory } from '../../../core/byte-ring.ts';
import { DataError } from '../../../core/errors.ts';
import type { FileRange } from '../../../core/ledger.ts';
import type { ReadFile } from './file-input.ts';
import type { DocumentKeys } from './key-hashes.ts';
import type { Form } from './look.ts';
import type { Records, TextRun } from '../text/records.ts';
import { type ColumnSample, emptySample, sniffColumn } from '../text/sniff-columns.ts';

export interface SniffTask {
  ring: RingMemory;
  /** Names of the documents, by number. */
  documents: string[];
  /** Where they lie, when the thread is to read them by itself: as files in UTF-8, or such that may be. */
  files?: { paths: string[]; guesses: boolean } | undefined;
  dialect: Form['dialect'];
  header: boolean;
  /** Lines before the first byte. */
  skip: number;
  /** Documents that are longer are cut about so often. */
  partBytes: number;
  /** Columns by which records are told apart, when it is wanted which of them come again; none: by all of their text. */
  key?: readonly string[] | undefined;
  /** Column whose greatest value is wanted, of documents that are plain. */
  cursor?: string | undefined;
}

/** Documents with the same header, or of objects. */
export interface SniffGroup {
  /** Undefined: there is none, and columns have no names. */
  header: (string | null)[] | undefined;
  fields: number;
  columns: ColumnSample[];
}

export interface SniffedDocument {
  /** Number of its group; -1: it has no record, not even a header. */
  group: number;
  records: number;
  broken: number;
  /** Where it can be cut; empty when it has one part. */
  parts: FileRange[];
  keys?: DocumentKeys | undefined;
  /** Set when it is written as all readers of delimited text would take it apart, and is of UTF-8. */
  plain?: PlainText | undefined;
}

export interface PlainText {
  /** Lines end with CR and LF. */
  crlf: boolean;
  /** Bytes of the longest record. */
  longest: number;
  /** Greatest value of the cursor, as it is written; undefined: there is none. */
  high?: string | undefined;
}

export interface Sniffed {
  id: number;
  groups: SniffGroup[];
  documents: SniffedDocument[];
  /** Of files that the thread has read by itself; `others`: some of them have to come through the ring. */
  read?: ReadFile[] | 'others' | undefined;
}

/** Records that are looked at together, and the longest that there may be. */
export const RECORDS = 2048;
export const MOST_RECORD_BYTES: number = 64 << 20;

export function tooLong(name: string, remedy: string): DataError {
  return new DataError(
    `looking through "${name}": a record is longer than ${MOST_RECORD_BYTES >> 20} MiB, or cannot be read at all`,
    { code: 'files.record_too_long', remedy, details: { file: name } },
  );
}

/** Adds the first `rows` records to the columns of a group; columns that are new begin with them. */
export function sniffRows(
  group: SniffGroup,
  { starts, ends, flags, stride, lines }: Records,
  place: Pick<TextRun, 'bytes' | 'escapes' | 'json'> & { rows: number; document: string },
): void {
  addColumns(group);
  const run: TextRun = {
    ...place,
    coerced: 0,
    starts,
    ends,
    flags,
    first: 0,
    stride,
    from: 0,
    to: place.rows,
  };
  for (const [f, sample] of group.columns.entries()) {
    run.first = f;
    sniffColumn(run, sample, { document: place.document, lines });
  }
}

export function addColumns({ columns, fields }: SniffGroup): void {
  while (columns.length < fields) columns.push(emptySample());
}

/** Places between records, about as far apart as parts are to be long. */
export class Cuts {
  readonly #partBytes: number;
  readonly #cuts: { at: number; line: number }[] = [];
  #last = 0;

  constructor(partBytes: number, line: number) {
    this.#partBytes = partBytes;
    this.#cuts.push({ at: 0, line });
  }

  /** A record ends at `at`. */
  look(at: number, line: number): void {
    if (at - this.#last < this.#partBytes) return;
    this.#last = at;
    this.#cuts.push({ at, line });
  }

  parts(end: number, firstLine: number): FileRange[] {
    const cuts = this.#cuts.filter(({ at }) => at < end);
    if (cuts.length < 2) return [];
    return cuts.map(({ at, line }, i) => ({
      from: at,
      to: cuts[i + 1]?.at ?? end,
      // The first part begins with the lines that are left out.
      line: i === 0 ? firstLine : line,
    }));
  }
}
