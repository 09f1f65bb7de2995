/** Which records have the key of a later one, found while they are looked through: by hashes, for keys may be long and many. */
import { NULL, type Records } from '../text/records.ts';

/** For each record with a key, four words of its hash and the line on which it begins. */
export interface DocumentKeys {
  hashes: Uint32Array;
  lines: Float64Array;
}

const WORDS = 4;
const SEEDS = [0x1b873593, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;
const FIRST_RECORDS = 1024;

/** Hashes of the keys of one document. */
export class KeyHashes {
  readonly #key: readonly string[];
  #hashes: Uint32Array = new Uint32Array(FIRST_RECORDS * WORDS);
  #lines: Float64Array = new Float64Array(FIRST_RECORDS);
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
    this.#reserve(end - first);
    const { starts, ends, flags, stride, lines, from, to } = records;
    for (let r = first; r < end; r++) {
      const at = this.#count * WORDS;
      this.#hashes.set(SEEDS, at);
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

  /** A key whose text is this, of the record that begins on `line`. */
  addText(bytes: Uint8Array, line: number): void {
    this.#reserve(1);
    this.#hashes.set(SEEDS, this.#count * WORDS);
    this.#mix(bytes, 0, bytes.length);
    this.#lines[this.#count++] = line;
  }

  /** Into the hash of the record that is next. */
  #mix(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#count * WORDS;
    for (let w = 0; w < WORDS; w++) this.#hashes[at + w] = hashed(bytes, start, end, this.#hashes[at + w]!);
  }

  #reserve(rows: number): void {
    const needed = this.#count + rows;
    if (needed <= this.#lines.length) return;
    const length = Math.max(needed, this.#lines.length * 2);
    const hashes = new Uint32Array(length * WORDS);
    hashes.set(this.#hashes.subarray(0, this.#count * WORDS));
    const lines = new Float64Array(length);
    lines.set(this.#lines.subarray(0, this.#count));
    this.#hashes = hashes;
    this.#lines = lines;
  }

  get keys(): DocumentKeys {
    return {
      hashes: this.#hashes.slice(0, this.#count * WORDS),
      lines: this.#lines.slice(0, this.#count),
    };
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

/** Hashes of keys, by open addressing; half full at most. */
export class KeySet {
  #slots: Uint32Array = new Uint32Array(FIRST_RECORDS * WORDS);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Whether none of them was there; the others are added in any case. */
  addAll({ hashes, lines }: DocumentKeys): boolean {
    let fresh = true;
    for (let r = 0; r < lines.length; r++) if (!this.add(hashes, r)) fresh = false;
    return fresh;
  }

  /** Record `r` of them; false when it was there. */
  add(hashes: Uint32Array, r: number): boolean {
    if (this.#count * 2 * WORDS >= this.#slots.length) this.#grow();
    if (!this.#put(hashes, r * WORDS)) return false;
    this.#count++;
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    for (let s = 0; s < before.length; s += WORDS) if (!isFree(before, s)) this.#put(before, s);
  }

  #put(hashes: Uint32Array, at: number): boolean {
    const slots = this.#slots;
    const mask = slots.length / WORDS - 1;
    for (let slot = hashes[at]! & mask; ; slot = (slot + 1) & mask) {
      const s = slot * WORDS;
      if (isFree(slots, s)) {
        for (let w = 0; w < WORDS; w++) slots[s + w] = hashes[at + w]!;
        return true;
      }
      let same = 0;
      while (same < WORDS && slots[s + same] === hashes[at + same]) same++;
      if (same === WORDS) return false;
    }
  }
}

function isFree(slots: Uint32Array, s: number): boolean {
  return (slots[s]! | slots[s + 1]! | slots[s + 2]! | slots[s + 3]!) === 0;
}
