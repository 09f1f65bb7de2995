import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../../core/byte-ring.ts';
import type { ColumnLimits } from '../../../core/diagnose.ts';
import type { BadRecord } from '../../../core/quarantine.ts';
import type { Schema } from '../../../core/schema.ts';
import type { DecodeFacts } from '../../../core/source.ts';
import { parseType } from '../../../core/types.ts';
import { type Cell, fromBatch } from '../../../testing/batch-rows.ts';
import type { CsvDialect } from './csv-scanner.ts';
import { sendDocument } from './document-input.ts';
import type { WrittenForm } from './records.ts';
import { createTextDecoder, type DocumentLayout } from './text-decoder.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-text-'));
const badFile = path.join(folder, 'bad.jsonl');
afterAll(() => rmSync(folder, { recursive: true }));

const CSV: CsvDialect = { format: 'csv', delimiter: ',', quote: '"', escape: '"', nulls: [''] };

interface Given {
  types: string[];
  dialect?: Partial<CsvDialect>;
  /** Names of the members, for objects of JSON. */
  names?: string[];
  flatten?: number;
  /** Bytes of a piece, so that records lie across borders. */
  pieces?: number;
  header?: boolean;
  maxRows?: number;
  key?: boolean;
  limits?: ColumnLimits[];
  forms?: DocumentLayout['forms'];
  /** Rows of a batch that go aside after all. */
  decide?: (rows: Cell[][]) => number[];
}

interface Read {
  rows: Cell[][];
  bad: BadRecord[];
  facts: DecodeFacts;
}

async function read(documents: (string | Uint8Array)[], given: Given): Promise<Read> {
  rmSync(badFile, { force: true });
  const memory = createRing(1 << 16, 4);
  const producer = new RingProducer(memory);
  const pump = (async () => {
    for (const [number, text] of documents.entries()) {
      const bytes = Buffer.from(text as string);
      const size = given.pieces ?? (bytes.length || 1);
      const pieces = (async function* () {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      })();
      await sendDocument(producer, number, pieces, () => undefined);
    }
    producer.end();
  })();
  // The decoder blocks its thread, so all has to be there.
  await pump;
  const schema: Schema = {
    fields: given.types.map((type, i) => ({
      name: `c${i}`,
      type: parseType(type)!,
      nullable: given.key !== true,
    })),
    key: [],
  };
  const layout: Omit<DocumentLayout, 'name'> = {
    dialect: given.names
      ? { format: 'json', names: given.names, flatten: given.flatten ?? 0 }
      : { ...CSV, ...given.dialect },
    skip: given.header === true ? 1 : 0,
    line: 1,
    fields: given.types.length,
    columns: given.types.map((_, i) => i),
    forms: given.forms,
    form: '{}',
  };
  const decoder = createTextDecoder(new RingConsumer(memory), schema, {
    documents: documents.map((_, i) => ({ ...layout, name: `f${i}` })),
    maxRows: given.maxRows ?? 64,
    maxBytes: 1 << 20,
    badRecords: badFile,
    limits: given.limits,
  });
  const rows: Cell[][] = [];
  const refuse = given.decide && decoder.refusing?.();
  for (let batch = decoder.next(); batch; batch = decoder.next()) {
    const found = fromBatch(batch);
    const gone = given.decide?.(found) ?? [];
    refuse?.(gone.map((row) => ({ row, column: undefined, code: 'row.check', reason: 'no' })));
    rows.push(...found);
  }
  let lines: (BadRecord & { form?: string })[] = [];
  try {
    lines = readFileSync(badFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as BadRecord);
  } catch {
    // There is none when all is well.
  }
  return { rows, bad: lines.filter(({ form }) => form === undefined), facts: decoder.facts() };
}

const texts = async (
  text: string | Uint8Array,
  columns: number,
  given: Partial<Given> = {},
): Promise<Cell[][]> =>
  (await read([text], { types: Array.from({ length: columns }, () => 'utf8'), ...given })).rows;

