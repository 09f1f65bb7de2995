/** Looks for the largest value of a row that is not to be held in memory, by the lengths that stand before its fields. */
export class LargeRow {
  /** Index of the column with the largest value so far, and the size of that. */
  column = 0;
  columnBytes = 0;
  #field = 0;
  #skip: number;
  #length = 0;
  #digits = 0;

  /** `skip` counts the bytes of the message before the length of the first field. */
  constructor(skip: number) {
    this.#skip = skip;
  }

  /** Goes through the next bytes of the row, which may be cut anywhere. */
  take(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, to - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      this.#length = (this.#length << 8) | bytes[at++]!;
      if (++this.#digits === 4) this.#enter();
    }
  }

  #enter(): void {
    if (this.#length > this.columnBytes) {
      this.column = this.#field;
      this.columnBytes = this.#length;
    }
    // -1 is NULL.
    this.#skip = Math.max(0, this.#length);
    this.#field++;
    this.#length = this.#digits = 0;
  }
}
