import type { Records } from './records.ts';

const FIRST_BYTES = 1 << 20;
/** A longer buffer is not kept for the batches that follow. */
const KEPT_BYTES = 16 << 20;

/** How the rows of a batch were written, and where: for as long as some of them may still go aside. */
export class RecordTexts {
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #lines: Float64Array;
  readonly #documents: Int32Array;
  #bytes = new Uint8Array(FIRST_BYTES);
  #used = 0;

  constructor(capacity: number) {
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
    this.#lines = new Float64Array(capacity);
    this.#documents = new Int32Array(capacity);
  }

  /** Forgets the rows of the batch before. */
  reset(): void {
    this.#used = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Rows `from..to` of the batch are the records of the same numbers, which lie in `bytes` one after the other. */
  add(
    bytes: Uint8Array,
    records: Records,
    { from, to, document }: { from: number; to: number; document: number },
  ): void {
    const begin = records.from[from]!;
    const end = records.to[to - 1]!;
    this.#grow(end - begin);
    this.#bytes.set(bytes.subarray(begin, end), this.#used);
    const moved = this.#used - begin;
    for (let r = from; r < to; r++) {
      this.#starts[r] = records.from[r]! + moved;
      this.#ends[r] = records.to[r]! + moved;
      this.#lines[r] = records.lines[r]!;
      this.#documents[r] = document;
    }
    this.#used += end - begin;
  }

  /** The batch has dropped these rows. */
  drop(marks: Int32Array, rows: number): void {
    let at = 0;
    for (let r = 0; r < rows; r++) {
      if (marks[r] !== 0) continue;
      this.#starts[at] = this.#starts[r]!;
      this.#ends[at] = this.#ends[r]!;
      this.#lines[at] = this.#lines[r]!;
      this.#documents[at] = this.#documents[r]!;
      at++;
    }
  }

  of(row: number): { raw: Uint8Array; line: number; document: number } {
    return {
      raw: this.#bytes.subarray(this.#starts[row], this.#ends[row]),
      line: this.#lines[row]!,
      document: this.#documents[row]!,
    };
  }

  #grow(more: number): void {
    if (this.#used + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#used + more, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}
