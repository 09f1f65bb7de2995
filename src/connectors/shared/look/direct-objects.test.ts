import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { bothWays, type Given, lookedAt } from './direct-files.fixture.ts';

const JSON_LINES: Given = { format: 'json' };

function lines(...records: string[]): string {
  return records.map((record) => `${record}\n`).join('');
}

describe('objects that DuckDB reads as the decoder does', () => {
  test.each([
    ['all kinds of values', lines('{"a":1,"b":"x","c":true,"d":1.5}', '{"a":-2,"b":"","c":false,"d":0.25}')],
    [
      'null, and members that are not there',
      lines('{"a":1,"b":"x","c":2}', '{"a":null,"b":null}', '{"c":3}', '{}'),
    ],
    ['blanks behind names and values', lines('{"a": 1, "b": "x"}', '{"a": 2, "b": "y"}')],
    ['no line break at the end', '{"a":1}\n{"a":2}'],
    ['escapes', lines('{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', '{"a":"\\u00e9\\u20AC\\ud83d\\ude00"}')],
    ['characters of other scripts', lines('{"a":"ä€😀"}', '{"a":"e\u0301"}')],
    [
      'days, moments and instants',
      lines('{"a":"2024-02-29","b":"2024-02-29T01:02:03.1","c":"2024-02-29 01:02:03Z"}'),
    ],
    ['numbers of many digits', lines('{"a":999999999999999999,"b":12345678901234.5}')],
    [
      'numbers that are no doubles',
      lines('{"a":0.29,"b":1.005}', '{"a":1.15,"b":4.35}', '{"a":0.07,"b":8.41}'),
    ],
    ['texts that look like numbers', lines('{"a":"007","b":"1e5"}', '{"a":"12","b":"true"}')],
    ['names that SQL would take for something else', lines('{"select":1,"a b":2,"x\'y":3}')],
  ])('%s', async (_, text) => {
    expect(await bothWays([text], JSON_LINES)).toBeDefined();
  });

  test.each([
    ['objects within', lines('{"a":{"b":1}}')],
    ['arrays within', lines('{"a":[1,2]}')],
    ['numbers with exponents', lines('{"a":1e3}', '{"a":2.5}')],
    ['a zero with a minus', lines('{"a":-0.0}', '{"a":2.5}')],
    ['numbers and texts in one column', lines('{"a":1}', '{"a":"x"}')],
    ['decimals of more digits than a double has', lines('{"a":1234567890123456.5}')],
    ['members in another order', lines('{"a":1,"b":2}', '{"b":1,"a":2}')],
    ['members that come later', lines('{"a":1}', '{"a":1,"b":2}')],
    ['a member twice', lines('{"a":1,"b":2}', '{"a":1,"a":2}')],
    ['names that differ in their case', lines('{"a":1,"A":2}')],
    ['names with escapes', lines('{"a\\u0062":1}')],
    ['a name without a character', lines('{"":1}')],
    ['half a character', lines('{"a":"\\ud83d"}')],
    ['a character that is no text', lines('{"a":"x\\u0000"}')],
    ['broken records', lines('{"a":1}', '{"a":')],
    ['several records on a line', '{"a":1} {"a":2}\n'],
    ['an array of them', '[{"a":1},\n{"a":2}]\n'],
    ['empty lines', '{"a":1}\n\n{"a":2}\n'],
    ['line breaks of Windows', '{"a":1}\r\n{"a":2}\r\n'],
  ])('%s are left to the decoder', async (_, text) => {
    expect((await lookedAt([text], JSON_LINES)).form).toBeUndefined();
  });

  test.each([
    ['text', '1', false],
    ['text', '"2024-01-01"', true],
    ['decimal(8,2)', '1.505', false],
    ['decimal(8,2)', '1.5', true],
    ['int32', '12', true],
    ['int32', '"12"', false],
    ['float64', '1.5', true],
    ['timestamp', '"2024-01-01"', true],
    ['date', '"2024-01-01T00:00:00"', false],
    ['json', '1', false],
  ])('as %s, %s is read by DuckDB: %s', async (type, value, direct) => {
    const text = lines(`{"a":${value},"b":"x"}`);
    const given = { ...JSON_LINES, types: { a: type } };
    expect((await lookedAt([text], given)).form !== undefined).toBe(direct);
    if (direct) expect(await bothWays([text], given)).toHaveLength(1);
  });

  it('times of RFC 3339 are what they are in the usual form, or left to the decoder', async () => {
    const given: Given = { ...JSON_LINES, form: 'rfc3339', types: { day: 'date', at: 'timestamptz' } };
    const usual = lines(
      '{"day":"2024-02-29","at":"2024-01-01T10:20:30.5+00:00"}',
      '{"at":"2024-01-01T10:20:30Z"}',
    );
    expect(await bothWays([usual], given)).toHaveLength(2);
    for (const other of [
      '{"day":"2024-02-29T00:00:00Z"}',
      '{"at":"2024-01-01T10:20:30"}',
      '{"at":"2024-01-01"}',
    ])
      expect((await lookedAt([usual + lines(other)], given)).form).toBeUndefined();
  });

  it('several files give their rows in order, each with its own name', async () => {
    const texts = [
      lines('{"a":1,"b":"x"}', '{"a":2,"b":"y"}'),
      lines('{"a":3}'),
      lines('{"b":"z","a":4}', '{"a":5}'),
    ];
    const rows = await bothWays(texts, JSON_LINES);
    expect(rows!.map(([a, , file]) => [a, file])).toEqual(
      [0, 0, 1, 2, 2].map((file, i) => [String(i + 1), `part=${file} [x]*.csv.gz`]),
    );
  });

  it('a number in a column of ten thousand texts is found', async () => {
    const text = lines(...Array.from({ length: 12_000 }, (_, i) => `{"id":${i},"name":"x"}`));
    expect(await bothWays([text], JSON_LINES)).toHaveLength(12_000);
    expect((await lookedAt([text + lines('{"id":1,"name":2}')], JSON_LINES)).form).toBeUndefined();
  });

  it('records are the same wherever what is in memory of them ends', async () => {
    const note = 'é'.repeat(40);
    const text = lines(
      ...Array.from({ length: 30_000 }, (_, i) => `{"id":${i},"note":"${note.slice(i % 40)}"}`),
    );
    expect(Buffer.byteLength(text)).toBeGreaterThan(1 << 20);
    expect(await bothWays([text], JSON_LINES)).toHaveLength(30_000);
  });

  it('is what all objects say that are of this form, whatever is in them', async () => {
    const oddities = [
      [
        '-0',
        '-0.0',
        '1e5',
        '123456789012345678901',
        '{}',
        '[1]',
        '"\\ud800"',
        '"2023-02-29"',
        '"0000-01-01"',
      ],
      ['"2024-01-01T24:00:00"', '"infinity"', '1', '"x"', 'true'],
    ];
    const odd = fc.constantFrom(...oddities.flat());
    const kinds = [
      ['0', '-17', '999999999999999999'],
      ['1.5', '-20.25', '0.00', '-0.29', '12345678.875', '3'],
      ['true', 'false'],
      [
        '""',
        '" "',
        '"x"',
        '"007"',
        '"12"',
        '"say \\"hi\\""',
        '"\\u00e4"',
        '"ä€😀"',
        '"\\\\N"',
        '"2024-01-01"',
      ],
      ['"2024-02-29"', '"1999-12-31"'],
      ['"2024-01-01T10:20:30"', '"2024-01-01 10:20:30.5"'],
      ['"2024-01-01T10:20:30Z"', '"2024-01-01 10:20:30-01:30"'],
    ];
    const column = fc.constantFrom(...kinds).chain((values) => {
      const value = fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom(...values) },
        { weight: 3, arbitrary: fc.constant('null') },
        { weight: 1, arbitrary: fc.option(odd, { freq: 2, nil: 'null' }) },
      );
      return fc.tuple(value, fc.array(value, { maxLength: 8 }));
    });
    const texts = fc.record({
      columns: fc.array(column, { minLength: 1, maxLength: 4 }),
      left: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      files: fc.integer({ min: 1, max: 3 }),
    });
    let direct = 0;
    await fc.assert(
      fc.asyncProperty(texts, async ({ columns, left, files }) => {
        const rows = Math.max(...columns.map(([, values]) => values.length)) + 1;
        const records = Array.from({ length: rows }, (_, r) => {
          const members = columns.map(([usual, values], c) => `"c${c}":${values[r] ?? usual}`);
          const kept = members.filter((__, c) => r === 0 || left[(r + c) % left.length]);
          return `{${kept.join(',')}}`;
        });
        const cut = Math.ceil(rows / files);
        const written = Array.from({ length: files }, (_, f) =>
          lines(...records.slice(f * cut, (f + 1) * cut)),
        );
        if (await bothWays(written, JSON_LINES)) direct++;
      }),
      { numRuns: 80 },
    );
    expect(direct).toBeGreaterThan(20);
  });

  it('decimals that a double has are exact', async () => {
    const number = fc.tuple(
      fc.integer({ min: 0, max: 999_999_999 }),
      fc.integer({ min: 0, max: 999_999 }),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: 20, maxLength: 60 }), async (numbers) => {
        const texts = numbers.map(
          ([whole, part, minus]) =>
            `${minus && whole + part > 0 ? '-' : ''}${whole}.${String(part).padStart(6, '0')}`,
        );
        const rows = await bothWays([lines(...texts.map((text) => `{"a":${text}}`))], JSON_LINES);
        expect(rows!.map(([a]) => a)).toEqual(texts);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the greatest value of a cursor', () => {
  test.each([
    [['1', '12', '9', 'null'], '12'],
    [['"2024-01-02"', '"2024-01-10"', '"2024-01-09"'], '2024-01-10'],
    [['"2024-01-02T00:00:00.5"', '"2024-01-02T00:00:00"', '"2024-01-02"'], '2024-01-02T00:00:00.5'],
    [
      ['"2024-01-02T00:00:00Z"', '"2024-01-02T00:00:00.25Z"', '"2024-01-01T23:00:00Z"'],
      '2024-01-02T00:00:00.25Z',
    ],
    [['null', 'null'], undefined],
  ])('of %j is %s', async (values, high) => {
    const text = lines(...values.map((value) => `{"x":1,"at":${value}}`));
    const { documents } = await lookedAt([text], { ...JSON_LINES, cursor: 'at' });
    expect(documents[0]!.plain).toMatchObject({ high });
  });

  test.each([
    [['1', '-2']],
    [['"2024-01-02T00:00:00Z"', '"2024-01-02T00:00:00+01:00"']],
    [['"2024-01-02T00:00:00"', '"2024-01-02 00:00:00"']],
    [['"2024-01-02T00:00:00+02:00"', '"2024-01-02T00:00:00+01:00"']],
  ])('of %j is left to the decoder', async (values) => {
    const text = lines(...values.map((value) => `{"x":1,"at":${value}}`));
    const { documents } = await lookedAt([text], { ...JSON_LINES, cursor: 'at' });
    expect(documents[0]!.plain).toBeUndefined();
  });
});
