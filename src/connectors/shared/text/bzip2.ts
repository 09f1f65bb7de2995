/**
 * Unpacks bzip2. The format has no specification of its own; this follows the program (J. Seward, bzip2 1.0.8, decompress.c) and
 * its description (J. Tsai, BZIP2 format specification, 2016). Checksums of blocks and streams are checked, and what is
 * behind the last stream has to be another one, as parallel packers write them, or zeros.
 */
import { BitInput } from './bit-input.ts';

/** Bits of the longest code. */
const LONGEST = 20;
/** Symbols between two looks at which code is used. */
const GROUP = 50;
/** A block of 900,000 symbols of the longest codes, with all its tables. */
const MOST_BLOCK_BYTES = 3 << 20;
const OUT_BYTES = 1 << 18;
const BLOCK_BYTES = 100_000;

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** Throws an Error for what is broken or ends too early; what was given out before is of no use then. */
export async function* unpackBzip2(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = new BitInput(stored, MOST_BLOCK_BYTES);
  try {
    yield* streams(input);
  } finally {
    await input.close();
  }
}

async function* streams(input: BitInput): AsyncGenerator<Uint8Array> {
  await input.fill();
  do {
    if (input.bits(24) !== 0x425a68) throw new Error('no bzip2 stream begins here');
    const level = input.bits(8) - 0x30;
    if (level < 1 || level > 9) throw new Error('its block size is none');
    const block = new Block(input, level * BLOCK_BYTES);
    let sum = 0;
    for (;;) {
      await input.fill();
      const magic = input.bits(24) * 0x1000000 + input.bits(24);
      const expected = input.word();
      if (magic === 0x177245385090) {
        if (expected !== sum) throw new Error('its checksum is another one');
        break;
      }
      if (magic !== 0x314159265359) throw new Error('a block begins otherwise');
      block.read();
      for (let piece = block.write(); piece.length > 0; piece = block.write()) yield piece;
      if (~block.crc !== expected) throw new Error('the checksum of a block is another one');
      sum = ((sum << 1) | (sum >>> 31)) ^ expected;
    }
    input.align();
    await input.fill();
  } while (input.left > 0 && !(await input.onlyZeros()));
}

/** Codes of one table: those of `length` bits end at `limits[length]`, seen as numbers of the longest code. */
interface Code {
  limits: Int32Array;
  /** What is taken from a code of so many bits to have the place of its symbol. */
  offsets: Int32Array;
  symbols: Uint16Array;
  shortest: number;
}

class Block {
  readonly #input: BitInput;
  /** The byte at a place, and above it the place of the one that follows. */
  readonly #chain: Uint32Array;
  #rows = 0;
  #next = 0;
  #last = -1;
  #run = 0;
  /** How often the last byte is still to be repeated. */
  #repeat = 0;
  crc = -1;

  constructor(input: BitInput, size: number) {
    this.#input = input;
    this.#chain = new Uint32Array(size);
  }

  read(): void {
    const input = this.#input;
    if (input.bits(1) !== 0) throw new Error('its blocks are of bzip2 before 0.9.5');
    const origin = input.bits(24);
    const bytes = this.#usedBytes();
    const { selectors, codes } = this.#codes(bytes.length + 2);
    const counts = new Int32Array(256);
    this.#rows = this.#symbols(bytes, { selectors, codes, counts });
    if (origin >= this.#rows) throw new Error('a block begins behind its end');
    this.#link(counts);
    this.#next = this.#chain[origin]! >>> 8;
    this.#last = this.crc = -1;
    this.#run = this.#repeat = 0;
  }

  #usedBytes(): Uint8Array {
    const input = this.#input;
    const found: number[] = [];
    const ranges = input.bits(16);
    for (let high = 0; high < 16; high++) {
      if ((ranges & (0x8000 >> high)) === 0) continue;
      const used = input.bits(16);
      for (let low = 0; low < 16; low++) if ((used & (0x8000 >> low)) !== 0) found.push(high * 16 + low);
    }
    if (found.length === 0) throw new Error('a block uses no bytes');
    return Uint8Array.from(found);
  }

