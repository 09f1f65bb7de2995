const PLAIN: Readonly<Record<string, number>> = { b: 8, f: 12, n: 10, r: 13, t: 9 };
const LETTERS = Uint8Array.from({ length: 256 }, (_, byte) => PLAIN[String.fromCharCode(byte)] ?? byte);
const U = 0x75;

/**
 * Copies the inside of a JSON string, in UTF-8, and returns where it ends in `out`; it never gets longer. Half of a surrogate
 * pair, which no text can have, becomes bytes that are no UTF-8.
 */
export function unescapeJson(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  out: Uint8Array,
  from: number,
): number {
  let at = from;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte !== 0x5c) {
      out[at++] = byte;
      continue;
    }
    p++;
    if (bytes[p] !== U) {
      out[at++] = LETTERS[bytes[p]!]!;
      continue;
    }
    let code = hex(bytes, p + 1, end);
    p += 4;
    if (code >= 0xd800 && code < 0xdc00 && bytes[p + 1] === 0x5c && bytes[p + 2] === U) {
      const low = hex(bytes, p + 3, end);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
      }
    }
    at = putUtf8(out, at, code);
  }
  return at;
}

/** Four hexadecimal digits; half of a surrogate pair when they are none, which makes the text a bad one. */
function hex(bytes: Uint8Array, at: number, end: number): number {
  let code = 0;
  for (let p = at; p < at + 4; p++) {
    const digit = p < end ? Number.parseInt(String.fromCharCode(bytes[p]!), 16) : NaN;
    if (Number.isNaN(digit)) return 0xd800;
    code = code * 16 + digit;
  }
  return code;
}

function putUtf8(out: Uint8Array, from: number, code: number): number {
  let at = from;
  if (code < 0x80) out[at++] = code;
  else if (code < 0x800) {
    out[at++] = 0xc0 | (code >> 6);
    out[at++] = 0x80 | (code & 63);
  } else if (code < 0x1_0000) {
    out[at++] = 0xe0 | (code >> 12);
    out[at++] = 0x80 | ((code >> 6) & 63);
    out[at++] = 0x80 | (code & 63);
  } else {
    out[at++] = 0xf0 | (code >> 18);
    out[at++] = 0x80 | ((code >> 12) & 63);
    out[at++] = 0x80 | ((code >> 6) & 63);
    out[at++] = 0x80 | (code & 63);
  }
  return at;
}
