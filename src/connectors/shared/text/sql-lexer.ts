/** Finds where blanks, comments and statements of SQL end, in a buffer that may not hold them whole. */
import type { SqlSyntax } from './sql-syntax.ts';

/** It does not end before the end of the buffer. */
export const INCOMPLETE = -1;

const LF = 10;
const QUOTE = 39;
const DOUBLE = 34;
const BACKTICK = 96;
const BACKSLASH = 92;
const SLASH = 47;
const STAR = 42;
const DASH = 45;
const HASH = 35;
const DOLLAR = 36;

interface Range {
  at: number;
  end: number;
  final: boolean;
}

export class SqlLexer {
  readonly #syntax: SqlSyntax;
  /** What ends a statement. */
  delimiter: Buffer = Buffer.from(';');
  readonly #special = new Uint8Array(256);

  constructor(syntax: SqlSyntax) {
    this.#syntax = syntax;
    for (const byte of [QUOTE, DOUBLE, SLASH, DASH]) this.#special[byte] = 1;
    if (syntax.nameQuote === '`') this.#special[BACKTICK] = 1;
    if (syntax.hashComments) this.#special[HASH] = 1;
    if (syntax.dollarQuotes) this.#special[DOLLAR] = 1;
  }

  /** Behind blanks and comments; comments that MySQL executes are none. INCOMPLETE within one. */
  skipBlank(bytes: Uint8Array, { at, end, final }: Range): number {
    let p = at;
    for (;;) {
      while (p < end && (bytes[p] === 32 || (bytes[p]! >= 9 && bytes[p]! <= 13))) p++;
      if (p >= end) return end;
      const next = this.#comment(bytes, { at: p, end, final });
      if (next === INCOMPLETE) return INCOMPLETE;
      if (next === p) return p;
      p = next;
    }
  }

  /** Behind the delimiter of the statement that begins at `at`; at the end of the document also without one. */
  statementEnd(bytes: Uint8Array, { at, end, final }: Range): number {
    const special = this.#special;
    const first = this.delimiter[0]!;
    for (let p = at; p < end;) {
      const byte = bytes[p]!;
      if (byte === first) {
        const stop = p + this.delimiter.length;
        if (stop > end && !final) return INCOMPLETE;
        if (this.delimiter.equals(bytes.subarray(p, stop))) return stop;
      }
      if (special[byte] === 0) {
        p++;
        continue;
      }
      const next = this.skipSpecial(bytes, { at: p, end, final });
      if (next === INCOMPLETE) return final ? end : INCOMPLETE;
      p = next;
    }
    return final ? end : INCOMPLETE;
  }

  /** Behind the quoted text, the comment or whatever begins with a special byte. */
  skipSpecial(bytes: Uint8Array, range: Range): number {
    const { at, end, final } = range;
    const byte = bytes[at]!;
    if (byte === QUOTE || byte === DOUBLE || byte === BACKTICK) return this.quoted(bytes, range);
    if (byte === DOLLAR) return dollarQuoted(bytes, range);
    if (byte === SLASH && bytes[at + 1] === STAR && at + 1 < end) return commentEnd(bytes, range);
    const next = this.#comment(bytes, range);
    if (next !== at) return next;
    return at + 1 < end || final ? at + 1 : INCOMPLETE;
  }

  /** Behind the closing quote. */
  quoted(bytes: Uint8Array, { at, end, final }: Range): number {
    const quote = bytes[at]!;
    const name = quote === this.#syntax.nameQuote.charCodeAt(0);
    const escaped = quote === QUOTE && !this.#syntax.backslash && isEscapeString(bytes, at);
    const backslash = !name && (this.#syntax.backslash || escaped);
    for (let p = at + 1; p < end; p++) {
      if (backslash && bytes[p] === BACKSLASH) p++;
      else if (bytes[p] === quote) {
        if (p + 1 >= end) return final ? end : INCOMPLETE;
        if (bytes[p + 1] !== quote) return p + 1;
        p++;
      }
    }
    return INCOMPLETE;
  }

  #comment(bytes: Uint8Array, { at, end, final }: Range): number {
    const byte = bytes[at]!;
    const line = (byte === DASH && bytes[at + 1] === DASH) || (byte === HASH && this.#syntax.hashComments);
    if ((byte === DASH || byte === SLASH) && at + 1 >= end) return final ? at : INCOMPLETE;
    if (line) {
      const stop = bytes.indexOf(LF, at);
      return stop < 0 || stop >= end ? (final ? end : INCOMPLETE) : stop + 1;
    }
    if (byte !== SLASH || bytes[at + 1] !== STAR) return at;
    if (at + 10 >= end && !final) return INCOMPLETE;
    return isExecuted(bytes, at) ? at : commentEnd(bytes, { at, end, final });
  }
}

/** Whether a comment is one that MySQL or MariaDB executes: all but `999999`, which no version is. */
function isExecuted(bytes: Uint8Array, at: number): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(10, bytes.length - at)).toString(
    'latin1',
  );
  return /^\/\*M?!(?!999999)/.test(head);
}

function commentEnd(bytes: Uint8Array, { at, end }: Range): number {
  for (let p = bytes.indexOf(STAR, at + 2); p >= 0 && p + 1 < end; p = bytes.indexOf(STAR, p + 1))
    if (bytes[p + 1] === SLASH) return p + 2;
  return INCOMPLETE;
}

function isEscapeString(bytes: Uint8Array, quote: number): boolean {
  const before = bytes[quote - 1];
  const wordBefore = bytes[quote - 2] ?? 32;
  return quote > 0 && (before! | 32) === 0x65 && !isWord(wordBefore);
}

function isWord(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || ((byte | 32) >= 97 && (byte | 32) <= 122) || byte === 95 || byte > 127;
}

/** Behind the closing tag of `$tag$ … $tag$`; behind the dollar where it is no such text. */
function dollarQuoted(bytes: Uint8Array, { at, end, final }: Range): number {
  let p = at + 1;
  while (p < end && isWord(bytes[p]!)) p++;
  if (p >= end) return final ? end : INCOMPLETE;
  if (
    bytes[p] !== DOLLAR ||
    (at > 0 && isWord(bytes[at - 1]!)) ||
    (bytes[at + 1]! >= 48 && bytes[at + 1]! <= 57)
  )
    return at + 1;
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, end);
  const tag = all.subarray(at, p + 1);
  const stop = all.indexOf(tag, p + 1);
  return stop < 0 ? INCOMPLETE : stop + tag.length;
}

export function countLines(bytes: Uint8Array, from: number, to: number): number {
  let lines = 0;
  for (let p = bytes.indexOf(LF, from); p >= 0 && p < to; p = bytes.indexOf(LF, p + 1)) lines++;
  return lines;
}
