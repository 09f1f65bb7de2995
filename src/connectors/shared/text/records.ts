/** Where records and their fields lie in a buffer, as a scanner of some text format finds them. */

import type { Escapes } from './escapes.ts';

/** How the text of a field is to be read. */
export const PLAIN = 0;
/** It stood in quotes, and an empty one is an empty text. */
export const QUOTED = 1;
/** As {@link QUOTED}, and some of its characters are escaped. */
export const ESCAPED = 2;
export const NULL = 3;
/** Hexadecimal digits that stand for bytes. */
export const HEX = 4;
/** Binary digits. */
export const BITS = 5;
/** Something that has to be computed first. */
export const EXPRESSION = 6;
/** As {@link QUOTED}, with the escapes of `E'…'`. */
export const E_STRING = 7;
/** As {@link QUOTED}, with the escapes of JSON. */
export const ESCAPED_JSON = 8;
/** An object or an array of JSON. */
export const NESTED = 9;

/** Fields of the records `0..capacity`, `stride` of them for each; a scanner fills them, the columns read them. */
export class Records {
  readonly stride: number;
  readonly capacity: number;
  /** Byte positions in the buffer, `[start, end)`, by `record × stride + field`. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly flags: Uint8Array;
  /** Where each record lies as a whole, without what ends it. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Line of the document on which each begins, from 1. */
  readonly lines: Float64Array;

  constructor(stride: number, capacity: number) {
    this.stride = stride;
    this.capacity = capacity;
    this.starts = new Int32Array(stride * capacity);
    this.ends = new Int32Array(stride * capacity);
    this.flags = new Uint8Array(stride * capacity);
    this.from = new Int32Array(capacity);
    this.to = new Int32Array(capacity);
    this.lines = new Float64Array(capacity);
  }
}

/** Where the text of one value lies. */
export interface TextField {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/** The fields of one column in rows `from..to`: that of row r is number `first + (r - from) × stride`. */
export interface TextRun {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly flags: Uint8Array;
  first: number;
  /** 0: all rows have the same field. */
  stride: number;
  from: number;
  to: number;
  readonly escapes: Escapes;
  /** Counts values that became NULL by rule. */
  coerced: number;
  /** Fields in quotes are strings of JSON. */
  readonly json?: boolean | undefined;
}

/**
 * How the values of a column are written where it is not the usual way: `written`: dates and times without zeros before numbers,
 * or with slashes; `mysql`: the same with days that are none; `utc`: the same for instants, which are in UTC and do not say so;
 * `rfc3339`: in UTC where they do not say so, and days and times that do; `hex`: bytes as `\x` and hexadecimal digits; `bits`: whole numbers as the bytes that they have, the high ones first;
 * `geometry`: as MySQL keeps it; `text`: a document of JSON as a string of it.
 */
export type FieldForm =
  | 'written'
  | 'mysql'
  | 'utc'
  | 'rfc3339'
  | 'hex'
  | 'bits'
  | 'geometry'
  | 'text'
  | WrittenForm;

/** As people of some countries write numbers and dates; `order` of Y, M and D. */
export type WrittenForm =
  | { kind: 'number'; decimal: string; thousands: string | undefined }
  | { kind: 'date'; order: string; separator: string };

/** A record that cannot be taken apart. */
export interface BrokenRecord {
  code: 'row.fields' | 'row.quote' | 'row.json' | 'row.tuple';
  /** For people: what was found. */
  found: string;
  line: number;
  from: number;
  to: number;
}

/** What takes documents of one format apart. */
export interface RecordScanner {
  readonly records: Records;
  /** Line of the next record. */
  line: number;
  /** The record that goes on behind the end is longer than any may be. */
  tooLong: boolean;
  /**
   * Puts the whole records in `bytes[at, end)` to those from `row` on, until `Records` are full. `final`: the document ends
   * at `end`. `bytes[end]` has to be there and is overwritten. Returns where it stopped, and after which record.
   */
  scan(bytes: Uint8Array, range: ScanRange): { at: number; row: number };
}

export interface ScanRange {
  at: number;
  end: number;
  final: boolean;
  row: number;
}

export interface ScanLimits {
  /** No record is longer. */
  maxBytes: number;
  onBroken: (record: BrokenRecord) => void;
}
