/** What the files of a stream are now: which of them are to be loaded, what they hold, and how they are cut. */
import { ConfigError } from '../../core/errors.ts';
import type { FilesConfig, FileRange } from '../../core/ledger.ts';
import type { Field, Schema, SchemaJson } from '../../core/schema.ts';
import type { Survey } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { type Checkpoint, renamed, type RunWindow, type StreamConfig } from '../../core/stream.ts';
import { chosenColumns, refuseMistakes } from '../shared/stream-columns.ts';
import { emptySample, sniffTexts } from '../shared/text/sniff-columns.ts';
import type { TextForm } from '../shared/text/text-stream.ts';
import { columnsOf, contractJson, contractOf, type FileColumn, headerNames } from './contract.ts';
import { partsOf } from './cut-files.ts';
import { checksumOf, documentsOf, type FileDocument, formOf, textForm } from './documents.ts';
import {
  findFiles,
  type FoundFile,
  type FoundFiles,
  markOf,
  noFiles,
  type SortedFiles,
  sortFiles,
  withoutTouched,
} from './found-files.ts';
import { type Form, lookAt } from './look.ts';
import { type LookedDocument, sniffDocuments, type SniffResult } from './sniffer.ts';
import { formText, notesOf, problemOf, windowText } from './survey-notes.ts';

export interface FilesSurvey extends Survey {
  config: FilesConfig;
  form: Form;
  /** Columns of the files and of their names, before some are left out or renamed. */
  contract: SchemaJson;
  /** Those that are read: by field of the schema. */
  read: FileColumn[];
  layouts: ReadonlyMap<string, FileLayout>;
  /** Name of the column with the file of a row. */
  fileColumn: string | false;
  /** Loaded files with other times and the same bytes. */
  touched: readonly FoundFile[];
}

export interface FileLayout {
  /** In the order in which they are read. */
  documents: readonly ReadDocument[];
  packed: boolean;
  records: number;
  crc32: string | undefined;
  parts: readonly FileRange[];
}

/** How a text of a file is read. */
export interface ReadDocument {
  name: string;
  text: TextForm;
  fields: number;
  /** For each column of the contract: the field, or the text that the name of the file gives. */
  places: ReadonlyMap<string, number | string | null>;
}

export interface SurveyPlace {
  storage: ObjectStorage;
  sliceBytes: number;
}

export async function survey(
  place: SurveyPlace,
  stream: StreamConfig,
  { checkpoint, window }: { checkpoint: Checkpoint | undefined; window: RunWindow },
  signal: AbortSignal,
): Promise<FilesSurvey> {
  const config = filesOf(stream);
  const { storage } = place;
  const reading = { storage, config, signal };
  if (window.replay) return keptSurvey(stream, config, checkpoint);
  const found = await findFiles(storage, stream.name, config, signal);
  const ledger = checkpoint?.ledger;
  if (found.files.length === 0 && !ledger) throw noFiles(stream.name, storage, config);
  const sorted = await withoutTouched(
    sortFiles(found.files, within(stream, found, window), ledger),
    ledger,
    (file) => checksumOf(file, reading),
  );
  const asked = (file: FoundFile): boolean =>
    config.changed === 'reload' || markOf(ledger, file.key)?.again === true;
  const wanted = wantedFiles(stream, sorted, asked);
  const { documents, problems, others } = await documentsOf(wanted, reading);
  // Without anything new, a file that is there shows how all are read.
  const shown = documents.length > 0 ? documents : await firstOf(found.files, reading);
  const looked = await formOf(shown, reading);
  const text = (document: FileDocument): TextForm => textForm(document, config);
  const sniffed = await sniffDocuments(documents, {
    ...place,
    partBytes: place.sliceBytes,
    form: looked,
    text,
    signal,
  });
  sniffed.problems.unshift(...problems);
  const named = namedColumns(config, found, sniffed);
  const columns = contractOf(ledger?.contract, sampled(sniffed, found, named), stream.types);
  const held = heldBy(stream, config, columns);
  const form = withNames(looked, sniffed);
  const layouts = layoutsOf(wanted, sniffed, { config, found, named, form });
  const loaded = wanted.filter((file) => layouts.has(file.key));
  const records = loaded.reduce((sum, { key }) => sum + layouts.get(key)!.records, 0);
  return {
    ...held,
    config,
    form,
    layouts,
    touched: sorted.touched,
    estimatedRows: records,
    estimatedBytes: loaded.reduce((sum, { size }) => sum + size, 0),
    layout: '',
    parts: partsOf(stream, {
      files: loaded,
      layouts,
      sorted,
      ledger: ledger?.files,
      bytes: place.sliceBytes,
    }),
    window: windowText(found, sorted),
    notes: notesOf({ found, sorted, wanted, problems: sniffed.problems, columns, others }),
    problem: problemOf(stream, sniffed.problems),
    sql: formText(config, form, sniffed),
  };
}

