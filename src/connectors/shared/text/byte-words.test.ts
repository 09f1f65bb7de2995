import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { boolEnd, dateEnd, digitsEnd, fourTimes, momentEnd, SPARE_BYTES, usualEnd } from './byte-words.ts';
import { BOOL, DATE, kindIn, kindOf, MOMENT, UNUSUAL } from './value-kind.ts';

/** The text at an odd place, with an end, and something behind it that may look like more of it. */
function viewOf(text: Uint8Array, behind: number): { view: DataView; bytes: Uint8Array; at: number } {
  const bytes = new Uint8Array(3 + text.length + 1 + SPARE_BYTES).fill(behind);
  bytes.set(text, 3);
  bytes[3 + text.length] = 0x0a;
  return { view: new DataView(bytes.buffer), bytes, at: 3 };
}

const byte = fc.oneof(
  fc.nat(255),
  fc.constantFrom(...Buffer.from('0123456789/:,;|\t" #!\r-.\x80\xff', 'latin1')),
);
const mostly = (usual: string): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...Buffer.from(usual)) },
        { weight: 1, arbitrary: byte },
      ),
      {
        maxLength: 40,
      },
    )
    .map((bytes) => Uint8Array.from(bytes));
const behind = fc.constantFrom(0, 0x30, 0x39, 0x61, 0xff);

describe('as byte by byte', () => {
  it('digits end', () => {
    fc.assert(
      fc.property(mostly('0123456789'), behind, (text, after) => {
        const { view, bytes, at } = viewOf(text, after);
        let end = at;
        while (bytes[end]! >= 0x30 && bytes[end]! <= 0x39) end++;
        expect(digitsEnd(view, at)).toBe(end);
      }),
      { numRuns: 2000 },
    );
  });

  it('usual bytes end', () => {
    fc.assert(
      fc.property(
        mostly('abcé€-0'),
        behind,
        fc.constantFrom(',', ';', '|', '\t'),
        (text, after, delimiter) => {
          const { view, bytes, at } = viewOf(text, after);
          const code = delimiter.charCodeAt(0);
          let end = at;
          while (bytes[end]! >= 0x23 && bytes[end] !== code) end++;
          expect(usualEnd(view, at, fourTimes(code))).toBe(end);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    'true',
    'false',
    'True',
    'False',
    'TRUE',
    'FALSE',
    'tRUE',
    'falsE',
    'FALSe',
    'fals',
    'tru',
    't',
    '',
    'trues',
    'falsey',
    'nottrue',
  ])('%j is a truth value, or none', (text) => {
    const { view, bytes, at } = viewOf(Buffer.from(text), 0x65);
    const end = at + text.length;
    expect(boolEnd(view, at) === end).toBe(text !== '' && kindOf(bytes, at, end) === BOOL);
  });

  it('days and moments end', () => {
    const digits = (most: number, count: number): fc.Arbitrary<string> =>
      fc.nat(most).map((n) => String(n).padStart(count, '0'));
    const day = fc
      .tuple(
        fc.oneof(fc.constantFrom('0000', '0001', '1900', '2000', '2023', '2024'), digits(9999, 4)),
        digits(14, 2),
        digits(33, 2),
      )
      .map((parts) => parts.join('-'));
    const clock = fc
      .tuple(
        fc.constantFrom('T', ' ', 't'),
        digits(25, 2),
        digits(61, 2),
        digits(61, 2),
        fc.constantFrom('', '.', '.5', '.123456', '.1234567'),
      )
      .map(([separator, h, m, s, fraction]) => `${separator}${h}:${m}:${s}${fraction}`);
    const text = fc
      .tuple(
        day,
        fc.option(clock, { nil: '' }),
        fc.option(fc.tuple(fc.nat(27), byte), { nil: undefined, freq: 2 }),
        fc.nat(30),
      )
      .map(([date, time, odd, most]) => {
        const bytes = Uint8Array.from(Buffer.from(date + time)).subarray(0, most < 10 ? most : undefined);
        if (odd && odd[0] < bytes.length) bytes[odd[0]] = odd[1];
        return bytes;
      });
    fc.assert(
      fc.property(text, behind, (value, after) => {
        const { view, bytes, at } = viewOf(value, after);
        const end = at + value.length;
        const found = value.length === 0 ? -1 : kindOf(bytes, at, end);
        const usual = (kind: number): boolean => kindIn(found) === kind && (found & UNUSUAL) === 0;
        expect(dateEnd(view, at) === end).toBe(found !== -1 && usual(DATE));
        expect(momentEnd(view, at) === end).toBe(found !== -1 && usual(MOMENT));
      }),
      { numRuns: 5000 },
    );
  });
});
