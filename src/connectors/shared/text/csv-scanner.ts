/**
 * Takes delimited text apart (RFC 4180 and what people write instead). A line break is LF, CRLF or CR; empty lines are
 * skipped. A quote is one only at the beginning of a field, anywhere else it is a character like others.
 */
import {
  type BrokenRecord,
  ESCAPED,
  NULL,
  PLAIN,
  QUOTED,
  type Records,
  type RecordScanner,
  type ScanLimits,
  type ScanRange,
} from './records.ts';

export interface CsvDialect {
  format: 'csv';
  /** One ASCII character. */
  delimiter: string;
  /** None: quotes are characters like others. */
  quote: string | undefined;
  /** What makes a quote within quotes a character: the quote itself, or another one. */
  escape: string | undefined;
  /** Texts without quotes that stand for NULL. */
  nulls: readonly string[];
}

const LF = 10;
const CR = 13;
/** What ends a run of ordinary bytes within quotes. */
const END_QUOTE = 1;
const ESCAPE = 2;
const LINE = 3;

export class CsvScanner implements RecordScanner {
  readonly records: Records;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #doubles: boolean;
  readonly #special = new Uint8Array(256);
  readonly #inQuotes = new Uint8Array(256);
  readonly #nulls: Uint8Array[];
  readonly #emptyIsNull: boolean;
  readonly #maxBytes: number;
  readonly #onBroken: (record: BrokenRecord) => void;
  line = 1;
  tooLong = false;

