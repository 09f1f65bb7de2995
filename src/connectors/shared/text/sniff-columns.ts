/**
 * What type the texts of a column have, from all of them. A type is taken only when each value is its canonical text, so that
 * nothing is lost by it: `066`, `+5`, `1,000` and `12%` stay text, as do integers of more than 19 digits.
 */
import { isUtf8 } from 'node:buffer';
import type { LogicalType } from '../../../core/types.ts';
import { momentKind } from './parse-moment.ts';
import { ESCAPED_JSON, NESTED, NULL, PLAIN, type TextRun } from './records.ts';

/** How many values of a column look like what; plain data, so that counts of several threads can be added. */
export interface ColumnSample {
  nulls: number;
  integers: number;
  decimals: number;
  floats: number;
  bools: number;
  dates: number;
  /** Without and with a zone. */
  moments: number;
  instants: number;
  texts: number;
  /** Objects and arrays of JSON. */
  nested: number;
  /** Most digits before and after the point of integers and decimals, and in all of a number. */
  whole: number;
  scale: number;
  digits: number;
  /** Bytes of the longest value. */
  longest: number;
  /** Where the first text lies that looks like nothing else: document and line. */
  odd: { document: string; line: number } | undefined;
}

export function emptySample(): ColumnSample {
  return {
    nulls: 0,
    integers: 0,
    decimals: 0,
    floats: 0,
    bools: 0,
    dates: 0,
    moments: 0,
    instants: 0,
    texts: 0,
    nested: 0,
    whole: 0,
    scale: 0,
    digits: 0,
    longest: 0,
    odd: undefined,
  };
}

const COUNTS = [
  'nulls',
  'integers',
  'decimals',
  'floats',
  'bools',
  'dates',
  'moments',
  'instants',
  'texts',
  'nested',
] as const;
const SIZES = ['whole', 'scale', 'digits', 'longest'] as const;

export function addSamples(a: ColumnSample, b: ColumnSample): ColumnSample {
  const sum = { ...a, odd: a.odd ?? b.odd };
  for (const name of COUNTS) sum[name] += b[name];
  for (const name of SIZES) sum[name] = Math.max(a[name], b[name]);
  return sum;
}

/** The type that holds all values as they are; text where there is none. */
export function typeOf(sample: ColumnSample): LogicalType {
  const { integers, decimals, floats, bools, dates, moments, instants, texts, nested } = sample;
  // What else there is can be written as JSON, too.
  if (nested > 0) return { kind: 'json' };
  const text: LogicalType = { kind: 'utf8' };
  const numbers = integers + decimals + floats;
  const kinds = [numbers, bools, dates + moments, instants].filter((count) => count > 0);
  if (texts > 0 || kinds.length !== 1) return text;
  if (bools > 0) return { kind: 'bool' };
  if (instants > 0) return { kind: 'timestamp', zone: true };
  if (moments > 0) return { kind: 'timestamp', zone: false };
  if (dates > 0) return { kind: 'date' };
  // A double has 15 digits for sure.
  if (floats > 0) return sample.digits <= 15 ? { kind: 'float64' } : text;
  if (decimals === 0) return sample.whole <= 18 ? { kind: 'int64' } : text;
  const precision = sample.whole + sample.scale;
  return precision <= 38 ? { kind: 'decimal', precision, scale: sample.scale } : text;
}

/** Adds the values of one column of a run. */
export function sniffColumn(
  run: TextRun,
  sample: ColumnSample,
  place: { document: string; lines: Float64Array },
): void {
  const { bytes, starts, ends, flags, stride } = run;
  let f = run.first;
  for (let r = run.from; r < run.to; r++, f += stride) {
    if (flags[f] === NULL) {
      sample.nulls++;
      continue;
    }
    const start = starts[f]!;
    const end = ends[f]!;
    if (end - start > sample.longest) sample.longest = end - start;
    // What has so many texts is one; how many others there are among them does not matter.
    if (sample.texts > SETTLED) {
      sample.texts++;
      continue;
    }
    const kind = run.json === true ? jsonKindOf(run, f, sample) : kindOf(bytes, start, end, sample);
    if (kind === 'texts' && sample.odd === undefined)
      sample.odd = { document: place.document, line: place.lines[r]! };
    sample[kind]++;
  }
}