/** Records that were put aside are of the files as they are known, with the options of now. */
function keptSurvey(stream: StreamConfig, config: FilesConfig, before: Checkpoint | undefined): FilesSurvey {
  const columns = contractOf(before?.ledger?.contract, new Map(), stream.types);
  return {
    ...heldBy(stream, config, columns),
    config,
    form: lookAt('', new Uint8Array(), config),
    layouts: new Map(),
    touched: [],
    estimatedRows: undefined,
    estimatedBytes: undefined,
    layout: '',
    parts: [],
    sql: config.path,
  };
}

type Held = Pick<FilesSurvey, 'contract' | 'read' | 'schema' | 'fileColumn'>;

function heldBy(stream: StreamConfig, config: FilesConfig, inFiles: readonly FileColumn[]): Held {
  const { fileColumn } = config;
  const ofFile: FileColumn[] =
    fileColumn === false ? [] : [{ name: fileColumn, type: { kind: 'utf8' }, sample: undefined }];
  const columns = [...inFiles, ...ofFile];
  return { contract: contractJson(inFiles), fileColumn, ...schemaOf(stream, config, columns) };
}

function filesOf(stream: StreamConfig): FilesConfig {
  const { files, sql, cursor, date, where, lookback } = stream;
  const mistakes = Object.entries({
    sql,
    cursor: cursor[0],
    date,
    where,
    lookback,
    files: files ? undefined : '',
  })
    .filter(([, value]) => value !== undefined)
    .map(([option]) => (option === 'files' ? '`files` is missing' : `\`${option}\` means nothing for files`));
  if (files?.changed === 'reload' && files.fileColumn === false && stream.load === 'append')
    mistakes.push('`changed: reload` needs a `file_column`, by which the rows of a file are found');
  if (files && mistakes.length === 0) return files;
  throw new ConfigError(`looking at ${stream.name}: ${mistakes.join('; ')}`, {
    code: 'stream.invalid',
    remedy: 'files are chosen by `files`, and each is loaded once; see `sluice discover`',
  });
}

/** Texts of one that is there. */
async function firstOf(
  files: readonly FoundFile[],
  reading: Parameters<typeof documentsOf>[1],
): Promise<FileDocument[]> {
  return files.length === 0 ? [] : (await documentsOf(files.slice(0, 1), reading)).documents;
}

/** Days of the window are those in the names. */
function within(stream: StreamConfig, { files, columns }: FoundFiles, { from, to }: RunWindow): FoundFile[] {
  if (from === undefined && to === undefined) return files;
  if (stream.load === 'replace')
    throw new ConfigError(`choosing files of ${stream.name} by their days: the table would have no others`, {
      code: 'stream.invalid',
      remedy: 'run without --from, --to and --date: `load: replace` takes all files',
    });
  const day = columns.find((column) =>
    files.every((file) => /^\d{4}-\d\d-\d\d$/.test(file.columns[column] ?? '')),
  );
  if (day === undefined)
    throw new ConfigError('choosing files by their days: their names have no date', {
      code: 'files.no_date',
      remedy:
        'say with `name` where the date is: (?<snapshot_date>\\d{8}), or run without --from, --to and --date',
    });
  return files.filter((file) => {
    const value = file.columns[day]!;
    return (
      (from === undefined || value >= from.slice(0, 10)) && (to === undefined || value < to.slice(0, 10))
    );
  });
}

/** Those to be looked through. A table that is replaced as a whole needs all of them, if it needs any. */
function wantedFiles(
  stream: StreamConfig,
  sorted: SortedFiles,
  asked: (file: FoundFile) => boolean,
): FoundFile[] {
  const { fresh, changed, loaded, gone } = sorted;
  if (stream.load !== 'replace') return [...fresh, ...changed.filter(asked)];
  if (fresh.length + changed.length + gone.length === 0) return [];
  const all = new Set([...fresh, ...changed, ...loaded]);
  return [...all];
}

