import { describe, expect, it } from 'vitest';
import { type Cell, toBatch } from '../../testing/batch-rows.ts';
import { schemaOf } from '../../testing/kit-load.ts';
import { createLoadEncoder } from './load-encoder.ts';

const LOAD = { form: 'load', stamps: [], signedZeros: true, frameBytes: 256 << 10 };

function encode(columns: string, rows: Cell[][], options: unknown = LOAD): string {
  const schema = schemaOf(columns);
  return Buffer.from(createLoadEncoder(schema, options).encode(toBatch(schema, rows))).toString('latin1');
}

/** Numbers whose digits are of every length, and their neighbours. */
function edges(bits: number): bigint[] {
  const limit = 2n ** BigInt(bits - 1);
  const powers = Array.from({ length: 39 }, (_, i) => 10n ** BigInt(i));
  const twos = Array.from({ length: bits - 1 }, (_, i) => 2n ** BigInt(i));
  const values = [...powers, ...twos, 0n].flatMap((n) => [n, n - 1n, n + 1n, -n, 1n - n, -n - 1n]);
  return [...values, limit - 1n, -limit].filter((n) => n < limit && n >= -limit);
}

describe('LOAD DATA', () => {
  it.each([
    ['int16', 16],
    ['int32', 32],
    ['int64', 64],
  ])('writes all digits of %s', (type, bits) => {
    const values = edges(bits).map(String);
    expect(
      encode(
        `n ${type}`,
        values.map((n) => [n]),
      )
        .split('\n')
        .slice(0, -1),
    ).toEqual(values);
  });

  it.each([
    [4, 2],
    [9, 9],
    [18, 0],
    [18, 6],
    [18, 17],
    [38, 0],
    [38, 10],
    [38, 38],
  ])('writes all digits of decimal(%i,%i)', (precision, scale) => {
    const limit = 10n ** BigInt(precision);
    const values = edges(128)
      .filter((n) => n > -limit && n < limit)
      .map((n) => {
        const digits = String(n < 0n ? -n : n).padStart(scale + 1, '0');
        const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
        return n < 0n ? `-${text}` : text;
      });
    const column = `n decimal(${precision},${scale})`;
    expect(
      encode(
        column,
        values.map((n) => [n]),
      )
        .split('\n')
        .slice(0, -1),
    ).toEqual(values);
  });

  it('writes days and times to the microsecond, from year 1 to 9999', () => {
    const days = Array.from({ length: 4000 }, (_, i) => -719_162 + i * 913);
    const micros = days.map((day, i) => BigInt(day) * 86_400_000_000n + BigInt(i) * 21_599_999n);
    const lines = encode(
      'd date, t timestamp',
      days.map((day, i): Cell[] => [String(day), String(micros[i])]),
    );
    const expected = days.map((day, i) => {
      const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
      const milliseconds = (micros[i]! - (((micros[i]! % 1000n) + 1000n) % 1000n)) / 1000n;
      const at = new Date(Number(milliseconds)).toISOString().slice(0, -1).replace('T', ' ');
      const rest = String(((micros[i]! % 1000n) + 1000n) % 1000n).padStart(3, '0');
      return `${date}\t${at}${rest}`;
    });
    expect(lines.split('\n').slice(0, -1)).toEqual(expected);
  });

  it('escapes what separates, and nothing else', () => {
    expect(
      encode('t utf8 null, b binary null', [
        ['a\tb\nc\\\0\r\'"', '00090a5cff27'],
        ['', ''],
        [null, null],
      ]),
    ).toBe("a\\tb\\nc\\\\\\0\r'\"\t\\0\\t\\n\\\\\xff'\n\t\n\\N\t\\N\n");
  });
});

describe('INSERT', () => {
  const options = { form: 'insert', stamps: ['@a', '@b'], signedZeros: false, frameBytes: 256 << 10 };

  it('writes rows in frames of a length', () => {
    const frame = encode(
      'n int32, t utf8 null, x binary null',
      [
        ['1', "it's \\", '27ff'],
        ['2', null, null],
      ],
      options,
    );
    expect(Buffer.from(frame, 'latin1').readUInt32LE(0)).toBe(frame.length - 4);
    expect(frame.slice(4)).toBe(`(1,'it\\'s \\\\',x'27ff',@a,@b),(2,NULL,NULL,@a,@b),`);
  });

  it('begins another frame when one has enough', () => {
    const text = 'x'.repeat(100_000);
    const bytes = Buffer.from(
      encode(
        't utf8',
        Array.from({ length: 7 }, () => [text]),
        options,
      ),
      'latin1',
    );
    const sizes: number[] = [];
    for (let at = 0; at < bytes.length; at += 4 + sizes.at(-1)!) sizes.push(bytes.readUInt32LE(at));
    expect(sizes.map((size) => Math.round(size / 100_000))).toEqual([2, 2, 2, 1]);
  });

  it('counts what the server has no equal for', () => {
    const schema = schemaOf('f float64 null, g float32 null, d date null, t timestamp null');
    const encoder = createLoadEncoder(schema, options);
    const rows: Cell[][] = [
      ['NaN', '-0', '2932897', '253402300800000000'],
      ['-0', 'Infinity', '-719163', '-62135596800000001'],
      ['1', '1', '2932896', '253402300799999999'],
      [null, null, null, null],
    ];
    const text = Buffer.from(encoder.encode(toBatch(schema, rows))).toString('latin1');
    expect(encoder.coerced()).toEqual({ f: 2, g: 2, d: 2, t: 2 });
    expect(text.slice(4)).toContain(`(1,1,'9999-12-31','9999-12-31 23:59:59.999999',@a,@b)`);
  });
});
