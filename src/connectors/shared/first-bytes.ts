/** The beginning of a slice before it is known how it goes on: a small one needs little of what a large one is given. */
import { type ByteSink, sendAll } from '../../core/byte-ring.ts';
import type { BytesReader } from '../../core/source.ts';

interface FirstBytes<T> {
  /** These are all bytes of the slice. */
  whole(bytes: Buffer): Promise<T>;
  /** There are more: a reader that begins with those that were read. Its `pump` is to be called, unless this rejects. */
  more(reader: BytesReader): Promise<T>;
}

/** Reads a slice to its end, or until it has more than `most` bytes. */
export async function firstBytes<T>(reader: BytesReader, most: number, then: FirstBytes<T>): Promise<T> {
  const held = new HeldBytes(most);
  const pumped = reader.pump(held, (bytes) => held.count(bytes));
  const whole = await Promise.race([pumped.then(() => true), held.full.then(() => false)]);
  if (whole) return then.whole(held.bytes);
  // Nobody may be waiting yet.
  pumped.catch(() => undefined);
  const { schema, decoder, direct } = reader;
  try {
    return await then.more({
      format: 'bytes',
      schema,
      decoder,
      direct,
      pump: (sink, onBytes) => {
        held.pour(sink, onBytes);
        return pumped;
      },
      close: () => reader.close(),
    });
  } finally {
    held.abandon();
  }
}

const LEAST_BYTES = 64 << 10;

/** Keeps what is written until another sink is there for it, which takes what comes then as well. */
class HeldBytes implements ByteSink {
  readonly #most: number;
  #bytes: Buffer = Buffer.allocUnsafe(LEAST_BYTES);
  #held = 0;
  #sink: ByteSink | undefined;
  #gone = false;
  /** What the source has told of its bytes, and who wants to know. */
  #counted = 0;
  #onBytes: ((bytes: number) => void) | undefined;
  readonly #full = Promise.withResolvers<void>();
  readonly #goesOn = Promise.withResolvers<void>();

  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#held);
  }

  /** Resolves when there are more bytes than fit. */
  get full(): Promise<void> {
    return this.#full.promise;
  }

  count(bytes: number): void {
    this.#counted += bytes;
    this.#onBytes?.(bytes);
  }

  pour(sink: ByteSink, onBytes: (bytes: number) => void): void {
    onBytes(this.#counted);
    this.#onBytes = onBytes;
    this.#sink = sink;
    this.#goesOn.resolve();
  }

  abandon(): void {
    this.#gone = true;
    this.#goesOn.resolve();
  }

  get abandoned(): boolean {
    return this.#gone || this.#sink?.abandoned === true;
  }

  write(source: Buffer, from: number, to: number): number {
    if (this.#sink) return this.#held > 0 ? 0 : this.#sink.write(source, from, to);
    const size = Math.min(to - from, this.#most - this.#held);
    this.#reserve(this.#held + size);
    source.copy(this.#bytes, this.#held, from, from + size);
    this.#held += size;
    if (size < to - from) this.#full.resolve();
    return size;
  }

  async room(): Promise<void> {
    await this.#goesOn.promise;
    if (!this.#sink) return;
    if (this.#held === 0) return this.#sink.room();
    await sendAll(this.#sink, this.bytes);
    this.#held = 0;
    this.#bytes = Buffer.alloc(0);
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const next = Buffer.allocUnsafe(
      Math.min(Math.max(size, 2 * this.#bytes.length), Math.max(size, this.#most)),
    );
    this.bytes.copy(next);
    this.#bytes = next;
  }
}
