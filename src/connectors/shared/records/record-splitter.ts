/**
 * Takes the records out of a body of JSON (RFC 8259) while it arrives, without keeping it: the elements of one array come out as
 * lines of their own, and what is around them is kept and read afterwards.
 */
import { DataError } from '../../../core/errors.ts';
import { parseExact } from './exact-json.ts';

const LF = 10;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const BYTE_ORDER_MARK: ReadonlySet<number> = new Set([0xef, 0xbb, 0xbf]);

/** What surrounds the records is read as a whole. */
const MOST_AROUND = 8 << 20;

export interface SplitBody {
  records: number;
  /** The body without its records; undefined when there is nothing but them. */
  around: unknown;
  /** Where the records were to be, there was nothing. */
  absent: boolean;
}

export class RecordSplitter {
  readonly #path: readonly string[];
  /** Nobody has said where the records are: an array, or one after the other. */
  readonly #open: boolean;
  readonly #prefix: Uint8Array | undefined;
  readonly #out: (bytes: Uint8Array) => void;
  readonly #around: Uint8Array[] = [];
  #aroundBytes = 0;
  #records = 0;
  #found = false;
  /** Inside of a string, and behind a backslash in it. */
  #string = false;
  #escaped = false;
  /** Open brackets, outside of the records. */
  #depth = 0;
  /** How many names of the path lead to where we are; only while every open bracket is one of these. */
  #matched = 0;
  /** The last string outside of records, where it may be a name. */
  #name: number[] | undefined;
  #afterName = false;
  /** Open brackets within a record; -1 outside of the array. */
  #inside = -1;
  #begun = false;

  /** Between the brace that opens a record and what follows it. */
  #opened = false;
  /** Records come one after the other, in no array. */
  #bare = false;

  /**
   * `path`: names of the members that lead to the array; undefined: the body is the array, or has one record after the other.
   * `out` gets records with a line feed behind each, and has to use them at once. `prefix` are members that each of them gets.
   */
  constructor(path: readonly string[] | undefined, out: (bytes: Uint8Array) => void, prefix?: string) {
    this.#path = path ?? [];
    this.#open = path === undefined;
    this.#out = out;
    this.#prefix = prefix === undefined ? undefined : Buffer.from(prefix);
  }

