/**
 * Takes the tuples of INSERT … VALUES statements apart, of one or of many statements with the same beginning. A tuple that
 * cannot be taken apart is given up together with what follows of its statement, because nobody knows which of
 * its quotes are meant; a tuple with a field too many is given up alone.
 */
import {
  type BrokenRecord,
  E_STRING,
  ESCAPED,
  EXPRESSION,
  HEX,
  NULL,
  PLAIN,
  QUOTED,
  type Records,
  type RecordScanner,
  type ScanLimits,
  type ScanRange,
} from './records.ts';
import { countLines, INCOMPLETE, SqlLexer } from './sql-lexer.ts';
import { SQL_SYNTAX, type SqlSyntax, type SyntaxName } from './sql-syntax.ts';

export interface InsertForm {
  syntax: SyntaxName;
  /** The beginning of the statements up to VALUES; others are passed over. */
  head: string;
  /** The text begins between two tuples. */
  inside: boolean;
}

const LF = 10;
const QUOTE = 39;
const OPEN = 40;
const CLOSE = 41;
const COMMA = 44;
const SEMICOLON = 59;
const BACKSLASH = 92;
const BROKEN = -2;

/** What ends a run of ordinary bytes: within quotes, and of a value without. */
const BARE_END = new Uint8Array(256);
for (const byte of [9, LF, 13, 32, QUOTE, 34, OPEN, CLOSE, COMMA, SEMICOLON, 0x2f, 0x3a, 0x60])
  BARE_END[byte] = 1;

/** Statements begin with one of these, at the beginning of a line. */
const STATEMENT =
  /^(?:\s*$|--|\/\*|\\|(?:ALTER|ANALYZE|BEGIN|COMMENT|COMMIT|COPY|CREATE|DELETE|DELIMITER|DROP|GRANT|INSERT|LOCK|REPLACE|REVOKE|SELECT|SET|START|TRUNCATE|UNLOCK|UPDATE|USE)\b)/i;
const STATEMENT_BYTES = 12;

export class InsertScanner implements RecordScanner {
  readonly records: Records;
  line = 1;
  tooLong = false;
  inside: boolean;
  readonly #syntax: SqlSyntax;
  readonly #lexer: SqlLexer;
  readonly #limits: ScanLimits;
  readonly #head: Buffer;
  readonly #inQuotes = new Uint8Array(256);

  constructor({ syntax, head, inside }: InsertForm, records: Records, limits: ScanLimits) {
    this.records = records;
    this.inside = inside;
    this.#limits = limits;
    this.#syntax = SQL_SYNTAX[syntax];
    this.#lexer = new SqlLexer(this.#syntax);
    this.#head = Buffer.from(head);
    this.#inQuotes[QUOTE] = this.#inQuotes[LF] = 1;
    if (this.#syntax.backslash) this.#inQuotes[BACKSLASH] = 1;
  }

  scan(bytes: Uint8Array, range: ScanRange): { at: number; row: number } {
    const { end, final } = range;
    let { at, row } = range;
    while (row < this.records.capacity && at < end) {
      if (this.inside) {
        const found = this.tuples(bytes, { at, end, final, row });
        const stuck = found.at === at && found.row === row && this.inside;
        ({ at, row } = found);
        if (stuck) break;
      } else {
        const next = this.#outside(bytes, at, { end, final });
        if (next < 0) break;
        this.line += countLines(bytes, at, next);
        at = next;
      }
    }
    this.tooLong = at === range.at && end - at >= this.#limits.maxBytes;
    return { at, row };
  }

  /** Behind one statement, or the beginning of one of ours. */
  #outside(bytes: Uint8Array, at: number, { end, final }: Pick<ScanRange, 'end' | 'final'>): number {
    const start = this.#lexer.skipBlank(bytes, { at, end, final });
    if (start !== at) return start;
    const stop = at + this.#head.length;
    if (stop > end && !final) return INCOMPLETE;
    if (this.#head.equals(bytes.subarray(at, stop))) {
      this.inside = true;
      return stop;
    }
    return this.#lexer.statementEnd(bytes, { at, end, final });
  }

  /** Whole tuples of one statement; `inside` tells whether it goes on. */
  tuples(bytes: Uint8Array, range: ScanRange): { at: number; row: number } {
    const { records } = this;
    const { end, final } = range;
    let { at, row } = range;
    bytes[end] = LF;
    while (row < records.capacity && at < end) {
      const byte = bytes[at]!;
      if (byte === LF) this.line++;
      if (byte === COMMA || byte <= 32) {
        at++;
        continue;
      }
      if (byte === SEMICOLON) {
        this.inside = false;
        return { at: at + 1, row };
      }
      const line = this.line;
      const next =
        byte === OPEN ? this.#tuple(bytes, { at, end, final, row }) : this.#clause(bytes, at, range);
      if (next === INCOMPLETE && !final) {
        this.line = line;
        break;
      }
      if (next < 0) {
        this.line = line;
        const to = this.#lost(bytes, { at, end, final });
        if (to === INCOMPLETE) break;
        at = to;
        return { at, row };
      }
      if (byte === OPEN && this.#count === records.stride) {
        records.from[row] = at;
        records.to[row] = next;
        records.lines[row] = line;
        row++;
      } else if (byte === OPEN) {
        const found = `has ${this.#count} ${this.#count === 1 ? 'field' : 'fields'} in place of ${records.stride}`;
        this.#limits.onBroken({ code: 'row.fields', found, line, from: at, to: next });
      }
      at = next;
    }
    return { at, row };
  }

