import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../../core/byte-ring.ts';
import type { CsvDialect } from '../text/csv-scanner.ts';
import { DocumentInput, sendDocument } from '../text/document-input.ts';
import { sniffCsv } from './sniff-csv.ts';
import type { SniffedDocument, SniffGroup } from './sniff-types.ts';

const CSV: CsvDialect = { format: 'csv', delimiter: ',', quote: '"', escape: '"', nulls: [''] };
/** The same in all but that it is not looked at in one pass. */
const BY_SCANNER: CsvDialect = { ...CSV, nulls: ['', 'no value has this text'] };

interface Looked {
  groups: SniffGroup[];
  documents: SniffedDocument[];
}

/** `block`: bytes that are there at once. */
async function look(
  texts: readonly (string | Uint8Array)[],
  {
    dialect = CSV,
    header = true,
    block = 1 << 16,
  }: { dialect?: CsvDialect; header?: boolean; block?: number } = {},
): Promise<Looked> {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 8, 0);
  const memory = createRing(block, Math.ceil(bytes / block) + texts.length + 1);
  const producer = new RingProducer(memory);
  const names = texts.map((_, i) => `${i}.csv`);
  for (const [i, text] of texts.entries())
    await sendDocument(producer, i, [Buffer.from(text as string)], () => undefined);
  producer.end();
  const input = new DocumentInput(new RingConsumer(memory));
  const groups: SniffGroup[] = [];
  const documents = names.map((): SniffedDocument => ({ group: -1, records: 0, broken: 0, parts: [] }));
  const task = { ring: memory, documents: names, dialect, header, skip: 0, partBytes: 200 };
  while (input.nextDocument()) sniffCsv(task, input, groups, documents[input.document]!);
  return { groups, documents };
}

/** What has to be the same, however the documents were looked at. */
const essence = ({ groups, documents }: Looked): unknown => ({
  groups,
  documents: documents.map(({ group, records, broken }) => ({ group, records, broken })),
});

/** Parts follow each other, and each begins with a line. */
function checkParts(texts: readonly string[], { documents }: Looked): void {
  for (const [i, { parts }] of documents.entries()) {
    const bytes = Buffer.from(texts[i]!);
    for (const [n, { from, to, line }] of parts.entries()) {
      expect(from).toBe(n === 0 ? 0 : parts[n - 1]!.to);
      expect(to).toBe(n === parts.length - 1 ? bytes.length : parts[n + 1]!.from);
      const before = bytes.toString('latin1', 0, from);
      expect(from === 0 || /[\r\n]$/.test(before)).toBe(true);
      // Within quotes a CR alone is no line break.
      if (!/\r(?!\n)/.test(texts[i]!)) expect(line).toBe(before.split('\n').length);
    }
  }
}

describe('texts that anyone takes apart in the same way', () => {
  test.each([
    ['usual ones', 'a,b\n1,x\n2,y\n', true],
    ['without a line break at the end', 'a,b\n1,x\n2,y', true],
    ['with line breaks of Windows', 'a,b\r\n1,x\r\n2,y\r\n', true],
    ['with one of them at the end only', 'a,b\n1,x\n2,y\r\n', false],
    ['with none of them at the end only', 'a,b\r\n1,x\r\n2,y\n', false],
    ['with CR alone', 'a,b\r1,x\r2,y\r', false],
    ['with quotes', 'a,b\n"1","x, ""y"""\n"",""\n', true],
    ['with a quote in the middle', 'a,b\n1,5" 6\n', false],
    ['with text behind quotes', 'a,b\n1,"5" 6\n', false],
    ['with a quote that does not end', 'a,b\n1,"5\n2,x\n', false],
    ['with line breaks in quotes', 'a,b\n1,"x\ny"\n2,"\r\n"\n', true],
    ['with line breaks in quotes that do not end', 'a,b\n1,"x\ny\n2,z\n', false],
    ['with a line break in the header', 'a,"b\nc"\n1,x\n', false],
    ['with a field too many', 'a,b\n1,x,3\n2,y\n', false],
    ['with a field too few', 'a,b\n1\n2,y\n', false],
    ['with an empty line', 'a,b\n1,x\n\n2,y\n', false],
    ['with an empty line at the end', 'a,b\n1,x\n\n', false],
    ['with nothing', 'a,b\n,\n,\n', true],
    ['with a byte 0', 'a,b\n1,x\0\n', false],
    ['in another encoding', Buffer.from('a,b\n1,\xe4\n', 'latin1'), false],
    ['in UTF-8', 'a,b\nä,€\n', true],
    ['of one field', 'a\n1\n2\n', false],
    ['that there are none of', 'a,b\n', true],
  ] as const)('%s are told from others', async (_, text, plain) => {
    for (const block of [1 << 16, 9]) {
      const { documents } = await look([text], { block });
      expect(documents[0]!.plain !== undefined, `blocks of ${block}`).toBe(plain);
    }
  });

  it('say how their lines end, and how long the longest is', async () => {
    const { documents } = await look(['a,b\n1,x\n22,yy\n3,z\n', 'a,b\r\n1,x\r\n']);
    expect(documents.map(({ plain }) => plain)).toEqual([
      { crlf: false, longest: 6 },
      { crlf: true, longest: 5 },
    ]);
  });
});

