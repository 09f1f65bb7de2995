/**
 * The look at delimited text as most of it is: each record with the same number of fields, all lines with the same end, line
 * breaks within a record and quotes only in or around whole fields, nothing for NULL. Where fields end and what they look like is found out in one pass, by trying for each
 * column what it was before. It stops at the first record that is otherwise, which the scanner then takes apart.
 */
import { boolEnd, dateEnd, digitsEnd, fourTimes, momentEnd, usualEnd } from '../text/byte-words.ts';
import type { CsvDialect } from '../text/csv-scanner.ts';
import { type ColumnSample, SETTLED, Tally } from '../text/sniff-columns.ts';
import { BOOL, DATE, DECIMAL, INSTANT, INTEGER, kindOf, MOMENT, TEXT, zoneEnd } from '../text/value-kind.ts';

const LF = 10;
const CR = 13;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

const DELIMITERS: ReadonlySet<string> = new Set([',', ';', '\t', '|']);

/** What a column is tried as: a kind, or one of these. */
const ANYTHING = 100;
/** It has so many texts that nothing else matters. */
const ONLY_TEXT = 101;
const TRIED: ReadonlySet<number> = new Set([INTEGER, DECIMAL, BOOL, DATE, MOMENT, INSTANT]);

/** There is no such value, or no such record. */
const NONE = -1;

export interface PlainRange {
  at: number;
  end: number;
  /** The document ends at `end`. */
  final: boolean;
}

/** The document, and the line of the first record. */
export interface PlainPlace {
  document: string;
  line: number;
}

export class PlainLook {
  readonly #delimiter: number;
  readonly #delimiters: number;
  readonly #quote: number;
  /** What begins the end of a line. */
  readonly #lineEnd: number;
  readonly crlf: boolean;
  /** Bytes that end a field, or may not be in one. */
  readonly #special = new Uint8Array(256);
  /** Bytes that are to be looked at within quotes. */
  readonly #inQuotes = new Uint8Array(256);
  readonly #samples: readonly ColumnSample[];
  readonly #tallies: readonly Tally[];
  readonly #last: number;
  readonly #tried: Uint8Array;
  /** Records before the first one with a column that is tried as it is now, and fields since then that were something else. */
  readonly #since: Int32Array;
  readonly #others: Int32Array;
  #bytes: Uint8Array = new Uint8Array();
  #end = 0;
  #place: PlainPlace = { document: '', line: 0 };
  /** Of the last scan. */
  records = 0;
  /** Line breaks within these. */
  breaks = 0;
  /** The same when the present record began. */
  #breaksBefore = 0;
  /** Bytes of the longest record of all. */
  longest = 0;

