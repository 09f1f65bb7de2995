/** What fetched records are: their columns and types, from all of them, and how they are cut into slices. */
import { ConfigError } from '../../../core/errors.ts';
import type { FilePart, FilesConfig } from '../../../core/ledger.ts';
import type { Field, SchemaJson } from '../../../core/schema.ts';
import type { Survey, SurveyNote } from '../../../core/source.ts';
import { type Checkpoint, renamed, type SliceRange, type StreamConfig } from '../../../core/stream.ts';
import { type LogicalType, renderType } from '../../../core/types.ts';
import {
  columnsOf,
  contractJson,
  contractOf,
  type FileColumn,
  headerNames,
  memberName,
  namesOf,
  nearMisses,
} from '../look/contract.ts';
import { type DocumentKeys, earlierVersions } from '../look/key-hashes.ts';
import { type FileDocument, formOf, textForm } from '../look/documents.ts';
import { type Form, writtenForm } from '../look/look.ts';
import type { PlainFacts } from '../look/direct-files.ts';
import type { Places, ReadForm } from '../look/read-form.ts';
import { sniffDocuments, type SniffResult, type SniffThreads } from '../look/sniffer.ts';
import { chosenColumns, refuseMistakes } from '../stream-columns.ts';
import { guessable, type GuessOptions } from '../text/guess.ts';
import { type ColumnSample, emptySample, hasValues } from '../text/sniff-columns.ts';
import type { Fetched, RecordFeed, Shape } from './feed.ts';
import { asBefore, sampleOf, standsFor } from './records-sample.ts';
import { bytesOf, type Spool, type SpooledDocument } from './spool.ts';

/** Records as they were fetched, looked through. They stay until they are loaded. */
export interface Looked {
  spool: Spool;
  /** Those of the spool that are loaded together. */
  documents: readonly SpooledDocument[];
  shape: Shape;
  /** Names those that are loaded together. */
  round: string;
  /** When all was fetched; until then there is more. */
  fetched: Fetched | undefined;
  config: FilesConfig;
  form: Form;
  sniffed: SniffResult;
  /** By document: lines of records that a later one takes the place of. */
  superseded: ReadonlyMap<string, Float64Array>;
  /** By what records are told apart. */
  key: readonly string[] | undefined;
  /** Not all of it was looked at: documents that were not, by their keys. */
  unseen: ReadonlySet<string>;
  samples: Map<string, ColumnSample>;
}

export interface RecordsSurvey extends Survey, ReadForm {
  /** Columns of the records, before some are left out or renamed. */
  contract: SchemaJson;
  /** Undefined: nothing was fetched. */
  looked: Looked | undefined;
  layouts: ReadonlyMap<string, RecordDocument>;
  before: Checkpoint | undefined;
  /** What was looked at is a sample: for the reader of the rest. */
  guess: GuessOptions | 'impossible' | undefined;
  /** Type of the cursor, where the stream has one. */
  cursorType: LogicalType | undefined;
}

export interface RecordDocument {
  document: SpooledDocument;
  /** Lines of records that a later one takes the place of. */
  superseded: Float64Array | undefined;
  fields: number;
  places: Places;
  /** Set when all of it was looked at, and anyone reads the same records from it. */
  plain: PlainFacts | undefined;
}

const MOST_FILES = 1000;

interface LookOptions {
  key: readonly string[] | undefined;
  partBytes: number;
  /** False: a sample will do, when what is read is held against it. */
  whole: boolean;
  /** Is told the keys of records, when all of them are looked at, and says whether none of these was there. */
  areNew?: (keys: DocumentKeys) => boolean;
  /** Column whose greatest value is wanted, where that is found out. */
  cursor?: string | undefined;
  /** Where this is done again and again. */
  threads?: SniffThreads | undefined;
  signal: AbortSignal;
}

/** What is looked through. */
export type Fetching = Pick<Looked, 'spool' | 'documents' | 'round' | 'shape' | 'fetched'> & {
  /** Where that is known already: nobody looks for it. */
  superseded?: Looked['superseded'] | undefined;
  /** What was loaded before them. */
  before?: Looked | undefined;
};

