import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Batch, type BatchReader, type Column } from '../core/batch.ts';
import { DataError } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';
import type { LogicalType } from '../core/types.ts';
import { BatchSource } from './batch-source.ts';
import { Session } from './session.ts';

let session: Session;
let sources = 0;

beforeAll(async () => {
  session = await Session.open({
    memoryBytes: 256 << 20,
    tempDirectory: path.join(tmpdir(), 'sluice-vectors-test'),
    threads: 1,
  });
});

afterAll(() => session.close());

type Value = string | bigint | number | boolean | Uint8Array | null;

/** Puts one value into a column; text and bytes must be put in order of their rows. */
function put(column: Column, row: number, value: Value): void {
  const { kind } = column.type;
  if (column.width === 0) {
    const bytes =
      value === null
        ? new Uint8Array(0)
        : typeof value === 'string'
          ? Buffer.from(value)
          : (value as Uint8Array);
    const used = column.offsets[row]!;
    column.grow(used, bytes.length).set(bytes, used);
    column.offsets[row + 1] = used + bytes.length;
  } else if (value !== null) {
    if (kind === 'bool') column.u8[row >> 3]! |= value ? 1 << (row & 7) : 0;
    else if (kind === 'uuid')
      column.u8.set(Buffer.from((value as string).replaceAll('-', ''), 'hex'), row * 16);
    else if (kind === 'float64') new Float64Array(column.data)[row] = value as number;
    else if (kind === 'float32') new Float32Array(column.data)[row] = value as number;
    else
      for (let k = 0; k < column.width; k++)
        column.u8[row * column.width + k] = Number((BigInt(value as bigint) >> BigInt(8 * k)) & 255n);
  }
  if (value === null) column.setNull(row);
}

/** Rows in batches that reuse one buffer, as a decoder does. */
class Rows implements BatchReader {
  readonly #batch: Batch;
  readonly #rows: Value[][];
  #at = 0;

  constructor(schema: Schema, rows: Value[][], batchRows: number) {
    this.#batch = new Batch(schema, batchRows);
    this.#rows = rows;
  }

  next(): Batch | undefined {
    const batch = this.#batch;
    batch.reset();
    const part = this.#rows.slice(this.#at, this.#at + batch.capacity);
    for (const [r, row] of part.entries())
      for (const [c, column] of batch.columns.entries()) put(column, r, row[c]!);
    batch.rows = part.length;
    this.#at += part.length;
    return part.length > 0 ? batch : undefined;
  }
}

function schemaOf(types: LogicalType[]): Schema {
  return { fields: types.map((type, i) => ({ name: `f${i}`, type, nullable: true })), key: [] };
}

/** Makes the rows a table of DuckDB and runs a query over it; the table is called `t`. */
async function through(
  types: LogicalType[],
  rows: Value[][],
  sql: string,
  batchRows: number = 2048,
): Promise<Record<string, unknown>[]> {
  const schema = schemaOf(types);
  const source = new BatchSource(new Rows(schema, rows, batchRows));
  const name = `source_${sources++}`;
  source.register(session.connection, name, schema);
  await session
    .run(`CREATE OR REPLACE TEMP TABLE t AS SELECT * FROM ${name}()`, 'reading')
    .catch((error: unknown) => {
      throw source.error ?? error;
    });
  return session.rows(sql, 'querying');
}

const column = async (type: LogicalType, values: Value[], expression = 'c0::VARCHAR'): Promise<unknown[]> =>
  (
    await through(
      [type],
      values.map((value) => [value]),
      `SELECT ${expression} AS v FROM t ORDER BY rowid`,
    )
  ).map((row) => row['v']);

const UTF8: LogicalType = { kind: 'utf8' };

