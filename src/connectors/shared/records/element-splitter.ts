/**
 * Takes the elements of arrays out of records of JSON, byte by byte as they are written: each comes out as a line of its own,
 * with what it gets of the record around it. An object in the place of an array is its only element, whatever else is there too.
 */
import type { Carried } from './child-stream.ts';

const LF = 10;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
/** What `null` begins with, and nothing else. */
const LETTER_N = 0x6e;

const BROKEN = -1;
/** Column of elements that are no objects. */
const VALUE_COLUMN = 'value';

export interface ElementsJob {
  path: readonly string[];
  carried: readonly Carried[];
  /** One for each name of the path. */
  indexes: readonly string[];
  /** Carried columns that tell parents apart. */
  group: readonly string[];
  /** Levels of objects whose members are fields called `outer_inner`. */
  flatten: number;
}

export interface ElementsOutput {
  /** Bytes `[from, to)` of a line of an element. */
  element: (bytes: Uint8Array, from: number, to: number) => void;
  /** An element is whole. */
  ended: () => void;
}

export class ElementSplitter {
  readonly #job: ElementsJob;
  readonly #out: ElementsOutput;
  readonly #path: readonly Name[];
  readonly #carried: readonly Name[];
  readonly #reserved: readonly Name[];
  readonly #names: readonly Uint8Array[];
  readonly #positions: readonly Uint8Array[];
  /** For each carried field of the record where its value lies; 0 behind it: it has none. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  /** That was split last. */
  #record: Uint8Array = EMPTY;
  /** Place in the array of each level. */
  readonly #at: Int32Array;
  /** Members that the record gives to each of its elements. */
  #given: Uint8Array = EMPTY;
  readonly #givenPiece = new Piece();
  readonly #keyPiece = new Piece();

  constructor(job: ElementsJob, out: ElementsOutput) {
    this.#job = job;
    this.#out = out;
    this.#path = job.path.map(nameOf);
    this.#carried = job.carried.map(({ field }) => nameOf(field));
    this.#names = job.carried.map(({ column }) => Buffer.from(`${JSON.stringify(column)}:`));
    this.#positions = job.indexes.map((name) => Buffer.from(`${JSON.stringify(name)}:`));
    this.#reserved = [...job.carried.map(({ column }) => column), ...job.indexes].map(nameOf);
    this.#from = new Int32Array(job.carried.length);
    this.#to = new Int32Array(job.carried.length);
    this.#at = new Int32Array(job.path.length);
  }

  /** Elements of the record at `[from, to)`, in their order. False: it is no object, and nothing was written. */
  split(bytes: Uint8Array, from: number, to: number): boolean {
    this.#to.fill(0);
    const found = this.#scan(bytes, from, to);
    if (found === BROKEN) return false;
    this.#record = bytes;
    this.#given = this.#membersOf(() => true, this.#givenPiece);
    if (found > 0) this.#level(bytes, found, to, 0);
    return true;
  }

  /** Carried members of the record that was split last, without braces. */
  get given(): Uint8Array {
    return this.#given;
  }