export async function lookThrough(
  { before, ...fetching }: Fetching,
  { key, partBytes, whole, areNew, cursor, threads, signal }: LookOptions,
): Promise<Looked> {
  if (before && !whole && standsFor(before, fetching)) return asBefore(before, fetching, key);
  const { spool, documents: all, round, shape, fetched, superseded } = fetching;
  const config: FilesConfig = {
    path: '',
    format: 'json',
    compression: 'none',
    encoding: 'utf-8',
    fileColumn: false,
    changed: 'report',
    ...shape.config,
  };
  const place = { storage: spool.storage, config, signal };
  const chosen = whole || config.format === 'csv' ? all : sampleOf(all);
  const documents = chosen.map(({ key: path, name, bytes }): FileDocument => ({
    file: { key: path, size: bytes, modifiedAt: 0 },
    name,
    packing: 'none',
    entry: undefined,
    crc32: undefined,
  }));
  const looked = await formOf(documents, place);
  const text = (document: FileDocument): ReturnType<typeof textForm> => textForm(document, config);
  const sniffed = await sniffDocuments(documents, {
    ...place,
    form: looked,
    text,
    partBytes,
    key,
    cursor,
    threads,
  });
  const [problem] = sniffed.problems;
  if (problem) throw problem.error;
  const form = withNames(looked, sniffed, shape);
  const seen = new Set(documents.map(({ file }) => file.key));
  const unseen = new Set(all.map(({ key: path }) => path).filter((path) => !seen.has(path)));
  const found = comeAgain(sniffed, unseen.size === 0 ? areNew : undefined);
  const samples = samplesOf(sniffed, form);
  return {
    spool,
    documents: all,
    round,
    shape,
    fetched,
    config,
    form,
    sniffed,
    superseded: superseded ?? found,
    key,
    unseen,
    samples,
  };
}

/** By document, the lines of records with a key that a later one has; the keys are given up. */
function comeAgain({ documents }: SniffResult, areNew: LookOptions['areNew']): Map<string, Float64Array> {
  const keys = documents.map((each) => each.keys);
  for (const each of documents) each.keys = undefined;
  // Most often nobody has to be told apart from others twice.
  if (areNew && keys.every((each) => !each || areNew(each))) return new Map();
  const earlier = earlierVersions(keys);
  const found = documents.map(({ document }, i) => [document.file.key, earlier[i]!] as const);
  return new Map(found.filter(([, lines]) => lines.length > 0));
}

/** Objects are read by the names of all of them, and by those that the feed knows of. */
function withNames({ dialect, header }: Form, { documents }: SniffResult, { types = {} }: Shape): Form {
  if (dialect.format === 'csv') return { dialect, header };
  const groups = new Set(documents.map(({ group }) => group));
  const names = [...groups].flatMap((group) => (group?.header ?? []) as string[]);
  return { dialect: { ...dialect, names: [...new Set([...names, ...Object.keys(types)])] }, header };
}

function samplesOf({ documents }: SniffResult, { dialect }: Form): Map<string, ColumnSample> {
  const groups = new Set(documents.map(({ group }) => group).filter((group) => group !== undefined));
  return columnsOf(
    [...groups].map((group) => ({ names: namesOf(group, dialect.format), columns: group.columns })),
  );
}

/** How values of a type are written: {@link RecordFeed.form}. */
export type FormOf = RecordFeed['form'];

interface SurveyOptions {
  stream: StreamConfig;
  before: Checkpoint | undefined;
  partBytes: number;
  /** No record has the key of one that was loaded before in this run. */
  apart: boolean;
  form: FormOf;
}

export function surveyOf(
  looked: Looked,
  { stream, before, partBytes, apart, form: formOf }: SurveyOptions,
): RecordsSurvey {
  const { shape, fetched, form, config, samples } = looked;
  const columns = typed(
    contractOf(before?.ledger?.contract, withKnown(samples, shape), stream.types),
    stream,
    shape,
  );
  const { schema, read } = schemaOf(stream, columns, shape.key);
  const cursorType = cursorOf(stream, columns);
  const forms = read.map((column) =>
    Object.hasOwn(stream.types, column.name) ? writtenForm(column.type, config) : formOf?.(column.type),
  );
  const layouts = layoutsOf(looked);
  const records = recordsOf(looked.documents) - doublesOf(looked);
  const named = looked.documents.some(({ groups }) => groups);
  const group = named ? shape.group?.map((column) => renamed(stream, column)) : undefined;
  return {
    schema,
    read,
    forms,
    form,
    fileColumn: false,
    contract: contractJson(columns),
    looked,
    layouts,
    before,
    guess: guessOf(looked, stream, read),
    cursorType,
    estimatedRows: records,
    estimatedBytes: bytesOf(looked.documents),
    layout: '',
    parts: partsOf(looked, partBytes),
    arrived: {
      again: fetched?.again ?? (before?.watermark ?? before?.position) !== undefined,
      whole: true,
      more: fetched === undefined,
      distinct: group !== undefined || (looked.key?.length ?? 0) > 0,
      apart,
      moved: isMoved(looked, stream, before) && schema.fields.length > 0,
    },
    repeatable: true,
    ...(group && { group }),
    fetched: true,
    putsAside: true,
    window: fetched?.window ?? shape.window,
    problem: fetched?.problem,
    notes: [...(fetched?.notes ?? []), ...doubled(looked), ...nearMisses(columns).map(nearMiss)],
    sql: shape.asked,
  };
}