  /** `maxBytes`: no record is longer; a quote that has not ended by then was none. */
  constructor(dialect: CsvDialect, records: Records, { maxBytes, onBroken }: ScanLimits) {
    const { delimiter, quote, escape, nulls } = dialect;
    this.records = records;
    this.#delimiter = delimiter.charCodeAt(0);
    this.#quote = quote?.charCodeAt(0) ?? -1;
    this.#doubles = quote !== undefined && (escape ?? quote) === quote;
    for (const byte of [this.#delimiter, LF, CR]) this.#special[byte] = 1;
    if (quote !== undefined) {
      this.#inQuotes[LF] = LINE;
      if (escape !== undefined) this.#inQuotes[escape.charCodeAt(0)] = ESCAPE;
      this.#inQuotes[this.#quote] = END_QUOTE;
    }
    this.#emptyIsNull = nulls.includes('');
    this.#nulls = nulls.filter((text) => text !== '').map((text) => Buffer.from(text));
    this.#maxBytes = maxBytes;
    this.#onBroken = onBroken;
  }

  scan(bytes: Uint8Array, range: ScanRange): { at: number; row: number } {
    const { records } = this;
    const { end, final } = range;
    let { at, row } = range;
    // A loop that runs to the next special byte needs no look at the end.
    bytes[end] = LF;
    while (row < records.capacity && at < end) {
      const line = this.line;
      const next = this.#record(bytes, at, end, row);
      const { count, stop } = this;
      if (next < 0) {
        this.line = line;
        const unfinished = next === INCOMPLETE && end - at < this.#maxBytes;
        if (!final && (unfinished || !isLine(bytes, at, end))) {
          this.tooLong = end - at >= 2 * this.#maxBytes;
          break;
        }
        at = this.#resync(bytes, { at, end, line });
        continue;
      }
      if (next === end && !final && !(stop < end && bytes[stop] === LF)) {
        // It may go on, or have the second half of its line break still to come.
        this.line = line;
        this.tooLong = end - at >= this.#maxBytes;
        break;
      }
      if (stop < end) this.line++;
      if (count === records.stride && !(count === 1 && stop === at && !this.#emptyIsNull)) {
        records.from[row] = at;
        records.to[row] = stop;
        records.lines[row] = line;
        row++;
      } else if (stop > at) {
        const found = `has ${count} ${count === 1 ? 'field' : 'fields'} in place of ${records.stride}`;
        this.#onBroken({ code: 'row.fields', found, line, from: at, to: stop });
      }
      at = next;
    }
    return { at, row };
  }

  /** Looks at one record without reading it: how many fields it has, and where the next one begins. Undefined: it is not whole. */
  measure(
    bytes: Uint8Array,
    { at, end, final }: { at: number; end: number; final: boolean },
  ): { fields: number; next: number } | undefined {
    bytes[end] = LF;
    const { line } = this;
    let next = this.#record(bytes, at, end, 0);
    // Empty lines are no records.
    while (next > 0 && next < end && this.count === 1 && this.stop === at && this.records.stride > 1) {
      at = next;
      next = this.#record(bytes, at, end, 0);
    }
    this.line = line;
    if (next < 0 || (next === end && !final)) return undefined;
    return { fields: this.count, next };
  }

  // Of the record that was read last; more results than one would be an object for each.
  count = 0;
  stop = 0;

  /** Reads one record; returns where the next one begins, or INCOMPLETE or BROKEN. */
  #record(bytes: Uint8Array, at: number, end: number, row: number): number {
    const { starts, ends, flags, stride } = this.records;
    const special = this.#special;
    const delimiter = this.#delimiter;
    const quote = this.#quote;
    const base = row * stride;
    let count = 0;
    let p = at;
    for (;;) {
      let start = p;
      let stop: number;
      let flag = PLAIN;
      if (bytes[p] === quote) {
        start++;
        stop = this.#closing(bytes, start, end);
        if (stop < 0) return INCOMPLETE;
        flag = this.#escaped ? ESCAPED : QUOTED;
        p = stop + 1;
        if (special[bytes[p]!] === 0) return BROKEN;
      } else {
        while (special[bytes[p]!] === 0) p++;
        stop = p;
        if (stop === start ? this.#emptyIsNull : this.#nulls.length > 0 && this.#isNull(bytes, start, stop))
          flag = NULL;
      }
      if (count < stride) {
        const f = base + count;
        starts[f] = start;
        ends[f] = stop;
        flags[f] = flag;
      }
      count++;
      if (bytes[p] !== delimiter) break;
      p++;
    }
    this.count = count;
    this.stop = p;
    if (p >= end) return end;
    return bytes[p] === CR && bytes[p + 1] === LF && p + 1 < end ? p + 2 : p + 1;
  }

  #escaped = false;

  /** Where the quotes end; negative when they do not before `end`. */
  #closing(bytes: Uint8Array, from: number, end: number): number {
    const kinds = this.#inQuotes;
    this.#escaped = false;
    for (let p = from; ;) {
      while (kinds[bytes[p]!] === 0) p++;
      if (p >= end) return INCOMPLETE;
      const kind = kinds[bytes[p]!];
      if (kind === LINE) {
        this.line++;
        p++;
      } else if (kind === ESCAPE) {
        this.#escaped = true;
        if (bytes[p + 1] === LF && p + 1 < end) this.line++;
        p += 2;
        if (p > end) return INCOMPLETE;
      } else if (this.#doubles && bytes[p + 1] === this.#quote && p + 1 < end) {
        this.#escaped = true;
        p += 2;
      } else return p;
    }
  }

  #isNull(bytes: Uint8Array, start: number, stop: number): boolean {
    return this.#nulls.some(
      (text) => text.length === stop - start && text.every((byte, i) => bytes[start + i] === byte),
    );
  }

  /**
   * Quotes that do not end, or end within a text: no more than the line on which the record began is given up, and what comes
   * after it is read anew, so that one stray quote does not take the rest of the document with it.
   */
  #resync(bytes: Uint8Array, { at, end, line }: { at: number; end: number; line: number }): number {
    const to = lineEnd(bytes, at, end);
    this.#onBroken({
      code: 'row.quote',
      found: 'has quotes that do not end with a field',
      line,
      from: at,
      to,
    });
    this.line = line + 1;
    return Math.min(bytes[to] === CR && bytes[to + 1] === LF ? to + 2 : to + 1, end);
  }
}

/** Whether a line ends before `end` for sure: the second half of its break may be still to come. */
function isLine(bytes: Uint8Array, at: number, end: number): boolean {
  const to = lineEnd(bytes, at, end);
  return to < end && (bytes[to] !== CR || to + 1 < end);
}

function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p] !== LF && bytes[p] !== CR) p++;
  return p;
}

const INCOMPLETE = -1;
const BROKEN = -2;