  /** `crlf`: lines end with CR and LF. */
  constructor(dialect: CsvDialect, samples: readonly ColumnSample[], crlf: boolean) {
    this.#delimiter = dialect.delimiter.charCodeAt(0);
    this.#delimiters = fourTimes(this.#delimiter);
    this.#quote = dialect.quote!.charCodeAt(0);
    this.crlf = crlf;
    this.#lineEnd = crlf ? CR : LF;
    for (const byte of [this.#quote, LF, CR, this.#delimiter]) this.#special[byte] = 1;
    for (const byte of [this.#quote, LF]) this.#inQuotes[byte] = 1;
    this.#samples = samples;
    this.#tallies = samples.map(() => new Tally());
    this.#last = samples.length - 1;
    this.#tried = new Uint8Array(samples.length).fill(ANYTHING);
    this.#since = new Int32Array(samples.length);
    this.#others = new Int32Array(samples.length);
  }

  /** Whether documents of a dialect can be looked at so. */
  static takes({ delimiter, quote, escape, nulls }: CsvDialect, fields: number): boolean {
    const usual = DELIMITERS.has(delimiter) && quote === '"' && escape === quote;
    return usual && nulls.length === 1 && nulls[0] === '' && fields > 1;
  }

  /**
   * Adds whole records of `bytes[at, end)` to the samples and returns where it stopped: where a record is not whole, or not as
   * described. `bytes[end]` is overwritten, and {@link SPARE_BYTES} from there on have to be there.
   */
  scan(bytes: Uint8Array, { at, end, final }: PlainRange, place: PlainPlace): number {
    const whole = final ? end : bytes.lastIndexOf(LF, end - 1) + 1;
    this.records = this.breaks = 0;
    if (whole <= at) return at;
    bytes[end] = LF;
    this.#place = place;
    this.#bytes = bytes;
    const text = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const stop = this.#records(text, at, whole);
    // Nothing may count of the record that stopped it.
    if (stop < whole) {
      for (const tally of this.#tallies) tally.forget();
      this.#records(text, at, stop);
    }
    for (const [c, tally] of this.#tallies.entries()) tally.moveTo(this.#samples[c]!);
    return stop;
  }

  #records(text: DataView, at: number, end: number): number {
    const last = this.#last;
    const delimiter = this.#delimiter;
    const lineEnd = this.#lineEnd;
    this.#end = end;
    this.#since.fill(0);
    this.#others.fill(0);
    this.records = this.breaks = 0;
    let start = at;
    while (start < end) {
      let p = start;
      this.#breaksBefore = this.breaks;
      for (let c = 0; c < last; c++) {
        p = this.#field(text, p, c, delimiter) + 1;
        if (p === 0) break;
      }
      if (p > 0) p = this.#field(text, p, last, lineEnd);
      if (p <= 0) break;
      if (p < end) {
        if (lineEnd === CR && (++p === end || text.getUint8(p) !== LF)) break;
        p++;
      }
      if (p - start > this.longest) this.longest = p - start;
      this.records++;
      start = p;
    }
    if (start < end) this.breaks = this.#breaksBefore;
    for (let c = 0; c <= last; c++) this.#count(c, this.records);
    return start;
  }

  /** Where the field ends, which has to be before a byte `stop`. */
  #field(text: DataView, at: number, column: number, stop: number): number {
    let end = NONE;
    switch (this.#tried[column]!) {
      case INTEGER:
        end = this.#integer(text, at, column, stop);
        break;
      case DECIMAL:
        end = this.#decimal(text, at, column, stop);
        break;
      case BOOL:
        end = boolEnd(text, at);
        break;
      case DATE:
        end = dateEnd(text, at);
        break;
      case MOMENT:
        end = momentEnd(text, at);
        break;
      case INSTANT:
        end = momentEnd(text, at);
        if (end > 0) end = zoneEnd(this.#bytes, end);
        break;
      case ONLY_TEXT:
        end = this.#textEnd(text, at);
        if (end === at) return this.#other(text, at, column, stop);
    }
    return end > 0 && text.getUint8(end) === stop ? end : this.#other(text, at, column, stop);
  }

  /** The first byte from `at` on that ends a field, or may not be in one. */
  #textEnd(text: DataView, at: number): number {
    const special = this.#special;
    let p = usualEnd(text, at, this.#delimiters);
    while (special[text.getUint8(p)] === 0) p = usualEnd(text, p + 1, this.#delimiters);
    return p;
  }

  #integer(text: DataView, at: number, column: number, stop: number): number {
    const first = text.getUint8(at) === MINUS ? at + 1 : at;
    const p = digitsEnd(text, first);
    if (p === first || text.getUint8(p) !== stop || (text.getUint8(first) === ZERO && p - at > 1))
      return NONE;
    const tally = this.#tallies[column]!;
    if (p - first > tally.whole) tally.whole = p - first;
    return p;
  }

  #decimal(text: DataView, at: number, column: number, stop: number): number {
    const first = text.getUint8(at) === MINUS ? at + 1 : at;
    const point = digitsEnd(text, first);
    if (point === first || text.getUint8(point) !== POINT) return NONE;
    // A code, or a zero with a minus.
    if (text.getUint8(first) === ZERO && (point - first > 1 || first > at)) return NONE;
    const p = digitsEnd(text, point + 1);
    if (p === point + 1 || text.getUint8(p) !== stop) return NONE;
    const tally = this.#tallies[column]!;
    if (point - first > tally.whole) tally.whole = point - first;
    if (p - point - 1 > tally.scale) tally.scale = p - point - 1;
    if (p - first - 1 > tally.digits) tally.digits = p - first - 1;
    return p;
  }

  /** A field that is none of the kind that was tried. */
  #other(text: DataView, at: number, column: number, stop: number): number {
    const bytes = this.#bytes;
    let from = at;
    let to = at;
    let end = at;
    if (bytes[at] === this.#quote) {
      from++;
      to = this.#closing(bytes, from);
      if (to < 0) return NONE;
      end = to + 1;
    } else {
      end = this.#textEnd(text, at);
      to = end;
    }
    if (bytes[end] !== stop && !(column === this.#last && end === this.#end)) return NONE;
    const tried = this.#tried[column]!;
    if (end === at) {
      if (tried !== ANYTHING) this.#others[column]!++;
      this.#tallies[column]!.nulls++;
    } else if (tried !== ONLY_TEXT) this.#look(column, kindOf(bytes, from, to));
    return end;
  }

  /** The quotes that end the field. */
  #closing(bytes: Uint8Array, from: number): number {
    const special = this.#inQuotes;
    for (let p = from; ; p++) {
      while (special[bytes[p]!] === 0) p++;
      if (p >= this.#end) return NONE;
      if (bytes[p] === LF) this.breaks++;
      else if (p + 1 >= this.#end || bytes[p + 1] !== this.#quote) return p;
      else p++;
    }
  }

  /** Counts a value, and tries those that follow as what this one is. */
  #look(column: number, found: number): void {
    const tally = this.#tallies[column]!;
    const sample = this.#samples[column]!;
    tally.add(found);
    if (found === TEXT && !sample.odd)
      tally.odd ??= {
        document: this.#place.document,
        line: this.#place.line + this.records + this.#breaksBefore,
      };
    const tried = this.#tried[column]!;
    if (tried !== ANYTHING) this.#others[column]!++;
    const next =
      sample.texts + tally.counts[TEXT]! > SETTLED ? ONLY_TEXT : TRIED.has(found & 255) ? found & 255 : tried;
    if (next === tried) return;
    this.#count(column, this.records + 1);
    this.#tried[column] = next;
    this.#since[column] = this.records + 1;
    this.#others[column] = 0;
  }

  /** Counts what was as it was tried, in the records before `end`. */
  #count(column: number, end: number): void {
    const tried = this.#tried[column]!;
    if (tried === ANYTHING) return;
    const kind = tried === ONLY_TEXT ? TEXT : tried;
    this.#tallies[column]!.counts[kind]! += end - this.#since[column]! - this.#others[column]!;
  }
}
