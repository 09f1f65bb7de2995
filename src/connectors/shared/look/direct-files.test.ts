import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { bothWays, lookedAt } from './direct-files.fixture.ts';
import { PLAIN_FILES } from './direct-files.ts';

describe('files that DuckDB reads as the decoder does', () => {
  test.each([
    ['texts, nothing, and texts without a character', 'a,b\n1,x\n,\n2,""\n'],
    ['line breaks of Windows', 'a,b\r\n1,x\r\n2,\r\n,"y\r\nz"\r\n'],
    ['no line break at the end', 'a,b\n1,x\n2,'],
    ['line breaks in quotes', 'a,b\n1,"x\r\n\n\ry"\n2,"\n"\n'],
    ['quotes in quotes', 'a,b\n1,"""x"""\n2,"a, ""b"""\n3,""""\n'],
    ['blanks, and what other readers take for a comment', 'a,b\n 1, x \n#2,\t\n"  ","#y"\n'],
    ['a byte order mark', '\uFEFFa,b\n1,\uFEFFx\n'],
    ['characters that can be written in two ways', 'a,b\ne\u0301,\u00e9\n'],
    ['nothing but a header', 'a,b\n'],
    ['numbers in quotes', 'a,b\n"12","-3.50"\n"1","0"\n'],
    ['numbers of all sizes', 'a,b\n999999999999999999,-12345678901234567890123456789.12345678\n-1,0.5\n'],
    ['zeros at the end', 'a,b\n1.50,0.00\n2,-10.0\n'],
    ['days', 'a,b\n0001-01-01,1900-03-01\n9999-12-31,2024-02-29\n'],
    ['moments', 'a,b\n2024-02-29T01:02:03.1,1969-12-31 23:59:59.999999\n2024-02-29,0001-01-01T00:00:00\n'],
    [
      'instants',
      'a,b\n2024-02-29T01:02:03.1Z,2024-01-01 00:00:00+14\n0001-01-01T00:00:00-14:59,1960-01-01T00:00:00+05:30\n',
    ],
    ['truth values', 'a,b\ntrue,False\nFALSE,TRUE\n'],
    ['names of columns that are written twice', 'a,a\n1,2\n'],
  ])('%s', async (_, text) => {
    expect(await bothWays([text])).toBeDefined();
  });

  test.each([
    ['codes', 'a,b\n007,x\n8,y\n'],
    ['values that are no number', 'a,b\n+5,1e\n1,2\n'],
    ['numbers that are too large', 'a,b\n12345678901234567890,1\n5,2\n'],
  ])('%s are texts', async (_, text) => {
    const rows = await bothWays([text]);
    expect(rows).toEqual(
      text
        .split('\n')
        .slice(1, -1)
        .map((line) => [...line.split(','), expect.any(String)]),
    );
  });

  test.each([
    ['with exponents', 'a,b\n1e3,x\n2.5,y\n'],
    ['that are a zero with a minus', 'a,b\n-0.0,x\n2.5,y\n'],
    ['in nanoseconds', 'a,b\n2024-01-01T00:00:00.123456000,x\n'],
    ['without seconds', 'a,b\n2024-01-01T10:20,x\n'],
    ['in zones without a colon', 'a,b\n2024-01-01T10:20:30+0530,x\n'],
    ['in a record with a field too few', 'a,b\n1\n2,x\n'],
    ['in a record with a field too many', 'a,b\n1,2,\n2,x\n'],
    ['before an empty line', 'a,b\n1,x\n\n2,y\n'],
    ['behind quotes', 'a,b\n1,"x"y\n'],
    ['of several line breaks', 'a,b\n1,x\r\n2,y\n'],
  ])('values %s are left to the decoder', async (_, text) => {
    expect((await lookedAt([text])).form).toBeUndefined();
  });

  test.each([
    ['decimal(8,2)', '1.505', false],
    ['decimal(8,2)', '1.5', true],
    ['decimal(4,2)', '100.5', false],
    ['int32', '1.0', false],
    ['int32', '12', true],
    ['int16', '40000', false],
    ['float64', '1.5', true],
    ['float64', '1.2345678901234567', false],
    ['float32', '1.5', false],
    ['timestamp', '2024-01-01', true],
    ['date', '2024-01-01T00:00:00', false],
    ['bool', '1', false],
    ['uuid', '00000000-0000-0000-0000-000000000001', false],
    ['text', '1.505', true],
  ])('as %s, %s is read by DuckDB: %s', async (type, value, direct) => {
    const looked = await lookedAt([`a,b\n${value},x\n`], { types: { a: type } });
    expect(looked.form !== undefined).toBe(direct);
    if (direct) expect(await bothWays([`a,b\n${value},x\n`], { types: { a: type } })).toHaveLength(1);
  });

  it('several files give their rows in order, each with its own name', async () => {
    const texts = ['a,b\n1,x\n2,y\n', 'a,b\n', 'a,b\n3,z\n', 'a,b\n4,\n5,v'];
    const rows = await bothWays(texts);
    expect(rows!.map(([a, , file]) => [a, file])).toEqual(
      [0, 0, 2, 3, 3].map((file, i) => [String(i + 1), `part=${file} [x]*.csv.gz`]),
    );
    // Those that are written in different ways are not read together.
    expect((await lookedAt([...texts, 'b,a\n1,2\n'])).form).toBeUndefined();
    expect((await lookedAt([...texts, 'a,b\r\n1,2\r\n'])).form).toBeUndefined();
  });

  it('records are the same, wherever in them a buffer of DuckDB ends', async () => {
    const record = (i: number): string =>
      `${i},"a, ""${i}""\r\nß","",-${i}.50,2024-02-29 01:02:03.${i},"""",€uro,,"${'y'.repeat(i % 50)}"\r\n`;
    const records = Array.from({ length: 3500 }, (_, i) => record(i)).join('');
    // More than one buffer; where it ends in a record is moved by a byte at a time.
    expect(records.length).toBeGreaterThan(1 << 18);
    for (let shift = 0; shift < Buffer.byteLength(record(3049)); shift++) {
      const header = `a${'-'.repeat(shift)},b,c,d,e,f,g,h,i\r\n`;
      expect(await bothWays([header + records])).toHaveLength(3500);
    }
  }, 60_000);

  it('without a header, and with other delimiters', async () => {
    for (const delimiter of [';', '\t', '|']) {
      const text = `1${delimiter}"a${delimiter}b"\n2${delimiter}c,d\n`;
      expect(await bothWays([text, text], { header: false, delimiter })).toHaveLength(4);
    }
  });

  it('is what all files say that are of this form, whatever is in them', async () => {
    const value = fc.constantFrom(
      '0',
      '-17',
      '007',
      '-0',
      '1.5',
      '-20.25',
      '0.00',
      '-0.0',
      '1e5',
      '"12"',
      '+5',
      '1.',
      '.5',
      '123456789012345678901',
      '2024-02-29',
      '2023-02-29',
      '2024-01-01T10:20:30',
      '2024-01-01 10:20:30.5',
      '2024-01-01T10:20:30Z',

      '2024-01-01T24:00:00',
      '2024-01-01 10:20:30-01:30',
      '0000-01-01',
      'infinity',
      'NaN',
      'null',
      'NULL',
      '\\N',

      '',
      '""',
      '" "',
      'true',
      'False',
      'x',
      '"a, b"',
      '"say ""hi"""',
      '5" 6',
      '"two\nlines"',
      'ä€😀',
      ' 1',
      "'x'",
      '\\',
      '"\\"',
    );
    const column = fc.tuple(value, fc.array(fc.option(value, { freq: 8, nil: undefined }), { maxLength: 8 }));
    const texts = fc.record({
      columns: fc.array(column, { minLength: 2, maxLength: 4 }),
      ends: fc.constantFrom('\n', '\r\n'),
      files: fc.integer({ min: 1, max: 3 }),
      last: fc.boolean(),
    });
    let direct = 0;
    await fc.assert(
      fc.asyncProperty(texts, async ({ columns, ends, files, last }) => {
        const rows = Math.max(...columns.map(([, values]) => values.length)) + 1;
        const lines = Array.from({ length: rows }, (_, r) =>
          columns.map(([usual, values]) => values[r] ?? usual).join(','),
        );
        const header = columns.map((_, c) => `c${c}`).join(',');
        const cut = Math.ceil(rows / files);
        const written = Array.from(
          { length: files },
          (_, f) => [header, ...lines.slice(f * cut, (f + 1) * cut)].join(ends) + (last ? ends : ''),
        );
        if (await bothWays(written)) direct++;
      }),
      { numRuns: 60 },
    );
    expect(direct).toBeGreaterThan(30);
  });
});

describe('files that are others by now', () => {
  it('are not read, and reading them counts for nothing', async () => {
    const text = 'a,b\n1,x\n';
    const looked = await lookedAt([text]);
    const { form } = looked;
    expect(form!.format).toBe(PLAIN_FILES);
    expect(await form!.unchanged()).toBe(true);
    const file = form!.scan.files[0]!.path;
    writeFileSync(file, 'a,b\n2,x\n');
    const then = new Date(Date.now() - 60_000);
    utimesSync(file, then, then);
    expect(await form!.unchanged()).toBe(false);
    rmSync(file);
    expect(await form!.unchanged()).toBe(false);
    expect(form!.refused()).toMatchObject({ code: 'files.read_otherwise', next: 'at-once' });
  });
});
