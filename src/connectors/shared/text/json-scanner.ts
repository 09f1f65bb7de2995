/**
 * Takes JSON objects apart (RFC 8259), one after the other: on lines of their own, or the elements of an array. Members go by
 * their names; objects within them become members of their own down to some depth, and are text below it.
 */
import {
  type BrokenRecord,
  ESCAPED_JSON,
  NESTED,
  NULL,
  PLAIN,
  QUOTED,
  type Records,
  type RecordScanner,
} from './records.ts';

export interface JsonDialect {
  format: 'json';
  /** Names of the fields of a record, by number. A member of an object within is called `outer_inner`. */
  names: readonly string[];
  /** How many levels of objects within objects are taken apart. */
  flatten: number;
}

const LF = 10;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** What numbers and words are made of. */
const WORD = new Uint8Array(256);
for (const character of '0123456789+-.eEtrufalsn') WORD[character.charCodeAt(0)] = 1;

/** More than any line has that is one record. */
const MOST_BROKEN_BYTES = 8 << 20;

const INCOMPLETE = -1;
const BROKEN = -2;

export class JsonScanner implements RecordScanner {
  readonly records: Records;
  line = 1;
  tooLong = false;
  /** A record had a member that is no field. */
  strange = false;
  /** Names beyond those of the dialect, when it may have more. */
  readonly names: string[];
  readonly #flatten: number;
  readonly #grows: boolean;
  readonly #fields = new Map<string, number>();
  /** Bytes of the names, to know members that come in the usual order. */
  readonly #known: Uint8Array[];
  readonly #maxBytes: number;
  readonly #onBroken: (record: BrokenRecord) => void;
  #expected = 0;

  /** With `grows` members without a field get one, as long as `records` have room; {@link full} says when not. */
  constructor(
    dialect: JsonDialect,
    records: Records,
    { maxBytes, onBroken, grows = false }: JsonScannerOptions,
  ) {
    this.records = records;
    this.names = [...dialect.names];
    this.#flatten = dialect.flatten;
    this.#grows = grows;
    for (const [field, name] of this.names.entries()) this.#fields.set(name, field);
    this.#known = this.names.map((name) => Buffer.from(name));
    this.#maxBytes = maxBytes;
    this.#onBroken = onBroken;
  }

  /** There are more names than `records` have fields: nothing more can be read. */
  get full(): boolean {
    return this.names.length > this.records.stride;
  }

  scan(
    bytes: Uint8Array,
    range: { at: number; end: number; final: boolean; row: number },
  ): { at: number; row: number } {
    const { records } = this;
    const { end, final } = range;
    let { row } = range;
    bytes[end] = 0;
    let at = this.#between(bytes, range.at);
    while (row < records.capacity && at < end) {
      const { line } = this;
      const known = this.names.length;
      const next = this.#record(bytes, { at, end, row });
      if (this.full) {
        this.line = line;
        break;
      }
      if (next < 0) {
        this.#forget(known);
        this.line = line;
        const broken = next === BROKEN || final ? lineEnd(bytes, at, end) : end;
        // All on one line: nobody knows where the next record begins.
        this.tooLong = broken - at >= (broken === end && !final ? this.#maxBytes : MOST_BROKEN_BYTES);
        if (this.tooLong || (broken === end && !final)) break;
        at = this.#resync(bytes, { at, end, line });
      } else {
        records.from[row] = at;
        records.to[row] = next;
        records.lines[row] = line;
        row++;
        at = next;
      }
      at = this.#between(bytes, at);
    }
    return { at, row };
  }

  /** Names of a record that turned out to be none. */
  #forget(known: number): void {
    for (const name of this.names.splice(known)) this.#fields.delete(name);
    this.#known.length = known;
  }

