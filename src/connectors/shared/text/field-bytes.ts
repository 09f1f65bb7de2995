import { COMPUTED, TYPE } from './faults.ts';
import { hexDigit, POSTGRES_ESCAPES, unescape } from './escapes.ts';
import { BITS, E_STRING, ESCAPED_JSON, EXPRESSION, HEX, type TextRun } from './records.ts';
import { unescapeJson } from './unescape-json.ts';

interface Span {
  start: number;
  end: number;
}

/** Where bytes are written: from `at` on, where there is room for as many as the field has. */
interface Target {
  out: Uint8Array;
  at: number;
}

/** Writes the bytes that a field stands for; returns where they end, or a fault below 0. */
export function fieldBytes(run: TextRun, field: number, target: Target): number {
  const { bytes, escapes, flags } = run;
  const span = { start: run.starts[field]!, end: run.ends[field]! };
  switch (flags[field]) {
    case EXPRESSION:
      return -COMPUTED;
    case HEX:
      return fromHex(bytes, span, target);
    case BITS:
      return fromBits(bytes, span, target);
    case ESCAPED_JSON:
      return unescapeJson(bytes, span, target.out, target.at);
    case E_STRING:
      return unescape(POSTGRES_ESCAPES, bytes, span, target);
    default:
      return unescape(escapes, bytes, span, target);
  }
}

export function fromHex(bytes: Uint8Array, { start, end }: Span, { out, at }: Target): number {
  let to = at;
  // An odd number of digits begins with half a byte.
  let half = (end - start) & 1 ? 0 : -1;
  for (let p = start; p < end; p++) {
    const digit = hexDigit(bytes[p]!);
    if (digit < 0) return -TYPE;
    if (half < 0) half = digit;
    else {
      out[to++] = half * 16 + digit;
      half = -1;
    }
  }
  return to;
}

function fromBits(bytes: Uint8Array, { start, end }: Span, { out, at }: Target): number {
  const size = (end - start + 7) >> 3;
  out.fill(0, at, at + size);
  for (let p = start; p < end; p++) {
    const place = end - 1 - p;
    if (bytes[p] === 49) out[at + size - 1 - (place >> 3)]! |= 1 << (place & 7);
    else if (bytes[p] !== 48) return -TYPE;
  }
  return at + size;
}