describe('strings', () => {
  const texts = [
    ...Array.from({ length: 30 }, (_, i) => 'abcdefghijklmnopqrstuvwxyzäöüß'.slice(0, i)),
    'äöüäöü',
    'äöüäöüx',
    '😀😀😀',
    '😀😀😀😀',
    '\u0001',
    'x'.repeat(5000),
    '',
    'same prefix, then one',
    'same prefix, then two',
    '\u{10ffff}',
  ];

  it('on both sides of the 12 bytes that are kept inline arrive', async () => {
    expect(await column(UTF8, texts, 'c0')).toEqual(texts);
    expect(await column(UTF8, texts, 'octet_length(encode(c0))::INTEGER')).toEqual(
      texts.map((text) => Buffer.byteLength(text)),
    );
  });

  it('compare, sort and group by all of their bytes', async () => {
    const rows = [...texts, ...texts].map((text) => [text]);
    expect(await through([UTF8], rows, 'SELECT count(DISTINCT c0)::INTEGER AS n FROM t')).toEqual([
      { n: new Set(texts).size },
    ]);
    const sorted = await through([UTF8], rows, 'SELECT DISTINCT c0 FROM t ORDER BY c0');
    expect(sorted.map((row) => row['c0'])).toEqual(
      [...new Set(texts)].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    for (const text of texts) {
      const found = await session.rows(
        `SELECT count(*)::INTEGER AS n FROM t WHERE c0 = '${text.replaceAll("'", "''")}'`,
        'counting',
      );
      expect(found[0]!['n'], text).toBe(2 * texts.filter((each) => each === text).length);
    }
  });

  it('compare as they were written here, before DuckDB has made a copy of its own', async () => {
    // Long and short ones take turns, so that short ones are written over the remains of long ones.
    const mixed = Array.from({ length: 3000 }, (_, i) => texts[(i * 7) % texts.length]!);
    const schema = schemaOf([UTF8]);
    const direct = async (sql: (table: string) => string): Promise<Record<string, unknown>[]> => {
      const name = `source_${sources++}`;
      new BatchSource(
        new Rows(
          schema,
          mixed.map((text) => [text]),
          2048,
        ),
      ).register(session.connection, name, schema);
      return session.rows(sql(`${name}()`), 'querying');
    };
    const groups = await direct((table) => `SELECT c0, count(*)::INTEGER AS n FROM ${table} GROUP BY c0`);
    expect(new Map(groups.map(({ c0, n }) => [c0, n]))).toEqual(
      new Map(texts.map((text) => [text, mixed.filter((each) => each === text).length])),
    );
    for (const text of new Set(texts)) {
      const found = await direct(
        (table) => `SELECT count(*)::INTEGER AS n FROM ${table} WHERE c0 = '${text.replaceAll("'", "''")}'`,
      );
      expect(found[0]!['n'], text).toBe(mixed.filter((each) => each === text).length);
    }
  });

  it('stay when the buffers that they came from are used again', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i): Value[] => [
      `row number ${i} is longer than twelve bytes`,
      i % 3 === 0 ? null : String(i),
    ]);
    const found = await through([UTF8, UTF8], rows, 'SELECT c0, c1 FROM t ORDER BY rowid', 2048);
    expect(found).toEqual(rows.map(([c0, c1]) => ({ c0, c1 })));
  });

  it('of a chunk that has only short ones, or only NULLs, need no memory of their own', async () => {
    expect(await column(UTF8, ['a', '', null, 'bb'], 'c0')).toEqual(['a', '', null, 'bb']);
    expect(await column(UTF8, [null, null, null], 'c0')).toEqual([null, null, null]);
    expect(await column(UTF8, ['', '', ''], 'c0')).toEqual(['', '', '']);
  });

  it('that are not UTF-8 are refused with the name of the column and a way out, short or long', async () => {
    await expect(column(UTF8, ['', Buffer.from([0xff]), ''])).rejects.toThrow(DataError);
    for (const bytes of [
      Buffer.from([0xff]),
      Buffer.from([...Buffer.alloc(20, 0x61), 0xc3]),
      Buffer.from([0xed, 0xa0, 0x80, ...Buffer.alloc(20, 0x61)]),
    ]) {
      await expect(column(UTF8, ['ok', bytes, 'another text that is long enough'])).rejects.toThrow(
        DataError,
      );
      await expect(column(UTF8, ['ok', bytes, 'another text that is long enough'])).rejects.toMatchObject({
        code: 'data.invalid_utf8',
        details: { column: 'f0' },
      });
    }
  });

  it('that are not UTF-8 are refused also after one of the same length', async () => {
    const rows = [
      ['twenty bytes of text'],
      [Buffer.concat([Buffer.from('another 20 bytes of'), Buffer.from([0xff])])],
      ['x'],
    ];
    await expect(through([UTF8], rows, 'SELECT c0 FROM t', 1)).rejects.toThrow(DataError);
  });

  it('of bytes may hold anything', async () => {
    const values = [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.from([0xff, 0xc3]),
      Buffer.alloc(12, 0xff),
      Buffer.alloc(13, 0xfe),
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    ];
    expect(await column({ kind: 'binary' }, values, 'lower(hex(c0))')).toEqual(
      values.map((value) => value.toString('hex')),
    );
  });
});