const SETTLED = 10_000;

type Kind = Exclude<(typeof COUNTS)[number], 'nulls'>;

/** The same for texts that are there already. */
export function sniffTexts(texts: readonly (string | null)[], sample: ColumnSample): void {
  for (const text of texts) {
    const bytes = Buffer.from(text ?? '');
    sample[text === null ? 'nulls' : kindOf(bytes, 0, bytes.length, sample)]++;
  }
}

function kindOf(bytes: Uint8Array, start: number, end: number, sample: ColumnSample): Kind {
  let p = start;
  if (bytes[p] === 0x2d) p++;
  const first = bytes[p]!;
  if (p >= end) return 'texts';
  if (first < 48 || first > 57) return isBool(bytes, start, end) ? 'bools' : 'texts';
  let whole = 0;
  while (p < end && bytes[p]! >= 48 && bytes[p]! <= 57) {
    whole++;
    p++;
  }
  if (p < end && bytes[p] === 0x2d && whole === 4) return momentOf(bytes, start, end);
  // A leading zero is part of a code.
  if (first === 48 && whole > 1) return 'texts';
  // So is a minus before nothing.
  if (p === end && first === 48 && bytes[start] === 0x2d) return 'texts';
  let scale = 0;
  if (p < end && bytes[p] === 0x2e) {
    p++;
    while (p < end && bytes[p]! >= 48 && bytes[p]! <= 57) {
      scale++;
      p++;
    }
    if (scale === 0) return 'texts';
  }
  if (p < end) {
    if (!isExponent(bytes, p, end)) return 'texts';
    if (whole + scale > sample.digits) sample.digits = whole + scale;
    return 'floats';
  }
  if (whole > sample.whole) sample.whole = whole;
  if (scale > sample.scale) sample.scale = scale;
  if (whole + scale > sample.digits) sample.digits = whole + scale;
  return scale > 0 ? 'decimals' : 'integers';
}

/** Strings of JSON are no numbers, but dates: it has no others. */
function jsonKindOf({ bytes, starts, ends, flags }: TextRun, f: number, sample: ColumnSample): Kind {
  const flag = flags[f];
  if (flag === NESTED) return 'nested';
  if (flag === ESCAPED_JSON) return 'texts';
  if (flag === PLAIN) return kindOf(bytes, starts[f]!, ends[f]!, sample);
  const isDate = bytes[starts[f]! + 4] === 0x2d && ends[f]! - starts[f]! >= 10;
  return isDate ? momentOf(bytes, starts[f]!, ends[f]!) : 'texts';
}

function isExponent(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== 0x65 && bytes[at] !== 0x45) return false;
  let p = at + 1;
  if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++;
  if (p >= end || end - p > 3) return false;
  for (; p < end; p++) if (bytes[p]! < 48 || bytes[p]! > 57) return false;
  return true;
}

const BOOLS: readonly Uint8Array[] = ['true', 'false', 'True', 'False', 'TRUE', 'FALSE'].map((text) =>
  Buffer.from(text),
);

function isBool(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  return (
    (length === 4 || length === 5) &&
    BOOLS.some((text) => text.length === length && text.every((byte, i) => bytes[start + i] === byte))
  );
}

function momentOf(bytes: Uint8Array, start: number, end: number): Kind {
  switch (momentKind(bytes, start, end)) {
    case 'date':
      return 'dates';
    case 'moment':
      return 'moments';
    case 'instant':
      return 'instants';
    case undefined:
      return 'texts';
  }
}

/** Whether a text is neither empty nor a number, a date or the like. */
export function looksLikeText(text: string): boolean {
  const bytes = Buffer.from(text);
  return text.trim() !== '' && kindOf(bytes, 0, bytes.length, emptySample()) === 'texts';
}

/** Fewer bytes than these that are no UTF-8 are mistakes; more without one character that is, another encoding. */
const FOREIGN_BYTES = 10;

/** Whether bytes are of a file in UTF-8, which may have mistakes, rather than of one in the Windows code page for Western Europe. */
export function looksLikeUtf8(bytes: Uint8Array): boolean {
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