  /** Whether that record has all that tells it apart. */
  get told(): boolean {
    const { carried, group } = this.#job;
    return carried.every(({ column }, i) => this.#to[i]! > 0 || !group.includes(column));
  }

  /** What of it does so. */
  get key(): Uint8Array {
    const { carried, group } = this.#job;
    return this.#membersOf((i) => group.includes(carried[i]!.column), this.#keyPiece);
  }

  #membersOf(wanted: (carried: number) => boolean, piece: Piece): Uint8Array {
    piece.clear();
    for (let i = 0; i < this.#names.length; i++) {
      if (this.#to[i] === 0 || !wanted(i)) continue;
      const name = this.#names[i]!;
      if (piece.length > 0) piece.add(COMMA_BYTE, 0, 1);
      piece.add(name, 0, name.length);
      piece.add(this.#record, this.#from[i]!, this.#to[i]!);
    }
    return piece.bytes;
  }

  /** Notes carried fields. Where the first member of the path has its value; 0: nowhere. */
  #scan(bytes: Uint8Array, from: number, to: number): number {
    let found = 0;
    const [first] = this.#path;
    const end = this.#members(bytes, { from, to }, (name, at, behind) => {
      if (isName(bytes, name, first!)) found = at;
      for (const [i, carried] of this.#carried.entries())
        if (isName(bytes, name, carried)) this.#note(bytes, i, at, behind);
      if (this.#job.flatten > 0 && bytes[at] === OPEN_OBJECT)
        this.#within(bytes, { from: at, to: behind }, { prefix: `${textOf(bytes, name)}_`, depth: 1 });
    });
    return end === BROKEN ? BROKEN : found;
  }

  /** Carried fields that are called by the objects that they lie in. */
  #within(bytes: Uint8Array, range: Range, { prefix, depth }: { prefix: string; depth: number }): void {
    if (!this.#carried.some(({ text }) => text.startsWith(prefix))) return;
    this.#members(bytes, range, (name, at, behind) => {
      const text = prefix + textOf(bytes, name);
      const i = this.#carried.findIndex((each) => each.text === text);
      const open = bytes[at] === OPEN_OBJECT && depth < this.#job.flatten;
      if (i >= 0) this.#note(bytes, i, at, behind);
      if (open) this.#within(bytes, { from: at, to: behind }, { prefix: `${text}_`, depth: depth + 1 });
    });
  }

  #note(bytes: Uint8Array, field: number, from: number, to: number): void {
    this.#from[field] = from;
    this.#to[field] = bytes[from] === LETTER_N ? 0 : to;
  }

  /** The value at `at`, for which the path has led to this level. */
  #level(bytes: Uint8Array, at: number, to: number, level: number): void {
    const first = bytes[at]!;
    if (first === LETTER_N) return;
    this.#at[level] = 0;
    if (first !== OPEN_ARRAY) return this.#element(bytes, { from: at, to: skip(bytes, at, to) }, level);
    let p = blank(bytes, at + 1, to);
    while (p < to && bytes[p] !== CLOSE_ARRAY) {
      const end = skip(bytes, p, to);
      // It goes to quarantine with all that is behind it.
      if (end === BROKEN) return this.#write(bytes, { from: p, to });
      this.#element(bytes, { from: p, to: end }, level);
      this.#at[level]++;
      p = blank(bytes, end, to);
      if (bytes[p] === COMMA) p = blank(bytes, p + 1, to);
    }
  }

  #element(bytes: Uint8Array, range: Range, level: number): void {
    if (level === this.#path.length - 1) return this.#write(bytes, range);
    if (bytes[range.from] !== OPEN_OBJECT) return;
    const next = this.#path[level + 1]!;
    let found = 0;
    const end = this.#members(bytes, range, (name, at) => {
      if (isName(bytes, name, next)) found = at;
    });
    // It shows as a bad record where the path ends.
    if (end === BROKEN) this.#write(bytes, range);
    else if (found > 0) this.#level(bytes, found, range.to, level + 1);
  }

  #write(bytes: Uint8Array, { from, to }: Range): void {
    const { element, ended } = this.#out;
    element(OPEN_BRACE, 0, 1);
    element(this.#given, 0, this.#given.length);
    for (const [level, name] of this.#positions.entries()) {
      if (level > 0 || this.#given.length > 0) element(COMMA_BYTE, 0, 1);
      element(name, 0, name.length);
      const digits = digitsOf(this.#at[level]!);
      element(digits, 0, digits.length);
    }
    const first = bytes[from]!;
    if (first === OPEN_OBJECT) this.#writeMembers(bytes, { from, to });
    else if (first !== LETTER_N) {
      element(VALUE_MEMBER, 0, VALUE_MEMBER.length);
      element(bytes, from, to);
      element(CLOSE_BRACE, 0, 1);
    } else element(CLOSE_BRACE, 0, 1);
    element(LINE_END, 0, 1);
    ended();
  }

  /** What it has itself under a name that is ours gets another one. */
  #writeMembers(bytes: Uint8Array, { from, to }: Range): void {
    const { element } = this.#out;
    let begin = blank(bytes, from + 1, to);
    if (bytes[begin] !== CLOSE_OBJECT) element(COMMA_BYTE, 0, 1);
    this.#members(bytes, { from, to }, (name, at) => {
      if (!this.#isReserved(bytes, name, at)) return;
      element(bytes, begin, name.from);
      const own = Buffer.from(
        JSON.stringify(`${this.#job.path.at(-1)!}_${textOf(bytes, name)}`).slice(1, -1),
      );
      element(own, 0, own.length);
      begin = name.to;
    });
    element(bytes, begin, to);
  }

  #isReserved(bytes: Uint8Array, name: Range, at: number): boolean {
    for (const each of this.#reserved) if (isName(bytes, name, each)) return true;
    if (this.#job.flatten === 0 || bytes[at] !== OPEN_OBJECT) return false;
    const outer = `${textOf(bytes, name)}_`;
    return this.#reserved.some(({ text }) => text.startsWith(outer));
  }

  /** Behind the object that is at `from`. `visit` gets where the name of a member is, where its value begins and what is behind. */
  #members(
    bytes: Uint8Array,
    { from, to }: Range,
    visit: (name: Range, at: number, behind: number) => void,
  ): number {
    let p = blank(bytes, from, to);
    if (bytes[p] !== OPEN_OBJECT) return BROKEN;
    p = blank(bytes, p + 1, to);
    if (p < to && bytes[p] === CLOSE_OBJECT) return p + 1;
    const name = { from: 0, to: 0 };
    while (p < to && bytes[p] === QUOTE) {
      const behind = closing(bytes, p + 1, to);
      if (behind === BROKEN) return BROKEN;
      name.from = p + 1;
      name.to = behind - 1;
      p = blank(bytes, behind, to);
      if (bytes[p] !== COLON) return BROKEN;
      const at = blank(bytes, p + 1, to);
      const end = skip(bytes, at, to);
      if (end === BROKEN) return BROKEN;
      visit(name, at, end);
      p = blank(bytes, end, to);
      if (p < to && bytes[p] === CLOSE_OBJECT) return p + 1;
      if (p >= to || bytes[p] !== COMMA) return BROKEN;
      p = blank(bytes, p + 1, to);
    }
    return BROKEN;
  }
}

