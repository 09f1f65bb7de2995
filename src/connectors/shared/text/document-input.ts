/**
 * Several documents through one ring, and on the other side each of them in one piece of memory at a time.
 *
 *     frame = uint32 bytes, uint32 number of the document; the bytes
 *
 * Numbers have the byte order of the machine. Documents come one after the other.
 */
import { type ByteSink, type RingBlock, type RingConsumer, sendAll } from '../../../core/byte-ring.ts';
import { CancelledError } from '../../../core/errors.ts';

const HEAD = 8;
const FIRST_BYTES = 1 << 20;
/** A longer buffer is not kept for the documents that follow. */
const KEPT_BYTES = 8 << 20;

/** Writes what `pieces` brings as document `number`. */
export async function sendDocument(
  sink: ByteSink,
  number: number,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): Promise<void> {
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    const head = new Uint8Array(Uint32Array.of(piece.length, number).buffer);
    if (!(await sendAll(sink, head)) || !(await sendAll(sink, piece)))
      throw new CancelledError('the reader was told to stop', { code: 'files.abandoned' });
    onBytes(piece.length);
  }
}

/** The documents of a ring. `bytes[at, end)` is what lies there of the present one; readers move `at` on. */
export class DocumentInput {
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  at = 0;
  end = 0;
  /** Of the present document; -1 before the first. */
  document = -1;
  /** Nothing follows behind `end` in this document. */
  final = true;
  /** Of all documents so far. */
  total = 0;
  readonly #ring: RingConsumer;
  #block: RingBlock | undefined;
  /** What is left of the frame whose head was read last. */
  #left = 0;
  #next = -1;
  readonly #head = new Uint32Array(2);

  constructor(ring: RingConsumer) {
    this.#ring = ring;
  }

  /** Goes on to the next document; false when there is none. What was not read of the present one is lost. */
  nextDocument(): boolean {
    while (!this.final) {
      this.at = this.end;
      this.more();
    }
    if (!this.#frame()) return false;
    this.document = this.#next;
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
    // One byte stays free behind the end: scanners put a mark there.
    if (this.end + 1 >= this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes.subarray(0, this.end));
      this.bytes = larger;
    }
    let room = this.bytes.length - 1 - this.end;
    while (room > 0) {
      if (!this.#frame() || this.#next !== this.document) {
        this.final = true;
        break;
      }
      const took = this.#take(this.bytes, this.end, Math.min(room, this.#left));
      this.end += took;
      this.#left -= took;
      this.total += took;
      room -= took;
      if (took > 0 && this.#block === undefined) break;
    }
    return true;
  }

  /** Whether a frame has bytes left, after reading the head of the next one where needed. */
  #frame(): boolean {
    while (this.#left === 0) {
      const head = new Uint8Array(this.#head.buffer);
      for (let have = 0; have < HEAD;) {
        const took = this.#take(head, have, HEAD - have);
        if (took === 0) return false;
        have += took;
      }
      [this.#left, this.#next] = this.#head as unknown as [number, number];
    }
    return true;
  }

  /** At most `count` bytes of the present block; none at the end of the ring. */
  #take(target: Uint8Array, at: number, count: number): number {
    this.#block ??= this.#ring.next();
    const block = this.#block;
    if (!block) return 0;
    const took = Math.min(count, block.end - block.start);
    target.set(this.#ring.memory.subarray(block.start, block.start + took), at);
    block.start += took;
    if (block.start === block.end) this.#block = undefined;
    return took;
  }
}