/** Whether it matters that nothing came: a table is replaced by nothing, is not there yet, or what comes later is asked for otherwise. */
function isMoved(
  { documents, fetched }: Looked,
  { load, cursor }: StreamConfig,
  before: Checkpoint | undefined,
): boolean {
  if (documents.length > 0 || !fetched || fetched.problem) return false;
  return (
    load === 'replace' || before === undefined || cursor.length > 0 || fetched.position !== before.position
  );
}

function recordsOf(documents: readonly SpooledDocument[]): number {
  return documents.reduce((sum, { records, groups }) => sum + (groups ? 0 : records), 0);
}

/**
 * What tells that a record comes again in one load: its key, or, where versions of it are kept side by side, all of it. Without a key
 * nobody knows: two that are alike may be two.
 */
export function tellingApart(
  { load, key: own }: StreamConfig,
  { key: known }: Shape,
): readonly string[] | undefined {
  const key = own ?? known;
  if (key.length === 0) return undefined;
  return load === 'append' ? [] : key;
}

function doublesOf({ superseded, documents }: Looked): number {
  const rows = documents.filter(({ groups }) => !groups);
  return rows.reduce((sum, { key }) => sum + (superseded.get(key)?.length ?? 0), 0);
}

function doubled(looked: Looked): SurveyNote[] {
  const count = doublesOf(looked);
  if (count === 0) return [];
  const came = count === 1 ? '1 record comes' : `${count.toLocaleString('en')} records come`;
  return [{ code: 'records.doubled', message: `${came} again with the same key: the last of each counts` }];
}

function nearMiss(message: string): { code: string; message: string; remedy: string } {
  return {
    code: 'records.mixed',
    message,
    remedy: 'pin the column with `types`, and what does not fit goes to quarantine',
  };
}

/** What the feed knows of is there, whether or not a record has it. */
function withKnown(samples: Map<string, ColumnSample>, { types = {} }: Shape): Map<string, ColumnSample> {
  const missing = Object.keys(types).filter((name) => !samples.has(name));
  return missing.length === 0
    ? samples
    : new Map([...samples, ...missing.map((name) => [name, emptySample()] as const)]);
}

/** What the feed knows goes over what values look like, and the project over both. */
function typed(columns: FileColumn[], stream: StreamConfig, { types = {} }: Shape): FileColumn[] {
  return columns.map((column) =>
    Object.hasOwn(types, column.name) && !Object.hasOwn(stream.types, column.name)
      ? { ...column, type: types[column.name]! }
      : column,
  );
}

/** Undefined: all was looked at; `impossible`: all has to be. */
function guessOf(
  { unseen, samples, key, shape }: Looked,
  { types }: StreamConfig,
  read: readonly FileColumn[],
): GuessOptions | 'impossible' | undefined {
  if (unseen.size === 0) return undefined;
  const guess: GuessOptions = { given: [], unknown: [], key };
  for (const [i, { name, type }] of read.entries()) {
    const sample = samples.get(name);
    if (Object.hasOwn(types, name) || Object.hasOwn(shape.types ?? {}, name)) guess.given.push(i);
    else if (!guessable(type)) return 'impossible';
    else if (!sample || !hasValues(sample)) guess.unknown.push(i);
  }
  return guess;
}

function schemaOf(
  stream: StreamConfig,
  columns: FileColumn[],
  known: readonly string[],
): Pick<RecordsSurvey, 'schema'> & { read: FileColumn[] } {
  const wanted = stream.key ?? known;
  const key = wanted.map((name) => renamed(stream, name));
  // Before the first record nobody knows what there will be.
  if (columns.length === 0) return { schema: { fields: [], key }, read: [] };
  const mistakes: string[] = [];
  const read = chosenColumns(stream, columns, mistakes);
  for (const name of wanted)
    if (!read.some((column) => column.name === name)) mistakes.push(`key: there is no column "${name}"`);
  const names = read.map(({ name }) => renamed(stream, name));
  refuseMistakes(stream, names, mistakes);
  const fields = read.map(({ name, type }, i): Field => ({
    name: names[i]!,
    type,
    nullable: !wanted.includes(name),
  }));
  return { schema: { fields, key }, read };
}

