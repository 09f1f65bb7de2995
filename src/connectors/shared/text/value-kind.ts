/**
 * What the text of a value looks like. All values of all files are looked at before any is loaded, so the usual forms are
 * told apart in a few steps; for the others those are asked that read them.
 */
import { momentKind } from './parse-moment.ts';

export const TEXT = 0;
export const INTEGER = 1;
export const DECIMAL = 2;
export const FLOAT = 3;
export const BOOL = 4;
export const DATE = 5;
export const MOMENT = 6;
export const INSTANT = 7;
/** Of JSON. */
export const NESTED = 8;
export const KINDS = 9;

const KIND_BITS = 15;
/** Set with a kind: of a form that not everyone reads, or reads as the same. */
export const UNUSUAL = 16;
const WHOLE_SHIFT = 8;
const SCALE_SHIFT = 16;
/** Numbers with as many digits are texts, however many more there are. */
const MOST_DIGITS = 255;

const POINT = 0x2e;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const T = 0x54;
const BLANK = 0x20;
const Z = 0x5a;

export function kindIn(found: number): number {
  return found & KIND_BITS;
}

/** Digits before the point of a number, of those that are found to be one. */
export function wholeIn(found: number): number {
  return (found >> WHOLE_SHIFT) & MOST_DIGITS;
}

export function scaleIn(found: number): number {
  return (found >> SCALE_SHIFT) & MOST_DIGITS;
}

/**
 * A kind, with how many digits a number has, and {@link UNUSUAL}. A number or a moment is one only when this is its canonical
 * text: leading zeros are part of a code, and so is a minus before nothing. `bytes[end]` is no part of the value, and there.
 */
export function kindOf(bytes: Uint8Array, start: number, end: number): number {
  let first = bytes[start]!;
  let p = start;
  if (first === MINUS) first = bytes[++p]!;
  if (p >= end) return TEXT;
  if (first < ZERO || first > NINE) return isBool(bytes, start, end) ? BOOL : TEXT;
  const digits = p;
  while (p < end && bytes[p]! >= ZERO && bytes[p]! <= NINE) p++;
  const whole = p - digits;
  if (p === end) {
    if (first === ZERO && end - start > 1) return TEXT;
    return INTEGER | (most(whole) << WHOLE_SHIFT);
  }
  if (whole === 4 && bytes[p] === MINUS) return momentIn(bytes, start, end);
  if (first === ZERO && whole > 1) return TEXT;
  let scale = 0;
  if (bytes[p] === POINT) {
    const point = p++;
    while (p < end && bytes[p]! >= ZERO && bytes[p]! <= NINE) p++;
    scale = p - point - 1;
    if (scale === 0) return TEXT;
  }
  const size = (most(whole) << WHOLE_SHIFT) | (most(scale) << SCALE_SHIFT);
  if (p < end)
    return isExponent(bytes, p, end) && isDouble(bytes, start, end) ? FLOAT | UNUSUAL | size : TEXT;
  const negativeZero = first === ZERO && digits > start && isZero(bytes, digits, end);
  return DECIMAL | size | (negativeZero ? UNUSUAL : 0);
}

function most(digits: number): number {
  return digits > MOST_DIGITS ? MOST_DIGITS : digits;
}

function isZero(bytes: Uint8Array, from: number, end: number): boolean {
  for (let p = from; p < end; p++) if (bytes[p]! > ZERO) return false;
  return true;
}

function isExponent(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== 0x65 && bytes[at] !== 0x45) return false;
  let p = at + 1;
  if (bytes[p] === 0x2b || bytes[p] === MINUS) p++;
  if (p >= end || end - p > 3) return false;
  for (; p < end; p++) if (bytes[p]! < ZERO || bytes[p]! > NINE) return false;
  return true;
}

