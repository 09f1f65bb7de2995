/**
 * Bytes from one thread to another without copies per row: a ring of shared blocks with one producer and one consumer.
 * Each side has calls for an event loop, which is never blocked, and for a worker thread, which may be. Memory is
 * blocks × block size, whatever passes through.
 */

const PUBLISHED = 0;
const CONSUMED = 1;
/** 0 = open, 1 = producer ended, 2 = producer failed, 3 = consumer gave up. */
const STATE = 2;
/** Counts everything that a waiting consumer should look at. */
const WAKE = 3;
const LENGTHS = 4;

export type RingEnd = 'ended' | 'failed' | 'abandoned';
const ENDS: readonly (RingEnd | undefined)[] = [undefined, 'ended', 'failed', 'abandoned'];

/** What crosses the thread border. */
export interface RingMemory {
  readonly blocks: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly blockBytes: number;
}

export function createRing(blockBytes: number = 1 << 20, blockCount: number = 6): RingMemory {
  return {
    blocks: new SharedArrayBuffer(blockBytes * blockCount),
    control: new SharedArrayBuffer(4 * (LENGTHS + blockCount)),
    blockBytes,
  };
}

/** Where a source puts its bytes: the ring of a thread that decodes them, or another server's connection. */
export interface ByteSink {
  /** True when nobody wants bytes any more: stop producing. */
  readonly abandoned: boolean;
  /** Copies as much as fits and returns how many bytes that was; less than asked means: wait for {@link room}. */
  write(source: Buffer, from: number, to: number): number;
  /** Resolves when there is room, or when nobody reads on. */
  room(): Promise<void>;
}

/** Writes all of it, waiting where there is no room. False when nobody wants bytes any more. */
export async function sendAll(sink: ByteSink, piece: Uint8Array): Promise<boolean> {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (sink.abandoned) return false;
    at += sink.write(bytes, at, bytes.length);
    if (at < bytes.length) await sink.room();
  }
  return true;
}

export class RingProducer implements ByteSink {
  readonly #memory: Buffer;
  readonly #control: Int32Array;
  readonly #size: number;
  readonly #count: number;
  #filled = 0;

  constructor(ring: RingMemory) {
    this.#memory = Buffer.from(ring.blocks);
    this.#control = new Int32Array(ring.control);
    this.#size = ring.blockBytes;
    this.#count = ring.blocks.byteLength / ring.blockBytes;
  }

  /** True when the consumer no longer wants bytes: stop producing. */
  get abandoned(): boolean {
    return Atomics.load(this.#control, STATE) === 3;
  }

  /** Copies as much as fits and returns how many bytes that was; less than asked means: wait for {@link room}. */
  write(source: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      if (this.#filled === 0 && this.#full()) break;
      const slot = Atomics.load(this.#control, PUBLISHED) % this.#count;
      const take = Math.min(to - at, this.#size - this.#filled);
      source.copy(this.#memory, slot * this.#size + this.#filled, at, at + take);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#size) this.#publish();
    }
    // A consumer that has nothing left should not wait for the block to fill.
    if (this.#filled > 0 && this.#idle()) this.#publish();
    return at - from;
  }

  /** Resolves when a block is free or the consumer has given up. */
  async room(): Promise<void> {
    for (;;) {
      const consumed = Atomics.load(this.#control, CONSUMED);
      if (this.#filled > 0 || !this.#full() || this.abandoned) return;
      const waited = Atomics.waitAsync(this.#control, CONSUMED, consumed, 100);
      if (waited.async) await waited.value;
    }
  }

  /** Writes all of it; blocks the thread while the ring is full. False when the consumer has given up. */
  writeAll(bytes: Uint8Array): boolean {
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < source.length;) {
      if (this.abandoned) return false;
      at += this.write(source, at, source.length);
      const consumed = Atomics.load(this.#control, CONSUMED);
      if (at < source.length && this.#full()) Atomics.wait(this.#control, CONSUMED, consumed, 1000);
    }
    return true;
  }

  /** For a consumer that died without a word: nobody will read on. */
  abandon(): void {
    Atomics.store(this.#control, STATE, 3);
    Atomics.add(this.#control, CONSUMED, 1);
    Atomics.notify(this.#control, CONSUMED);
  }

  end(how: 'ended' | 'failed' = 'ended'): void {
    if (this.#filled > 0) this.#publish();
    Atomics.compareExchange(this.#control, STATE, 0, how === 'ended' ? 1 : 2);
    this.#wake();
  }

  #publish(): void {
    const published = Atomics.load(this.#control, PUBLISHED);
    this.#control[LENGTHS + (published % this.#count)] = this.#filled;
    this.#filled = 0;
    Atomics.store(this.#control, PUBLISHED, published + 1);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE);
  }

  #full(): boolean {
    return Atomics.load(this.#control, PUBLISHED) - Atomics.load(this.#control, CONSUMED) >= this.#count;
  }

  #idle(): boolean {
    return Atomics.load(this.#control, PUBLISHED) === Atomics.load(this.#control, CONSUMED);
  }
}

/** Where a published block lies in {@link RingConsumer.memory}. */
export interface RingBlock {
  start: number;
  end: number;
}

export class RingConsumer {
  /** All blocks; a block starts at `index × block size`. */
  readonly memory: Uint8Array;
  readonly #control: Int32Array;
  readonly #size: number;
  readonly #count: number;
  #holding = false;

  constructor(ring: RingMemory) {
    this.memory = new Uint8Array(ring.blocks);
    this.#control = new Int32Array(ring.control);
    this.#size = ring.blockBytes;
    this.#count = ring.blocks.byteLength / ring.blockBytes;
  }

  /**
   * Gives the previous block back and waits for the next one; undefined when the producer has ended or
   * failed (see {@link end}). Blocks the thread.
   */
  next(): RingBlock | undefined {
    for (;;) {
      const wake = Atomics.load(this.#control, WAKE);
      const found = this.#look();
      if (found !== 'nothing yet') return found;
      Atomics.wait(this.#control, WAKE, wake, 1000);
    }
  }

  /** The same for an event loop. */
  async take(): Promise<RingBlock | undefined> {
    for (;;) {
      const wake = Atomics.load(this.#control, WAKE);
      const found = this.#look();
      if (found !== 'nothing yet') return found;
      const waited = Atomics.waitAsync(this.#control, WAKE, wake, 100);
      if (waited.async) await waited.value;
    }
  }

  #look(): RingBlock | undefined | 'nothing yet' {
    if (this.#holding) {
      this.#holding = false;
      Atomics.add(this.#control, CONSUMED, 1);
      Atomics.notify(this.#control, CONSUMED);
    }
    // Read before the counter: a block published just before the end must not be missed.
    const end = this.end;
    const consumed = Atomics.load(this.#control, CONSUMED);
    if (Atomics.load(this.#control, PUBLISHED) > consumed) {
      const slot = consumed % this.#count;
      this.#holding = true;
      return { start: slot * this.#size, end: slot * this.#size + this.#control[LENGTHS + slot]! };
    }
    return end === undefined ? 'nothing yet' : undefined;
  }

  get end(): RingEnd | undefined {
    return ENDS[Atomics.load(this.#control, STATE)];
  }

  /** Tells the producer that nobody will read on. */
  abandon(): void {
    Atomics.store(this.#control, STATE, 3);
    Atomics.add(this.#control, CONSUMED, 1);
    Atomics.notify(this.#control, CONSUMED);
  }
}
