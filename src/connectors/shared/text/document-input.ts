/**
 * Several documents through one ring, and on the other side each of them in one piece of memory at a time.
 *
 *     frame = uint32 bytes, uint32 number of the document; the bytes
 *
 * Numbers have the byte order of the machine. Documents come one after the other.
 */
import { type ByteSink, type RingBlock, type RingConsumer, sendAll } from '../../../core/byte-ring.ts';
import { CancelledError } from '../../../core/errors.ts';
import { giveBack } from '../../../core/give-back.ts';
import type { KeptRecords } from '../../../core/quarantine.ts';
import { TextWindow } from './text-window.ts';

const HEAD = 8;

/** Writes what `pieces` brings as document `number`; these are given back. */
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
    giveBack(piece);
  }
}

const LINE_END: Uint8Array = Buffer.from('\n');

/** Each record ends where it ended before, whatever its quotes say: as a document of its own. */
export async function sendKept(
  kept: KeptRecords,
  sink: ByteSink,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let number = 0;
  for await (const raw of kept.raw()) await sendDocument(sink, number++, [raw, LINE_END], onBytes);
}

/** The documents of a ring. */
export class DocumentInput extends TextWindow {
  readonly #ring: RingConsumer;
  #block: RingBlock | undefined;
  /** What is left of the frame whose head was read last. */
  #left = 0;
  #next = -1;
  readonly #head = new Uint32Array(2);

  constructor(ring: RingConsumer) {
    super();
    this.#ring = ring;
  }

  protected override begin(): boolean {
    if (!this.#frame()) return false;
    this.document = this.#next;
    return true;
  }

  protected override fill(most: number): void {
    let room = most;
    while (room > 0) {
      if (!this.#frame() || this.#next !== this.document) {
        this.final = true;
        return;
      }
      const took = this.#take(this.bytes, this.end, Math.min(room, this.#left));
      this.end += took;
      this.#left -= took;
      this.total += took;
      room -= took;
      if (took > 0 && this.#block === undefined) return;
    }
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
