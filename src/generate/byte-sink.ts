const encoder = new TextEncoder();

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes that grow: what is made of records is written here, value by value. */
export class ByteSink {
  bytes: Uint8Array;
  length = 0;

  constructor(bytes: Uint8Array = new Uint8Array(1 << 16)) {
    this.bytes = bytes;
  }

  /** What has been written; valid until more is. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const next = new Uint8Array(Math.max(this.length + more, this.bytes.length * 2));
    next.set(this.bytes.subarray(0, this.length));
    this.bytes = next;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  put(source: Uint8Array, from: number = 0, to: number = source.length): void {
    this.reserve(to - from);
    const { bytes } = this;
    // A loop is faster than a call for the short pieces that texts are made of.
    if (to - from < 24) {
      let at = this.length;
      for (let i = from; i < to; i++) bytes[at++] = source[i]!;
      this.length = at;
      return;
    }
    bytes.set(source.subarray(from, to), this.length);
    this.length += to - from;
  }

  /** A text of ASCII. */
  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.length++] = text.charCodeAt(i);
  }

  text(text: string): void {
    this.reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  /** A whole number from 0 to 2^53, with zeros before it up to `width` digits. */
  digits(value: number, width: number = 1): void {
    if (value > 999_999_999) {
      const high = Math.floor(value / 1e9);
      this.digits(high, width - 9);
      this.digits(value - high * 1e9, 9);
      return;
    }
    let digits = 1;
    for (let bound = 10; digits < width || value >= bound; bound *= 10) digits++;
    this.reserve(digits);
    let rest = value | 0;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const next = (rest / 10) | 0;
      this.bytes[at] = 48 + rest - next * 10;
      rest = next;
    }
    this.length += digits;
  }
}
