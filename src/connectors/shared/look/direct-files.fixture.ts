/** Files as they are looked at, read by DuckDB and by the decoder. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../../core/byte-ring.ts';
import type { BytesReader, FilesForm, SliceToRead } from '../../../core/source.ts';
import { type Cell } from '../../../testing/batch-rows.ts';
import { readSlice } from '../../../testing/read-slice.ts';
import { partsOfScan, scanQuery } from '../duckdb/files-scan.ts';
import { readQuery } from '../duckdb/slice-reader.ts';
import { SourceEngine } from '../duckdb/source-engine.ts';
import { fileStamp } from '../file-stamp.ts';
import { DocumentInput, sendDocument } from '../text/document-input.ts';
import type { FieldForm } from '../text/records.ts';
import type { DocumentFacts, TextDecoderOptions } from '../text/text-decoder.ts';
import { columnsOf, contractOf, headerNames } from './contract.ts';
import { filesForm, type PlainFile } from './direct-files.ts';
import { layoutOf } from './read-form.ts';
import { sniffCsv } from './sniff-csv.ts';
import { sniffJson } from './sniff-json.ts';
import type { SniffedDocument, SniffGroup, SniffTask } from './sniff-types.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-direct-'));
const engine = new SourceEngine({ memoryBytes: 256 << 20, threads: 1 });
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});
const { signal } = new AbortController();

export interface Given {
  /** Of CSV, where it is not a comma; `json`: objects on lines. */
  delimiter?: string;
  format?: 'csv' | 'json';
  header?: boolean;
  types?: Record<string, string>;
  cursor?: string | undefined;
  /** Of all columns. */
  form?: FieldForm;
}

export interface Looked {
  form: FilesForm | undefined;
  reader: BytesReader;
  documents: readonly SniffedDocument[];
}

/** Writes the texts into a folder that DuckDB could take for a pattern and for partitions, and looks at them. */
export async function lookedAt(texts: readonly string[], given: Given = {}): Promise<Looked> {
  const { delimiter = ',', header = true, types = {}, format = 'csv', cursor, form: written } = given;
  const names = texts.map((_, i) => `part=${i} [x]*.csv.gz`);
  const placeOf = (name: string): string => path.join(folder, name);
  for (const [i, text] of texts.entries()) writeFileSync(placeOf(names[i]!), text);
  const { groups, documents } = await sniffed(texts, names, { delimiter, header, format, cursor });
  const headers = groups.map((group) => ({
    names: headerNames(group.header, group.fields),
    columns: group.columns,
  }));
  const file = { name: 'file', type: { kind: 'utf8' }, sample: undefined } as const;
  const read = [...contractOf(undefined, columnsOf(headers), types), file];
  const files = documents.map(
    ({ group, records, plain }, i): Omit<PlainFile, 'plain'> & Partial<PlainFile> => {
      const places = new Map<string, number | string | null>([['file', names[i]!]]);
      for (const [f, name] of (headers[group]?.names ?? []).entries()) places.set(name, f);
      const stamp = fileStamp(statSync(placeOf(names[i]!), { bigint: true }));
      const bytes = Buffer.byteLength(texts[i]!);
      const fields = groups[group]?.fields ?? 1;
      return {
        path: placeOf(names[i]!),
        bytes,
        fields,
        places,
        ...(plain && { plain: { ...plain, stamp, records } }),
      };
    },
  );
  const schema = { fields: read.map(({ name, type }) => ({ name, type, nullable: true })), key: [] };
  const dialect =
    format === 'csv'
      ? csvDialect(delimiter)
      : ({ format, names: (groups[0]?.header ?? []) as string[], flatten: 0 } as const);
  const form = { dialect, header: format === 'csv' && header };
  const survey = { form, read, forms: read.map(() => written), schema, fileColumn: 'file' };
  const plain = files.filter((each): each is PlainFile => each.plain !== undefined);
  const slice: SliceToRead = { id: 's', range: { kind: 'files', files: [] }, overlap: false };
  const direct =
    plain.length === files.length && plain.length > 0
      ? await filesForm({ slice, files: plain, survey, onRefused: () => undefined })
      : undefined;
  const options: TextDecoderOptions = {
    documents: names.map((name, i) =>
      layoutOf(survey, { ...files[i]!, name, file: name }, { skip: form.header ? 1 : 0, line: 1 }),
    ),
    maxRows: 64,
    maxBytes: 1 << 20,
    badRecords: undefined,
  };
  const module = new URL('../text/text-decoder.ts', import.meta.url).href;
  return {
    form: direct,
    documents,
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

function csvDialect(delimiter: string) {
  return { format: 'csv', delimiter, quote: '"', escape: '"', nulls: [''] } as const;
}

async function sniffed(
  texts: readonly string[],
  names: string[],
  {
    delimiter,
    header,
    format,
    cursor,
  }: Required<Pick<Given, 'delimiter' | 'header' | 'format'>> & Pick<Given, 'cursor'>,
): Promise<{ groups: SniffGroup[]; documents: SniffedDocument[] }> {
  const memory = await ringOf(texts);
  const input = new DocumentInput(new RingConsumer(memory));
  const groups: SniffGroup[] = [];
  const documents = texts.map((): SniffedDocument => ({ group: -1, records: 0, broken: 0, parts: [] }));
  const task = {
    ring: memory,
    documents: names,
    header,
    skip: 0,
    partBytes: 1e9,
    cursor,
  } satisfies Partial<SniffTask>;
  while (input.nextDocument()) {
    const document = documents[input.document]!;
    if (format === 'csv') sniffCsv({ ...task, dialect: csvDialect(delimiter) }, input, groups, document);
    else sniffJson({ ...task, dialect: { format, names: [], flatten: 0 } }, input, groups, document);
  }
  return { groups, documents };
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
      sql: scanQuery({ scan, schema }),
      cursor: undefined,
      exact: undefined,
    };
    rows.push(...(await readSlice(readQuery(query, engine, signal, async (error) => error))).rows);
  }
  return rows;
}

/** The rows of both ways, which have to be the same; undefined: there is one way only. */
export async function bothWays(texts: readonly string[], given: Given = {}): Promise<Cell[][] | undefined> {
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