/** Bytes that are put together, in the same memory each time. */
class Piece {
  #all: Buffer = Buffer.allocUnsafeSlow(1024);
  length = 0;

  /** Until something else is put together. */
  get bytes(): Uint8Array {
    return this.#all.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    const needed = this.length + to - from;
    if (needed > this.#all.length) {
      const larger = Buffer.allocUnsafeSlow(2 * needed);
      this.#all.copy(larger, 0, 0, this.length);
      this.#all = larger;
    }
    for (let p = from; p < to; p++) this.#all[this.length++] = bytes[p]!;
  }
}

interface Range {
  from: number;
  to: number;
}

interface Name {
  text: string;
  bytes: Uint8Array;
}

const EMPTY: Uint8Array = new Uint8Array();
const COMMA_BYTE: Uint8Array = Uint8Array.of(COMMA);
const OPEN_BRACE: Uint8Array = Uint8Array.of(OPEN_OBJECT);
const CLOSE_BRACE: Uint8Array = Uint8Array.of(CLOSE_OBJECT);
const LINE_END: Uint8Array = Uint8Array.of(LF);
const VALUE_MEMBER: Uint8Array = Buffer.from(`,"${VALUE_COLUMN}":`);

function nameOf(text: string): Name {
  return { text, bytes: Buffer.from(text) };
}

function isName(bytes: Uint8Array, { from, to }: Range, { text, bytes: name }: Name): boolean {
  if (name.length === to - from) {
    let same = 0;
    while (same < name.length && name[same] === bytes[from + same]) same++;
    if (same === name.length && !name.includes(BACKSLASH)) return true;
  }
  for (let p = from; p < to; p++) if (bytes[p] === BACKSLASH) return textOf(bytes, { from, to }) === text;
  return false;
}

const SOME_DIGITS: readonly Uint8Array[] = Array.from({ length: 1000 }, (_, i) => Buffer.from(String(i)));

function digitsOf(number: number): Uint8Array {
  return SOME_DIGITS[number] ?? Buffer.from(String(number));
}

/** The name of a member as it is meant. */
function textOf(bytes: Uint8Array, { from, to }: Range): string {
  const text = Buffer.from(bytes.subarray(from, to)).toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

function blank(bytes: Uint8Array, from: number, to: number): number {
  let p = from;
  while (p < to && bytes[p]! <= 0x20) p++;
  return p;
}

/** Behind the quote that closes a string. */
function closing(bytes: Uint8Array, from: number, to: number): number {
  for (let p = from; p < to; p++) {
    const byte = bytes[p]!;
    if (byte === QUOTE) return p + 1;
    if (byte === BACKSLASH) p++;
  }
  return BROKEN;
}

/** Behind a value. */
function skip(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from]!;
  if (from >= to) return BROKEN;
  if (first === QUOTE) return closing(bytes, from + 1, to);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    let p = from;
    while (p < to && !ENDS.has(bytes[p]!)) p++;
    return p === from ? BROKEN : p;
  }
  let depth = 0;
  for (let p = from; p < to; p++) {
    const byte = bytes[p]!;
    if (byte === QUOTE) {
      p = closing(bytes, p + 1, to) - 1;
      if (p < 0) return BROKEN;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth === 0) return p + 1;
    }
  }
  return BROKEN;
}

const ENDS: ReadonlySet<number> = new Set([COMMA, CLOSE_OBJECT, CLOSE_ARRAY, 0x20, 0x09, 0x0d, LF, COLON]);
