/** What the files of a stream are now: which of them are to be loaded, what they hold, and how they are cut. */
import { ConfigError, type SluiceError } from '../../core/errors.ts';
import type { FileMark, FilePart, FilesConfig, FileRange } from '../../core/ledger.ts';
import type { Field, Schema, SchemaJson } from '../../core/schema.ts';
import type { Survey, SurveyNote } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import {
  type Checkpoint,
  renamed,
  type RunWindow,
  type SliceRange,
  type StreamConfig,
} from '../../core/stream.ts';
import { formatCount } from '../../core/units.ts';
import { chosenColumns, refuseMistakes } from '../shared/stream-columns.ts';
import { emptySample, sniffTexts } from '../shared/text/sniff-columns.ts';
import { columnsOf, contractJson, contractOf, type FileColumn, headerNames, nearMisses } from './contract.ts';
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
import { sniffFiles, type SniffedFile, type SniffResult } from './sniffer.ts';
import { compressionOf, type TextForm, textOf } from '../shared/text/text-stream.ts';

export interface FilesSurvey extends Survey {
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

interface FileLayout {
  text: TextForm;
  fields: number;
  /** For each column of the contract: the field, or the text that the name of the file gives. */
  places: ReadonlyMap<string, number | string | null>;
  records: number;
  crc32: string;
  parts: readonly FileRange[];
}

export interface SurveyPlace {
  storage: ObjectStorage;
  sliceBytes: number;
}

const HEAD_BYTES = 1 << 18;
const MOST_FILES = 1000;

export async function survey(
  place: SurveyPlace,
  stream: StreamConfig,
  { checkpoint, window }: { checkpoint: Checkpoint | undefined; window: RunWindow },
  signal: AbortSignal,
): Promise<FilesSurvey> {
  const config = filesOf(stream);
  const { storage } = place;
  if (window.replay) return keptSurvey(stream, config, checkpoint);
  const found = await findFiles(storage, stream.name, config, signal);
  const ledger = checkpoint?.ledger;
  if (found.files.length === 0 && !ledger) throw noFiles(stream.name, storage, config);
  const sorted = await withoutTouched(
    storage,
    sortFiles(found.files, within(stream, found, window), ledger),
    ledger,
    signal,
  );
  const asked = (file: FoundFile): boolean =>
    config.changed === 'reload' || markOf(ledger, file.key)?.again === true;
  const wanted = wantedFiles(stream, sorted, asked);
  const looked = await formOf(storage, config, { first: wanted[0] ?? found.files[0], signal });
  const text = ({ key }: { key: string }): TextForm => textForm(key, config);
  const sniffed: SniffResult =
    wanted.length === 0
      ? { files: [], problems: [] }
      : await sniffFiles(wanted, { ...place, partBytes: place.sliceBytes, form: looked, text, signal });
  const named = namedColumns(config, found, sniffed);
  const columns = contractOf(ledger?.contract, sampled(sniffed, found, named), stream.types);
  const held = heldBy(stream, config, columns);
  const form = withNames(looked, sniffed);
  const layouts = layoutsOf(sniffed, { config, found, named, form });
  const loaded = wanted.filter((file) => layouts.has(file.key));
  const records = loaded.reduce((sum, { key }) => sum + layouts.get(key)!.records, 0);
  return {
    ...held,
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
    notes: notesOf({ found, sorted, wanted, problems: sniffed.problems, columns }),
    problem: problemOf(stream, sniffed.problems),
    sql: formText(config, form, sniffed),
  };
}

/** Records that were put aside are of the files as they are known, with the options of now. */
function keptSurvey(stream: StreamConfig, config: FilesConfig, before: Checkpoint | undefined): FilesSurvey {
  const columns = contractOf(before?.ledger?.contract, new Map(), stream.types);
  return {
    ...heldBy(stream, config, columns),
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

async function formOf(
  storage: ObjectStorage,
  config: FilesConfig,
  { first, signal }: { first: FoundFile | undefined; signal: AbortSignal },
): Promise<Form> {
  if (!first) return lookAt('', new Uint8Array(), config);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of textOf(storage, { path: first.key }, textForm(first.key, config), { signal })) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= HEAD_BYTES) break;
  }
  return lookAt(first.key, Buffer.concat(pieces), config);
}

/** Objects are read by the names of all of them. */
function withNames({ dialect, header }: Form, { files }: SniffResult): Form {
  if (dialect.format === 'csv') return { dialect, header };
  const groups = new Set(files.map(({ group }) => group));
  const names = [...groups].flatMap((group) => (group?.header ?? []) as string[]);
  return { dialect: { ...dialect, names: [...new Set(names)] }, header };
}

function textForm(path: string, config: FilesConfig): TextForm {
  return {
    compression: config.compression ?? compressionOf(path),
    encoding: config.encoding === undefined ? undefined : new TextDecoder(config.encoding).encoding,
    skip: config.skip ?? 0,
  };
}

