/** Values in the layout of batches, from parts of them. */

const MONTH_DAYS: readonly number[] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Days since 1970 of a year from 0 to 9999 (H. Hinnant's days_from_civil). NaN for what is no date: MySQL keeps 0000-00-00
 * and 2024-00-10, and in some modes 30 February.
 */
export function dayOf(year: number, month: number, day: number): number {
  if (month < 1 || month > 12 || day < 1 || day > MONTH_DAYS[month]!) return NaN;
  if (day === 29 && month === 2 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) return NaN;
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = (((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) | 0) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear - 719_468
  );
}

/** `seconds` × 10⁶ + `micros` in 64 bits: 10⁶ is 15,625 × 2⁶, and the first factor times any second fits 53 bits. */
export function putMicros(out: Int32Array, at: number, seconds: number, micros: number): void {
  const scaled = seconds * 15_625;
  let high = Math.floor(scaled / 67_108_864);
  let low = (scaled - high * 67_108_864) * 64 + micros;
  if (low >= 4_294_967_296) {
    low -= 4_294_967_296;
    high++;
  }
  out[at] = low | 0;
  out[at + 1] = high;
}

export function writeBig(out: Int32Array, at: number, words: number, value: bigint): void {
  for (let k = 0; k < words; k++) out[at + k] = Number(BigInt.asIntN(32, value >> BigInt(32 * k)));
}