describe('in one pass, or by the scanner', () => {
  const numbers = [
    '0',
    '-17',
    '123456',
    '007',
    '-0',
    '1.5',
    '-20.25',
    '1.2.3',
    '0.00',
    '-0.0',
    '1e5',
    '"12"',
    '+5',
    '999999999999999999',
    '-1000000000000000000',
    '12345678.12345678901',
  ];
  const moments = [
    '2024-02-29',
    '2023-02-29',
    '2024-01-01T10:20:30',
    '2024-01-01 10:20:30.5',
    '2024-01-01T10:20:30Z',
    '2024-13-01',
    '0000-01-01',
    '2024-1-01',
    '2024-01-01T24:00:00',
    '2024-01-01T10:20:30.1234567',
    '2024-01-01 10:20:30+05:30',
  ];
  const texts = [
    '',
    '""',
    'true',
    'False',
    'TRUE',
    'falsey',
    'x',
    'a longer text!',
    '"a, b"',
    '"say ""hi"""',
    '5" 6',
    '"open',
    '"x" y',
    '"two\nlines"',
    'ä€',
    ' 1',
  ];
  const value = fc.constantFrom(...numbers, '12345678901234567890', ...moments, ...texts);
  // Mostly the same value again, as in a column.
  const column = fc.tuple(value, fc.array(fc.option(value, { freq: 4, nil: undefined }), { maxLength: 40 }));
  const text = fc
    .record({
      columns: fc.array(column, { minLength: 2, maxLength: 4 }),
      ends: fc.constantFrom('\n', '\r\n', '\r'),
      odd: fc.array(fc.tuple(fc.nat(39), fc.constantFrom('', 'a,b,c,d,e,f', 'a', '"')), { maxLength: 2 }),
      last: fc.boolean(),
    })
    .map(({ columns, ends, odd, last }) => {
      const rows = Math.max(...columns.map(([, values]) => values.length));
      const lines = Array.from({ length: rows }, (_, r) =>
        columns.map(([usual, values]) => values[r] ?? usual).join(','),
      );
      for (const [at, line] of odd) lines.splice(at, 0, line);
      const header = columns.map((_, c) => `c${c}`).join(',');
      return [header, ...lines].join(ends) + (last ? ends : '');
    });

  it('the same is found', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(1 << 16, 64, 11),
        async (texts, block) => {
          for (const header of [true, false]) {
            const [one, two] = [
              await look(texts, { header, block }),
              await look(texts, { header, block, dialect: BY_SCANNER }),
            ];
            expect(essence(one)).toEqual(essence(two));
            checkParts(texts, one);
            expect(two.documents.some(({ plain }) => plain)).toBe(false);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('the same is found in columns of many texts', async () => {
    const lines = Array.from(
      { length: 30_000 },
      (_, i) => `${i},${i % 3 === 0 ? i : 'x'},${i % 100 === 7 ? '' : '1.5'}`,
    );
    const text = ['a,b,c', ...lines, ''].join('\n');
    const [one, two] = [await look([text]), await look([text], { dialect: BY_SCANNER })];
    expect(one.documents[0]!.plain).toBeDefined();
    expect(one.groups[0]!.columns[0]).toEqual(two.groups[0]!.columns[0]);
    expect(one.groups[0]!.columns[2]).toEqual(two.groups[0]!.columns[2]);
    const { texts, integers, nulls } = one.groups[0]!.columns[1]!;
    expect([texts > 10_000, texts + integers, nulls]).toEqual([true, 30_000, 0]);
  });
});
