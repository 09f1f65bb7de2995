/** What the files of a stream are now: which of them are to be loaded, what they hold, and how they are cut. */
import { ConfigError } from '../../core/errors.ts';
import { FILE_COLUMN, type FileLedger, type FilesConfig, type FileRange } from '../../core/ledger.ts';
import type { Field, Schema, SchemaJson } from '../../core/schema.ts';
import type { Survey, SurveyedFile, SurveyNote } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { type Checkpoint, renamed, type RunWindow, type StreamConfig } from '../../core/stream.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { chosenColumns, refuseMistakes } from '../shared/stream-columns.ts';
import type { TextForm } from '../shared/text/text-stream.ts';
import { type PlainFacts, readsAlike } from '../shared/look/direct-files.ts';
import type { Places, ReadForm } from '../shared/look/read-form.ts';
import { contractJson, contractOf, type FileColumn } from '../shared/look/contract.ts';
import { partsOf } from './cut-files.ts';
import { checksumOf, type FileProblem, refuseMixed } from '../shared/look/documents.ts';
import {
  checkThere,
  findFiles,
  type FoundFile,
  type FoundFiles,
  markOf,
  type SortedFiles,
  sortFiles,
  unreadableNames,
  withoutTouched,
} from './found-files.ts';
import { type Form, formatOf, lookAt, NO_TEXT, writtenForm } from '../shared/look/look.ts';
import type { ParquetFile } from './parquet-files.ts';
import { notesOf, problemOf, windowText } from './survey-notes.ts';
import { lookAtTables } from './survey-parquet.ts';
import { lookAtTexts } from './survey-text.ts';
import { UnpackedTables } from './unpacked-tables.ts';

export interface FilesSurvey extends Survey, ReadForm {
  config: FilesConfig;
  /** Columns of the files and of their names, before some are left out or renamed. */
  contract: SchemaJson;
  layouts: ReadonlyMap<string, FileLayout>;
  /** Loaded files with other times and the same bytes. */
  touched: readonly FoundFile[];
}

export interface FileLayout {
  /** Texts, in the order in which they are read. */
  documents: readonly ReadDocument[];
  /** It is no text. */
  parquet?: ParquetLayout | undefined;
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
  places: Places;
  /** Set when anyone reads the same records from it. */
  plain?: PlainFacts | undefined;
}

interface ParquetLayout extends ParquetFile {
  /** Columns that its name gives. */
  constants: ReadonlyMap<string, string | null>;
}

/** What is looked for. */
export interface Looking {
  stream: StreamConfig;
  config: FilesConfig;
  found: FoundFiles;
  wanted: readonly FoundFile[];
  ledger: FileLedger | undefined;
}

/** What files of a format say. */
export interface Facts {
  form: Form;
  columns: FileColumn[];
  layouts: ReadonlyMap<string, FileLayout>;
  problems: FileProblem[];
  notes: SurveyNote[];
  sql: string;
}

export interface SurveyPlace {
  storage: ObjectStorage;
  engine: SourceEngine;
  /** For what has to be unpacked. */
  scratch: string;
  sliceBytes: number;
  /** Whether the destination may read files by itself. */
  direct: boolean;
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
  const unnamed = unreadableNames(found.unnamed);
  if (found.files.length === 0 && !ledger && unnamed[0]) throw unnamed[0].error;
  checkThere(found, ledger !== undefined, { stream: stream.name, storage, config });
  const sorted = await withoutTouched(
    sortFiles(found.files, within(stream, found, window), ledger),
    ledger,
    (file) => checksumOf(file, reading),
  );
  const asked = (file: FoundFile): boolean =>
    config.changed === 'reload' || markOf(ledger, file.key)?.again === true;
  const wanted = wantedFiles(stream, sorted, asked);
  const names = (wanted.length > 0 ? wanted : found.files).map(({ key }) => key);
  refuseMixed(names, config);
  const facts = await factsOf(names[0], { stream, config, found, wanted, ledger }, { ...place, signal });
  const { columns, layouts } = facts;
  const problems = [...unnamed, ...facts.problems];
  const loaded = wanted.filter((file) => layouts.has(file.key));
  const held = heldBy(stream, config, columns);
  const fresh = sorted.fresh.flatMap(({ key }) => layouts.get(key) ?? []);
  const records = loaded.reduce((sum, { key }) => sum + layouts.get(key)!.records, 0);
  return {
    ...held,
    config,
    form: facts.form,
    layouts,
    lacking: lackingOf(stream, held, { form: facts.form, fresh }),
    putsAside: facts.form !== NO_TEXT,
    arrived: { again: false, whole: false, more: false },
    repeatable: true,
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
      direct: place.direct && readsAlike({ form: facts.form, ...held }),
    }),
    files: new Map(loaded.map(({ key }) => [key, surveyed(layouts.get(key)!, found.columns)])),
    window: windowText(found, sorted),
    notes: notesOf({ found, sorted, wanted, problems, columns, more: facts.notes }),
    problem: problemOf(stream, problems),
    sql: facts.sql,
  };
}

