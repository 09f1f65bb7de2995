/** What stands for what in a text whose characters are escaped: data of a format, so that reading it is one loop. */

/** The byte that makes the escape is none, and both are meant. */
const BOTH = 256;
/** One to three octal digits are a byte. */
const OCTAL = 257;
/** One or two hexadecimal digits behind it are a byte. */
const HEX_DIGITS = 258;

export interface Escapes {
  /** 1 for bytes that begin an escape. */
  readonly first: Uint8Array;
  /** By the byte behind it: the byte that is meant, or one of the above. */
  readonly meaning: Uint16Array;
}

function escapes(first: string, meaning: Readonly<Record<string, number>> = {}): Escapes {
  const found = { first: new Uint8Array(256), meaning: Uint16Array.from({ length: 256 }, (_, byte) => byte) };
  for (const character of first) found.first[character.charCodeAt(0)] = 1;
  for (const [character, byte] of Object.entries(meaning)) found.meaning[character.charCodeAt(0)] = byte;
  return found;
}

/** One character takes what is behind it as it is; undefined: there is none. */
export function escapedBy(character: string | undefined): Escapes {
  return escapes(character ?? '');
}

const C = { b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
const OCTALS = Object.fromEntries(Array.from({ length: 8 }, (_, digit) => [String(digit), OCTAL]));

/** The text format of COPY: https://www.postgresql.org/docs/current/sql-copy.html */
export const COPY_ESCAPES: Escapes = escapes('\\', { ...C, ...OCTALS, x: HEX_DIGITS });
/** `E'…'` of PostgreSQL: as in COPY, without `\v`. */
export const POSTGRES_ESCAPES: Escapes = escapes("\\'", { ...C, v: 0x76, ...OCTALS, x: HEX_DIGITS });
/** https://dev.mysql.com/doc/refman/8.4/en/string-literals.html */
export const MYSQL_ESCAPES: Escapes = escapes("\\'", {
  0: 0,
  b: 8,
  n: 10,
  r: 13,
  t: 9,
  Z: 26,
  '%': BOTH,
  _: BOTH,
});
/** Standard SQL: two quotes are one. */
export const QUOTE_ESCAPES: Escapes = escapes("'");

/** Writes what `bytes[start, end)` means to `out` from `at` on, where it needs no more room; returns where it ends. */
export function unescape(
  { first, meaning }: Escapes,
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  { out, at }: { out: Uint8Array; at: number },
): number {
  let to = at;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (first[byte] === 0 || p + 1 >= end) {
      out[to++] = byte;
      continue;
    }
    const meant = meaning[bytes[++p]!]!;
    if (meant < 256) out[to++] = meant;
    else if (meant === BOTH) {
      out[to++] = byte;
      out[to++] = bytes[p]!;
    } else {
      const octal = meant === OCTAL;
      const from = octal ? p : p + 1;
      const digits = digitsAt(bytes, { from, end: Math.min(end, from + (octal ? 3 : 2)) }, octal ? 8 : 16);
      out[to++] = digits.count === 0 ? bytes[p]! : digits.value & 255;
      p = from + digits.count - 1;
    }
  }
  return to;
}

function digitsAt(
  bytes: Uint8Array,
  { from, end }: { from: number; end: number },
  base: number,
): { value: number; count: number } {
  let value = 0;
  let p = from;
  for (; p < end; p++) {
    const digit = hexDigit(bytes[p]!);
    if (digit < 0 || digit >= base) break;
    value = value * base + digit;
  }
  return { value, count: p - from };
}

/** Negative when it is none. */
export function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
