/**
 * Takes the lines of COPY … FROM stdin apart, text format: https://www.postgresql.org/docs/current/sql-copy.html. Fields are
 * separated by tabs, a line break ends a record, and whatever else they mean is escaped.
 */
import {
  type Records,
  ESCAPED,
  NULL,
  QUOTED,
  type RecordScanner,
  type ScanLimits,
  type ScanRange,
} from './records.ts';

const LF = 10;
const CR = 13;
const TAB = 9;
const BACKSLASH = 0x5c;
const N = 0x4e;

const SPECIAL = new Uint8Array(256);
for (const byte of [LF, TAB, BACKSLASH]) SPECIAL[byte] = 1;

export class CopyScanner implements RecordScanner {
  readonly records: Records;
  readonly #limits: ScanLimits;
  line = 1;
  tooLong = false;

  constructor(records: Records, limits: ScanLimits) {
    this.records = records;
    this.#limits = limits;
  }

  scan(bytes: Uint8Array, range: ScanRange): { at: number; row: number } {
    const { capacity, stride, from, to, lines } = this.records;
    const { end, final } = range;
    let { at, row } = range;
    bytes[end] = LF;
    while (row < capacity && at < end) {
      const stop = this.#record(bytes, at, row);
      if (stop >= end && !final) {
        this.tooLong = end - at >= this.#limits.maxBytes;
        break;
      }
      const count = this.#count;
      if (count === stride) {
        from[row] = at;
        to[row] = stop;
        lines[row] = this.line;
        row++;
      } else {
        const found = `has ${count} ${count === 1 ? 'field' : 'fields'} in place of ${stride}`;
        this.#limits.onBroken({ code: 'row.fields', found, line: this.line, from: at, to: stop });
      }
      this.line++;
      at = Math.min(stop + 1, end);
    }
    return { at, row };
  }

  /** Of the record that was read last. */
  #count = 0;

  /** Reads one record; returns where its line break is. */
  #record(bytes: Uint8Array, at: number, row: number): number {
    const { starts, ends, flags, stride } = this.records;
    const base = row * stride;
    let count = 0;
    let p = at;
    for (;;) {
      const start = p;
      let flag = QUOTED;
      for (;;) {
        while (SPECIAL[bytes[p]!] === 0) p++;
        if (bytes[p] !== BACKSLASH) break;
        flag = ESCAPED;
        // A line break behind it is the end nevertheless: it may be that of the buffer.
        p += bytes[p + 1] === LF ? 1 : 2;
      }
      // A carriage return of the data is escaped: this one belongs to the line break.
      const stop = bytes[p] === LF && p > start && bytes[p - 1] === CR ? p - 1 : p;
      if (flag === ESCAPED && stop - start === 2 && bytes[start + 1] === N && bytes[start] === BACKSLASH)
        flag = NULL;
      if (count < stride) {
        const f = base + count;
        starts[f] = start;
        ends[f] = stop;
        flags[f] = flag;
      }
      count++;
      if (bytes[p] === LF) break;
      p++;
    }
    // A table without columns has empty lines.
    this.#count = stride === 0 && p - at <= 1 ? 0 : count;
    return p;
  }
}
