/** The greatest of values that are known by their texts only: whole numbers, or dates and times. */

const MOST_BYTES = 32;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const Z = 0x5a;
/** Behind the day of a time. */
const CLOCK = 10;

export class HighText {
  /** False when there was a value that its text does not compare by. */
  known = true;
  readonly #bytes = new Uint8Array(MOST_BYTES);
  #length = 0;

  get text(): string | undefined {
    return this.#length === 0
      ? undefined
      : Buffer.from(this.#bytes.subarray(0, this.#length)).toString('latin1');
  }

  /** `bytes[start, end)`, of a form that readers know. */
  look(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > MOST_BYTES) this.known = false;
    const high = this.#bytes;
    let order = length;
    if (length > CLOCK && (isSign(bytes[end - 3]!) || isSign(bytes[end - 6]!))) this.known = false;
    if (this.#length > 0) {
      const time = isTime(bytes, start, length);
      if (time !== isTime(high, 0, this.#length)) this.known = false;
      order = time ? this.#compareTimes(bytes, start, end) : this.#compareNumbers(bytes, start, end);
    } else if (bytes[start] === MINUS) this.known = false;
    if (order <= 0 || !this.known) return;
    for (let i = 0; i < length; i++) high[i] = bytes[start + i]!;
    this.#length = length;
  }

  /** Those without a sign have the order of their lengths first. */
  #compareNumbers(bytes: Uint8Array, start: number, end: number): number {
    const first = bytes[start]!;
    if (first < ZERO || first > NINE) this.known = false;
    return end - start - this.#length || this.#compare(bytes, start, end - start);
  }

  /** A day, or a day and a time with as many digits of a second as it has; all in UTC, or none with a zone. */
  #compareTimes(bytes: Uint8Array, start: number, end: number): number {
    const high = this.#bytes;
    const long = end - start > CLOCK && this.#length > CLOCK;
    const zoned = bytes[end - 1] === Z;
    if (zoned !== (high[this.#length - 1] === Z) || (long && bytes[start + CLOCK] !== high[CLOCK]))
      this.known = false;
    const mark = zoned ? 1 : 0;
    const [length, other] = [end - start - mark, this.#length - mark];
    return this.#compare(bytes, start, Math.min(length, other)) || length - other;
  }

  #compare(bytes: Uint8Array, start: number, length: number): number {
    for (let i = 0; i < length; i++) {
      const difference = bytes[start + i]! - this.#bytes[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** In front of how far a time is from UTC. */
function isSign(byte: number): boolean {
  return byte === PLUS || byte === MINUS;
}

function isTime(bytes: Uint8Array, start: number, length: number): boolean {
  return length >= CLOCK && bytes[start + 4] === MINUS;
}