function cursorOf({ name, cursor }: StreamConfig, columns: readonly FileColumn[]): LogicalType | undefined {
  if (cursor.length === 0 || columns.length === 0) return undefined;
  const mistakes: string[] = [];
  if (cursor.length > 1) mistakes.push('a stream of records has one cursor column');
  const found = columns.find((column) => column.name === cursor[0]);
  if (!found) mistakes.push(`cursor: there is no column "${cursor[0]}"`);
  else if (!isCursor(found.type))
    mistakes.push(
      `cursor: "${found.name}" is ${renderType(found.type)}, and has to be a date, a time or a whole number`,
    );
  if (mistakes.length === 0) return found!.type;
  throw new ConfigError(`planning ${name}: ${mistakes.join('; ')}`, {
    code: 'stream.invalid',
    remedy: 'name a column that grows when a record changes, or pin its type with `types`',
  });
}

function isCursor(type: LogicalType): boolean {
  return type.kind === 'date' || type.kind === 'timestamp' || type.kind.startsWith('int');
}

function layoutsOf({ documents, sniffed, form, superseded }: Looked): Map<string, RecordDocument> {
  const objects = form.dialect.format === 'json' ? form.dialect.names : undefined;
  const shared = new Map<string, number | string | null>();
  if (objects) for (const [f, name] of objects.entries()) shared.set(memberName(name), f);
  const seen = new Map(sniffed.documents.map((looked) => [looked.document.file.key, looked]));
  return new Map(
    documents.map((document): [string, RecordDocument] => {
      const looked = seen.get(document.key);
      const fields = objects?.length ?? looked?.group?.fields ?? 1;
      const names = objects ? [] : headerNames(looked?.group?.header, fields);
      const places = objects ? shared : new Map(names.map((name, f) => [name, f]));
      const lines = superseded.get(document.key);
      const plain = looked?.plain && { ...looked.plain, records: looked.records };
      return [document.key, { document, superseded: lines, fields: Math.max(1, fields), places, plain }];
    }),
  );
}

/** Slices of about as many bytes; a document that is longer has several. */
function partsOf({ sniffed, spool, documents }: Looked, bytes: number): SliceRange[] {
  const seen = new Map(sniffed.documents.map((looked) => [looked.document.file.key, looked]));
  const ranges: SliceRange[] = [];
  const total = bytesOf(documents);
  // A little more than a slice is one slice.
  const even = total / Math.max(1, Math.round(total / bytes));
  let pack: FilePart[] = [];
  let size = 0;
  const close = (): void => {
    if (pack.length > 0) ranges.push({ kind: 'files', files: pack });
    pack = [];
    size = 0;
  };
  for (const { key, bytes: length, whole, groups } of documents) {
    const { parts = [], crc32 } = seen.get(key) ?? {};
    // The same name means other records the next time.
    const part: FilePart = { path: key, size: length, modifiedAt: 0, etag: spool.id, crc32 };
    if (parts.length > 1 && !whole) {
      close();
      for (const range of parts) ranges.push({ kind: 'files', files: [{ ...part, range }] });
      continue;
    }
    // Who is named goes with what takes its place.
    if ((size >= even || pack.length >= MOST_FILES) && !groups) close();
    pack.push(part);
    size += length;
  }
  close();
  return ranges;
}

/** Records that were put aside are as they were then, with the options of now. */
export function keptSurvey(
  stream: StreamConfig,
  before: Checkpoint | undefined,
  { key, form }: { key: readonly string[]; form: FormOf },
): RecordsSurvey {
  const columns = contractOf(before?.ledger?.contract, new Map(), stream.types);
  const { schema, read } = schemaOf(stream, columns, key);
  return {
    schema,
    read,
    forms: read.map(({ type }) => form?.(type)),
    form: { dialect: { format: 'json', names: [], flatten: 0 }, header: false },
    fileColumn: false,
    contract: contractJson(columns),
    looked: undefined,
    layouts: new Map(),
    before,
    guess: undefined,
    cursorType: undefined,
    lacking: 'as before',
    fetched: true,
    putsAside: true,
    arrived: { again: false, whole: false, more: false },
    repeatable: true,
    estimatedRows: undefined,
    estimatedBytes: undefined,
    layout: '',
    parts: [],
    sql: '',
  };
}