it('rows of a batch go aside after all, as they were written, beside those that did not fit', async () => {
  const decide = (rows: Cell[][]): number[] => rows.flatMap(([n], row) => (Number(n) % 3 === 0 ? [row] : []));
  const lines = Array.from({ length: 200 }, (_, i) =>
    i % 10 === 7 ? `x${i},"b"` : `${i},"two\nlines ""${i}"""`,
  );
  const half = lines.length / 2;
  const documents = [lines.slice(0, half), lines.slice(half)].map((part) => `${part.join('\n')}\n`);
  const { rows, bad, facts } = await read(documents, {
    types: ['int32', 'utf8'],
    pieces: 50,
    maxRows: 16,
    decide,
  });
  const fitting = lines.map((_, i) => i).filter((i) => i % 10 !== 7);
  expect(rows.map(([n]) => Number(n))).toEqual(fitting);
  const refused = bad.filter(({ code }) => code === 'row.check');
  expect(refused.map(({ raw }) => raw)).toEqual(lines.filter((_, i) => i % 10 !== 7 && i % 3 === 0));
  expect(bad).toHaveLength(20 + refused.length);
  for (const { document, line, raw, reason } of refused) {
    const n = Number.parseInt(raw, 10);
    expect([document, reason]).toEqual([n < half ? 'f0' : 'f1', 'no']);
    // Nine records of ten have two lines.
    const before = lines.slice(n < half ? 0 : half, n);
    expect(line).toBe(1 + before.reduce((sum, each) => sum + each.split('\n').length, 0));
  }
  expect(facts.rows).toBe(fitting.length - refused.length);
  expect(facts.own).toEqual({
    rows: [half, half],
    bad: ['f0', 'f1'].map((name) => bad.filter(({ document }) => document === name).length),
  });
});