  /** What stands between records. */
  #between(bytes: Uint8Array, from: number): number {
    let p = from;
    for (;;) {
      const byte = bytes[p]!;
      if (byte === LF) this.line++;
      else if (
        byte !== 0x20 &&
        byte !== 0x0d &&
        byte !== 0x09 &&
        byte !== COMMA &&
        byte !== OPEN_ARRAY &&
        byte !== CLOSE_ARRAY
      )
        return p;
      p++;
    }
  }

  #record(bytes: Uint8Array, { at, end, row }: { at: number; end: number; row: number }): number {
    const { flags, stride } = this.records;
    this.#clash = undefined;
    if (bytes[at] !== OPEN_OBJECT) return BROKEN;
    this.#prefixes.clear();
    flags.fill(NULL, row * stride, (row + 1) * stride);
    this.#expected = 0;
    const next = this.#object(bytes, at + 1, { base: row * stride, prefix: '', depth: 0 });
    if (next >= 0) return next;
    // Whoever ran into the mark at the end has not seen all.
    return this.#stop >= end ? INCOMPLETE : BROKEN;
  }

  /** Where reading stopped when it could not go on. */
  #stop = 0;

  /** What is wrong with a record that is JSON. */
  #clash: string | undefined;

  /** Of a record whose objects are taken apart: with which names in front each field was found. */
  readonly #prefixes = new Map<number, string>();

  #fail(at: number): number {
    this.#stop = at;
    return BROKEN;
  }

  /** From behind the brace that opens an object to behind the one that closes it. */
  #object(bytes: Uint8Array, from: number, place: Place): number {
    let p = this.#blank(bytes, from);
    if (bytes[p] === CLOSE_OBJECT) return p + 1;
    for (;;) {
      if (bytes[p] !== QUOTE) return this.#fail(p);
      const start = p + 1;
      const end = this.#string(bytes, start);
      if (end < 0) return BROKEN;
      p = this.#blank(bytes, end + 1);
      if (bytes[p] !== COLON) return this.#fail(p);
      p = this.#blank(bytes, p + 1);
      if (bytes[p] === OPEN_OBJECT && place.depth < this.#flatten) {
        const prefix = `${place.prefix}${nameOf(bytes, start, end, this.#escaped)}_`;
        p = this.#object(bytes, p + 1, { base: place.base, prefix, depth: place.depth + 1 });
      } else {
        const field = this.#field(bytes, start, end, place.prefix);
        if (this.full || !this.#isOnly(field, place.prefix)) return this.#fail(p);
        p = this.#value(bytes, p, field < 0 ? -1 : place.base + field);
      }
      if (p < 0) return BROKEN;
      p = this.#blank(bytes, p);
      if (bytes[p] === CLOSE_OBJECT) return p + 1;
      if (bytes[p] !== COMMA) return this.#fail(p);
      p = this.#blank(bytes, p + 1);
    }
  }

  /** Members of several objects may be called alike when they are fields of one record: none of them takes the place of another. */
  #isOnly(field: number, prefix: string): boolean {
    if (this.#flatten === 0 || field < 0) return true;
    const before = this.#prefixes.get(field);
    if (before === undefined) this.#prefixes.set(field, prefix);
    else if (before !== prefix)
      this.#clash = `has more than one member "${this.names[field]}" when its objects are taken apart`;
    return this.#clash === undefined;
  }

  #blank(bytes: Uint8Array, from: number): number {
    let p = from;
    for (;;) {
      const byte = bytes[p]!;
      if (byte === LF) this.line++;
      else if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return p;
      p++;
    }
  }

  #escaped = false;

  /** Where the quote lies that closes a string; negative when there is none on the line. */
  #string(bytes: Uint8Array, from: number): number {
    this.#escaped = false;
    for (let p = from; ; p++) {
      const byte = bytes[p]!;
      if (byte === QUOTE) return p;
      if (byte === BACKSLASH) {
        this.#escaped = true;
        p++;
      }
      // Control characters have to be escaped, so a string ends with its line at the latest; 0 is the mark.
      if (bytes[p]! < 0x20) return this.#fail(p);
    }
  }

  /** Number of the field of a member whose name was the last string; negative: it has none, and gets none. */
  #field(bytes: Uint8Array, start: number, end: number, prefix: string): number {
    const usual = this.#known[this.#expected];
    if (prefix === '' && usual?.length === end - start) {
      let same = 0;
      while (same < usual.length && usual[same] === bytes[start + same]) same++;
      if (same === usual.length) return this.#expected++;
    }
    const name = prefix + nameOf(bytes, start, end, this.#escaped);
    let field = this.#fields.get(name);
    if (field === undefined) {
      if (!this.#grows) {
        this.strange = true;
        return -1;
      }
      field = this.names.push(name) - 1;
      this.#fields.set(name, field);
      this.#known.push(Buffer.from(name));
    }
    this.#expected = field + 1;
    return field;
  }

  /** Notes where a value lies, as field `f` unless that is negative, and returns what is behind it. */
  #value(bytes: Uint8Array, from: number, f: number): number {
    const { starts, ends, flags } = this.records;
    let start = from;
    let end: number;
    let flag = PLAIN;
    let next: number;
    const first = bytes[from]!;
    if (first === QUOTE) {
      start = from + 1;
      end = this.#string(bytes, start);
      if (end < 0) return BROKEN;
      flag = this.#escaped ? ESCAPED_JSON : QUOTED;
      next = end + 1;
    } else if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      flag = NESTED;
      next = end = this.#nested(bytes, from);
      if (end < 0) return BROKEN;
    } else {
      end = from;
      while (WORD[bytes[end]!] === 1) end++;
      next = end;
      if (!isWord(bytes, from, end)) return this.#fail(end);
      // `null` is the only word with this letter in front.
      if (first === 0x6e) flag = NULL;
    }
    if (f >= 0) {
      starts[f] = start;
      ends[f] = end;
      flags[f] = flag;
    }
    return next;
  }

  /** What is behind an object or an array. */
  #nested(bytes: Uint8Array, from: number): number {
    let depth = 0;
    for (let p = from; ; p++) {
      const byte = bytes[p]!;
      if (byte === QUOTE) {
        p = this.#string(bytes, p + 1);
        if (p < 0) return BROKEN;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        if (--depth === 0) return p + 1;
      } else if (byte === LF) this.line++;
      else if (byte < 0x20 && byte !== 0x0d && byte !== 0x09) return this.#fail(p);
    }
  }

  /** A record that cannot be read takes no more with it than the line on which it began. */
  #resync(bytes: Uint8Array, { at, end, line }: { at: number; end: number; line: number }): number {
    const to = lineEnd(bytes, at, end);
    const trimmed = to > at && bytes[to - 1] === 0x0d ? to - 1 : to;
    this.#onBroken({
      code: 'row.json',
      found: this.#clash ?? 'is no JSON object',
      line,
      from: at,
      to: trimmed,
    });
    this.line = line + 1;
    return Math.min(to + 1, end);
  }
}

function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  const found = bytes.subarray(at, end).indexOf(LF);
  return found < 0 ? end : at + found;
}

function nameOf(bytes: Uint8Array, start: number, end: number, escaped: boolean): string {
  const text = Buffer.from(bytes.slice(start, end)).toString('utf8');
  return escaped ? (JSON.parse(`"${text}"`) as string) : text;
}

const TRUE: Uint8Array = Buffer.from('true');
const FALSE: Uint8Array = Buffer.from('false');
const NO_VALUE: Uint8Array = Buffer.from('null');

/** A number, `true`, `false` or `null`; whether a number is one shows when it is read as such. */
function isWord(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start]!;
  if (first === 0x2d || (first >= 48 && first <= 57)) return true;
  const word = first === TRUE[0] ? TRUE : first === FALSE[0] ? FALSE : NO_VALUE;
  if (word.length !== end - start) return false;
  let same = 0;
  while (same < word.length && word[same] === bytes[start + same]) same++;
  return same === word.length;
}

interface Place {
  base: number;
  prefix: string;
  depth: number;
}

interface JsonScannerOptions {
  maxBytes: number;
  onBroken: (record: BrokenRecord) => void;
  grows?: boolean;
}
