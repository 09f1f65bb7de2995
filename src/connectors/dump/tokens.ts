/** One statement of SQL as words, names, texts and signs. */
import { unescape } from '../shared/text/escapes.ts';
import type { SqlSyntax } from '../shared/text/sql-syntax.ts';

export interface Token {
  /** Words are in capital letters; names, as they are written, and texts are without their quotes. */
  kind: 'word' | 'name' | 'text' | 'number' | 'sign';
  text: string;
  /** As a name: words keep their letters. */
  written: string;
  from: number;
  to: number;
}

const TOKEN =
  /\s+|--[^\n]*|\/\*M?!\d*|\*\/|\/\*[\s\S]*?\*\/|(?<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`)|(?<text>[eE]?'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*')|(?<number>\d+(?:\.\d+)?)|(?<word>[\p{L}_@][\p{L}\p{N}_$@]*)|(?<dollar>\$(?<tag>\w*)\$[\s\S]*?\$\k<tag>\$)|(?<sign>::|[\s\S])/uy;

export function tokensOf(sql: string, syntax: SqlSyntax): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(sql); match; match = TOKEN.exec(sql)) {
    const { name, text, number, word, sign, dollar } = match.groups!;
    const from = match.index;
    const to = from + match[0].length;
    const add = (kind: Token['kind'], value: string, written = value): void => {
      tokens.push({ kind, text: value, written, from, to });
    };
    if (name !== undefined) {
      const quote = name[0]!;
      const plain = name.slice(1, -1).replaceAll(quote + quote, quote);
      // Double quotes are those of texts where names have others.
      add(quote === syntax.nameQuote || quote === '`' ? 'name' : 'text', plain);
    } else if (text !== undefined) {
      const standard = !syntax.backslash && text[0] === "'";
      // A backslash at the end of a text hides its quote only where backslashes mean something.
      const whole = standard ? /^'(?:[^']|'')*'/.exec(sql.slice(from))![0] : text;
      TOKEN.lastIndex = from + whole.length;
      tokens.push({
        kind: 'text',
        text: textOf(whole, syntax),
        written: whole,
        from,
        to: from + whole.length,
      });
    } else if (word !== undefined) {
      const folded = syntax.nameQuote === '"' ? word.toLowerCase() : word;
      add('word', word.toUpperCase(), folded);
    } else if (number !== undefined) add('number', number);
    else if (sign !== undefined) add('sign', sign);
    else if (dollar !== undefined) add('text', dollar);
  }
  return tokens;
}

function textOf(quoted: string, syntax: SqlSyntax): string {
  const start = quoted.indexOf("'") + 1;
  const bytes = Buffer.from(quoted.slice(start, -1));
  const out = Buffer.alloc(bytes.length);
  const end = unescape(syntax.escapes, bytes, { start: 0, end: bytes.length }, { out, at: 0 });
  return out.toString('utf8', 0, end);
}

/** Reads tokens from left to right. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.at >= this.#tokens.length;
  }

  peek(ahead: number = 0): Token | undefined {
    return this.#tokens[this.at + ahead];
  }

  next(): Token | undefined {
    return this.#tokens[this.at++];
  }

  /** Takes these words when they come next. */
  take(...words: string[]): boolean {
    const found = words.every((word, i) => {
      const token = this.peek(i);
      return token !== undefined && (token.kind === 'word' || token.kind === 'sign') && token.text === word;
    });
    if (found) this.at += words.length;
    return found;
  }

  /** A name, or `undefined`; unquoted ones are folded as the system does. */
  name(): string | undefined {
    const token = this.peek();
    if (token?.kind !== 'name' && token?.kind !== 'word') return undefined;
    this.at++;
    return token.written;
  }

  /** `schema.table`: the last two parts. */
  qualified(): string[] | undefined {
    const parts: string[] = [];
    do {
      const part = this.name();
      if (part === undefined) return undefined;
      parts.push(part);
    } while (this.take('.'));
    return parts;
  }

  /** The tokens between brackets, which come next; undefined when they do not. */
  group(): Token[] | undefined {
    if (this.peek()?.text !== '(' || this.peek()?.kind !== 'sign') return undefined;
    const from = this.at + 1;
    let depth = 0;
    while (!this.done) {
      const token = this.next()!;
      if (token.kind !== 'sign') continue;
      if (token.text === '(') depth++;
      if (token.text === ')' && --depth === 0) return this.#tokens.slice(from, this.at - 1);
    }
    return undefined;
  }

  /** Names between brackets; undefined when they are not only names, with their order or length. */
  names(): string[] | undefined {
    const inner = this.group();
    if (!inner) return undefined;
    const names: string[] = [];
    for (const part of atCommas(inner)) {
      const [first, ...rest] = part;
      if (!first || (first.kind !== 'name' && first.kind !== 'word')) return undefined;
      if (rest.some(({ text }) => text !== 'ASC')) return undefined;
      names.push(first.written);
    }
    return names;
  }
}

/** Splits at commas that stand in no brackets. */
export function atCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'sign' && token.text === '(') depth++;
    if (token.kind === 'sign' && token.text === ')') depth--;
    if (depth === 0 && token.kind === 'sign' && token.text === ',') parts.push([]);
    else parts.at(-1)!.push(token);
  }
  return parts;
}
