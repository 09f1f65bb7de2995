import { SPARE_BYTES } from './byte-words.ts';

const FIRST_BYTES = 1 << 20;
/** A longer buffer is not kept for the documents that follow. */
const KEPT_BYTES = 8 << 20;

/**
 * Documents that are read from beginning to end, each of them in one piece of memory at a time: `bytes[at, end)` is what lies
 * there of the present one; readers move `at` on.
 */
export abstract class TextWindow {
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  at = 0;
  end = 0;
  /** Of the present document; -1 before the first. */
  document = -1;
  /** Nothing follows behind `end` in this document. */
  final = true;
  /** Of all documents so far. */
  total = 0;

  /** Goes on to the next document; false when there is none. What was not read of the present one is lost. */
  nextDocument(): boolean {
    while (!this.final) {
      this.at = this.end;
      this.more();
    }
    if (!this.begin()) return false;
    this.at = this.end = 0;
    this.final = false;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(FIRST_BYTES);
    return true;
  }

  /** Reads on behind `end`, and moves what lies from `at` on to the front. False when the document is at its end. */
  more(): boolean {
    if (this.final) return false;
    this.bytes.copyWithin(0, this.at, this.end);
    this.end -= this.at;
    this.at = 0;
    // Some bytes stay free behind the end: scanners put a mark there, and read on behind it.
    if (this.end + SPARE_BYTES >= this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes.subarray(0, this.end));
      this.bytes = larger;
    }
    this.fill(this.bytes.length - SPARE_BYTES - this.end);
    return true;
  }

  /** Sets `document` to the next one; false when there is none. */
  protected abstract begin(): boolean;

  /** Puts at most `room` bytes behind `end` and counts them, or says that there are no more. */
  protected abstract fill(room: number): void;
}