describe('taking records apart', () => {
  it('tells nothing from the empty text, and quotes from what they enclose', async () => {
    expect(await texts('a,,""\n"x, ""y""",\'b\',c"d\n', 3)).toEqual([
      ['a', null, ''],
      ['x, "y"', "'b'", 'c"d'],
    ]);
  });

  it('takes every line break, also within quotes, and an end without one', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      expect(await texts(`a,b${end}"c${end}d",e${end}${end}f,g`, 2)).toEqual([
        ['a', 'b'],
        [`c${end}d`, 'e'],
        ['f', 'g'],
      ]);
    }
  });

  it('takes other delimiters, quotes, escapes and NULLs', async () => {
    const dialect = { delimiter: ';', quote: "'", escape: '\\', nulls: ['NA', '\\N'] };
    expect(await texts("a;'b\\'c;d';NA\n;\\N;'NA'\n", 3, { dialect })).toEqual([
      ['a', "b'c;d", null],
      ['', null, 'NA'],
    ]);
    expect(await texts('"a,b"\n', 2, { dialect: { quote: undefined, escape: undefined } })).toEqual([
      ['"a', 'b"'],
    ]);
  });

  it('takes a column of its own, where an empty line is a record', async () => {
    expect(await texts('a\n\nb\n', 1)).toEqual([['a'], [null], ['b']]);
  });

  it('reads several documents, each with its header and its lines', async () => {
    const { rows, bad, facts } = await read(['n\n1\n2\n', '', 'n\n3\nx\n'], {
      types: ['int64'],
      header: true,
    });
    expect(rows).toEqual([['1'], ['2'], ['3']]);
    expect(bad).toMatchObject([{ document: 'f2', line: 3, column: 'c0', code: 'row.type', raw: 'x' }]);
    expect(facts).toMatchObject({ rows: 3, quarantined: 1, own: { rows: [2, 0, 2], bad: [0, 0, 1] } });
  });

  it('gives up one line for a stray quote, and a record for missing or additional fields', async () => {
    const text = 'a,b\nc,"d\ne,f\ng\nh,i,j\nk,"l" m\nn,o\n';
    const { rows, bad } = await read([text], { types: ['utf8', 'utf8'] });
    expect(rows).toEqual([
      ['a', 'b'],
      ['e', 'f'],
      ['n', 'o'],
    ]);
    expect(bad.map(({ line, code, raw }) => [line, code, raw])).toEqual(
      expect.arrayContaining([
        [2, 'row.quote', 'c,"d'],
        [4, 'row.fields', 'g'],
        [5, 'row.fields', 'h,i,j'],
        [6, 'row.quote', 'k,"l" m'],
      ]),
    );
    expect(bad).toHaveLength(4);
  });

  it('counts lines within quotes', async () => {
    const { bad } = await read(['"a\nb\n",1\n"c",x\n'], { types: ['utf8', 'int64'] });
    expect(bad).toMatchObject([{ line: 4, column: 'c1' }]);
  });

  it('reads back whatever is written, wherever the pieces end', async () => {
    const field = fc.oneof(
      fc.constant(null),
      fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', '\u{1f600}', ' ', '\\') }),
    );
    const write = (value: string | null): string =>
      value === null
        ? ''
        : /["\n\r,]/.test(value) || value === ''
          ? `"${value.replaceAll('"', '""')}"`
          : value;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field, field), { maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        async (records, pieces, end) => {
          const text = records.map((record) => record.map(write).join(',') + end).join('');
          expect(await texts(text, 3, { pieces, maxRows: 7 })).toEqual(records);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('JSON objects', () => {
  it('reads them from lines and from arrays, whatever the order of their members', async () => {
    const text = `{"a":1,"b":"x"}\n\n [ {"b" : "y" , "a":2},\r\n{"a":null},{},{"other":[1,{"a":9}],"a":3}]\n`;
    const { rows, facts } = await read([text], { types: ['int64', 'utf8'], names: ['a', 'b'] });
    expect(rows).toEqual([
      ['1', 'x'],
      ['2', 'y'],
      [null, null],
      [null, null],
      ['3', null],
    ]);
    expect(facts.quarantined).toBe(0);
  });

  it('takes objects within objects apart down to a level', async () => {
    const text = '{"a":{"b":{"c":[1]},"d":true}}\n';
    const given = { types: ['json', 'json', 'json'], names: ['a', 'a_b', 'a_b_c'] };
    expect((await read([text], given)).rows).toEqual([['{"b":{"c":[1]},"d":true}', null, null]]);
    expect((await read([text], { ...given, flatten: 1 })).rows).toEqual([[null, '{"c":[1]}', null]]);
    expect((await read([text], { ...given, flatten: 2 })).rows).toEqual([[null, null, '[1]']]);
  });

  it('puts aside what two members of a record would be one field of, and takes the last of those that come twice', async () => {
    const text =
      '{"a_b":1,"a":{"b":2}}\n{"a_b":3}\n{"a":{"b":4,"b":5}}\n{"a":{"b":6},"a_b":7}\nnull\n{"a_b":8}';
    const { rows, bad } = await read([text], { types: ['int64'], names: ['a_b'], flatten: 1 });
    expect(rows).toEqual([['3'], ['5'], ['8']]);
    const clash = 'has more than one member "a_b" when its objects are taken apart';
    expect(bad).toMatchObject([{ line: 1 }, { line: 4 }, { line: 5 }]);
    expect(JSON.stringify(bad).split(JSON.stringify(clash).slice(1, -1)).length).toBe(3);
  });

  it('puts aside what is no object, with its line, and goes on with the next one', async () => {
    const text = '{"a":1}\nnull\n{"a":"x\n{"a":2,}\n{"a":tru}\n{"a":[1}\n{"a":"\\ud800"}\n{"a":3}';
    const { rows, bad } = await read([text], { types: ['utf8'], names: ['a'] });
    expect(rows).toEqual([['1'], ['3']]);
    expect(bad.map(({ line, code }) => [line, code]).toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual(
      [
        [2, 'row.json'],
        [3, 'row.json'],
        [4, 'row.json'],
        [5, 'row.json'],
        [6, 'row.json'],
        [7, 'row.utf8'],
      ],
    );
  });

  it('reads back whatever JSON writes, wherever the pieces end', async () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ a: value, 'b"': fc.option(fc.string({ unit: 'grapheme' })) }), {
          maxLength: 12,
        }),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom(undefined, 2),
        async (records, pieces, space) => {
          const text = records.map((record) => JSON.stringify(record, undefined, space)).join('\n');
          const { rows } = await read([text], { types: ['json', 'utf8'], names: ['a', 'b"'], pieces });
          const cells = rows.map(([a, b]) => [a === null ? null : JSON.parse(a!), b]);
          expect(cells).toEqual(
            records.map((record) => [JSON.parse(JSON.stringify(record.a)), record['b"']]),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** What becomes of each text in a column of a type; `undefined`: it does not fit. */
async function cells(type: string, values: string[]): Promise<(Cell | undefined)[]> {
  const { rows, bad } = await read([`${values.join('\n')}\n`], { types: [type] });
  const misfits = new Set(bad.map(({ line }) => line));
  let next = 0;
  return values.map((_, i) => (misfits.has(i + 1) ? undefined : rows[next++]![0]!));
}

describe('types', () => {
  it('reads whole numbers of every width exactly, and refuses what does not fit', async () => {
    const wide = ['0', '-1', '+7', '9223372036854775807', '-9223372036854775808', '9007199254740993'];
    expect(await cells('int64', wide)).toEqual(['0', '-1', '7', ...wide.slice(3)]);
    expect(await cells('int64', ['9223372036854775808', '1.0', '', 'x', '1e3', '-'])).toEqual([
      undefined,
      undefined,
      null,
      undefined,
      undefined,
      undefined,
    ]);
    expect(await cells('int32', ['2147483647', '2147483648', '-2147483648'])).toEqual([
      '2147483647',
      undefined,
      '-2147483648',
    ]);
    expect(await cells('int16', ['32767', '32768'])).toEqual(['32767', undefined]);
  });

  it('reads decimals exactly', async () => {
    expect(await cells('decimal(5,2)', ['1', '-1.5', '999.99', '1000', '1.234', '1.230', '.5', '.'])).toEqual(
      ['1.00', '-1.50', '999.99', undefined, undefined, '1.23', '0.50', undefined],
    );
    const long = '12345678901234567890123456.789012345678';
    expect(await cells('decimal(38,12)', [long, `-${long}`])).toEqual([long, `-${long}`]);
    expect(await cells('decimal(18,4)', ['12345678901234.5678'])).toEqual(['12345678901234.5678']);
  });

  it('reads doubles as the language does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 20 }),
        async (numbers) => {
          const written = numbers.map((n) => (Object.is(n, -0) ? '-0' : String(n)));
          expect(await cells('float64', written)).toEqual(written);
        },
      ),
      { numRuns: 30 },
    );
    expect(await cells('float64', ['1.', '.5', '1e400', '-inf', 'nan', '0x10', '1,5'])).toEqual([
      '1',
      '0.5',
      undefined,
      '-Infinity',
      'NaN',
      undefined,
      undefined,
    ]);
  });

  it('reads dates and times of ISO 8601, and no others', async () => {
    const dates = ['2024-02-29', '0001-01-01', '9999-12-31'];
    expect(await cells('date', dates)).toEqual(dates.map((day) => String(Date.parse(day) / 86_400_000)));
    expect(
      await cells('date', ['2023-02-29', '24-1-1', '2024-01-01 01:00', '0000-01-01', '2024-00-01']),
    ).toEqual(Array.from({ length: 5 }));
    expect(await cells('date', ['1970-01-02T00:00:00'])).toEqual(['1']);
    const micros = (moment: string, fraction: string): string =>
      `${Date.parse(moment) / 1000}${fraction}`.replace(/^(-?)0+(?=\d)/, '$1');
    expect(
      await cells('timestamp', [
        '2024-01-02T03:04:05.123456',
        '2024-01-02 03:04',
        '2024-01-02',
        '9999-12-31T23:59:59.999999',
        '2024-01-02T03:04:05.1234560',
      ]),
    ).toEqual([
      micros('2024-01-02T03:04:05Z', '123456'),
      micros('2024-01-02T03:04Z', '000000'),
      micros('2024-01-02', '000000'),
      micros('9999-12-31T23:59:59Z', '999999'),
      micros('2024-01-02T03:04:05Z', '123456'),
    ]);
    expect(await cells('timestamp', ['1969-12-31T23:59:59.999999'])).toEqual(['-1']);
    expect(
      await cells('timestamp', [
        '2024-01-02T03:04:05Z',
        '2024-01-02T03:04:05.1234567',
        '2024-01-02T24:00:00',
      ]),
    ).toEqual(Array.from({ length: 3 }));
    const zoned = ['2024-01-02T03:04:05Z', '2024-01-02T05:04:05+02:00', '2024-01-01T21:34:05-0530'];
    expect(await cells('timestamptz', [...zoned, '2024-01-02 05:04:05+02', '2024-01-02T03:04:05'])).toEqual([
      ...Array.from({ length: 4 }, () => micros('2024-01-02T03:04:05Z', '000000')),
      undefined,
    ]);
  });

  it('refuses texts that are no UTF-8 or have a byte 0, and keeps what they were', async () => {
    const text = Buffer.concat([
      Buffer.from('a\nb'),
      Buffer.of(0xe9),
      Buffer.from('\nc'),
      Buffer.of(0),
      Buffer.from('\né\n'),
    ]);
    const { rows, bad } = await read([text], { types: ['utf8'] });
    expect(rows).toEqual([['a'], ['é']]);
    expect(bad).toMatchObject([
      { line: 2, code: 'row.utf8', raw: Buffer.of(0x62, 0xe9).toString('base64'), base64: true },
      { line: 3, code: 'row.nul', raw: 'c\0' },
    ]);
  });

  it('refuses two texts that are UTF-8 only one behind the other', async () => {
    const [first, second] = [Buffer.of(0x61, 0xc3), Buffer.of(0xa9, 0x62)];
    const text = Buffer.concat([Buffer.from('é\n'), first, Buffer.from('\n'), second, Buffer.from('\nö\n')]);
    const { rows, bad } = await read([text], { types: ['utf8'] });
    expect(rows).toEqual([['é'], ['ö']]);
    expect(bad).toMatchObject([
      { line: 2, code: 'row.utf8', raw: first.toString('base64') },
      { line: 3, code: 'row.utf8', raw: second.toString('base64') },
    ]);
  });

  it('wants values where they have to be', async () => {
    const { rows, bad } = await read(['1,a\n,b\n2,\n'], { types: ['int64', 'utf8'], key: true });
    expect(rows).toEqual([['1', 'a']]);
    expect(bad).toMatchObject([
      { line: 2, column: 'c0', code: 'row.missing', reason: 'c0 is missing, and has to have a value' },
      { line: 3, column: 'c1', code: 'row.missing' },
    ]);
  });

  it('closes up the rows of a batch around those that do not fit', async () => {
    const records = Array.from({ length: 500 }, (_, i) => [
      String(i),
      i % 3 ? `t${i}` : '',
      i % 2 ? 'true' : 'false',
    ]);
    const text = records.map(([n, t, b], i) => `${i % 7 === 3 ? 'x' : n},${t},${b}`).join('\n');
    const { rows, bad } = await read([text], { types: ['int64', 'utf8', 'bool'] });
    const good = records.filter((_, i) => i % 7 !== 3);
    expect(rows).toEqual(good.map(([n, t, b]) => [n, t === '' ? null : t, b]));
    expect(bad).toHaveLength(records.length - good.length);
  });
});

describe('what the target refuses', () => {
  const limited = (type: string, limit: Partial<ColumnLimits>): ColumnLimits => ({
    field: 'c0',
    type,
    nullable: true,
    limits: [],
    ...limit,
  });

  it('is too long by characters or by bytes, with blanks at the end or without', async () => {
    const texts = ['abc', 'abcd', 'éèê', 'éèêà', 'ab  ', '💧💧💧', '""""', ''].map((text) => `"${text}"`);
    const refused = async (unit: 'characters' | 'bytes', blanks: boolean): Promise<number[]> => {
      const limit = { problem: 'too-long', fate: 'refused', unit, most: 3, blanks } as const;
      const { bad } = await read([texts.join('\n')], {
        types: ['utf8'],
        limits: [limited('varchar(3)', { limits: [limit] })],
      });
      expect(new Set(bad.map(({ reason }) => reason))).toEqual(new Set(['c0 is too long for varchar(3)']));
      return bad.map(({ line }) => line);
    };
    expect(await refused('characters', false)).toEqual([2, 4]);
    expect(await refused('characters', true)).toEqual([2, 4, 5]);
    expect(await refused('bytes', true)).toEqual([2, 3, 4, 5, 6]);
  });

  it('is too large once it is rounded, and NULL where none is taken', async () => {
    const large = { problem: 'too-large', fate: 'refused', whole: 2, scale: 1 } as const;
    for (const type of ['decimal(9,3)', 'decimal(18,3)', 'decimal(38,3)']) {
      const { rows, bad } = await read(['99.949\n99.95\n-99.949\n-99.95\n\n"",\n0\n100'], {
        types: [type],
        limits: [limited('numeric(3,1)', { limits: [large] })],
      });
      expect(bad.filter(({ code }) => code === 'row.too_large').map(({ line }) => line)).toEqual([2, 4, 8]);
      expect(rows).toHaveLength(4);
    }
    const { bad } = await read(['1,\n,2'], {
      types: ['int64', 'int64'],
      limits: [limited('bigint', { nullable: false })],
    });
    expect(bad).toMatchObject([{ line: 2, column: 'c0', code: 'row.missing' }]);
  });
});

describe('numbers and dates of other countries', () => {
  const german: WrittenForm = { kind: 'number', decimal: ',', thousands: '.' };
  const numbers = async (
    values: string[],
    type: string,
    form: WrittenForm,
  ): Promise<(Cell | undefined)[]> => {
    const text = values.map((value, i) => `${i}|"${value}"\n`).join('');
    const given = { types: ['int32', type], forms: [undefined, form], dialect: { delimiter: '|' } };
    const { rows } = await read([text], given);
    return values.map((_, i) => rows.find(([row]) => row === String(i))?.[1]);
  };

  it.each<[string, string, string, (Cell | undefined)[], WrittenForm]>([
    [
      '1.234,56 1234,56 -1.234.567,8 +0,5 ,5 7 7,',
      'decimal(12,2)',
      'German',
      ['1234.56', '1234.56', '-1234567.80', '0.50', '0.50', '7.00', '7.00'],
      german,
    ],
    // A point that is none between groups, groups of other sizes, two commas, signs behind, what is no part of numbers.
    [
      '1.23 1.2345 12345.678 .5 1..234 1.234.5 1,2,3 1,234.5 5- 5% €5 1,2345',
      'decimal(12,2)',
      'not German',
      Array.from({ length: 12 }, () => undefined),
      german,
    ],
    ['1.234 1.234,0 12.34', 'int32', 'whole German', ['1234', undefined, undefined], german],
    [
      '1.234,5 1,5e3 NaN 1e3 -,',
      'float64',
      'German with an exponent',
      ['1234.5', '1500', 'NaN', '1000', undefined],
      german,
    ],
    [
      "1'234.5 1,234.5",
      'decimal(12,2)',
      'Swiss',
      ['1234.50', undefined],
      { kind: 'number', decimal: '.', thousands: "'" },
    ],
    [
      '1\u202f234,5 1234,5',
      'decimal(12,2)',
      'French',
      ['1234.50', '1234.50'],
      { kind: 'number', decimal: ',', thousands: '\u202f' },
    ],
    [
      '1,5 1.5 1.000,5',
      'decimal(12,2)',
      'without groups',
      ['1.50', undefined, undefined],
      { kind: 'number', decimal: ',', thousands: undefined },
    ],
    [
      '1,234 1234 1,5',
      'decimal(12,2)',
      'English',
      ['1234.00', '1234.00', undefined],
      { kind: 'number', decimal: '.', thousands: ',' },
    ],
  ])('reads %s as %s, %s', async (values, type, ...[, wanted, form]) => {
    expect(await numbers(values.split(' '), type, form)).toEqual(wanted);
  });

  it('reads every number that was written so', async () => {
    const digits = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n });
    await fc.assert(
      fc.asyncProperty(fc.array(digits, { minLength: 1, maxLength: 20 }), async (all) => {
        const plain = all.map((value) => {
          const text = (value < 0n ? -value : value).toString().padStart(5, '0');
          return `${value < 0n ? '-' : ''}${text.slice(0, -4)}.${text.slice(-4)}`;
        });
        const written = plain.map((text) => {
          const [whole, decimals] = text.split('.') as [string, string];
          return `${whole.replace(/\B(?=(\d{3})+$)/g, '.')},${decimals}`;
        });
        expect(await numbers(written, 'decimal(38,4)', german)).toEqual(plain);
      }),
      { numRuns: 50 },
    );
  });

  it.each<[string, string, string, (Cell | undefined)[]]>([
    [
      '31.12.2025 1.2.2025 29.02.2023 2025-12-31 31.12.25 12.31.2025 31/12/2025',
      'date',
      'DMY.',
      ['2025-12-31', '2025-02-01', ...Array.from({ length: 5 }, () => undefined)],
    ],
    ['12/31/2025 31/12/2025', 'date', 'MDY/', ['2025-12-31', undefined]],
    ['2025/1/5', 'date', 'YMD/', ['2025-01-05']],
    [
      '31.12.2025T7:30 31.12.2025T23:59:59.123456 31.12.2025 31.12.2025T7',
      'timestamp',
      'DMY.',
      ['2025-12-31 07:30:00', '2025-12-31 23:59:59.123456', '2025-12-31 00:00:00', undefined],
    ],
    ['31.12.2025T23:30:00+02 31.12.2025T23:30', 'timestamptz', 'DMY.', ['2025-12-31 21:30:00', undefined]],
  ])('reads %s as %s of the form %s', async (values, type, how, wanted) => {
    const form: WrittenForm = { kind: 'date', order: how.slice(0, 3), separator: how.slice(3) };
    const stored = wanted.map((iso) => {
      if (iso === undefined) return undefined;
      const [whole = '', micros = ''] = (iso as string).split('.');
      const seconds = Date.parse(whole.length > 10 ? `${whole.replace(' ', 'T')}Z` : whole) / 1000;
      return type === 'date' ? String(seconds / 86_400) : `${seconds}${micros.padEnd(6, '0')}`;
    });
    expect(await numbers(values.split(' '), type, form)).toEqual(stored);
  });

  it('leaves numbers of JSON as they are', async () => {
    const { rows } = await read(['{"c0":1.5}\n{"c0":"1.234,5"}\n'], {
      types: ['decimal(9,2)'],
      names: ['c0'],
      forms: [german],
    });
    expect(rows).toEqual([['1.50'], ['1234.50']]);
  });
});
