/** Digits into a buffer; each function returns the place behind what it wrote. */

/** A whole number of at most 53 bits. */
export function putInteger(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let from = at;
  if (rest < 0) {
    out[from++] = 45;
    rest = -rest;
  }
  let count = 1;
  for (let limit = 10; rest >= limit; limit *= 10) count++;
  return putPadded(out, from, rest, count);
}

/** The last `width` digits of a whole number that is not negative. */
export function putPadded(out: Uint8Array, at: number, value: number, width: number): number {
  let rest = value;
  let p = at + width;
  // Above 31 bits only floating point divides.
  while (rest > 0x7fff_ffff && p > at) {
    const next = Math.floor(rest / 10);
    out[--p] = 48 + (rest - next * 10);
    rest = next;
  }
  while (p > at) {
    const next = (rest / 10) | 0;
    out[--p] = 48 + (rest - next * 10);
    rest = next;
  }
  return at + width;
}

/** `yyyy-mm-dd` of days since 1970-01-01, for years 0 to 9999. http://howardhinnant.github.io/date_algorithms.html */
export function putDay(out: Uint8Array, at: number, day: number): number {
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const yearOfEra =
    ((ofEra - ((ofEra / 1460) | 0) + ((ofEra / 36_524) | 0) - ((ofEra / 146_096) | 0)) / 365) | 0;
  const ofYear = ofEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0));
  const shifted = ((5 * ofYear + 2) / 153) | 0;
  const dayOfMonth = ofYear - (((153 * shifted + 2) / 5) | 0) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  let p = putPadded(out, at, year, 4);
  out[p] = 45;
  p = putPadded(out, p + 1, month, 2);
  out[p] = 45;
  return putPadded(out, p + 1, dayOfMonth, 2);
}
