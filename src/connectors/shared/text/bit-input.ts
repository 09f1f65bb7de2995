/** Bytes that come in pieces, as bits with the highest one first. */

/** Behind the end lie zeros, so that who reads need not look for the end each time. */
const BEHIND = 256;

export class BitInput {
  bytes: Uint8Array = new Uint8Array(BEHIND);
  /** In bits. */
  at = 0;
  #end = 0;
  #ended = false;
  readonly #ahead: number;
  readonly #pieces: AsyncIterator<Uint8Array>;

  /** `ahead`: so many bytes are there after {@link fill}, or all. */
  constructor(stored: AsyncIterable<Uint8Array>, ahead: number) {
    this.#ahead = ahead;
    this.#pieces = stored[Symbol.asyncIterator]();
  }

  /** Whole bytes that are there. */
  get left(): number {
    return this.#end - (this.at >>> 3);
  }

  async fill(): Promise<void> {
    while (this.left < this.#ahead && !this.#ended) {
      const next = await this.#pieces.next();
      if (next.done === true) this.#ended = true;
      else this.#append(next.value);
    }
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #append(piece: Uint8Array): void {
    const from = this.at >>> 3;
    const size = this.left + piece.length;
    const larger = size + BEHIND > this.bytes.length;
    const target = larger ? new Uint8Array(Math.max(size + BEHIND, this.bytes.length * 2)) : this.bytes;
    // Room is made at the front only when there is none at the back.
    if (larger || this.#end + piece.length + BEHIND > target.length) {
      target.set(this.bytes.subarray(from, this.#end));
      this.#end -= from;
      this.at &= 7;
      this.bytes = target;
    }
    this.bytes.set(piece, this.#end);
    this.#end += piece.length;
    this.bytes.fill(0, this.#end, this.#end + BEHIND);
  }

  bits(count: number): number {
    const p = this.at >>> 3;
    const { bytes } = this;
    const word = (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
    const found = (word << (this.at & 7)) >>> (32 - count);
    this.at += count;
    this.check();
    return found;
  }

  word(): number {
    return (this.bits(16) << 16) | this.bits(16);
  }

  check(): void {
    if (this.at > this.#end * 8) throw new Error('it ends too early');
  }

  align(): void {
    this.at = (this.at + 7) & ~7;
  }

  async onlyZeros(): Promise<boolean> {
    if (this.bytes[this.at >>> 3] !== 0) return false;
    while (this.left > 0) {
      if (this.bytes.subarray(this.at >>> 3, this.#end).some((byte) => byte !== 0))
        throw new Error('there is something else behind its end');
      this.at = this.#end * 8;
      await this.fill();
    }
    return true;
  }
}
