import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { Batch } from '../../../core/batch.ts';
import { parseType } from '../../../core/types.ts';
import { escapedBy } from './escapes.ts';
import { momentKind } from './parse-moment.ts';
import { PLAIN } from './records.ts';
import { readColumn } from './text-columns.ts';
import {
  BOOL,
  DATE,
  DECIMAL,
  FLOAT,
  INSTANT,
  INTEGER,
  kindIn,
  kindOf,
  MOMENT,
  scaleIn,
  TEXT,
  UNUSUAL,
  wholeIn,
} from './value-kind.ts';

/** Something that begins the same may follow. */
function kindOfText(text: string, after: string = ','): number {
  const bytes = Buffer.from(`;${text}${after}0123456789`);
  return kindOf(bytes, 1, 1 + Buffer.byteLength(text));
}

/** Whether a column of the type reads it. */
function isRead(text: string, type: string): boolean {
  const bytes = Buffer.from(`${text},`);
  const batch = new Batch({ fields: [{ name: 'c', type: parseType(type)!, nullable: true }], key: [] }, 1);
  const bad = new Int32Array(1);
  const place = {
    starts: Int32Array.of(0),
    ends: Int32Array.of(bytes.length - 1),
    flags: Uint8Array.of(PLAIN),
  };
  const run = { bytes, ...place, first: 0, stride: 1, from: 0, to: 1, coerced: 0, escapes: escapedBy('"') };
  readColumn(run, batch.columns[0]!, bad, { index: 0, nullable: true });
  return bad[0] === 0;
}

test.each([
  ['0', INTEGER],
  ['-17', INTEGER],
  ['1234567890123456789012345', INTEGER],
  ['-0', TEXT],
  ['066', TEXT],
  ['+5', TEXT],
  ['1.50', DECIMAL],
  ['-0.05', DECIMAL],
  ['0.0', DECIMAL],
  ['-0.00', DECIMAL | UNUSUAL],
  ['00.5', TEXT],
  ['1.', TEXT],
  ['.5', TEXT],
  ['1.2.3', TEXT],
  ['-', TEXT],
  ['', TEXT],
  ['1e5', FLOAT | UNUSUAL],
  ['1.5E-07', FLOAT | UNUSUAL],
  ['1e', TEXT],
  ['1e1234', TEXT],
  ['1e308', FLOAT | UNUSUAL],
  ['1e309', TEXT],
  ['-2e999', TEXT],
  ['2e-400', TEXT],
  ['0.0e-400', FLOAT | UNUSUAL],
  ['true', BOOL],
  ['FALSE', BOOL],
  ['tRUE', TEXT],
  ['2024-02-29', DATE],
  ['2023-02-29', TEXT],
  ['1900-02-29', TEXT],
  ['2000-02-29', DATE],
  ['0000-01-01', TEXT],
  ['0001-01-01', DATE],
  ['2024-04-31', TEXT],
  ['2024-12-31', DATE],
  ['2024-13-01', TEXT],
  ['20x4-01-01', TEXT],
  ['202x-01-01', TEXT],
  ['2024-1-1', TEXT],
  ['2024-01-01T10:20:30', MOMENT],
  ['2024-01-01 10:20:30.123456', MOMENT],
  ['2024-01-01 10:20:30.1234560', MOMENT | UNUSUAL],
  ['2024-01-01 10:20:30.1234567', TEXT],
  ['2024-01-01t10:20:30', MOMENT | UNUSUAL],
  ['2024-01-01 10:20', MOMENT | UNUSUAL],
  ['2024-01-01 10:20:30,5', MOMENT | UNUSUAL],
  ['2024-01-01 24:00:00', TEXT],
  ['2024-01-01 10:60:00', TEXT],
  ['2024-01-01 10:20:60', TEXT],
  ['2024-01-01 10:20:30.', TEXT],
  ['2024-01-01T10:20:30Z', INSTANT],
  ['2024-01-01 10:20:30.5+02', INSTANT],
  ['2024-01-01 10:20:30-05:30', INSTANT],
  ['2024-01-01 10:20:30+0530', INSTANT | UNUSUAL],
  ['2024-01-01 10:20:30 +05:30', INSTANT | UNUSUAL],
  ['2024-01-01 10:20:30+15', INSTANT | UNUSUAL],
  ['2024-01-01 10:20:30+05:3', TEXT],
  ['2024-01-01 10:20:30X', TEXT],
])('%s is what it is, whatever follows', (text, kind) => {
  for (const after of [',', ';', '|', '\t', '"', '\n'])
    expect(kindIn(kindOfText(text, after)) | (kindOfText(text, after) & UNUSUAL), after).toBe(kind);
  // Delimiters may be anything.
  for (const after of ['.', '-', '0', ':', 'Z', '+'])
    expect(kindIn(kindOfText(text, after)), after).toBe(kindIn(kind));
});

it('knows how many digits numbers have', () => {
  for (const [text, whole, scale] of [
    ['0', 1, 0],
    ['-1234', 4, 0],
    ['-12.3456', 2, 4],
    ['0.05', 1, 2],
    ['123.45e6', 3, 2],
  ] as const) {
    expect(wholeIn(kindOfText(text)), text).toBe(whole);
    expect(scaleIn(kindOfText(text)), text).toBe(scale);
  }
  expect(wholeIn(kindOfText('9'.repeat(1000)))).toBe(255);
});

describe('for any text', () => {
  const piece = fc.constantFrom(
    ...Array.from('0123456789-+.:TtZ eE/,'),
    '00',
    '2024-01-01',
    '10:20:30',
    '.123456',
    '+02',
    'true',
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc
      .tuple(fc.integer({ min: 0, max: 9999 }), fc.nat(13), fc.nat(32), fc.nat(25), fc.nat(61))
      .map(([year, ...rest]) => {
        const [month, day, hour, second] = rest.map((each) => String(each).padStart(2, '0'));
        return `${String(year).padStart(4, '0')}-${month}-${day} ${hour}:00:${second}`;
      }),
  );

  it('a kind is one that its type reads', () => {
    const types: Record<number, (found: number) => string> = {
      [INTEGER]: () => 'int64',
      [DECIMAL]: (found) => `decimal(${wholeIn(found) + scaleIn(found)},${scaleIn(found)})`,
      [FLOAT]: () => 'float64',
      [BOOL]: () => 'bool',
      [DATE]: () => 'date',
      [MOMENT]: () => 'timestamp',
      [INSTANT]: () => 'timestamptz',
    };
    fc.assert(
      fc.property(texts, (text) => {
        const found = kindOfText(text);
        const type = types[kindIn(found)]?.(found);
        if (type !== undefined && wholeIn(found) + scaleIn(found) <= 18)
          expect(isRead(text, type)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('dates and moments are those that are read as such', () => {
    const kinds = { date: DATE, moment: MOMENT, instant: INSTANT };
    fc.assert(
      fc.property(texts, (text) => {
        if (!/^\d{4}-/.test(text)) return;
        const bytes = Buffer.from(text);
        const read = momentKind(bytes, 0, bytes.length);
        expect(kindIn(kindOfText(text))).toBe(read === undefined ? TEXT : kinds[read]);
      }),
      { numRuns: 3000 },
    );
  });
});
