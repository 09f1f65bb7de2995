import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogicalType } from '../../core/types.ts';
import type { WireFormat } from './copy-columns.ts';
import { allRows, copyMessages, decoderOver, type Value, wire } from './copy-wire.fixture.ts';

interface Decoded {
  values: Value[];
  /** How many were changed by rule. */
  changed: number;
}

function decode(type: LogicalType, format: WireFormat, fields: (Buffer | null)[]): Decoded {
  const decoder = decoderOver(Buffer.concat(copyMessages(fields.map((field) => [field]))), {
    types: [type],
    formats: [format],
    maxRows: 64,
  });
  return { values: allRows(decoder).map((row) => row[0]!), changed: decoder.facts().coerced['f0'] ?? 0 };
}

const decimal = (precision: number, scale: number): LogicalType => ({ kind: 'decimal', precision, scale });

describe('numeric', () => {
  const shapes = [
    [1, 0],
    [4, 0],
    [4, 2],
    [4, 4],
    [5, 0],
    [9, 0],
    [9, 1],
    [9, 4],
    [9, 5],
    [9, 9],
    [10, 2],
    [12, 4],
    [12, 12],
    [13, 1],
    [16, 0],
    [17, 3],
    [18, 0],
    [18, 6],
    [18, 17],
    [18, 18],
    [19, 0],
    [19, 2],
    [20, 5],
    [28, 10],
    [38, 0],
    [38, 1],
    [38, 37],
    [38, 38],
  ] as const;

  it.each(shapes)(
    'numeric(%i,%i) is exact at every power of ten, on both sides of it and at its ends',
    (precision, scale) => {
      const most = 10n ** BigInt(precision) - 1n;
      const values = [0n, most, -most];
      for (let e = 0; e < precision; e++)
        for (const d of [-1n, 0n, 1n]) values.push(10n ** BigInt(e) + d, -(10n ** BigInt(e)) + d);
      for (const word of [2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n, 2n ** 96n])
        values.push(word - 1n, word, word + 1n, -word, -word - 1n);
      const held = values.filter((value) => value <= most && value >= -most);
      expect(
        decode(
          decimal(precision, scale),
          'numeric',
          held.map((value) => wire.numeric(value, scale)),
        ),
      ).toEqual({ values: held, changed: 0 });
    },
  );

  it('is exact for any precision, scale and digits', () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38))
      .map(([precision, s]) => ({ precision, scale: s % (precision + 1) }))
      .chain(({ precision, scale }) => {
        const most = 10n ** BigInt(precision) - 1n;
        return fc.record({
          precision: fc.constant(precision),
          scale: fc.constant(scale),
          values: fc.array(fc.bigInt({ min: -most, max: most }), { minLength: 1, maxLength: 20 }),
        });
      });
    fc.assert(
      fc.property(cases, ({ precision, scale, values }) => {
        expect(
          decode(
            decimal(precision, scale),
            'numeric',
            values.map((value) => wire.numeric(value, scale)),
          ).values,
        ).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  it('becomes NULL and is counted when it is no number', () => {
    const fields = [
      wire.numeric(150n, 2),
      wire.numericSpecial(0xc000),
      null,
      wire.numericSpecial(0xd000),
      wire.numericSpecial(0xf000),
      wire.numeric(-1n, 2),
    ];
    for (const precision of [4, 9, 18, 38]) {
      expect(decode(decimal(precision, 2), 'numeric', fields)).toEqual({
        values: [150n, null, null, null, null, -1n],
        changed: 3,
      });
    }
  });

  it('with zeros that the server left out or kept is the same number', () => {
    // 1234.5 as 1234|5000, and 1 with groups of zeros behind it.
    const words = (...list: number[]): Buffer => Buffer.concat(list.map((word) => wire.int2(word)));
    expect(
      decode(decimal(9, 2), 'numeric', [
        words(2, 0, 0, 1, 1234, 5000),
        words(4, 0, 0, 12, 1, 0, 0, 0),
        words(1, -1, 0, 4, 5000),
      ]).values,
    ).toEqual([123_450n, 100n, 50n]);
    expect(
      decode(decimal(38, 2), 'numeric', [
        words(1, 8, 0, 0, 9),
        words(1, -5, 0, 20, 9),
        words(2, 1, 0, 0, 1, 0),
      ]).values,
    ).toEqual([9n * 10n ** 34n, 0n, 1_000_000n]);
  });
});

describe('whole numbers and floats', () => {
  it('keep every bit at their ends', () => {
    const int8 = [
      0n,
      -1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      2n ** 32n,
      2n ** 32n - 1n,
      2n ** 31n,
      -(2n ** 31n) - 1n,
      9_007_199_254_740_993n,
    ];
    expect(decode({ kind: 'int64' }, 'int8', int8.map(wire.int8)).values).toEqual(int8);
    const int4 = [0, -1, 0x7fff_ffff, -0x8000_0000];
    expect(decode({ kind: 'int32' }, 'int4', int4.map(wire.int4)).values).toEqual(int4);
    const int2 = [0, -1, 0x7fff, -0x8000];
    expect(decode({ kind: 'int16' }, 'int2', int2.map(wire.int2)).values).toEqual(int2);
  });

  it('of type oid have no sign', () => {
    expect(
      decode({ kind: 'int64' }, 'oid', [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff].map(wire.oid)).values,
    ).toEqual([0n, 2_147_483_647n, 2_147_483_648n, 4_294_967_295n]);
  });

  it('keep the sign of zero, the smallest numbers, NaN and the infinities', () => {
    const doubles = [-0, 0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1, NaN, Infinity, -Infinity];
    expect(decode({ kind: 'float64' }, 'float8', doubles.map(wire.float8)).values).toEqual(doubles);
    const floats = [-0, 2 ** -149, 3.4028234663852886e38, Math.fround(0.1), NaN, -Infinity];
    expect(decode({ kind: 'float32' }, 'float4', floats.map(wire.float4)).values).toEqual(floats);
  });

  it.each([
    ['float4', 'float32', wire.float4],
    ['float8', 'float64', wire.float8],
  ] as const)('%s tells when -0 is among the values of a batch', (format, kind, write) => {
    const values = [0, NaN, -1, 5e-324, -0, 0, 1, -0];
    const bytes = Buffer.concat(copyMessages([...values.map((value) => [write(value)]), [null]]));
    const decoder = decoderOver(bytes, { types: [{ kind }], formats: [format], maxRows: 1 });
    const flags: boolean[] = [];
    for (let batch = decoder.next(); batch; batch = decoder.next()) flags.push(batch.negativeZero);
    expect(flags.slice(0, 8)).toEqual(
      values.map((value) => Object.is(kind === 'float32' ? Math.fround(value) : value, -0)),
    );
    expect(flags[8]).toBe(false);
  });

  it('booleans fill their bits in any pattern', () => {
    const flags = Array.from({ length: 150 }, (_, i) => (i % 7 === 0 ? null : (i * i) % 3 === 0));
    expect(
      decode(
        { kind: 'bool' },
        'bool',
        flags.map((flag) => (flag === null ? null : wire.bool(flag))),
      ).values,
    ).toEqual(flags);
  });
});

describe('days and moments', () => {
  const EPOCH = 946_684_800_000_000n;

  it('count from 1970 instead of 2000', () => {
    expect(
      decode({ kind: 'date' }, 'date', [0, -10_957, -10_958, 1, -2_451_507, 2_145_031_948].map(wire.int4))
        .values,
    ).toEqual([10_957, 0, -1, 10_958, -2_440_550, 2_145_042_905]);
    const moments = [0n, -EPOCH, -EPOCH - 1n, 1n, 2n ** 32n, -(2n ** 32n), -211_813_488_000_000_000n];
    expect(decode({ kind: 'timestamp', zone: true }, 'timestamp', moments.map(wire.int8)).values).toEqual(
      moments.map((value) => value + EPOCH),
    );
  });

  it('keep the infinities as the ends of their range', () => {
    expect(decode({ kind: 'date' }, 'date', [wire.int4(0x7fff_ffff), wire.int4(-0x8000_0000)])).toEqual({
      values: [0x7fff_ffff, -0x7fff_ffff],
      changed: 0,
    });
    const most = 2n ** 63n - 1n;
    expect(
      decode({ kind: 'timestamp', zone: false }, 'timestamp', [wire.int8(most), wire.int8(-most - 1n)]),
    ).toEqual({ values: [most, -most], changed: 0 });
  });

  it('after the last microsecond of 64 bits become NULL and are counted, never infinity', () => {
    const most = 2n ** 63n - 1n;
    const fields = [most - EPOCH - 1n, most - EPOCH, most - EPOCH + 1n, most - 1n].map(wire.int8);
    expect(decode({ kind: 'timestamp', zone: true }, 'timestamp', fields)).toEqual({
      values: [most - 1n, null, null, null],
      changed: 3,
    });
  });

  it('carry between the halves of the number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: -211_813_488_000_000_000n, max: 2n ** 63n - 2n - EPOCH }), {
          minLength: 1,
          maxLength: 50,
        }),
        (moments) => {
          expect(
            decode({ kind: 'timestamp', zone: false }, 'timestamp', moments.map(wire.int8)).values,
          ).toEqual(moments.map((value) => value + EPOCH));
        },
      ),
    );
  });

  it('times reach 24:00:00', () => {
    expect(decode({ kind: 'time' }, 'time', [0n, 86_400_000_000n, 1n].map(wire.int8)).values).toEqual([
      0n,
      86_400_000_000n,
      1n,
    ]);
  });
});