/** Objects are read by the names of all of them. */
function withNames({ dialect, header }: Form, { documents }: SniffResult): Form {
  if (dialect.format === 'csv') return { dialect, header };
  const groups = new Set(documents.map(({ group }) => group));
  const names = [...groups].flatMap((group) => (group?.header ?? []) as string[]);
  return { dialect: { ...dialect, names: [...new Set(names)] }, header };
}

/** Columns that come from names; a date found there by itself gives way to a column of that name in the files. */
function namedColumns(config: FilesConfig, found: FoundFiles, sniffed: SniffResult): string[] {
  const inFiles = new Set(
    sniffed.documents.flatMap(({ group }) => (group ? headerNames(group.header, group.fields) : [])),
  );
  const both = found.columns.filter((column) => inFiles.has(column));
  if (both.length === 0 || config.name === undefined) return both.length > 0 ? [] : found.columns;
  throw new ConfigError(`taking columns from names: "${both.join('", "')}" is in the files as well`, {
    code: 'files.name',
    remedy: 'give the group in `name` another name',
  });
}

function sampled(
  sniffed: SniffResult,
  found: FoundFiles,
  named: readonly string[],
): ReturnType<typeof columnsOf> {
  const groups = new Set(sniffed.documents.map(({ group }) => group).filter((group) => group !== undefined));
  const columns = columnsOf(
    [...groups].map((group) => ({ names: headerNames(group.header, group.fields), columns: group.columns })),
  );
  for (const name of named) {
    const sample = emptySample();
    sniffTexts(
      found.files.map((file) => file.columns[name] ?? null),
      sample,
    );
    columns.set(name, sample);
  }
  return columns;
}

function schemaOf(
  stream: StreamConfig,
  { fileColumn }: FilesConfig,
  columns: FileColumn[],
): { schema: Schema; read: FileColumn[] } {
  const mistakes: string[] = [];
  const { include } = stream.columns ?? {};
  const chosen = chosenColumns(stream, columns, mistakes);
  // Who lists columns of the files means these; what tells where a row is from stays.
  const read = columns.filter(
    (column) => chosen.includes(column) || (column.name === fileColumn && include !== undefined),
  );
  for (const name of stream.key ?? [])
    if (!read.some((column) => column.name === name)) mistakes.push(`key: there is no column "${name}"`);
  const names = read.map(({ name }) => renamed(stream, name));
  refuseMistakes(stream, names, mistakes, fileColumn === false ? undefined : fileColumn);
  const fields = read.map(({ name, type }, i): Field => ({
    name: names[i]!,
    type,
    nullable: stream.key?.includes(name) !== true && name !== fileColumn,
  }));
  return { schema: { fields, key: (stream.key ?? []).map((name) => renamed(stream, name)) }, read };
}

function layoutsOf(
  wanted: readonly FoundFile[],
  sniffed: SniffResult,
  {
    config,
    found,
    named,
    form,
  }: { config: FilesConfig; found: FoundFiles; named: readonly string[]; form: Form },
): Map<string, FileLayout> {
  const byKey = new Map(found.files.map((file) => [file.key, file]));
  const objects = form.dialect.format === 'json' ? form.dialect.names : undefined;
  const read = ({ document, group, encoding }: LookedDocument): ReadDocument => {
    const { key } = document.file;
    const places = new Map<string, number | string | null>();
    const fields = objects?.length ?? group?.fields ?? 1;
    const names = group ? headerNames(objects ?? group.header, fields) : [];
    for (const [f, name] of names.entries()) places.set(name, f);
    for (const name of named) places.set(name, byKey.get(key)!.columns[name] ?? null);
    if (config.fileColumn !== false) places.set(config.fileColumn, key);
    return { name: document.name, text: { ...textForm(document, config), encoding }, fields, places };
  };
  const layouts = new Map<string, FileLayout>();
  const broken = new Set(sniffed.problems.map(({ file }) => file.key));
  const byFile = Map.groupBy(sniffed.documents, ({ document }) => document.file.key);
  for (const { key } of wanted) {
    if (broken.has(key)) continue;
    const looked = byFile.get(key) ?? [];
    const [first] = looked;
    layouts.set(key, {
      documents: looked.map(read),
      packed: first === undefined || first.document.packing !== 'none' || first.document.entry !== undefined,
      records: looked.reduce((sum, { records, broken: bad }) => sum + records + bad, 0),
      crc32: first?.crc32,
      parts: (config.skip ?? 0) > 0 ? [] : (first?.parts ?? []),
    });
  }
  return layouts;
}
