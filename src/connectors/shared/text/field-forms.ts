/** Columns whose values are written in another way than their type has elsewhere: see FieldForm. */
import { isUtf8 } from 'node:buffer';
import type { Column } from '../../../core/batch.ts';
import { writeBig } from '../wire-values.ts';
import { type BadRows, COMPUTED, RANGE, refuse, TYPE, UTF8 } from './faults.ts';
import { fieldBytes, fromHex } from './field-bytes.ts';
import { EXPRESSION, NULL, PLAIN, type TextRun } from './records.ts';

/** `\x` and hexadecimal digits as bytes, or as the text that these are. */
export function hex(run: TextRun, column: Column, bad: BadRows, mark: number): void {
  const { flags, starts, ends, stride } = run;
  const { offsets } = column;
  let at = run.from === 0 ? 0 : offsets[run.from]!;
  offsets[run.from] = at;
  let f = run.first;
  for (let r = run.from; r < run.to; r++, f += stride) {
    if (flags[f] === NULL) column.setNull(r);
    else {
      const digits = flags[f] === EXPRESSION ? -1 : afterMark(run.bytes, starts[f]!, ends[f]!);
      const out = column.grow(at, (ends[f]! - starts[f]!) >> 1);
      const to = digits < 0 ? -TYPE : fromHex(run.bytes, { start: digits, end: ends[f]! }, { out, at });
      const isText = to >= 0 && (column.type.kind !== 'utf8' || isUtf8(out.subarray(at, to)));
      if (isText) at = to;
      else if (to >= 0) refuse(column, bad, r, mark | UTF8);
      else refuse(column, bad, r, mark | (flags[f] === EXPRESSION ? COMPUTED : TYPE));
    }
    offsets[r + 1] = at;
  }
}

/** Where the digits begin behind `\x`, whose backslash may be escaped by another one; -1: there is none. */
function afterMark(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  while (p < end && p < start + 2 && bytes[p] === 0x5c) p++;
  return p > start && p < end && bytes[p] === 0x78 ? p + 1 : -1;
}

const MOST_BYTES = 8;
const MOST_DIGITS = 20;

/** Numbers of `bit(n)`: bytes, digits in base 2 or 16, or a number as such. */
export function bits(run: TextRun, column: Column, bad: BadRows, mark: number): void {
  const { bytes, flags, starts, ends, stride } = run;
  const out = new Uint8Array(MOST_BYTES * 8);
  let f = run.first;
  for (let r = run.from; r < run.to; r++, f += stride) {
    const [start, end] = [starts[f]!, ends[f]!];
    if (flags[f] === NULL) {
      column.setNull(r);
      continue;
    }
    let value = 0n;
    let fault = 0;
    if (end - start > out.length) fault = RANGE;
    else if (flags[f] === PLAIN) {
      const digits = Buffer.from(bytes.subarray(start, end)).toString('latin1');
      if (/^\d+$/.test(digits) && digits.length <= MOST_DIGITS) value = BigInt(digits);
      else fault = TYPE;
    } else {
      const to = fieldBytes(run, f, { out, at: 0 });
      if (to < 0 || to > MOST_BYTES) fault = to < 0 ? -to : RANGE;
      for (let p = 0; p < to && fault === 0; p++) value = value * 256n + BigInt(out[p]!);
    }
    if (fault !== 0) refuse(column, bad, r, mark | fault);
    else if (column.width < 0) {
      if (value > 0n) column.u8[r >> 3]! |= 1 << (r & 7);
    } else writeBig(column.i32, (r * column.width) >> 2, column.width >> 2, value);
  }
}