describe('text and bytes', () => {
  const TEXTS = Array.from({ length: 80 }, (_, i) => 'ü😀x'.repeat(40).slice(0, i * 2)).map((text) =>
    text.isWellFormed() ? text : text.slice(0, -1),
  );

  it('of any length keep their bytes, and the empty text is not NULL', () => {
    expect(
      decode(
        { kind: 'utf8' },
        'text',
        TEXTS.flatMap((text) => [wire.text(text), null]),
      ).values,
    ).toEqual(TEXTS.flatMap((text) => [text, null]));
    expect(
      decode({ kind: 'binary' }, 'bytea', [
        Buffer.from([0, 255, 0xc3]),
        Buffer.alloc(0),
        Buffer.alloc(100, 0x80),
      ]).values,
    ).toEqual(['00ffc3', '', '80'.repeat(100)]);
  });

  it('grow over the first buffer of a column and come back to it', () => {
    const texts = ['a'.repeat(100_000), 'b', 'c'.repeat(9 << 20), 'd'];
    const decoder = decoderOver(Buffer.concat(copyMessages(texts.map((text) => [wire.text(text)]))), {
      types: [{ kind: 'utf8' }],
      formats: ['text'],
      maxRows: 1,
      maxBytes: 1 << 30,
    });
    const kept: number[] = [];
    for (const text of texts) {
      const batch = decoder.next()!;
      const column = batch.columns[0]!;
      expect(
        Buffer.from(column.bytes.subarray(column.offsets[0], column.offsets[1])).equals(Buffer.from(text)),
      ).toBe(true);
      kept.push(column.bytes.length);
    }
    // One huge value does not pin its memory.
    expect(kept[3]).toBe(1 << 16);
  });

  it('of jsonb lose their version byte only', () => {
    expect(decode({ kind: 'json' }, 'jsonb', [wire.jsonb('{"a": 1}'), wire.jsonb('1'), null]).values).toEqual(
      ['{"a": 1}', '1', null],
    );
  });

  it('without a known encoding are repaired where they are not UTF-8, and counted', () => {
    const fields = [
      Buffer.from('é'),
      Buffer.from([0xff, 0x41]),
      null,
      Buffer.from([0xef, 0xbb, 0xbf, 0x42]),
      Buffer.from([0xef, 0xbb, 0xbf, 0xe9]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.alloc(0),
    ];
    const { values, changed } = decode({ kind: 'utf8' }, 'unchecked-text', fields);
    expect(values).toEqual(['é', '\ufffdA', null, '\ufeffB', '\ufeff\ufffd', '\ufffd\ufffd\ufffd', '']);
    expect(changed).toBe(3);
  });

  it('uuids keep the order of their bytes', () => {
    const ids = [
      '00112233-4455-6677-8899-aabbccddeeff',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '80000000-0000-0000-0000-000000000001',
    ];
    expect(decode({ kind: 'uuid' }, 'uuid', ids.map(wire.uuid)).values).toEqual(
      ids.map((id) => id.replaceAll('-', '')),
    );
  });
});
