/** Numbers and dates as people of some countries write them, brought into the form that they have elsewhere. */
import { NESTED, NULL, PLAIN, type TextRun, type WrittenForm } from './records.ts';

/** Where bytes are put: no more than there were, but for zeros that a date gets. */
interface Target {
  bytes: Uint8Array;
  at: number;
}

/** Writes one value, and says whether it is in the form. */
type Rewrite = (bytes: Uint8Array, start: number, end: number, target: Target) => boolean;

/** A day, a month and an hour of one digit get a zero each. */
const ZEROS = 3;
const ZERO = 0x30;
const POINT = 0x2e;

/** The same fields, written as elsewhere. What is not in the form is of no type, and numbers of JSON are what they are. */
export function rewritten(run: TextRun, form: WrittenForm): TextRun {
  const { bytes, from, to, stride, json } = run;
  const rows = to - from;
  const [starts, ends, flags] = [new Int32Array(rows), new Int32Array(rows), new Uint8Array(rows)];
  let size = 0;
  for (let i = 0, f = run.first; i < rows; i++, f += stride) size += run.ends[f]! - run.starts[f]! + ZEROS;
  const target: Target = { bytes: new Uint8Array(size), at: 0 };
  const rewrite = form.kind === 'number' ? numberOf(form) : dateOf(form);
  for (let i = 0, f = run.first; i < rows; i++, f += stride) {
    const flag = run.flags[f]!;
    flags[i] = flag;
    starts[i] = ends[i] = target.at;
    if (flag === NULL) continue;
    const [start, end] = [run.starts[f]!, run.ends[f]!];
    if (json === true && flag === PLAIN) put(bytes, start, end, target);
    else if (!rewrite(bytes, start, end, target)) flags[i] = NESTED;
    ends[i] = target.at;
  }
  return { ...run, bytes: target.bytes, starts, ends, flags, first: 0, stride: 1 };
}

function put(bytes: Uint8Array, start: number, end: number, target: Target): void {
  target.bytes.set(bytes.subarray(start, end), target.at);
  target.at += end - start;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

/** Behind the first one to three digits each group has three, or there are no groups. */
function numberOf({ decimal, thousands }: Extract<WrittenForm, { kind: 'number' }>): Rewrite {
  const point = decimal.charCodeAt(0);
  const separator = Buffer.from(thousands ?? '');
  return (bytes, start, end, target) => {
    let p = start;
    if (bytes[p] === 0x2d || bytes[p] === 0x2b) target.bytes[target.at++] = bytes[p++]!;
    let groups = 0;
    for (let digits = 0; p < end && bytes[p] !== point;) {
      if (isDigit(bytes[p])) {
        digits++;
        target.bytes[target.at++] = bytes[p++]!;
        // What is behind three digits is another group, or the end.
        if (groups > 0 && digits === 3 && isDigit(bytes[p]) && p < end) return false;
        continue;
      }
      const between = separator.length > 0 && separator.every((byte, i) => bytes[p + i] === byte);
      // An exponent, or a word such as NaN.
      if (!between && bytes[p]! >= 0x41) break;
      if (!between || digits === 0 || digits > 3) return false;
      if (!threeDigits(bytes, p + separator.length, end)) return false;
      p += separator.length;
      groups++;
      digits = 0;
    }
    if (p < end && bytes[p] === point) {
      target.bytes[target.at++] = POINT;
      p++;
    }
    // The rest is read as elsewhere, where there is one point at most.
    if (bytes.subarray(p, end).includes(POINT)) return false;
    put(bytes, p, end, target);
    return true;
  };
}

function threeDigits(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 3 <= end && isDigit(bytes[at]) && isDigit(bytes[at + 1]) && isDigit(bytes[at + 2]);
}

/** What follows the day stays as it is, but for an hour of one digit. */
function dateOf({ order, separator }: Extract<WrittenForm, { kind: 'date' }>): Rewrite {
  const between = separator.charCodeAt(0);
  const places = ['Y', 'M', 'D'].map((part) => order.indexOf(part));
  return (bytes, start, end, target) => {
    const parts: number[] = [];
    let p = start;
    for (let part = 0; part < 3; part++) {
      const from = p;
      while (p < end && isDigit(bytes[p])) p++;
      const digits = p - from;
      if (order[part] === 'Y' ? digits !== 4 : digits < 1 || digits > 2) return false;
      parts.push(from, p);
      if (part < 2 && bytes[p++] !== between) return false;
    }
    for (const [i, place] of places.entries()) {
      const [from, to] = [parts[2 * place]!, parts[2 * place + 1]!];
      if (i > 0) target.bytes[target.at++] = 0x2d;
      if (to - from === 1) target.bytes[target.at++] = ZERO;
      put(bytes, from, to, target);
    }
    if (p < end && isDigit(bytes[p + 1]) && bytes[p + 2] === 0x3a) {
      put(bytes, p, ++p, target);
      target.bytes[target.at++] = ZERO;
    }
    put(bytes, p, end, target);
    return true;
  };
}