/** Whether a double holds it, as good as it holds any number: no infinity, and 0 only for 0. */
function isDouble(bytes: Uint8Array, start: number, end: number): boolean {
  const text = String.fromCharCode(...bytes.subarray(start, end));
  const value = Number(text);
  return Number.isFinite(value) && (value !== 0 || /^-?[0.]*e/i.test(text));
}

const BOOLS: readonly Uint8Array[] = ['true', 'false', 'True', 'False', 'TRUE', 'FALSE'].map((text) =>
  Buffer.from(text),
);

function isBool(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length !== 4 && length !== 5) return false;
  for (const text of BOOLS) {
    if (text.length !== length || text[0] !== bytes[start]) continue;
    let same = 1;
    while (same < length && text[same] === bytes[start + same]) same++;
    if (same === length) return true;
  }
  return false;
}

/** A date, or a moment. */
export function momentIn(bytes: Uint8Array, start: number, end: number): number {
  if (end - start === 10) return dateEnd(bytes, start) === end ? DATE : TEXT;
  const clock = momentEnd(bytes, start);
  if (clock === end) return MOMENT;
  return clock > 0 && zoneEnd(bytes, clock) === end ? INSTANT : unusualMoment(bytes, start, end);
}

/** Where a date ends that begins at `at`, from the year 1 on; negative when there is none. */
function dateEnd(bytes: Uint8Array, at: number): number {
  return isDay(bytes, at) ? at + 10 : -1;
}

/** The same for a moment in its usual form: a date, `T` or a blank, a clock with seconds, and at most six digits after a point. */
function momentEnd(bytes: Uint8Array, at: number): number {
  if (!isDay(bytes, at) || !isClock(bytes, at + 10)) return -1;
  let p = at + 19;
  if (bytes[p] !== POINT) return p;
  const point = p++;
  while (bytes[p]! >= ZERO && bytes[p]! <= NINE) p++;
  return p > point + 1 && p < point + 8 ? p : -1;
}

/** The same for what tells how far from UTC a moment is: `Z`, `+HH` or `+HH:MM`. */
export function zoneEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === Z) return at + 1;
  // Nobody is further away.
  if ((first !== 0x2b && first !== MINUS) || two(bytes, at + 1) > 14) return -1;
  if (bytes[at + 3] !== COLON) return at + 3;
  return two(bytes, at + 4) < 60 ? at + 6 : -1;
}

function unusualMoment(bytes: Uint8Array, start: number, end: number): number {
  switch (momentKind(bytes, start, end)) {
    case 'date':
      return DATE | UNUSUAL;
    case 'moment':
      return MOMENT | UNUSUAL;
    case 'instant':
      return INSTANT | UNUSUAL;
    case undefined:
      return TEXT;
  }
}

/** Two digits; more than 99 when they are none. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 1000;
}

/** YYYY-MM-DD, from the year 1 on. */
function isDay(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 4] !== MINUS || bytes[at + 7] !== MINUS) return false;
  const century = two(bytes, at);
  const years = two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  return century <= 99 && years <= 99 && isDate(century * 100 + years, month, day);
}

/** Whether there is such a day, from the year 1 on. */
export function isDate(year: number, month: number, day: number): boolean {
  if (year === 0 || month < 1 || month > 12 || day < 1) return false;
  if (day <= 28) return true;
  if (month !== 2) return day <= 30 || (day === 31 && month > 7 === (month % 2 === 0));
  return day === 29 && year % (year % 100 === 0 ? 400 : 4) === 0;
}

/** The clock of a moment, with its separator: `THH:MM:SS`, before 24:00. */
function isClock(bytes: Uint8Array, at: number): boolean {
  const separator = bytes[at];
  return (
    (separator === T || separator === BLANK) &&
    bytes[at + 3] === COLON &&
    bytes[at + 6] === COLON &&
    two(bytes, at + 1) < 24 &&
    two(bytes, at + 4) < 60 &&
    two(bytes, at + 7) < 60
  );
}
