import { describe, expect, it } from 'vitest';
import { cellText, jsonValue, renderCsv, renderTable } from './table.ts';

describe('renderTable', () => {
  it('aligns by cells of the terminal, numbers to the right, without trailing spaces', () => {
    const table = renderTable(
      [{ title: 'stream' }, { title: 'rows', align: 'right' }, { title: 'note' }],
      [
        ['public.orders', '38.1K', 'ok'],
        ['注文', '7', ''],
        ['\u001b[31mred\u001b[39m', '', 'x'],
      ],
    );
    expect(table).toBe(
      [
        '  stream           rows   note',
        '  public.orders   38.1K   ok',
        '  注文                7',
        '  \u001b[31mred\u001b[39m                     x',
      ].join('\n'),
    );
  });

  it('cuts cells that are too long', () => {
    expect(renderTable([{ title: 'a' }], [['abcdefgh']], { indent: 0, maxCell: 4 })).toBe('a\nabc…');
  });

  it('prints the titles when there are no rows', () => {
    expect(renderTable([{ title: 'a' }, { title: 'b' }], [])).toBe('  a   b');
  });
});

describe('renderCsv', () => {
  it('quotes what needs it and keeps NULL and the empty string apart', () => {
    expect(
      renderCsv(
        ['a', 'b "x"'],
        [
          ['plain', null],
          ['', 'a,b'],
          ['say "hi"', 'two\nlines'],
          [1n, true],
          [' pad', undefined],
        ],
      ),
    ).toBe('a,"b ""x"""\r\nplain,\r\n"","a,b"\r\n"say ""hi""","two\nlines"\r\n1,true\r\n" pad",\r\n');
  });
});

describe('values', () => {
  class Driver {
    toString(): string {
      return '12.50';
    }
  }

  it.each([
    [null, 'NULL'],
    ['', ''],
    ['a\tb\n\u001b[31m', 'a\\tb\\n\\x1b[31m'],
    [9007199254740993n, '9007199254740993'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Uint8Array([1, 255]), '01ff'],
    [{ a: [1n, null] }, '{"a":[1,null]}'],
    [new Driver(), '12.50'],
    [Number.NaN, 'NaN'],
  ])('cellText %#', (value, text) => {
    expect(cellText(value)).toBe(text);
  });

  it('survive as JSON', () => {
    const map = new Map<unknown, unknown>([['k', new Driver()]]);
    expect(
      JSON.stringify(
        jsonValue({ big: 2n ** 63n, small: 2n, none: undefined, map, inf: Number.POSITIVE_INFINITY }),
      ),
    ).toBe('{"big":"9223372036854775808","small":2,"none":null,"map":{"k":"12.50"},"inf":"Infinity"}');
  });
});
