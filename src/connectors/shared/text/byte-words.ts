/**
 * Bytes of text, four at a time as one number, in which the high bit of each byte says something of that byte (H. S. Warren, Hacker's
 * Delight, 6-1: Find First 0-Byte). A borrow or carry may mark bytes that follow a marked one, never one before: the first is right.
 */
import { isDate } from './value-kind.ts';

const ONES = 0x01010101;
const HIGH_BITS = 0x80808080;
const ZEROS = 0x30303030;
/** Makes the high bit of what is more than nine. */
const ABOVE_NINE = 0x76767676;
/** Of the first byte that is no control, blank, exclamation mark or quotation mark. */
const USUAL = 0x23232323;

/** What may be read behind the end of a text, which ends with a byte that is no part of any value. */
export const SPARE_BYTES = 32;

/** A byte four times, for {@link usualEnd}. */
export function fourTimes(byte: number): number {
  return Math.imul(byte, ONES);
}

/** Where the first byte lies from `at` on that is no digit; there has to be one. */
export function digitsEnd(text: DataView, at: number): number {
  for (let p = at; ; p += 4) {
    const word = text.getInt32(p, true) ^ ZEROS;
    const others = aboveNine(word);
    if (others !== 0) return p + first(others);
  }
}

/** Where the first byte lies from `at` on that is less than `#`, or the one of `delimiters`; there has to be one. */
export function usualEnd(text: DataView, at: number, delimiters: number): number {
  for (let p = at; ; p += 4) {
    const word = text.getInt32(p, true);
    const other = word ^ delimiters;
    const found = (((word - USUAL) & ~word) | ((other - ONES) & ~other)) & HIGH_BITS;
    if (found !== 0) return p + first(found);
  }
}

const [TRUE, TITLE_TRUE, LARGE_TRUE] = ['true', 'True', 'TRUE'].map(wordOf);
const [FALSE, TITLE_FALSE, LARGE_FALSE] = ['fals', 'Fals', 'FALS'].map(wordOf);
const SMALL_E = 0x65;
const LARGE_E = 0x45;

/** Where a truth value ends that begins at `at`; negative when there is none. */
export function boolEnd(text: DataView, at: number): number {
  const word = text.getInt32(at, true);
  if (word === FALSE || word === TITLE_FALSE) return text.getUint8(at + 4) === SMALL_E ? at + 5 : -1;
  if (word === LARGE_FALSE) return text.getUint8(at + 4) === LARGE_E ? at + 5 : -1;
  return word === TRUE || word === TITLE_TRUE || word === LARGE_TRUE ? at + 4 : -1;
}

/** `0000`, `-00-`, `0-00`: the words of a day that begin at its bytes 0, 4 and 6. */
const [YEAR, MONTH, DAY] = ['0000', '-00-', '0-00'].map(wordOf) as [number, number, number];
/** `00:0`, `:00:`, `0:00`: those of a clock that begin at its bytes 0, 2 and 4. */
const [HOUR, MINUTE, SECOND] = ['00:0', ':00:', '0:00'].map(wordOf) as [number, number, number];
/** Bytes of the second word that are no digits. */
const ENDS = 0xff0000ff | 0;
/** Tens and ones. */
const FIRST_TENS = 0;
const SECOND_TENS = 8;
const LAST_TENS = 16;
const T = 0x54;
const BLANK = 0x20;
const POINT = 0x2e;

/** Where a date ends that begins at `at`; negative when there is none. */
export function dateEnd(text: DataView, at: number): number {
  const year = text.getInt32(at, true) ^ YEAR;
  const month = text.getInt32(at + 4, true) ^ MONTH;
  const day = text.getInt32(at + 6, true) ^ DAY;
  if ((aboveNine(year) | aboveNine(month) | aboveNine(day) | (month & ENDS)) !== 0) return -1;
  const years = two(year, FIRST_TENS) * 100 + two(year, LAST_TENS);
  return isDate(years, two(month, SECOND_TENS), two(day, LAST_TENS)) ? at + 10 : -1;
}

/** The same for a moment in its usual form, as of value-kind.ts. */
export function momentEnd(text: DataView, at: number): number {
  if (dateEnd(text, at) < 0) return -1;
  const separator = text.getUint8(at + 10);
  if (separator !== T && separator !== BLANK) return -1;
  const hour = text.getInt32(at + 11, true) ^ HOUR;
  const minute = text.getInt32(at + 13, true) ^ MINUTE;
  const second = text.getInt32(at + 15, true) ^ SECOND;
  if ((aboveNine(hour) | aboveNine(minute) | aboveNine(second) | (minute & ENDS)) !== 0) return -1;
  if (two(hour, FIRST_TENS) >= 24 || two(minute, SECOND_TENS) >= 60 || two(second, LAST_TENS) >= 60)
    return -1;
  const end = at + 19;
  if (text.getUint8(end) !== POINT) return end;
  const p = digitsEnd(text, end + 1);
  return p > end + 1 && p < end + 8 ? p : -1;
}

/** Not 0 when a byte is more than nine. */
function aboveNine(word: number): number {
  return ((word + ABOVE_NINE) | word) & HIGH_BITS;
}

function two(word: number, shift: number): number {
  return ((word >> shift) & 15) * 10 + ((word >> (shift + 8)) & 15);
}

function wordOf(text: string): number {
  return Buffer.from(text).readInt32LE();
}

/** The byte that is marked first. */
function first(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3;
}
