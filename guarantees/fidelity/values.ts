/** Random values, weighted to extremes, as a user would write them between quotes. */
import fc from 'fast-check';

export const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const pad = (n: number, width: number): string => String(n).padStart(width, '0');

/** Whole numbers of a size, with those around powers of two and ten more often. */
export function integer(bits: number): fc.Arbitrary<string> {
  const most = 2n ** BigInt(bits - 1);
  const clamp = (n: bigint): string => String(n >= most ? most - 1n : n < -most ? -most : n);
  const near = fc
    .tuple(fc.integer({ min: 0, max: bits - 1 }), fc.integer({ min: -2, max: 2 }), fc.boolean())
    .map(([e, d, n]) => clamp((2n ** BigInt(e) + BigInt(d)) * (n ? -1n : 1n)));
  return fc.oneof(
    near,
    fc.bigInt({ min: -most, max: most - 1n }).map(String),
    oneOf(String(-most), String(most - 1n), '0', '-1'),
  );
}

/** A number of at most `precision` digits, `scale` of them after the point; both may be outside of each other. */
export function decimalText(precision: number, scale: number): fc.Arbitrary<string> {
  const most = 10n ** BigInt(precision) - 1n;
  const powers = fc
    .tuple(fc.integer({ min: 0, max: precision - 1 }), fc.integer({ min: -1, max: 1 }))
    .map(([e, d]) => 10n ** BigInt(e) + BigInt(d));
  const digits = fc.oneof(
    powers,
    fc.bigInt({ min: 0n, max: most }),
    fc.constant(most),
    fc.constant(0n),
    fc.bigInt({ min: 0n, max: most < 99_999n ? most : 99_999n }),
  );
  return fc.tuple(digits, fc.boolean()).map(([unscaled, negative]) => {
    const sign = negative ? '-' : '';
    const text = String(unscaled > most ? most : unscaled);
    if (scale <= 0) return `${sign}${text}${'0'.repeat(-scale)}`;
    const padded = text.padStart(scale + 1, '0');
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  });
}

export const plainText: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 15 }),
    fc.string({ unit: 'grapheme-ascii', minLength: 10, maxLength: 14 }),
    fc
      .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 3000 }))
      .map(([unit, n]) => unit.repeat(n)),
    oneOf('', 'NULL', '\\N', '12 bytes lon'),
  )
  .map((text) => text.replaceAll('\0', '0'));

export const bytes: fc.Arbitrary<string> = fc
  .oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 200, maxLength: 400 }))
  .map((value) => `\\x${Buffer.from(value).toString('hex')}`);

const years = fc.oneof(
  fc.integer({ min: 1, max: 4713 }).map((year) => [year, ' BC'] as const),
  fc
    .oneof(fc.integer({ min: 1, max: 294_246 }), fc.integer({ min: 1890, max: 2110 }))
    .map((year) => [year, ''] as const),
);
export const days: fc.Arbitrary<readonly [string, string]> = fc
  .tuple(years, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([[year, era], month, day]) => [`${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`, era] as const);
export const clock: fc.Arbitrary<string> = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.oneof(fc.nat(999_999), fc.constantFrom(0, 1, 999_999)))
  .map(([h, m, s, u]) => `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}.${pad(u, 6)}`);
export const zone: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom('+', '-'), fc.nat(14), fc.constantFrom(0, 30, 45))
  .map(([sign, h, m]) => `${sign}${pad(h, 2)}:${pad(m, 2)}`);
export const endless: fc.Arbitrary<string> = oneOf('infinity', '-infinity');