/** Columns that come from names; a date found there by itself gives way to a column of that name in the files. */
function namedColumns(config: FilesConfig, found: FoundFiles, sniffed: SniffResult): string[] {
  const inFiles = new Set(
    sniffed.files.flatMap(({ group }) => (group ? headerNames(group.header, group.fields) : [])),
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
  const groups = new Set(sniffed.files.map(({ group }) => group).filter((group) => group !== undefined));
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
  return new Map(
    sniffed.files.map(({ file, group, records, broken, crc32, encoding, parts }: SniffedFile) => {
      const places = new Map<string, number | string | null>();
      const fields = objects?.length ?? group?.fields ?? 1;
      const names = group ? headerNames(objects ?? group.header, fields) : [];
      for (const [f, name] of names.entries()) places.set(name, f);
      for (const name of named) places.set(name, byKey.get(file.key)!.columns[name] ?? null);
      if (config.fileColumn !== false) places.set(config.fileColumn, file.key);
      const text = { ...textForm(file.key, config), encoding };
      const cuts = text.skip > 0 ? [] : parts;
      return [file.key, { text, fields, places, records: records + broken, crc32, parts: cuts }];
    }),
  );
}

interface Cutting {
  files: FoundFile[];
  layouts: ReadonlyMap<string, FileLayout>;
  sorted: SortedFiles;
  ledger: Readonly<Record<string, FileMark>> | undefined;
  bytes: number;
}

/** Packed text is about four times as long. */
const UNPACKED = 4;

function partsOf(stream: StreamConfig, { files, layouts, sorted, ledger, bytes }: Cutting): SliceRange[] {
  // Where rows of a later file take the place of those of an earlier one, the two are not in one load.
  const alone = stream.load === 'merge' || stream.load === 'scd2';
  const ranges: SliceRange[] = [];
  let pack: FilePart[] = [];
  let size = 0;
  const close = (): void => {
    if (pack.length > 0) ranges.push({ kind: 'files', files: pack });
    pack = [];
    size = 0;
  };
  for (const file of files) {
    const layout = layouts.get(file.key)!;
    const part: FilePart = {
      path: file.key,
      size: file.size,
      modifiedAt: file.modifiedAt,
      etag: file.etag,
      crc32: layout.crc32,
    };
    const again = sorted.changed.includes(file) && stream.load !== 'replace';
    const left = again ? undefined : ledger?.[file.key]?.left;
    if (again) {
      close();
      ranges.push({ kind: 'files', files: [part], again });
    } else if (left || layout.parts.length > 1) {
      close();
      for (const range of left ?? layout.parts) ranges.push({ kind: 'files', files: [{ ...part, range }] });
    } else {
      const weight = file.size * (layout.text.compression === 'none' ? 1 : UNPACKED);
      if (alone || size + weight > bytes || pack.length >= MOST_FILES) close();
      pack.push(part);
      size += weight;
    }
  }
  close();
  return ranges;
}

function windowText({ files }: FoundFiles, { fresh, changed, loaded, gone }: SortedFiles): string {
  const counts = [
    `${formatCount(files.length)} files`,
    loaded.length > 0 && `${formatCount(loaded.length)} loaded`,
    `${formatCount(fresh.length)} new`,
    changed.length > 0 && `${formatCount(changed.length)} changed`,
    gone.length > 0 && `${formatCount(gone.length)} loaded and gone`,
  ];
  return counts.filter((text) => text !== false).join(', ');
}

interface Notable {
  found: FoundFiles;
  wanted: readonly FoundFile[];
  sorted: SortedFiles;
  problems: SniffResult['problems'];
  columns: FileColumn[];
}

function notesOf({ found, sorted, wanted, problems, columns }: Notable): SurveyNote[] {
  const changed = sorted.changed.filter((file) => !wanted.includes(file)).map(({ key }) => key);
  const notes: SurveyNote[] = [];
  const tell = (names: readonly string[], note: SurveyNote): void => {
    if (names.length > 0) notes.push({ ...note, message: `${listed(names)} ${note.message}` });
  };
  tell(changed, {
    code: 'files.changed',
    message: 'changed after being loaded, and stays as loaded',
    remedy: 'set `changed: reload` in `files` to replace the rows',
  });
  tell(found.waiting, { code: 'files.waiting', message: 'is still being written; the next run looks again' });
  tell(found.empty, { code: 'files.empty', message: 'has no bytes and is left for a later run' });
  for (const { error } of problems)
    notes.push({ code: error.code, message: error.message, remedy: error.remedy });
  for (const text of nearMisses(columns))
    notes.push({
      code: 'files.near_miss',
      message: text,
      remedy: 'pin the type with `types`; values that do not fit it go to quarantine then',
    });
  return notes;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more files:` : `${shown}:`;
}

/** What can be loaded is loaded; that it was not all is an error nevertheless. */
function problemOf(stream: StreamConfig, problems: SniffResult['problems']): SluiceError | undefined {
  const [first] = problems;
  if (!first) return undefined;
  const others = problems.length > 1 ? ` (and ${problems.length - 1} other files)` : '';
  return new ConfigError(`loading ${stream.name}: ${first.error.message}${others}`, {
    code: first.error.code,
    remedy: first.error.remedy,
    cause: first.error,
  });
}

function formText(config: FilesConfig, { dialect, header }: Form, { files }: SniffResult): string {
  const encodings = [...new Set(files.map(({ encoding }) => encoding))];
  const how =
    dialect.format === 'json'
      ? [dialect.flatten > 0 && `objects within objects down to level ${dialect.flatten}`]
      : [
          `delimiter ${JSON.stringify(dialect.delimiter)}`,
          dialect.quote === undefined ? 'no quotes' : `quote ${dialect.quote}`,
          header ? 'with header' : 'no header',
        ];
  return [config.path, dialect.format, ...how, ...encodings].filter((part) => part !== false).join(', ');
}
