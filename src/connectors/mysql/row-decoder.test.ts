import { describe, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import type { RowLimit } from '../../core/decoder.ts';
import type { Schema } from '../../core/schema.ts';
import type { DecodeFacts } from '../../core/source.ts';
import { parseType } from '../../core/types.ts';
import { type Cell, fromBatch } from '../../testing/batch-rows.ts';
import type { WireFormat } from './row-columns.ts';
import { createRowDecoder } from './row-decoder.ts';
import { int, moment, packets, row, text } from './row-wire.fixture.ts';

interface Case {
  format: WireFormat;
  type: string;
}

/** Decodes pieces, each of which is a block of its own when `blockBytes` allows. */
function decode(
  cases: Case[],
  pieces: Buffer[],
  {
    blockBytes = 1 << 20,
    blocks = 8,
    limit = undefined as RowLimit | undefined,
    cursor = [] as number[],
  } = {},
): { rows: Cell[][]; facts: DecodeFacts } {
  const memory = createRing(blockBytes, blocks);
  const producer = new RingProducer(memory);
  for (const piece of pieces) expect(producer.write(piece, 0, piece.length)).toBe(piece.length);
  producer.end();
  const schema: Schema = {
    fields: cases.map(({ type }, i) => ({
      name: `c${i}`,
      type: parseType(type)!,
      nullable: true,
      native: '',
    })),
    key: [],
  };
  const options = { formats: cases.map(({ format }) => format), cursor, maxRows: 64, maxBytes: 1 << 20 };
  const decoder = createRowDecoder(new RingConsumer(memory), schema, options, limit);
  const rows: Cell[][] = [];
  for (let batch = decoder.next(); batch; batch = decoder.next()) rows.push(...fromBatch(batch));
  return { rows, facts: decoder.facts() };
}

const one = (
  format: WireFormat,
  type: string,
  values: (Buffer | null)[],
): { cells: Cell[]; coerced: number } => {
  const { rows, facts } = decode(
    [{ format, type }],
    [Buffer.concat(values.map((value) => packets(row([value]))))],
  );
  return { cells: rows.map(([cell]) => cell!), coerced: facts.coerced['c0'] ?? 0 };
};

/** A ring that is quickly made. */
const SMALL = { blockBytes: 4096, blocks: 4 };

describe('decoding binary rows', () => {
  const cases: Case[] = [
    { format: 'int8', type: 'int64' },
    { format: 'text', type: 'utf8' },
    { format: 'decimal', type: 'decimal(18,2)' },
    { format: 'datetime', type: 'timestamp' },
    { format: 'int1', type: 'int16' },
    { format: 'bytes', type: 'binary' },
    { format: 'date', type: 'date' },
    { format: 'float8', type: 'float64' },
  ];
  const double = Buffer.alloc(8);
  double.writeDoubleLE(0.1);
  const wire = Buffer.concat([
    packets(
      row([
        int(-2, 8),
        text('ä'),
        text('-12.30'),
        moment(2026, 7, 24, 1, 2, 3, 4),
        int(-1, 1),
        text('\u0000'),
        moment(1970, 1, 2),
        double,
      ]),
    ),
    packets(row([null, null, null, null, null, null, null, null])),
    packets(
      row([
        int(7, 8),
        text('y'.repeat(300)),
        text('0.01'),
        moment(1969, 12, 31, 23, 59, 59),
        int(5, 1),
        text(''),
        moment(2000, 2, 29),
        double,
      ]),
    ),
  ]);
  const expected = [
    ['-2', 'ä', '-12.30', '1784854923000004', '-1', '00', '1', '0.1'],
    [null, null, null, null, null, null, null, null],
    ['7', 'y'.repeat(300), '0.01', '-1000000', '5', '', '11016', '0.1'],
  ];

  it('gives the same wherever the stream is cut', () => {
    for (let cut = 1; cut < wire.length; cut++) {
      const { rows, facts } = decode(cases, [wire.subarray(0, cut), wire.subarray(cut)], {
        ...SMALL,
        cursor: [0, 0],
      });
      expect(rows).toEqual(expected);
      expect(facts).toMatchObject({ rows: 3, high: '7', coerced: {} });
    }
    for (const blockBytes of [1, 2, 3, 5, 7, 64])
      expect(decode(cases, [wire], { blockBytes, blocks: 1024 }).rows).toEqual(expected);
  });

  it('refuses a stream that ends within a row', () => {
    const whole = [1, 2].map((count) => lengthOf(wire, count));
    for (let cut = 1; cut < wire.length; cut++) {
      const run = (): Cell[][] => decode(cases, [wire.subarray(0, cut)], SMALL).rows;
      const rows = whole.indexOf(cut) + 1;
      if (rows > 0) expect(run()).toEqual(expected.slice(0, rows));
      else expect(run).toThrow(/ends within a row/);
    }
  });

  it('puts rows together that take several packets', () => {
    const long = Buffer.alloc(0xff_ffff + 10, 'z');
    // The second one ends where a packet of the greatest length does: an empty one follows.
    const exact = Buffer.alloc(0xff_ffff - 1 - 1 - 4 - 4, 'q');
    const pieces = [
      packets(row([int(1, 4), text(long)])),
      packets(row([int(2, 4), text(exact)])),
      packets(row([int(3, 4), text('end')])),
    ];
    expect(pieces[1]!.length).toBe(0xff_ffff + 8);
    const { rows } = decode(
      [
        { format: 'int4', type: 'int32' },
        { format: 'text', type: 'utf8' },
      ],
      [Buffer.concat(pieces)],
      { blocks: 64 },
    );
    expect(rows.map(([id, value]) => [id, value!.length, value!.at(-1)])).toEqual([
      ['1', long.length, 'z'],
      ['2', exact.length, 'q'],
      ['3', 3, 'd'],
    ]);
  });

  it('names the column of a row that is too large', () => {
    const limit: RowLimit = { bytes: 500, error: (found) => new Error(JSON.stringify(found)) };
    const payload = row([
      int(1, 4),
      text('a'.repeat(300)),
      null,
      moment(2026, 1, 1),
      text('b'.repeat(70_000)),
      text('c'),
    ]);
    const columns: Case[] = [
      { format: 'int4', type: 'int32' },
      { format: 'text', type: 'utf8' },
      { format: 'text', type: 'utf8' },
      { format: 'date', type: 'date' },
      { format: 'text', type: 'utf8' },
      { format: 'text', type: 'utf8' },
    ];
    for (const blockBytes of [64, 100, 65_536]) {
      const blocks = Math.ceil(80_000 / blockBytes);
      expect(() => decode(columns, [packets(payload)], { blockBytes, blocks, limit })).toThrow(
        JSON.stringify({ bytes: payload.length, column: 'c4', columnBytes: 70_000 }),
      );
    }
  });

  it('reads whole numbers of every size', () => {
    expect(one('int1', 'int16', [int(-128, 1), int(127, 1)]).cells).toEqual(['-128', '127']);
    expect(one('uint1', 'int16', [int(255, 1)]).cells).toEqual(['255']);
    expect(one('uint2', 'int32', [int(65_535, 2)]).cells).toEqual(['65535']);
    expect(one('uint4', 'int64', [int(4_294_967_295, 4)]).cells).toEqual(['4294967295']);
    expect(one('uint8', 'decimal(20,0)', [int(2n ** 64n - 1n, 8), int(0, 8)]).cells).toEqual([
      '18446744073709551615',
      '0',
    ]);
  });

  it('counts what it takes for true', () => {
    const { cells, coerced } = one('bool1', 'bool', [int(0, 1), int(1, 1), int(-3, 1), null]);
    expect({ cells, coerced }).toEqual({ cells: ['false', 'true', 'true', null], coerced: 1 });
  });

  it('reads bits, the greatest first', () => {
    const bits = (...bytes: number[]): Buffer => text(Buffer.from(bytes));
    expect(one('bit', 'bool', [bits(0), bits(1)]).cells).toEqual(['false', 'true']);
    expect(one('bit', 'int64', [bits(1, 2), bits(1, 0, 0, 0, 0, 0, 0)]).cells).toEqual([
      '258',
      '281474976710656',
    ]);
    expect(one('bit', 'decimal(20,0)', [bits(255, 255, 255, 255, 255, 255, 255, 255)]).cells).toEqual([
      '18446744073709551615',
    ]);
  });

  it('keeps all digits of decimals', () => {
    const values = [
      '0.00',
      '-0.01',
      '999999999.99',
      '-1000000000.00',
      '1234567890123456.78',
      '-9999999999999999.99',
    ];
    expect(one('decimal', 'decimal(18,2)', values.map(text)).cells).toEqual(values);
    expect(one('decimal', 'decimal(9,2)', values.slice(0, 2).map(text)).cells).toEqual(values.slice(0, 2));
    const wide = [...values, '-99999999999999999999999999999999999.12', '4294967296.00', '-4294967296.00'];
    expect(one('decimal', 'decimal(38,2)', wide.map(text)).cells).toEqual(wide);
    expect(one('decimal', 'decimal(9,2)', [text('5'), text('5.1')]).cells).toEqual(['5.00', '5.10']);
  });

  it('takes dates that are none for NULL, and counts them', () => {
    const dates = [
      moment(),
      moment(2024, 0, 10),
      moment(2024, 2, 30),
      moment(2023, 2, 29),
      moment(2024, 2, 29),
      moment(1, 1, 1),
    ];
    expect(one('date', 'date', dates)).toEqual({
      cells: [null, null, null, null, '19782', '-719162'],
      coerced: 4,
    });
    const times = [
      moment(),
      moment(2024, 0, 1, 2, 3, 4),
      moment(9999, 12, 31, 23, 59, 59, 999_999),
      moment(2024, 1, 1),
    ];
    expect(one('datetime', 'timestamp', times)).toEqual({
      cells: [null, null, '253402300799999999', '1704067200000000'],
      coerced: 2,
    });
  });

  it('reads pinned types from text and counts what does not fit', () => {
    const texts = (...values: string[]): Buffer[] => values.map(text);
    expect(one('parsed', 'int32', texts('12', '-1', '2147483648', 'x', '1.0', '1.5', ''))).toEqual({
      cells: ['12', '-1', null, null, '1', null, null],
      coerced: 4,
    });
    expect(one('parsed', 'decimal(5,2)', texts('1.5', '999.99', '1000', '1.234'))).toEqual({
      cells: ['1.50', '999.99', null, null],
      coerced: 2,
    });
    expect(
      one('parsed', 'time', texts('23:59:59.5', '24:00:00', '24:00:01', '-01:00:00', '838:59:59')),
    ).toEqual({
      cells: ['86399500000', '86400000000', null, null, null],
      coerced: 3,
    });
    expect(
      one('parsed', 'date', texts('2024-02-29', '2024-00-10', '2024-01-01 00:00:00', '2024-01-01 00:00:01'))
        .coerced,
    ).toBe(2);
    expect(one('parsed', 'timestamp', texts('2024-01-01 25:00:00', '2024-01-01 00:00:01.5')).cells).toEqual([
      null,
      '1704067201500000',
    ]);
    expect(one('parsed', 'uuid', texts('00010203-0405-0607-0809-0a0b0c0d0e0f', 'no')).cells).toEqual([
      '00010203-0405-0607-0809-0a0b0c0d0e0f',
      null,
    ]);
    expect(one('parsed', 'float32', texts('1.5', '1e39', 'NaN')).cells).toEqual(['1.5', null, null]);
    expect(one('parsed', 'bool', texts('1', 'false', '2')).cells).toEqual(['true', 'false', null]);
  });

  it('repairs bytes that are called text', () => {
    const { cells, coerced } = one('unchecked-text', 'utf8', [text(Buffer.from([0x61, 0xff])), text('ok')]);
    expect({ cells, coerced }).toEqual({ cells: ['a\ufffd', 'ok'], coerced: 1 });
  });

  it('refuses what is no row', () => {
    const broken = row([int(1, 4)]);
    broken[0] = 1;
    const column: Case[] = [{ format: 'int4', type: 'int32' }];
    for (const payload of [broken, row([int(1, 8)]), row([int(1, 2)])])
      expect(() => decode(column, [packets(payload)])).toThrow(/decoding binary rows/);
  });
});

/** Bytes of the first packets. */
function lengthOf(wire: Buffer, count: number): number {
  let at = 0;
  for (let i = 0; i < count; i++) at += 4 + wire.readUIntLE(at, 3);
  return at;
}
