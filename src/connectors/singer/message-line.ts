/**
 * Finds the members of a Singer message in its bytes, without reading the record: that goes on as it is. What a line has at its
 * top level is known exactly, wherever it stands and however it is spaced; what is inside of a record is looked at when it is loaded.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Members that matter, in the order of their places. */
const MEMBERS = ['type', 'stream', 'record', 'time_extracted', 'version', 'value'] as const;
export type Member = (typeof MEMBERS)[number];

const NAMES: readonly Uint8Array[] = MEMBERS.map((name) => Buffer.from(name));

export class MessageLine {
  bytes: Uint8Array = new Uint8Array();
  /** Where values begin and end, by number of the member; no value, no end. */
  readonly starts: Int32Array = new Int32Array(MEMBERS.length);
  readonly ends: Int32Array = new Int32Array(MEMBERS.length);
  #expected = 0;

  /** Whether a line is one JSON object; `bytes[to]` has to be a line feed, which no value goes beyond. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    this.bytes = bytes;
    this.ends.fill(0);
    this.#expected = 0;
    let p = blank(bytes, from);
    if (bytes[p] !== OPEN_OBJECT) return false;
    p = blank(bytes, p + 1);
    if (bytes[p] === CLOSE_OBJECT) return blank(bytes, p + 1) === to;
    for (;;) {
      if (bytes[p] !== QUOTE) return false;
      const end = stringEnd(bytes, p + 1);
      if (end < 0) return false;
      const member = this.#member(bytes, p + 1, end);
      p = blank(bytes, end + 1);
      if (bytes[p] !== COLON) return false;
      p = blank(bytes, p + 1);
      const next = valueEnd(bytes, p);
      if (next < 0) return false;
      if (member >= 0) {
        this.starts[member] = p;
        this.ends[member] = next;
      }
      p = blank(bytes, next);
      if (bytes[p] === CLOSE_OBJECT) return blank(bytes, p + 1) === to;
      if (bytes[p] !== COMMA) return false;
      p = blank(bytes, p + 1);
    }
  }

  /** Its value as JSON; undefined: the message has none. */
  json(member: Member): string | undefined {
    const m = MEMBERS.indexOf(member);
    if (this.ends[m] === 0) return undefined;
    return Buffer.from(this.bytes.subarray(this.starts[m], this.ends[m])).toString('utf8');
  }

  /** Its value, if it is a text. */
  text(member: Member): string | undefined {
    const written = this.json(member);
    if (written === undefined || !written.startsWith('"')) return undefined;
    try {
      return JSON.parse(written) as string;
    } catch {
      return undefined;
    }
  }

  start(member: Member): number {
    return this.starts[MEMBERS.indexOf(member)]!;
  }

  end(member: Member): number {
    return this.ends[MEMBERS.indexOf(member)]!;
  }

  /** Whether its value is written as these bytes. */
  is(member: Member, written: Uint8Array): boolean {
    const start = this.start(member);
    if (this.end(member) - start !== written.length) return false;
    return same(this.bytes, start, written);
  }

  /** Number of the member that has the name; messages of a tap have theirs in one order. */
  #member(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    for (let n = 0; n < NAMES.length; n++) {
      const m = (this.#expected + n) % NAMES.length;
      const name = NAMES[m]!;
      if (name.length === length && same(bytes, start, name)) {
        this.#expected = m + 1;
        return m;
      }
    }
    if (!bytes.subarray(start, end).includes(BACKSLASH)) return -1;
    try {
      const name = JSON.parse(`"${Buffer.from(bytes.subarray(start, end)).toString('utf8')}"`) as Member;
      return MEMBERS.indexOf(name);
    } catch {
      return -1;
    }
  }
}

function same(bytes: Uint8Array, at: number, written: Uint8Array): boolean {
  for (let i = 0; i < written.length; i++) if (bytes[at + i] !== written[i]) return false;
  return true;
}

function blank(bytes: Uint8Array, from: number): number {
  let p = from;
  for (;;) {
    const byte = bytes[p]!;
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return p;
    p++;
  }
}

/** Where the quote lies that closes a string; negative when the line ends before. */
function stringEnd(bytes: Uint8Array, from: number): number {
  for (let p = from; ; p++) {
    const byte = bytes[p]!;
    if (byte === QUOTE) return p;
    // What is behind a backslash closes nothing.
    if (byte === BACKSLASH) p++;
    if (bytes[p]! < 0x20) return -1;
  }
}

/** What is behind a value; negative when it is none. */
function valueEnd(bytes: Uint8Array, from: number): number {
  const first = bytes[from]!;
  if (first === QUOTE) return stringEnd(bytes, from + 1) + 1 || -1;
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return nestedEnd(bytes, from);
  let p = from;
  while (bytes[p]! > 0x20 && bytes[p] !== COMMA && bytes[p] !== CLOSE_OBJECT && bytes[p] !== QUOTE) p++;
  return p > from ? p : -1;
}

function nestedEnd(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let p = from; ; p++) {
    const byte = bytes[p]!;
    if (byte === QUOTE) {
      for (p++; bytes[p] !== QUOTE; p++) {
        if (bytes[p] === BACKSLASH) p++;
        if (bytes[p]! < 0x20) return -1;
      }
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth === 0) return p + 1;
    } else if (byte === 0x0a) return -1;
  }
}
