/**
 * The look at JSON as most of it is: an object on each line, whose members have the same names in the same order, though some may
 * be left out, and values that are neither objects nor arrays. Where values end and what they look like is found out in one pass.
 * It stops at the first record that is otherwise, which the scanner then takes apart.
 */
import { dateEnd, digitsEnd, momentEnd } from '../text/byte-words.ts';
import { type ColumnSample, SETTLED, Tally } from '../text/sniff-columns.ts';
import {
  BOOL,
  DATE,
  INSTANT,
  INTEGER,
  DECIMAL,
  kindOf,
  momentIn,
  TEXT,
  zoneEnd,
} from '../text/value-kind.ts';
import type { KeyHashes } from './key-hashes.ts';
import { HighText } from './high-text.ts';
import type { PlainPlace, PlainRange } from './plain-look.ts';

const LF = 10;
const BLANK = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Bytes that end the text of a string, or may not be in it. */
const SPECIAL = new Uint8Array(256).fill(1, 0, 0x20);
SPECIAL[QUOTE] = SPECIAL[BACKSLASH] = 1;
/** What stands behind a backslash and means one character. */
const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
/** What numbers go on with. */
const NUMBER = new Uint8Array(256);
for (const byte of Buffer.from('0123456789+-.eE')) NUMBER[byte] = 1;

const NULL_WORD = Buffer.from('null');
const TRUE_WORD = Buffer.from('true');
const FALSE_WORD = Buffer.from('false');

/** There is no such value, or no such record. */
const NONE = -1;

/** What is wanted of each record beside what its values look like. */
interface Wanted {
  /** Members by whose values records are told apart; none: by all of their text. */
  key: readonly string[];
  hashes: KeyHashes | undefined;
  /** Member whose greatest value is wanted. */
  cursor: string | undefined;
}

export class PlainObjects {
  /** `"name":` of each member, in the order of a record. */
  readonly #names: readonly Name[];
  #view: DataView = new DataView(new ArrayBuffer(0));
  readonly #samples: readonly ColumnSample[];
  readonly #tallies: readonly Tally[];
  /** What the last text of a member was. */
  readonly #kinds: Uint8Array;
  readonly #hashes: KeyHashes | undefined;
  readonly #high: HighText;
  /** The member that it is of. */
  readonly #cursor: number;
  /** By member: its place in the key. */
  readonly #keyed: Int8Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #place: PlainPlace = { document: '', line: 0 };
  /** Of the last scan, and whether these were all whole lines. */
  records = 0;
  whole = false;
  /** Bytes of the longest record of all. */
  longest = 0;

  /** `names`: of all members, in the order of a record, with what is known of their values. */
  constructor(names: readonly string[], samples: readonly ColumnSample[], { key, hashes, cursor }: Wanted) {
    this.#names = names.map(nameOf);
    this.#samples = samples;
    this.#tallies = names.map(() => new Tally());
    this.#kinds = new Uint8Array(names.length).fill(TEXT);
    this.#hashes = hashes;
    this.#high = new HighText();
    this.#cursor = cursor === undefined ? NONE : names.indexOf(cursor);
    this.#keyed = Int8Array.from(names, (name) => key.indexOf(name));
    this.#starts = new Int32Array(key.length);
    this.#ends = new Int32Array(key.length);
  }

  /** Greatest value of the cursor, as it is written. */
  get high(): string | undefined {
    return this.#high.text;
  }

  /** Whether that is known: values may be written in forms that do not compare. */
  get ordered(): boolean {
    return this.#high.known;
  }