describe('NULLs', () => {
  const pattern = (length: number, isNull: (i: number) => boolean): Value[][] =>
    Array.from({ length }, (_, i) =>
      isNull(i) ? [null, null, null, null] : [BigInt(i), `text ${i} of some length`, i % 2 === 0, BigInt(i)],
    );
  const TYPES: LogicalType[] = [
    { kind: 'int32' },
    UTF8,
    { kind: 'bool' },
    { kind: 'decimal', precision: 30, scale: 0 },
  ];

  it.each([1, 7, 8, 63, 64, 65, 2047, 2048, 2049, 5000])(
    'lie where they should among %i rows, in every column',
    async (length) => {
      const rows = pattern(length, (i) => (i * 7 + (i >> 6)) % 5 === 0);
      const found = await through(TYPES, rows, 'SELECT c0, c1, c2, c3::VARCHAR AS c3 FROM t ORDER BY rowid');
      expect(found).toEqual(
        rows.map(([c0, c1, c2, c3]) => ({
          c0: c0 === null ? null : Number(c0),
          c1,
          c2,
          c3: c3 === null ? null : String(c3),
        })),
      );
    },
  );

  it('of one chunk are gone in the next', async () => {
    const rows = pattern(6000, (i) => i < 2048 || i >= 4096);
    const found = await through(
      TYPES,
      rows,
      'SELECT count(*)::INTEGER AS rows, count(c0)::INTEGER AS a, count(c1)::INTEGER AS b, count(c2)::INTEGER AS c, count(c3)::INTEGER AS d FROM t',
    );
    expect(found).toEqual([{ rows: 6000, a: 2048, b: 2048, c: 2048, d: 2048 }]);
  });
});

describe('values of fixed width', () => {
  it('uuids keep their text and their order', async () => {
    const ids = [
      '00000000-0000-0000-0000-000000000000',
      '00000000-0000-0000-0000-000000000001',
      '00112233-4455-6677-8899-aabbccddeeff',
      '7fffffff-ffff-ffff-ffff-ffffffffffff',
      '80000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ];
    expect(await column({ kind: 'uuid' }, ids)).toEqual(ids);
    const shuffled = ids.toReversed().map((id) => [id]);
    expect(
      (await through([{ kind: 'uuid' }], shuffled, 'SELECT c0::VARCHAR AS v FROM t ORDER BY c0')).map(
        (row) => row['v'],
      ),
    ).toEqual(ids);
  });

  it.each([1, 4, 5, 9, 10, 18, 19, 38])(
    'decimals of %i digits keep all of them, with either sign',
    async (precision) => {
      const most = 10n ** BigInt(precision) - 1n;
      const values = [0n, 1n, -1n, most, -most, most / 2n, -most / 3n];
      expect(await column({ kind: 'decimal', precision, scale: 0 }, values)).toEqual(values.map(String));
      const scaled = await column({ kind: 'decimal', precision, scale: precision }, [most, -1n, null]);
      expect(scaled).toEqual([`.${most}`, `-.${'1'.padStart(precision, '0')}`, null]);
    },
  );

  it('numbers keep their ends', async () => {
    expect(await column({ kind: 'int16' }, [-32768n, 32767n, -1n])).toEqual(['-32768', '32767', '-1']);
    expect(await column({ kind: 'int32' }, [-2147483648n, 2147483647n])).toEqual([
      '-2147483648',
      '2147483647',
    ]);
    expect(await column({ kind: 'int64' }, [-(2n ** 63n), 2n ** 63n - 1n])).toEqual([
      '-9223372036854775808',
      '9223372036854775807',
    ]);
    expect(await column({ kind: 'float64' }, [-0, NaN, -Infinity, 5e-324, 0.1])).toEqual([
      '-0.0',
      'nan',
      '-inf',
      '5e-324',
      '0.1',
    ]);
    expect(await column({ kind: 'float32' }, [-0, Infinity, 2 ** -149])).toEqual(['-0.0', 'inf', '1e-45']);
    expect(
      await column(
        { kind: 'bool' },
        Array.from({ length: 21 }, (_, i) => i % 3 === 0),
      ),
    ).toEqual(Array.from({ length: 21 }, (_, i) => String(i % 3 === 0)));
  });

  it('days and moments keep the infinities, years before Christ and 24:00', async () => {
    expect(await column({ kind: 'date' }, [0n, -1n, -719_163n, 2147483647n, -2147483647n])).toEqual([
      '1970-01-01',
      '1969-12-31',
      '0001-12-31 (BC)',
      'infinity',
      '-infinity',
    ]);
    expect(await column({ kind: 'time' }, [0n, 86_400_000_000n, 1n])).toEqual([
      '00:00:00',
      '24:00:00',
      '00:00:00.000001',
    ]);
    const moments = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n) + 1n];
    expect(await column({ kind: 'timestamp', zone: false }, moments)).toEqual([
      '1970-01-01 00:00:00',
      '1969-12-31 23:59:59.999999',
      'infinity',
      '-infinity',
    ]);
    expect(await column({ kind: 'timestamp', zone: true }, moments)).toEqual([
      '1970-01-01 00:00:00+00',
      '1969-12-31 23:59:59.999999+00',
      'infinity',
      '-infinity',
    ]);
  });
});
