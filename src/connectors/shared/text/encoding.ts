/** Which encoding a text is in, from its first bytes. */
import { isUtf8 } from 'node:buffer';

const LOOKED_AT = 4096;

/** By the mark that it begins with, or by what its bytes look like. */
export function encodingOf(bytes: Uint8Array): string {
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  const start = bytes.subarray(0, LOOKED_AT & ~1);
  const zeros = [0, 0];
  for (let p = 0; p < start.length; p++) if (start[p] === 0) zeros[p & 1]!++;
  // Most characters of records are ASCII ones, of which UTF-16 makes every other byte a zero.
  const half = start.length / 2;
  if (zeros[1]! > half * 0.6 && zeros[0]! < half * 0.1) return 'utf-16le';
  if (zeros[0]! > half * 0.6 && zeros[1]! < half * 0.1) return 'utf-16be';
  return looksLikeUtf8(bytes) ? 'utf-8' : 'windows-1252';
}

/** Fewer bytes than these that are no UTF-8 are mistakes; more without one character that is, another encoding. */
const FOREIGN_BYTES = 10;

/** Whether bytes are of a file in UTF-8, which may have mistakes, rather than of one in the Windows code page for Western Europe. */
function looksLikeUtf8(bytes: Uint8Array): boolean {
  if (isUtf8(bytes)) return true;
  let good = 0;
  let bad = 0;
  for (let p = 0; p < bytes.length; p++) {
    const byte = bytes[p]!;
    if (byte < 128) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (byte >= 0xc2 && p + length <= bytes.length && isUtf8(bytes.subarray(p, p + length))) {
      good++;
      p += length - 1;
    } else bad++;
  }
  return good > 0 || bad < FOREIGN_BYTES;
}