  /** What stands between records is changed in `bytes`. */
  feed(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) at = this.#inside < 0 ? this.#outside(bytes, at) : this.#within(bytes, at);
  }

  /** Throws DataError when the body ended too early, or is no JSON around its records. */
  end(): SplitBody {
    // Without a byte order mark, which some servers write.
    const text = new TextDecoder().decode(Buffer.concat(this.#around));
    const within = this.#inside > (this.#bare ? 0 : -1);
    if (within || this.#depth > 0 || this.#string) throw broken('it ends in the middle');
    if (this.#bare) {
      this.#finish(NOTHING);
      return { records: this.#records, around: undefined, absent: false };
    }
    if (this.#open && text.trim() === '') return { records: 0, around: undefined, absent: false };
    if (text.trim() === '' && !this.#found) throw broken('it is empty');
    let around: unknown;
    try {
      around = parseExact(text);
    } catch {
      throw broken('it is not JSON');
    }
    return {
      records: this.#records,
      around: this.#path.length === 0 ? undefined : around,
      absent: !this.#found,
    };
  }

  #keep(bytes: Uint8Array): void {
    this.#aroundBytes += bytes.length;
    if (this.#aroundBytes > MOST_AROUND)
      throw broken(`it has more than ${MOST_AROUND >> 20} MiB beside its records`);
    this.#around.push(Uint8Array.from(bytes));
  }

  /** Up to the records, or the end of the piece. */
  #outside(bytes: Uint8Array, from: number): number {
    for (let p = from; p < bytes.length; p++) {
      const byte = bytes[p]!;
      if (this.#open && !this.#found && byte > 0x20 && byte !== OPEN_ARRAY && !BYTE_ORDER_MARK.has(byte)) {
        this.#bare = true;
        this.#found = true;
        this.#inside = 0;
        return p;
      }
      if (this.#string) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#string = false;
        if (this.#string) this.#name?.push(byte);
        continue;
      }
      if (byte === QUOTE) {
        this.#string = true;
        // Names that lead to the records are members of the objects that led here.
        this.#name = !this.#afterName && this.#depth === this.#matched + 1 ? [] : undefined;
      } else if (byte === 0x3a) this.#afterName = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (byte === OPEN_ARRAY && this.#arrives()) {
          this.#keep(bytes.subarray(from, p + 1));
          this.#found = true;
          this.#inside = 0;
          this.#begun = false;
          return p + 1;
        }
        if (byte === OPEN_OBJECT && this.#leads()) this.#matched++;
        this.#depth++;
        this.#afterName = false;
        this.#name = undefined;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#depth--;
        if (this.#matched > 0 && this.#depth === this.#matched) this.#matched--;
        this.#afterName = false;
        this.#name = undefined;
      } else if (byte === COMMA) {
        this.#afterName = false;
        this.#name = undefined;
      }
    }
    this.#keep(bytes.subarray(from));
    return bytes.length;
  }

  /** Whether the array that opens here is the one of the records. */
  #arrives(): boolean {
    if (this.#found) return false;
    if (this.#path.length === 0) return this.#depth === 0;
    return this.#matched === this.#path.length - 1 && this.#isNext();
  }

  /** Whether the object that opens here is on the way there. */
  #leads(): boolean {
    return this.#depth > 0 && this.#matched < this.#path.length - 1 && this.#isNext();
  }

  #isNext(): boolean {
    if (!this.#afterName || this.#name === undefined || this.#depth !== this.#matched + 1) return false;
    const written = Buffer.from(this.#name).toString('utf8');
    return nameOf(written) === this.#path[this.#matched];
  }

  /** Up to the end of the array, or of the piece. */
  #within(bytes: Uint8Array, from: number): number {
    const end = bytes.length;
    let start = from;
    for (let p = this.#string ? this.#closing(bytes, from) + 1 : from; p < end; p++) {
      const byte = bytes[p]!;
      if (this.#opened && byte > 0x20) this.#givePrefix(byte);
      if (PLAIN[byte] === 1) {
        this.#begun = true;
        // Most of what is no string.
        while (p + 1 < end && PLAIN[bytes[p + 1]!] === 1) p++;
      } else if (byte === QUOTE) {
        this.#begun = true;
        p = this.#closing(bytes, p + 1);
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (byte === OPEN_OBJECT && this.#inside === 0 && this.#prefix) {
          this.#out(bytes.subarray(start, p + 1));
          start = p + 1;
          this.#opened = true;
        }
        this.#inside++;
        this.#begun = true;
      } else if (byte === CLOSE_OBJECT || (byte === CLOSE_ARRAY && this.#inside > 0)) {
        this.#inside--;
        if (this.#bare && this.#inside === 0) {
          this.#finish(bytes.subarray(start, p + 1));
          start = p + 1;
        }
      } else if (byte === CLOSE_ARRAY) {
        this.#finish(bytes.subarray(start, p));
        this.#inside = -1;
        return p;
      } else if (byte === COMMA && this.#inside === 0) {
        // Records that lie behind each other go out together.
        if (this.#begun) {
          bytes[p] = LF;
          this.#records++;
          this.#begun = false;
        }
      } else if (byte === LF || byte === 0x0d) {
        // Records have a line each; a line feed within a string would be written as an escape.
        if (p > start) this.#out(bytes.subarray(start, p));
        start = p + 1;
      }
    }
    if (end > start) this.#out(bytes.subarray(start));
    return end;
  }

  /** Where the string ends that goes on at `from`, or behind the piece. */
  #closing(bytes: Uint8Array, from: number): number {
    const end = bytes.length;
    let p = this.#escaped ? from + 1 : from;
    this.#escaped = false;
    for (; p < end; p++) {
      const byte = bytes[p]!;
      if (byte === QUOTE) {
        this.#string = false;
        return p;
      }
      if (byte === BACKSLASH) p++;
    }
    this.#string = true;
    this.#escaped = p > end;
    return end;
  }

  /** What was before it is out. */
  #givePrefix(next: number): void {
    this.#out(this.#prefix!);
    if (next !== CLOSE_OBJECT) this.#out(COMMA_BYTE);
    this.#opened = false;
  }

  #finish(rest: Uint8Array): void {
    if (rest.length > 0) this.#out(rest);
    if (!this.#begun) return;
    this.#out(LINE_FEED);
    this.#records++;
    this.#begun = false;
  }
}

/** What numbers and words are made of, and what stands behind names. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x21; byte < 256; byte++)
  if (![QUOTE, COMMA, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY].includes(byte)) PLAIN[byte] = 1;

const LINE_FEED: Uint8Array = Uint8Array.of(LF);
const COMMA_BYTE: Uint8Array = Uint8Array.of(COMMA);
const NOTHING: Uint8Array = new Uint8Array();

function nameOf(written: string): string {
  if (!written.includes('\\')) return written;
  try {
    return JSON.parse(`"${written}"`) as string;
  } catch {
    return written;
  }
}

function broken(found: string): DataError {
  return new DataError(`reading a body of JSON: ${found}`, {
    code: 'records.body',
    remedy: 'is it JSON, and all of it?',
  });
}
