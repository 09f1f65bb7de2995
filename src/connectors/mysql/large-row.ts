/** Looks for the largest value of a row that is not to be held in memory, by the lengths that stand before its fields. */
export class LargeRow {
  /** Index of the column with the largest value so far, and the size of that. */
  column = 0;
  columnBytes = 0;
  readonly #widths: Int32Array;
  /** The zero and the bits of the NULLs, as far as they have come. */
  readonly #head: number[] = [];
  #field = 0;
  #skip = 0;
  /** Bytes of a length that are still to come, and what has come of it. */
  #missing = 0;
  #length = 0;
  #shift = 0;

  constructor(widths: Int32Array) {
    this.#widths = widths;
  }

  /** Goes through the next bytes of the row, which may be cut anywhere. */
  take(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to && this.#field < this.#widths.length) {
      if (this.#head.length < 1 + ((this.#widths.length + 9) >> 3)) {
        this.#head.push(bytes[at++]!);
        continue;
      }
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, to - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      at = this.#step(bytes, at);
    }
  }

  /** Reads one byte of a length, or passes a value without one. */
  #step(bytes: Uint8Array, at: number): number {
    if (this.#missing > 0) {
      this.#length += bytes[at]! * 2 ** this.#shift;
      this.#shift += 8;
      if (--this.#missing === 0) this.#enter(this.#length);
      return at + 1;
    }
    const bit = this.#field + 2;
    const width = this.#widths[this.#field]!;
    if ((this.#head[1 + (bit >> 3)]! & (1 << (bit & 7))) !== 0) this.#enter(0);
    else if (width > 0) this.#enter(width);
    else {
      const first = bytes[at]!;
      this.#length = this.#shift = 0;
      if (width < 0 || first <= 250) this.#enter(first);
      else this.#missing = first === 0xfc ? 2 : first === 0xfd ? 3 : 8;
      return at + 1;
    }
    return at;
  }

  #enter(length: number): void {
    if (length > this.columnBytes) {
      this.column = this.#field;
      this.columnBytes = length;
    }
    this.#skip = length;
    this.#field++;
  }
}
