import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import type { BytesReader, DelimitedForm } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { type Cell } from '../../testing/batch-rows.ts';
import { readSlice } from '../../testing/read-slice.ts';
import { delimitedQuery, partsOfScan } from '../shared/duckdb/delimited-scan.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { fileStamp } from '../shared/file-stamp.ts';
import { columnsOf, contractOf, headerNames } from '../shared/look/contract.ts';
import { layoutOf } from '../shared/look/read-form.ts';
import { sniffCsv } from '../shared/look/sniff-csv.ts';
import type { SniffedDocument, SniffGroup } from '../shared/look/sniff-types.ts';
import type { CsvDialect } from '../shared/text/csv-scanner.ts';
import { DocumentInput, sendDocument } from '../shared/text/document-input.ts';
import type { DocumentFacts, TextDecoderOptions } from '../shared/text/text-decoder.ts';
import { DELIMITED_FILES, delimitedForm } from './delimited-files.ts';
import type { FileLayout, FilesSurvey } from './survey.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-delimited-'));
const engine = new SourceEngine({ memoryBytes: 256 << 20, threads: 1 });
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});
const storage = { localPath: (key: string) => path.join(folder, key) } as ObjectStorage;
const { signal } = new AbortController();

interface Given {
  delimiter?: string;
  header?: boolean;
  types?: Record<string, string>;
}

interface Looked {
  form: DelimitedForm | undefined;
  reader: BytesReader;
}

/** Writes the texts into a folder that DuckDB could take for a pattern and for partitions, and looks at them. */
async function lookedAt(texts: readonly string[], given: Given = {}): Promise<Looked> {
  const { delimiter = ',', header = true, types = {} } = given;
  const dialect: CsvDialect = { format: 'csv', delimiter, quote: '"', escape: '"', nulls: [''] };
  const names = texts.map((_, i) => `part=${i} [x]*.csv.gz`);
  for (const [i, text] of texts.entries()) writeFileSync(storage.localPath(names[i]!), text);
  const memory = await ringOf(texts);
  const input = new DocumentInput(new RingConsumer(memory));
  const groups: SniffGroup[] = [];
  const documents = texts.map((): SniffedDocument => ({ group: -1, records: 0, broken: 0, parts: [] }));
  const task = { ring: memory, documents: names, dialect, header, skip: 0, partBytes: 1e9 };
  while (input.nextDocument()) sniffCsv(task, input, groups, documents[input.document]!);
  const headers = groups.map((group) => ({
    names: headerNames(group.header, group.fields),
    columns: group.columns,
  }));
  const file = { name: 'file', type: { kind: 'utf8' }, sample: undefined } as const;
  const read = [...contractOf(undefined, columnsOf(headers), types), file];
  const layouts = new Map<string, FileLayout>();
  for (const [i, { group, records, plain }] of documents.entries()) {
    const places = new Map<string, number | string | null>([['file', names[i]!]]);
    for (const [f, name] of (headers[group]?.names ?? []).entries()) places.set(name, f);
    const stamp = fileStamp(statSync(storage.localPath(names[i]!), { bigint: true }));
    const text = { packing: 'none', encoding: 'utf-8', skip: 0 } as const;
    const fields = groups[group]?.fields ?? 1;
    const document = { name: names[i]!, text, fields, places, plain: plain && { ...plain, stamp, records } };
    layouts.set(names[i]!, { documents: [document], packed: false, records, crc32: '', parts: [] });
  }
  const schema = { fields: read.map(({ name, type }) => ({ name, type, nullable: true })), key: [] };
  const survey = { form: { dialect, header }, read, forms: read.map(() => undefined), schema, layouts };
  const parts = names.map((name, i) => ({
    path: name,
    size: Buffer.byteLength(texts[i]!),
    modifiedAt: 0,
    crc32: '',
  }));
  const form = await delimitedForm({
    slice: { id: 's', range: { kind: 'files', files: parts }, overlap: false },
    parts,
    survey: survey as unknown as FilesSurvey,
    storage,
    onRefused: () => undefined,
  });
  const options: TextDecoderOptions = {
    documents: names.map((name) => {
      const document = layouts.get(name)!.documents[0]!;
      return layoutOf(
        survey as unknown as FilesSurvey,
        { ...document, file: name },
        { skip: header ? 1 : 0, line: 1 },
      );
    }),
    maxRows: 64,
    maxBytes: 1 << 20,
    badRecords: undefined,
  };
  const module = new URL('../shared/text/text-decoder.ts', import.meta.url).href;
  return {
    form,
    reader: {
      format: 'bytes',
      schema,
      decoder: { module, name: 'createTextDecoder', options },
      pump: async (sink, onBytes) => {
        for (const [i, text] of texts.entries()) await sendDocument(sink, i, [withoutMark(text)], onBytes);
      },
      close: async () => {},
    },
  };
}

async function ringOf(texts: readonly string[]): Promise<ReturnType<typeof createRing>> {
  const memory = createRing(1 << 20, texts.length + 2);
  const producer = new RingProducer(memory);
  for (const [i, text] of texts.entries())
    await sendDocument(producer, i, [withoutMark(text)], () => undefined);
  producer.end();
  return memory;
}

function withoutMark(text: string): Buffer {
  return Buffer.from(text.replace(/^\uFEFF/, ''));
}

async function scanned({ form, reader: { schema } }: Looked): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  for (const scan of partsOfScan(form!.scan, 2)) {
    const query = {
      stream: 't',
      schema,
      sql: delimitedQuery({ scan, schema }),
      cursor: undefined,
      exact: undefined,
    };
    rows.push(...(await readSlice(readQuery(query, engine, signal, async (error) => error))).rows);
  }
  return rows;
}

/** The rows of both ways, which have to be the same; undefined: there is one way only. */
async function bothWays(texts: readonly string[], given: Given = {}): Promise<Cell[][] | undefined> {
  const looked = await lookedAt(texts, given);
  if (!looked.form) return undefined;
  const found = await scanned(looked);
  const { rows, facts } = await readSlice(looked.reader);
  expect(found).toEqual(rows);
  const { rows: counts, bad } = facts.own as DocumentFacts;
  expect(looked.form.facts()).toEqual({ ...facts, bytes: totalOf(texts), own: { rows: counts, bad } });
  return rows;
}

function totalOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

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
    expect(form!.format).toBe(DELIMITED_FILES);
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
