import { describe, expect, it } from 'vitest';
import { InternalError } from '../../core/errors.ts';
import {
  allRows,
  copyMessages,
  decoderOver,
  message,
  type Shape,
  TRAILER,
  tuple,
  type Value,
  wire,
} from './copy-wire.fixture.ts';

const SHAPE: Shape = {
  types: [
    { kind: 'int32' },
    { kind: 'utf8' },
    { kind: 'decimal', precision: 20, scale: 3 },
    { kind: 'bool' },
  ],
  formats: ['int4', 'text', 'numeric', 'bool'],
};

const ROWS: Value[][] = [
  [1, 'first', 1500n, true],
  [-2, '', null, false],
  [null, null, -1n, null],
  [4, 'more than twelve bytes, and an ä', 99_999_999_999_999_999_999n, true],
  [5, 'x', 0n, null],
];

const MESSAGES = copyMessages(
  ROWS.map(([id, text, amount, flag]) => [
    id === null ? null : wire.int4(id as number),
    text === null ? null : wire.text(text as string),
    amount === null ? null : wire.numeric(amount as bigint, 3),
    flag === null ? null : wire.bool(flag as boolean),
  ]),
);
const BYTES = Buffer.concat(MESSAGES);

describe('a stream of CopyData', () => {
  it('gives the same rows wherever the first block ends', () => {
    for (let cut = 1; cut <= BYTES.length; cut++)
      expect(allRows(decoderOver(BYTES, SHAPE, { cut })), `cut at ${cut}`).toEqual(ROWS);
  });

  it('gives the same rows with blocks of any size, down to one byte', () => {
    for (let blockBytes = 1; blockBytes <= BYTES.length; blockBytes++) {
      expect(allRows(decoderOver(BYTES, SHAPE, { blockBytes })), `blocks of ${blockBytes}`).toEqual(ROWS);
    }
  });

  it('gives the same rows in batches of any number of rows and bytes', () => {
    for (const maxRows of [1, 2, 3, 4, 5, 6]) {
      for (const maxBytes of [1, 30, 64, 1000]) {
        for (const blockBytes of [3, 17, 1000]) {
          const decoder = decoderOver(BYTES, { ...SHAPE, maxRows, maxBytes }, { blockBytes });
          expect(allRows(decoder), `${maxRows} rows, ${maxBytes} bytes, blocks of ${blockBytes}`).toEqual(
            ROWS,
          );
          expect(decoder.facts()).toMatchObject({ rows: 5, bytes: BYTES.length, coerced: {} });
        }
      }
    }
  });

  it('closes a batch when it has as many rows or bytes as are wanted, with at least one row', () => {
    const sizes = (shape: Partial<Shape>): number[] => {
      const decoder = decoderOver(BYTES, { ...SHAPE, ...shape });
      return Array.from({ length: 6 }, () => decoder.next()?.rows ?? 0);
    };
    expect(sizes({ maxRows: 2 })).toEqual([2, 2, 1, 0, 0, 0]);
    expect(sizes({ maxBytes: 1 })).toEqual([1, 1, 1, 1, 1, 0]);
    expect(sizes({ maxBytes: MESSAGES[0]!.length + 1 })).toEqual([2, 2, 1, 0, 0, 0]);
  });

  it('leaves nothing of one batch in the next', () => {
    const shape: Shape = { ...SHAPE, maxRows: 1 };
    const decoder = decoderOver(BYTES, shape);
    const nulls: number[][] = [];
    for (let batch = decoder.next(); batch; batch = decoder.next())
      nulls.push(batch.columns.map((column) => column.nullCount));
    expect(nulls).toEqual([
      [0, 0, 0, 0],
      [0, 0, 1, 0],
      [1, 1, 0, 1],
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
  });

  it('without rows has no batch', () => {
    const decoder = decoderOver(Buffer.concat(copyMessages([])), SHAPE);
    expect(decoder.next()).toBeUndefined();
    expect(decoder.next()).toBeUndefined();
    expect(decoder.facts()).toMatchObject({ rows: 0, high: undefined });
  });

  it('with a header in a message of its own and an extension of the header is read as well', () => {
    const header = Buffer.concat([
      Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
      wire.int4(0),
      wire.int4(3),
      Buffer.from('abc'),
    ]);
    const bytes = Buffer.concat([message(header), message(tuple([wire.int4(7)])), TRAILER]);
    expect(allRows(decoderOver(bytes, { types: [{ kind: 'int32' }], formats: ['int4'] }))).toEqual([[7]]);
  });

  it('with one row larger than many blocks is put together', () => {
    const large = 'é'.repeat(50_000);
    const rows = ['a', large, '', large, 'z'];
    const bytes = Buffer.concat(copyMessages(rows.map((text) => [wire.text(text)])));
    for (const blockBytes of [64, 1000, 65_536, 99_991]) {
      expect(
        allRows(decoderOver(bytes, { types: [{ kind: 'utf8' }], formats: ['text'] }, { blockBytes })),
      ).toEqual(rows.map((text) => [text]));
    }
  });
});

describe('a row larger than the limit', () => {
  const error = ({
    bytes,
    column,
    columnBytes,
  }: {
    bytes: number;
    column: string;
    columnBytes: number;
  }): Error => new Error(`${bytes} bytes, ${columnBytes} in ${column}`);

  it.each([0, 1])('is refused with its largest column, as row %i and wherever blocks end', (before) => {
    const large = [wire.int4(1), wire.text('x'.repeat(3000)), null, wire.text('y'.repeat(2000))];
    const small = [null, wire.text('small'), null, null];
    const messages = copyMessages([...Array.from({ length: before }, () => small), large, small]);
    const shape: Shape = {
      types: [{ kind: 'int32' }, { kind: 'utf8' }, { kind: 'bool' }, { kind: 'utf8' }],
      formats: ['int4', 'text', 'bool', 'text'],
    };
    for (const blockBytes of [1, 7, 64, 1000]) {
      const decoder = decoderOver(Buffer.concat(messages), shape, {
        blockBytes,
        limit: { bytes: 4000, error },
      });
      expect(() => allRows(decoder)).toThrow(`${messages[before]!.length} bytes, 3000 in f1`);
    }
    const fits = decoderOver(Buffer.concat(messages), shape, {
      blockBytes: 64,
      limit: { bytes: 6000, error },
    });
    expect(allRows(fits).length).toBe(before + 2);
  });
});

describe('a broken stream', () => {
  const read =
    (bytes: Buffer, feed: Parameters<typeof decoderOver>[2] = {}) =>
    (): unknown =>
      allRows(decoderOver(bytes, SHAPE, feed));

  it('that ends anywhere before its trailer is an error, never a shorter table', () => {
    for (let length = 0; length < BYTES.length; length++) {
      for (const blockBytes of [5, 1000])
        expect(read(BYTES.subarray(0, length), { blockBytes }), `${length} bytes`).toThrow(InternalError);
    }
  });

  it('whose source failed just ends, since the source tells why', () => {
    for (let length = 0; length <= BYTES.length; length++) {
      expect(
        allRows(decoderOver(BYTES.subarray(0, length), SHAPE, { end: 'failed', blockBytes: 11 })).length,
      ).toBeLessThanOrEqual(5);
    }
  });

  it('is named: no header, another number of fields, fields longer than their row', () => {
    expect(read(Buffer.concat([message(tuple([wire.int4(1), null, null, null])), TRAILER]))).toThrow(
      'does not begin with PGCOPY',
    );
    expect(read(Buffer.concat([MESSAGES[0]!, message(tuple([wire.int4(1)])), TRAILER]))).toThrow(
      'a row has 1 fields where 4 were asked for',
    );
    const long = message(Buffer.concat([tuple([wire.int4(1), null, null, null]), Buffer.from([0])]));
    expect(read(Buffer.concat([MESSAGES[0]!, long, TRAILER]))).toThrow(
      'a row does not end where its message ends',
    );
  });
});

describe('the greatest cursor value', () => {
  const high = (shape: Shape, rows: (Buffer | null)[][]): string | undefined => {
    const decoder = decoderOver(Buffer.concat(copyMessages(rows)), { maxRows: 2, ...shape });
    allRows(decoder);
    return decoder.facts().high;
  };
  const longs = (...values: (bigint | null)[]): (Buffer | null)[][] =>
    values.map((value) => [value === null ? null : wire.int8(value)]);
  const LONG: Shape = { types: [{ kind: 'int64' }], formats: ['int8'], cursor: [0] };

  it('is found over all batches, by both halves of the number', () => {
    expect(high(LONG, longs(1n, 3n, 2n, -5n))).toBe('3');
    expect(high(LONG, longs(1n, 2n))).toBe('2');
    expect(high(LONG, longs(-9223372036854775808n, -1n, -2n))).toBe('-1');
    expect(high(LONG, longs(4294967296n, 4294967295n, 1n))).toBe('4294967296');
    expect(high(LONG, longs(4294967295n, 2147483648n, 2147483647n))).toBe('4294967295');
    expect(high(LONG, longs(-4294967296n, -4294967297n))).toBe('-4294967296');
    expect(high(LONG, longs(9223372036854775807n, 0n))).toBe('9223372036854775807');
  });

  it('ignores NULLs and is absent when there is nothing else', () => {
    expect(high(LONG, longs(null, -7n, null, -8n))).toBe('-7');
    expect(high(LONG, longs(null, null, null))).toBeUndefined();
  });

  it('is the greatest of several columns', () => {
    const two: Shape = {
      types: [{ kind: 'int32' }, { kind: 'int32' }],
      formats: ['int4', 'int4'],
      cursor: [0, 1],
    };
    expect(
      high(two, [
        [wire.int4(1), null],
        [null, wire.int4(5)],
        [wire.int4(4), wire.int4(-9)],
      ]),
    ).toBe('5');
  });

  it('is text that PostgreSQL reads: small numbers, days, moments, the infinities', () => {
    expect(
      high({ types: [{ kind: 'int16' }], formats: ['int2'], cursor: [0] }, [
        [wire.int2(-3)],
        [wire.int2(-4)],
      ]),
    ).toBe('-3');
    const dates: Shape = { types: [{ kind: 'date' }], formats: ['date'], cursor: [0] };
    expect(high(dates, [[wire.int4(0)], [wire.int4(-1)]])).toBe('2000-01-01');
    expect(high(dates, [[wire.int4(0)], [wire.int4(0x7fffffff)]])).toBe('infinity');
    expect(high(dates, [[wire.int4(-0x80000000)]])).toBe('-infinity');
    const moments: Shape = {
      types: [{ kind: 'timestamp', zone: true }],
      formats: ['timestamp'],
      cursor: [0],
    };
    expect(high(moments, longs(1n, 0n, -1n))).toBe('2000-01-01 00:00:00.000001+00');
    expect(high(moments, longs(-9223372036854775808n))).toBe('-infinity');
    expect(high(moments, longs(9223372036854775807n, 1n))).toBe('infinity');
  });
});