  #codes(alphabet: number): { selectors: Uint8Array; codes: Code[] } {
    const input = this.#input;
    const count = input.bits(3);
    const selectors = new Uint8Array(input.bits(15));
    if (count < 2 || count > 6 || selectors.length === 0) throw new Error('its tables are none');
    const order = Array.from({ length: count }, (_, i) => i);
    for (let s = 0; s < selectors.length; s++) {
      let place = 0;
      while (input.bits(1) === 1) if (++place >= count) throw new Error('its tables are none');
      order.unshift(...order.splice(place, 1));
      selectors[s] = order[0]!;
    }
    const codes = Array.from({ length: count }, () => {
      const lengths = new Uint8Array(alphabet);
      let length = input.bits(5);
      for (let symbol = 0; symbol < alphabet; symbol++) {
        for (;;) {
          if (length < 1 || length > LONGEST) throw new Error('its codes are none');
          if (input.bits(1) === 0) break;
          length += input.bits(1) === 0 ? 1 : -1;
        }
        lengths[symbol] = length;
      }
      return codeOf(lengths);
    });
    return { selectors, codes };
  }

  /** Undoes the codes, the runs and the moves to the front; how many bytes there are, in the order of what follows them. */
  #symbols(
    bytes: Uint8Array,
    { selectors, codes, counts }: { selectors: Uint8Array; codes: Code[]; counts: Int32Array },
  ): number {
    const input = this.#input;
    const chain = this.#chain;
    const front = bytes.slice();
    const end = bytes.length + 1;
    let rows = 0;
    let run = 0;
    let weight = 1;
    for (const selector of selectors) {
      const { limits, offsets, symbols, shortest } = codes[selector]!;
      const { bytes: stored } = input;
      let { at } = input;
      for (let k = 0; k < GROUP; k++) {
        const p = at >>> 3;
        const word = (stored[p]! << 24) | (stored[p + 1]! << 16) | (stored[p + 2]! << 8) | stored[p + 3]!;
        const code = (word << (at & 7)) >>> (32 - LONGEST);
        let length = shortest;
        while (code >= limits[length]!) length++;
        if (length > LONGEST) throw new Error('a code stands for nothing');
        at += length;
        const symbol = symbols[(code >>> (LONGEST - length)) - offsets[length]!]!;
        if (symbol <= 1) {
          if (weight > BLOCK_BYTES * 10) throw new Error('a run is longer than its block');
          run += weight << symbol;
          weight *= 2;
          continue;
        }
        if (run > 0) {
          const byte = front[0]!;
          if (rows + run > chain.length) throw new Error('a block is longer than it may be');
          chain.fill(byte, rows, rows + run);
          counts[byte]! += run;
          rows += run;
          run = 0;
          weight = 1;
        }
        if (symbol === end) {
          input.at = at;
          input.check();
          return rows;
        }
        if (rows >= chain.length) throw new Error('a block is longer than it may be');
        const byte = front[symbol - 1]!;
        for (let place = symbol - 1; place > 0; place--) front[place] = front[place - 1]!;
        front[0] = byte;
        counts[byte]!++;
        chain[rows++] = byte;
      }
      input.at = at;
      input.check();
    }
    throw new Error('a block has no end');
  }

  /** Undoes the sorting (M. Burrows and D. Wheeler, 1994). */
  #link(counts: Int32Array): void {
    const chain = this.#chain;
    const places = new Int32Array(256);
    for (let byte = 1; byte < 256; byte++) places[byte] = places[byte - 1]! + counts[byte - 1]!;
    for (let row = 0; row < this.#rows; row++) chain[places[chain[row]! & 255]!++]! |= row << 8;
  }

  /** Some more of the bytes; none when all were given out. Four equal ones are followed by how often they come once more. */
  write(): Uint8Array {
    const out = new Uint8Array(Math.min(OUT_BYTES, this.#rows * 256 + this.#repeat));
    const chain = this.#chain;
    // Fields of an object are slower.
    let next = this.#next;
    let rows = this.#rows;
    let last = this.#last;
    let run = this.#run;
    let repeat = this.#repeat;
    let { crc } = this;
    let at = 0;
    while (at < out.length && (repeat > 0 || rows > 0)) {
      if (repeat > 0) repeat--;
      else {
        const entry = chain[next]!;
        const byte = entry & 255;
        next = entry >>> 8;
        rows--;
        if (run === 4) {
          repeat = byte;
          run = 0;
          continue;
        }
        run = byte === last ? run + 1 : 1;
        last = byte;
      }
      out[at++] = last;
      crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ last]!;
    }
    [this.#next, this.#rows, this.#last] = [next, rows, last];
    [this.#run, this.#repeat, this.crc] = [run, repeat, crc];
    return out.subarray(0, at);
  }
}

function codeOf(lengths: Uint8Array): Code {
  const limits = new Int32Array(LONGEST + 2).fill(0);
  const offsets = new Int32Array(LONGEST + 2);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST; length++) {
    offsets[length] = code - place;
    for (const [symbol, its] of lengths.entries()) {
      if (its !== length) continue;
      symbols[place++] = symbol;
      code++;
    }
    limits[length] = code << (LONGEST - length);
    code <<= 1;
  }
  // Ends the search for codes that stand for nothing.
  limits[LONGEST + 1] = 1 << (LONGEST + 1);
  return { limits, offsets, symbols, shortest: lengths.reduce((a, b) => Math.min(a, b), LONGEST) };
}