function factsOf(
  first: string | undefined,
  looking: Looking,
  { storage, engine, scratch, sliceBytes: partBytes, signal }: SurveyPlace & { signal: AbortSignal },
): Promise<Facts> {
  const { config } = looking;
  const format = config.format ?? (first === undefined ? undefined : formatOf(first));
  if (format !== 'parquet') return lookAtTexts(looking, { storage, config, partBytes, signal });
  const tables = new UnpackedTables(storage, config, scratch);
  return lookAtTables(looking, { storage, tables, engine, config, partBytes, signal });
}

/** What is known of a file beside its place. */
function surveyed({ records, parquet, documents }: FileLayout, columns: readonly string[]): SurveyedFile {
  const values = parquet?.constants ?? documents[0]?.places;
  const named = columns.flatMap((column) => {
    const value = values?.get(column);
    return typeof value === 'string' ? [[column, value] as const] : [];
  });
  return { records, named: Object.fromEntries(named) };
}

/** Records that were put aside are of the files as they are known, with the options of now. */
function keptSurvey(stream: StreamConfig, config: FilesConfig, before: Checkpoint | undefined): FilesSurvey {
  const columns = contractOf(before?.ledger?.contract, new Map(), stream.types);
  return {
    ...heldBy(stream, config, columns),
    config,
    form: lookAt('', new Uint8Array(), config),
    lacking: 'as before',
    putsAside: true,
    arrived: { again: false, whole: false, more: false },
    repeatable: true,
    layouts: new Map(),
    touched: [],
    estimatedRows: undefined,
    estimatedBytes: undefined,
    layout: '',
    parts: [],
    sql: config.path,
  };
}

type Held = Pick<FilesSurvey, 'contract' | 'read' | 'forms' | 'schema' | 'fileColumn'>;

function heldBy(stream: StreamConfig, config: FilesConfig, inFiles: readonly FileColumn[]): Held {
  const { fileColumn } = config;
  const ofFile: FileColumn[] =
    fileColumn === false ? [] : [{ name: fileColumn, type: { kind: 'utf8' }, sample: undefined }];
  // Files that were made of a table of ours say where its rows were from.
  const theirs = inFiles.filter(({ name }) => name !== FILE_COLUMN || name !== fileColumn);
  const columns = [...theirs, ...ofFile];
  const { read, schema } = schemaOf(stream, config, columns);
  const forms = read.map((column) =>
    Object.hasOwn(stream.types, column.name) ? writtenForm(column.type, config) : undefined,
  );
  return { contract: contractJson(inFiles), fileColumn, read, forms, schema };
}

/** The header of the newest file says what there is; objects of JSON come without members as they like. */
function lackingOf(
  stream: StreamConfig,
  { read }: Held,
  { form, fresh }: { form: Form; fresh: readonly FileLayout[] },
): Survey['lacking'] {
  if (form.dialect.format === 'json' && form !== NO_TEXT) return undefined;
  const newest = fresh.flatMap(columnsIn).at(-1);
  if (!newest) return 'as before';
  return read.filter(({ name }) => !newest.has(name)).map(({ name }) => renamed(stream, name));
}

/** For each header, the names of all columns that have a value by it. */
function columnsIn({ documents, parquet }: FileLayout): ReadonlySet<string>[] {
  if (parquet) return [new Set([...parquet.columns.map(({ name }) => name), ...parquet.constants.keys()])];
  const written = documents.filter(({ places }) =>
    places.values().some((place) => typeof place === 'number'),
  );
  return written.map(({ places }) => new Set(places.keys()));
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

function schemaOf(
  stream: StreamConfig,
  { fileColumn }: FilesConfig,
  columns: FileColumn[],
): { schema: Schema; read: FileColumn[] } {
  const mistakes: string[] = [];
  const { exclude = [] } = stream.columns ?? {};
  const chosen = chosenColumns(stream, columns, mistakes);
  // Who lists columns of the files means these; what tells where a row is from stays.
  const read = columns.filter(
    (column) => chosen.includes(column) || (column.name === fileColumn && !exclude.includes(fileColumn)),
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
