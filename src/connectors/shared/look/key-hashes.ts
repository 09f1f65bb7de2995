/** Which records have the key of a later one, found while they are looked through: by hashes, for keys may be long and many. */
import { NULL, type Records } from '../text/records.ts';

/** For each record with a key, four words of its hash and the line on which it begins. */
export interface DocumentKeys {
  hashes: Uint32Array<ArrayBuffer>;
  lines: Float64Array<ArrayBuffer>;
}

const WORDS = 4;
const SEEDS = [0x1b873593, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;
/** Of the pieces that hashes are gathered in. */
const LEAST_RECORDS = 1024;
const MOST_RECORDS = 16_384;

/** Hashes of the keys of one document. */
export class KeyHashes {
  readonly #key: readonly string[];
  /** Full ones, before that which is filled: nothing is copied while they grow in number. */
  readonly #full: DocumentKeys[] = [];
  #hashes: Uint32Array<ArrayBuffer> = new Uint32Array(LEAST_RECORDS * WORDS);
  #lines: Float64Array<ArrayBuffer> = new Float64Array(LEAST_RECORDS);
  #count = 0;

  /** `key`: names of the columns; none: records are alike when all of their text is. */
  constructor(key: readonly string[]) {
    this.#key = key;
  }

  /** Records from `from` up to `to`, whose fields have these names. */
  add(
    records: Records,
    bytes: Uint8Array,
    { names, from: first, to: end }: { names: readonly (string | null)[]; from: number; to: number },
  ): void {
    const fields = this.#key.map((name) => names.indexOf(name));
    if (fields.includes(-1)) return;
    const { starts, ends, flags, stride, lines, from, to } = records;
    for (let r = first; r < end; r++) {
      this.#begin();
      let whole = true;
      if (fields.length === 0) this.#mix(bytes, from[r]!, to[r]!);
      for (const field of fields) {
        const f = r * stride + field;
        // Rows without a key are not alike.
        if (flags[f] === NULL) whole = false;
        this.#mix(bytes, starts[f]!, ends[f]!);
      }
      if (whole) this.#lines[this.#count++] = lines[r]!;
    }
  }

  /** A record between `from` and `to`, the fields of whose key lie there; one that begins at a negative place is not there. */
  addRecord(
    bytes: Uint8Array,
    {
      starts,
      ends,
      from,
      to,
      line,
    }: { starts: Int32Array; ends: Int32Array; from: number; to: number; line: number },
  ): void {
    this.#begin();
    if (starts.length === 0) this.#mix(bytes, from, to);
    for (let f = 0; f < starts.length; f++) {
      // Rows without a key are not alike.
      if (starts[f]! < 0) return;
      this.#mix(bytes, starts[f]!, ends[f]!);
    }
    this.#lines[this.#count++] = line;
  }

  /** A key whose text is this, of the record that begins on `line`. */
  addText(bytes: Uint8Array, line: number): void {
    this.#begin();
    this.#mix(bytes, 0, bytes.length);
    this.#lines[this.#count++] = line;
  }

  /** Into the hash of the record that is next. */
  #mix(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#count * WORDS;
    for (let w = 0; w < WORDS; w++) this.#hashes[at + w] = hashed(bytes, start, end, this.#hashes[at + w]!);
  }

  /** The record that is next. */
  #begin(): void {
    if (this.#count === this.#lines.length) {
      this.#full.push({ hashes: this.#hashes, lines: this.#lines });
      const records = Math.min(MOST_RECORDS, this.#count * 2);
      this.#hashes = new Uint32Array(records * WORDS);
      this.#lines = new Float64Array(records);
      this.#count = 0;
    }
    this.#hashes.set(SEEDS, this.#count * WORDS);
  }

  /** A copy of all. */
  get keys(): DocumentKeys {
    const last = {
      hashes: this.#hashes.subarray(0, this.#count * WORDS),
      lines: this.#lines.subarray(0, this.#count),
    };
    const pieces = [...this.#full, last];
    const records = pieces.reduce((sum, { lines }) => sum + lines.length, 0);
    const all = { hashes: new Uint32Array(records * WORDS), lines: new Float64Array(records) };
    let at = 0;
    for (const { hashes, lines } of pieces) {
      all.hashes.set(hashes, at * WORDS);
      all.lines.set(lines, at);
      at += lines.length;
    }
    return all;
  }
}

/** MurmurHash3, 32 bits (A. Appleby, public domain). Four of them with other seeds are as good as one of 128 for what nobody has made to collide. */
function hashed(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let h = seed;
  let p = start;
  for (; p + 4 <= end; p += 4) {
    const word = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    h ^= scrambled(word);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = end - p - 1; i >= 0; i--) rest = (rest << 8) | bytes[p + i]!;
  if (end > p) h ^= scrambled(rest);
  h ^= end - start;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function scrambled(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** For each document the lines of records with a key that a later record has, of it or of another one; ascending. */
export function earlierVersions(documents: readonly (DocumentKeys | undefined)[]): Float64Array[] {
  const seen = new KeySet();
  return documents
    .toReversed()
    .map((keys) => {
      const lines: number[] = [];
      for (let r = (keys?.lines.length ?? 0) - 1; r >= 0; r--)
        if (!seen.add(keys!.hashes, r)) lines.push(keys!.lines[r]!);
      return Float64Array.from(lines.reverse());
    })
    .reverse();
}

/** Each grows by itself, so that only a part is there twice while it does. */
const PIECES = 64;
const FIRST_SLOTS = 64;
/** Of a piece, at most. */
const FULL = 0.75;

/** Hashes of keys, by open addressing. */
export class KeySet {
  readonly #words: number;
  readonly #pieces: { slots: Uint32Array<ArrayBuffer>; count: number }[];

  /** `words`: how much of each hash is kept. With two, the chance that any of a million keys is taken for another one is 3 to 10⁸. */
  constructor(words: 2 | 4 = WORDS) {
    this.#words = words;
    this.#pieces = Array.from({ length: PIECES }, () => ({
      slots: new Uint32Array(FIRST_SLOTS * words),
      count: 0,
    }));
  }

  get size(): number {
    return this.#pieces.reduce((sum, { count }) => sum + count, 0);
  }

  /** Whether none of them was there; the others are added in any case. */
  addAll({ hashes, lines }: DocumentKeys): boolean {
    let fresh = true;
    for (let r = 0; r < lines.length; r++) if (!this.add(hashes, r)) fresh = false;
    return fresh;
  }

  /** Record `r` of them; false when it was there. */
  add(hashes: Uint32Array, r: number): boolean {
    const at = r * WORDS;
    const piece = this.#pieces[hashes[at + 1]! & (PIECES - 1)]!;
    if (piece.count * this.#words >= piece.slots.length * FULL) piece.slots = this.#grown(piece.slots);
    if (!this.#put(piece.slots, hashes, at)) return false;
    piece.count++;
    return true;
  }

  #grown(before: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
    const after = new Uint32Array(before.length * 2);
    for (let s = 0; s < before.length; s += this.#words)
      if (!this.#isFree(before, s)) this.#put(after, before, s);
    // It lies outside of V8's heap, and would be found to be garbage late.
    before.buffer.transfer(0);
    return after;
  }

  #put(slots: Uint32Array, hashes: Uint32Array, at: number): boolean {
    const words = this.#words;
    const mask = slots.length / words - 1;
    for (let slot = hashes[at]! & mask; ; slot = (slot + 1) & mask) {
      const s = slot * words;
      if (this.#isFree(slots, s)) {
        for (let w = 0; w < words; w++) slots[s + w] = hashes[at + w]!;
        return true;
      }
      let same = 0;
      while (same < words && slots[s + same] === hashes[at + same]) same++;
      if (same === words) return false;
    }
  }

  #isFree(slots: Uint32Array, s: number): boolean {
    for (let w = 0; w < this.#words; w++) if (slots[s + w] !== 0) return false;
    return true;
  }
}