  /** What follows the tuples, such as ON CONFLICT DO NOTHING; the statement is at its end then. */
  #clause(bytes: Uint8Array, at: number, { end, final }: ScanRange): number {
    const comment = this.#lexer.skipBlank(bytes, { at, end, final });
    if (comment !== at) {
      if (comment > 0) this.line += countLines(bytes, at, comment);
      return comment;
    }
    const word = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(10, end - at)).toString('latin1');
    if (end - at < 10 && !final) return INCOMPLETE;
    if (!/^(?:ON|RETURNING|AS)\s/i.test(word)) return BROKEN;
    const stop = this.#lexer.statementEnd(bytes, { at, end, final });
    if (stop === INCOMPLETE) return INCOMPLETE;
    this.line += countLines(bytes, at, stop);
    this.inside = false;
    return stop;
  }

  // Of the tuple and the value that were read last; more results than one would be an object for each.
  #count = 0;
  #from = 0;
  #to = 0;
  #flag = PLAIN;

  /** Reads one tuple; returns where it ends, or INCOMPLETE or BROKEN. */
  #tuple(bytes: Uint8Array, { at, end, row }: ScanRange): number {
    const { starts, ends, flags, stride } = this.records;
    const base = row * stride;
    const { line } = this;
    let computed = false;
    let count = 0;
    let p = at + 1;
    for (;;) {
      p = this.#blank(bytes, p, end);
      if (p < 0) return INCOMPLETE;
      if (bytes[p] === CLOSE && count === 0) break;
      let next = bytes[p] === QUOTE ? this.#quoted(bytes, p, end) : this.#bare(bytes, p, end);
      if (next >= 0) next = this.#blank(bytes, next, end);
      if (next < 0) return next;
      if (bytes[next] !== COMMA && bytes[next] !== CLOSE) next = this.#expression(bytes, p, end);
      if (next < 0) return next;
      if (count < stride) {
        const f = base + count;
        starts[f] = this.#from;
        ends[f] = this.#to;
        flags[f] = this.#flag;
      }
      computed ||= this.#flag === EXPRESSION;
      count++;
      p = next;
      if (bytes[next] === CLOSE) break;
      p++;
    }
    this.#count = count;
    // What is passed over is not looked at for line breaks.
    if (computed) this.line = line + countLines(bytes, at, p);
    return p + 1;
  }

  #blank(bytes: Uint8Array, at: number, end: number): number {
    let p = at;
    while (bytes[p]! <= 32) {
      if (p >= end) return INCOMPLETE;
      if (bytes[p] === LF) this.line++;
      p++;
    }
    return p >= end ? INCOMPLETE : p;
  }

  /** A text between quotes; returns what follows it. */
  #quoted(bytes: Uint8Array, at: number, end: number): number {
    const kinds = this.#inQuotes;
    this.#flag = QUOTED;
    this.#from = at + 1;
    for (let p = at + 1; ;) {
      while (kinds[bytes[p]!] === 0) p++;
      if (p >= end) return INCOMPLETE;
      const byte = bytes[p]!;
      if (byte === LF) {
        this.line++;
        p++;
      } else if (byte === BACKSLASH) {
        this.#flag = ESCAPED;
        if (p + 1 >= end) return INCOMPLETE;
        if (bytes[p + 1] === LF) this.line++;
        p += 2;
      } else if (p + 1 >= end) return INCOMPLETE;
      else if (bytes[p + 1] === QUOTE) {
        this.#flag = ESCAPED;
        p += 2;
      } else {
        this.#to = p;
        return p + 1;
      }
    }
  }

  /** A number, a word, or a text with something before it; returns what follows it. */
  #bare(bytes: Uint8Array, at: number, end: number): number {
    let p = at;
    while (BARE_END[bytes[p]!] === 0) p++;
    if (p >= end) return INCOMPLETE;
    this.#from = at;
    this.#to = p;
    const first = bytes[at]!;
    const length = p - at;
    if (length === 0) return this.#expression(bytes, at, end);
    if ((first >= 48 && first <= 57) || first === 0x2d || first === 0x2b || first === 0x2e) {
      this.#flag = PLAIN;
      if (first === 48 && (bytes[at + 1] === 0x78 || bytes[at + 1] === 0x58)) {
        this.#flag = HEX;
        this.#from = at + 2;
      } else if (!isNumber(bytes, at, p)) this.#flag = EXPRESSION;
      return p;
    }
    const word = Buffer.from(bytes.buffer, bytes.byteOffset + at, length)
      .toString('latin1')
      .toLowerCase();
    if (word === 'null') this.#flag = NULL;
    else if (word === 'true' || word === 'false') this.#flag = PLAIN;
    else return this.#worded(bytes, { at, p, end, word });
    return p;
  }

  /** `_binary '…'`, `N'…'`, `x'…'`, `_utf8mb4 0x…`; anything else is an expression. */
  #worded(
    bytes: Uint8Array,
    { at, p, end, word }: { at: number; p: number; end: number; word: string },
  ): number {
    const charset = this.#syntax.charsets && word.startsWith('_');
    const value = charset ? this.#blank(bytes, p, end) : p;
    if (value < 0) return value;
    if (charset && bytes[value] === 48) return this.#bare(bytes, value, end);
    const prefixed = Object.hasOwn(this.#syntax.prefixes, word) ? this.#syntax.prefixes[word] : undefined;
    if (charset && prefixed === undefined && (bytes[value]! | 32) === 0x78)
      return this.#bare(bytes, value, end);
    if (bytes[value] !== QUOTE || (!charset && prefixed === undefined))
      return this.#expression(bytes, at, end);
    const next =
      prefixed === E_STRING ? this.#escapedString(bytes, value, end) : this.#quoted(bytes, value, end);
    if (next >= 0 && prefixed !== undefined && prefixed !== ESCAPED && prefixed !== E_STRING)
      this.#flag = prefixed;
    if (this.#syntax.trims.includes(word))
      while (this.#to > this.#from && bytes[this.#to - 1] === 32) this.#to--;
    return next;
  }

  #escapedString(bytes: Uint8Array, at: number, end: number): number {
    const plain = this.#inQuotes[BACKSLASH];
    this.#inQuotes[BACKSLASH] = 1;
    const next = this.#quoted(bytes, at, end);
    this.#inQuotes[BACKSLASH] = plain!;
    if (this.#flag === ESCAPED) this.#flag = E_STRING;
    return next;
  }

  /** Up to the comma or bracket behind something that has to be computed. */
  #expression(bytes: Uint8Array, at: number, end: number): number {
    let depth = 0;
    for (let p = at; p < end;) {
      const byte = bytes[p]!;
      if (byte === SEMICOLON) return BROKEN;
      if (byte === QUOTE || byte === 34 || byte === 96) {
        const next = this.#lexer.quoted(bytes, { at: p, end, final: false });
        if (next < 0) return INCOMPLETE;
        // Two texts in a row are no expression: a quote is missing.
        if (byte === QUOTE && /[\w']/.test(String.fromCharCode(bytes[next]!))) return BROKEN;
        p = next;
        continue;
      }
      if (depth === 0 && (byte === COMMA || byte === CLOSE)) {
        this.#from = at;
        this.#to = p;
        this.#flag = EXPRESSION;
        return p;
      }
      if (byte === OPEN) depth++;
      if (byte === CLOSE) depth--;
      p++;
    }
    return INCOMPLETE;
  }

  /** Gives up the rest of a statement: up to a semicolon at the end of a line behind which a statement begins. */
  #lost(bytes: Uint8Array, { at, end, final }: Omit<ScanRange, 'row'>): number {
    let to = at;
    for (;;) {
      to = bytes.indexOf(SEMICOLON, to) + 1;
      if (to === 0 || to > end) {
        if (!final && end - at < this.#limits.maxBytes) return INCOMPLETE;
        to = end;
        while (bytes[to - 1]! <= 32) to--;
        break;
      }
      if (to + STATEMENT_BYTES > end && !final) return INCOMPLETE;
      const next = Buffer.from(
        bytes.buffer,
        bytes.byteOffset + to,
        Math.min(STATEMENT_BYTES + 2, end - to),
      ).toString('latin1');
      const rest = /^[ \t\r]*(?:\n|$)/.exec(next)?.[0];
      if (rest !== undefined && STATEMENT.test(next.slice(rest.length))) break;
    }
    const broken: BrokenRecord = {
      code: 'row.tuple',
      found: 'cannot be taken apart, nor what follows it in its statement',
      line: this.line,
      from: at,
      to,
    };
    this.#limits.onBroken(broken);
    this.line += countLines(bytes, at, to);
    this.inside = false;
    return to;
  }
}

function isNumber(bytes: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) {
    const byte = bytes[p]!;
    const digit = byte >= 48 && byte <= 57;
    const sign = (byte === 0x2d || byte === 0x2b) && (p === from || (bytes[p - 1]! | 32) === 0x65);
    if (!digit && !sign && byte !== 0x2e && (byte | 32) !== 0x65) return false;
  }
  return true;
}