  /**
   * Adds whole records of `bytes[at, end)` to the samples and returns where it stopped: where a record is not whole, or not as
   * described. `bytes[end]` is overwritten, and {@link SPARE_BYTES} from there on have to be there.
   */
  scan(bytes: Uint8Array, { at, end, final }: PlainRange, place: PlainPlace): number {
    const whole = final ? end : bytes.lastIndexOf(LF, end - 1) + 1;
    this.records = 0;
    this.whole = whole <= at;
    if (this.whole) return at;
    bytes[end] = LF;
    this.#place = place;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const stop = this.#records(bytes, at, whole, this.#hashes);
    this.whole = stop === whole;
    // Nothing may count of the record that stopped it.
    if (!this.whole) {
      for (const tally of this.#tallies) tally.forget();
      this.#records(bytes, at, stop, undefined);
    }
    for (const [k, tally] of this.#tallies.entries()) tally.moveTo(this.#samples[k]!);
    return stop;
  }

  #records(bytes: Uint8Array, at: number, end: number, hashes: KeyHashes | undefined): number {
    this.records = 0;
    let start = at;
    while (start < end) {
      this.#starts.fill(NONE);
      const to = this.#record(bytes, start);
      if (to < 0 || bytes[to] !== LF) break;
      if (to - start > this.longest) this.longest = to - start;
      if (hashes) {
        const line = this.#place.line + this.records;
        hashes.addRecord(bytes, { starts: this.#starts, ends: this.#ends, from: start, to, line });
      }
      this.records++;
      start = to + 1;
    }
    return Math.min(start, end);
  }

  /** What is behind an object. */
  #record(bytes: Uint8Array, at: number): number {
    const names = this.#names;
    const count = names.length;
    if (bytes[at] !== OPEN) return NONE;
    let p = at + 1;
    if (bytes[p] === CLOSE) {
      for (const tally of this.#tallies) tally.nulls++;
      return p + 1;
    }
    for (let k = 0; ; k++) {
      let value = this.#named(bytes, p, k);
      for (; value < 0 && k < count; value = this.#named(bytes, p, ++k)) this.#tallies[k]!.nulls++;
      if (value < 0) return NONE;
      if (bytes[value] === BLANK) value++;
      p = this.#value(bytes, value, k);
      if (p < 0) return NONE;
      if (bytes[p] === COMMA) {
        if (bytes[++p] === BLANK) p++;
      } else if (bytes[p] === CLOSE) {
        while (++k < count) this.#tallies[k]!.nulls++;
        return p + 1;
      } else return NONE;
    }
  }

  /** What is behind the name of member `k`. */
  #named(bytes: Uint8Array, at: number, k: number): number {
    const name = this.#names[k];
    if (name === undefined || at + name.length > bytes.length) return NONE;
    const { words, rest } = name;
    const view = this.#view;
    let p = at;
    for (let i = 0; i < words.length; i++, p += 4) if (view.getUint32(p, true) !== words[i]) return NONE;
    for (let i = 0; i < rest.length; i++, p++) if (rest[i] !== bytes[p]) return NONE;
    return p;
  }

  /** What is behind a value of member `k`. */
  #value(bytes: Uint8Array, at: number, k: number): number {
    const first = bytes[at]!;
    if (first === QUOTE) {
      const end = this.#string(bytes, at + 1, k);
      if (end < 0) return NONE;
      this.#note(bytes, k, at + 1, end);
      return end + 1;
    }
    let end: number;
    if (first === MINUS || (first >= ZERO && first <= NINE)) end = this.#number(bytes, at, k);
    else if (isWord(NULL_WORD, bytes, at)) {
      this.#tallies[k]!.nulls++;
      return at + NULL_WORD.length;
    } else {
      const word = first === TRUE_WORD[0] ? TRUE_WORD : FALSE_WORD;
      if (!isWord(word, bytes, at) || this.#isText(k)) return NONE;
      this.#tallies[k]!.counts[BOOL]!++;
      end = at + word.length;
    }
    if (end > 0) this.#note(bytes, k, at, end);
    return end;
  }

  /** Where a string has its closing quote. */
  #string(bytes: Uint8Array, at: number, k: number): number {
    const tally = this.#tallies[k]!;
    const kind = this.#kinds[k]!;
    if (kind !== TEXT) {
      const end = kind === DATE ? dateEnd(this.#view, at) : this.#clockEnd(bytes, at, kind);
      if (end > 0 && bytes[end] === QUOTE) {
        tally.counts[kind]!++;
        return end;
      }
    }
    let end = at;
    let escaped = false;
    while (SPECIAL[bytes[end]!] === 0) end++;
    while (bytes[end] !== QUOTE) {
      end = bytes[end] === BACKSLASH ? escapeEnd(bytes, end + 1) : NONE;
      if (end < 0) return NONE;
      escaped = true;
      while (SPECIAL[bytes[end]!] === 0) end++;
    }
    if (bytes[at + 4] !== MINUS || end - at < 10 || escaped || this.#isText(k)) this.#add(k, TEXT);
    else this.#add(k, momentIn(bytes, at, end));
    return end;
  }

  #clockEnd(bytes: Uint8Array, at: number, kind: number): number {
    const end = momentEnd(this.#view, at);
    return end > 0 && kind === INSTANT ? zoneEnd(bytes, end) : end;
  }

  #number(bytes: Uint8Array, at: number, k: number): number {
    if (this.#isText(k)) return NONE;
    const view = this.#view;
    const first = bytes[at] === MINUS ? at + 1 : at;
    let p = digitsEnd(view, first);
    const whole = p - first;
    if (whole === 0 || (bytes[first] === ZERO && whole > 1)) return NONE;
    const tally = this.#tallies[k]!;
    let scale = 0;
    if (bytes[p] === POINT) {
      const point = p;
      p = digitsEnd(view, point + 1);
      scale = p - point - 1;
      if (scale === 0) return NONE;
    }
    // Among those with a minus in front may be a zero.
    if (NUMBER[bytes[p]!] === 1 || (bytes[first] === ZERO && first > at)) {
      while (NUMBER[bytes[p]!] === 1) p++;
      const found = kindOf(bytes, at, p);
      if (found === TEXT) return NONE;
      this.#add(k, found);
      return p;
    }
    tally.counts[scale === 0 ? INTEGER : DECIMAL]!++;
    if (whole > tally.whole) tally.whole = whole;
    if (scale > tally.scale) tally.scale = scale;
    if (whole + scale > tally.digits) tally.digits = whole + scale;
    return p;
  }

  /** It has so many texts that nothing else of them matters, while what is no text does. */
  #isText(k: number): boolean {
    return this.#samples[k]!.texts > SETTLED;
  }

  #add(k: number, found: number): void {
    const tally = this.#tallies[k]!;
    tally.add(found);
    this.#kinds[k] = found;
    if (found === TEXT && !this.#samples[k]!.odd)
      tally.odd ??= { document: this.#place.document, line: this.#place.line + this.records };
  }

  #note(bytes: Uint8Array, k: number, start: number, end: number): void {
    if (k === this.#cursor) this.#high.look(bytes, start, end);
    const place = this.#keyed[k]!;
    if (place < 0) return;
    this.#starts[place] = start;
    this.#ends[place] = end;
  }
}

/** Compared by four bytes at a time. */
interface Name {
  length: number;
  words: Uint32Array;
  rest: Uint8Array;
}

function nameOf(name: string): Name {
  const bytes = Buffer.from(`${JSON.stringify(name)}:`);
  const words = Uint32Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readUInt32LE(4 * i));
  return { length: bytes.length, words, rest: Uint8Array.from(bytes.subarray(4 * words.length)) };
}

function isWord(word: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < word.length; i++) if (word[i] !== bytes[at + i]) return false;
  return true;
}

/** Where an escape ends that all readers take for the same character; `at` is behind its backslash. */
function escapeEnd(bytes: Uint8Array, at: number): number {
  if (ESCAPES.has(bytes[at]!)) return at + 1;
  const unit = utf16Unit(bytes, at);
  if (unit > 0 && (unit < 0xd800 || unit > 0xdfff)) return at + 5;
  if (unit < 0xd800 || unit > 0xdbff || bytes[at + 5] !== BACKSLASH) return NONE;
  const low = utf16Unit(bytes, at + 6);
  return low >= 0xdc00 && low <= 0xdfff ? at + 11 : NONE;
}

/** Of `uXXXX`; negative when that is not what stands there. */
function utf16Unit(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 0x75) return NONE;
  let unit = 0;
  for (let p = at + 1; p < at + 5; p++) {
    const byte = bytes[p]!;
    const letter = byte | 0x20;
    if (byte >= ZERO && byte <= NINE) unit = unit * 16 + byte - ZERO;
    else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
    else return NONE;
  }
  return unit;
}
