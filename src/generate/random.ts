/**
 * Random words without a state: the words of a record follow from seed, purpose, record and version alone, so that any
 * record can be made without those before it.
 *
 * The generator is Threefry-2x32 with 20 rounds: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011, https://doi.org/10.1145/2063384.2063405.
 */

/** Records in rows: what is drawn for each depends on these numbers. */
export interface Counters {
  readonly count: number;
  /** Numbers of the records, from 0 on. */
  readonly index: Uint32Array;
  /** Day of the last change of each. */
  readonly version: Uint16Array | Uint32Array;
}

/** Two words for each record. */
export class Words {
  readonly a: Uint32Array;
  readonly b: Uint32Array;

  constructor(capacity: number) {
    this.a = new Uint32Array(capacity);
    this.b = new Uint32Array(capacity);
  }
}

/** What is drawn for one purpose. */
export class Draws {
  readonly #seed: number;
  readonly #purpose: number;
  readonly #one: Counters & { version: Uint16Array } = {
    count: 1,
    index: new Uint32Array(1),
    version: new Uint16Array(1),
  };
  readonly #word = new Words(1);

  constructor(seed: number, purpose: string) {
    this.#seed = seed | 0;
    this.#purpose = hashText(purpose);
  }

  /** Words of many records; with `changes` those of their versions. */
  fill(words: Words, rows: Counters, changes: boolean): void {
    threefry(words, rows, { key0: this.#seed, key1: this.#purpose, changes });
  }

  /** The first word of one record in one version. */
  at(index: number, version: number = 0): number {
    this.#one.index[0] = index;
    this.#one.version[0] = version;
    this.fill(this.#word, this.#one, true);
    return this.#word.a[0]!;
  }

  /** The second word of the record that was asked for last. */
  get second(): number {
    return this.#word.b[0]!;
  }
}

const PARITY = 0x1bd11bda;

export function threefry(
  words: Words,
  rows: Counters,
  { key0, key1, changes }: { key0: number; key1: number; changes: boolean },
): void {
  const { a, b } = words;
  const { index, version, count } = rows;
  const key2 = PARITY ^ key0 ^ key1;
  for (let r = 0; r < count; r++) {
    let x = (index[r]! + key0) | 0;
    let y = ((changes ? version[r]! : 0) + key1) | 0;
    // Unrolled by hand: the rotations are constants, and this is where much of the time goes.
    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    x = (x + key1) | 0;
    y = (y + key2 + 1) | 0;
    x = (x + y) | 0;
    y = ((y << 17) | (y >>> 15)) ^ x;
    x = (x + y) | 0;
    y = ((y << 29) | (y >>> 3)) ^ x;
    x = (x + y) | 0;
    y = ((y << 16) | (y >>> 16)) ^ x;
    x = (x + y) | 0;
    y = ((y << 24) | (y >>> 8)) ^ x;
    x = (x + key2) | 0;
    y = (y + key0 + 2) | 0;
    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    x = (x + key0) | 0;
    y = (y + key1 + 3) | 0;
    x = (x + y) | 0;
    y = ((y << 17) | (y >>> 15)) ^ x;
    x = (x + y) | 0;
    y = ((y << 29) | (y >>> 3)) ^ x;
    x = (x + y) | 0;
    y = ((y << 16) | (y >>> 16)) ^ x;
    x = (x + y) | 0;
    y = ((y << 24) | (y >>> 8)) ^ x;
    x = (x + key1) | 0;
    y = (y + key2 + 4) | 0;
    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    x = (x + key2) | 0;
    y = (y + key0 + 5) | 0;
    a[r] = x;
    b[r] = y;
  }
}

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): purposes get keys that have nothing to do with each other. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** A word as a fraction in [0, 1). */
export function fraction(word: number): number {
  return word / 0x1_0000_0000;
}
