/**
 * What type the texts of a column have, from all of them. A type is taken only when each value is its canonical text, so that
 * nothing is lost by it: `066`, `+5`, `1,000` and `12%` stay text, as do integers of more than 19 digits.
 */
import type { LogicalType } from '../../../core/types.ts';
import { ESCAPED_JSON, NESTED as JSON_NESTED, NULL, PLAIN, type TextRun } from './records.ts';
import {
  FLOAT,
  kindIn,
  kindOf,
  KINDS,
  momentIn,
  NESTED,
  scaleIn,
  TEXT,
  UNUSUAL,
  wholeIn,
} from './value-kind.ts';

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
  /** Of the numbers, dates and moments, those of forms that not everyone reads, or reads as the same. */
  unusual: number;
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
    unusual: 0,
    odd: undefined,
  };
}

/** By kind: how many values of it there are. */
export const COUNTS = [
  'texts',
  'integers',
  'decimals',
  'floats',
  'bools',
  'dates',
  'moments',
  'instants',
  'nested',
] as const;
const SIZES = ['whole', 'scale', 'digits'] as const;

export function addSamples(a: ColumnSample, b: ColumnSample): ColumnSample {
  const sum = { ...a, odd: a.odd ?? b.odd };
  for (const name of [...COUNTS, 'nulls', 'unusual'] as const) sum[name] += b[name];
  for (const name of SIZES) sum[name] = Math.max(a[name], b[name]);
  return sum;
}

/** Whether any of them was not NULL. */
export function hasValues(sample: ColumnSample): boolean {
  return COUNTS.some((name) => sample[name] > 0);
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

/** What has so many texts is one; how many others there are among them does not matter. */
export const SETTLED = 10_000;

/** Values of one column that are being looked at. */
export class Tally {
  readonly counts: Int32Array = new Int32Array(KINDS);
  nulls = 0;
  unusual = 0;
  whole = 0;
  scale = 0;
  digits = 0;
  odd: ColumnSample['odd'];

  /** `found`: what kindOf says. */
  add(found: number): void {
    const kind = kindIn(found);
    this.counts[kind]!++;
    if ((found & UNUSUAL) !== 0) this.unusual++;
    if (kind === TEXT || kind > FLOAT) return;
    const before = wholeIn(found);
    const after = scaleIn(found);
    if (before + after > this.digits) this.digits = before + after;
    if (kind === FLOAT) return;
    if (before > this.whole) this.whole = before;
    if (after > this.scale) this.scale = after;
  }

  /** Adds them to a sample and begins anew. */
  moveTo(sample: ColumnSample): void {
    for (let kind = 0; kind < KINDS; kind++) sample[COUNTS[kind]!] += this.counts[kind]!;
    sample.nulls += this.nulls;
    sample.unusual += this.unusual;
    // Whole numbers may have been counted by their size alone.
    this.digits = Math.max(this.digits, this.whole);
    for (const name of SIZES) sample[name] = Math.max(sample[name], this[name]);
    sample.odd ??= this.odd;
    this.forget();
  }

  forget(): void {
    this.counts.fill(0);
    this.nulls = this.unusual = this.whole = this.scale = this.digits = 0;
    this.odd = undefined;
  }
}

/** What is looked at of a run. */
type SniffedRun = Omit<TextRun, 'escapes' | 'coerced'>;

const tally = new Tally();

/** Adds the values of one column of a run. */
export function sniffColumn(
  run: SniffedRun,
  sample: ColumnSample,
  place?: { document: string; lines: Float64Array },
): void {
  const { bytes, starts, ends, flags, stride } = run;
  const settled = sample.texts > SETTLED;
  for (let r = run.from, f = run.first; r < run.to; r++, f += stride) {
    if (flags[f] === NULL) tally.nulls++;
    else if (settled) tally.counts[TEXT]!++;
    else {
      const found = run.json === true ? jsonKindOf(run, f) : kindOf(bytes, starts[f]!, ends[f]!);
      tally.add(found);
      if (found === TEXT) tally.odd ??= place && { document: place.document, line: place.lines[r]! };
    }
  }
  tally.moveTo(sample);
}

/** The same for texts that are there already. */
export function sniffTexts(texts: readonly (string | null)[], sample: ColumnSample): void {
  const parts = texts.map((text) => Buffer.from(`${text ?? ''}\n`));
  let at = 0;
  const starts = Int32Array.from(parts, ({ length }) => (at += length) - length);
  const ends = Int32Array.from(parts, ({ length }, i) => starts[i]! + length - 1);
  const flags = Uint8Array.from(texts, (text) => (text === null ? NULL : PLAIN));
  const run = { bytes: Buffer.concat(parts), starts, ends, flags, first: 0, stride: 1 };
  sniffColumn({ ...run, from: 0, to: texts.length }, sample);
}

/** Strings of JSON are no numbers, but dates: it has no others. */
function jsonKindOf({ bytes, starts, ends, flags }: SniffedRun, f: number): number {
  const flag = flags[f];
  if (flag === JSON_NESTED) return NESTED;
  if (flag === ESCAPED_JSON) return TEXT;
  const start = starts[f]!;
  const end = ends[f]!;
  if (flag === PLAIN) return kindOf(bytes, start, end);
  return bytes[start + 4] === 0x2d && end - start >= 10 ? momentIn(bytes, start, end) : TEXT;
}

/** Whether a text is neither empty nor a number, a date or the like. */
export function looksLikeText(text: string): boolean {
  const bytes = Buffer.from(text);
  return text.trim() !== '' && kindOf(bytes, 0, bytes.length) === TEXT;
}
