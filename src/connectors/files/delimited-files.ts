/** Which files a DuckDB reads to the same rows as the decoder does: those whose values were all found to be of forms that both know. */
import { stat } from 'node:fs/promises';
import type { ColumnLimits } from '../../core/diagnose.ts';
import { TransientError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import type { DecodeFacts, DelimitedForm, DelimitedScan, SliceToRead } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { LogicalType } from '../../core/types.ts';
import { fileStamp } from '../shared/file-stamp.ts';
import type { FileColumn } from '../shared/look/contract.ts';
import type { DocumentFacts } from '../shared/text/text-decoder.ts';
import { COUNTS } from '../shared/text/sniff-columns.ts';
import type { FilesSurvey, ReadDocument } from './survey.ts';

/** Name of the form among those that destinations accept. */
export const DELIMITED_FILES = 'delimited-files';

/** DuckDB would need larger buffers for longer ones. */
const LONGEST_RECORD = 1 << 20;

interface DelimitedSlice {
  slice: SliceToRead;
  parts: readonly FilePart[];
  survey: FilesSurvey;
  storage: ObjectStorage;
  /** Called when a destination did not get these rows. */
  onRefused: () => void;
}

/** Undefined: only the decoder reads them. */
export async function delimitedForm(given: DelimitedSlice): Promise<DelimitedForm | undefined> {
  const { slice, parts, survey, storage, onRefused } = given;
  const { aside, kept } = slice;
  const limits = aside?.limits ?? [];
  // What the target refuses goes aside, and DuckDB puts nothing aside.
  if (kept || (aside && aside.refused.length > 0) || limits.some(mayRefuse)) return undefined;
  const files = plainFiles(parts, survey, storage);
  const required = new Set(limits.filter(({ nullable }) => !nullable).map(({ field }) => field));
  const scan = files && scanOf(files, survey, required);
  if (!scan || !(await unchanged(files))) return undefined;
  const rows = files.map(({ plain }) => plain.records);
  const own: DocumentFacts = { rows, bad: files.map(() => 0) };
  const facts: DecodeFacts = {
    rows: rows.reduce((sum, count) => sum + count, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    high: undefined,
    coerced: {},
    quarantined: 0,
    superseded: 0,
    own,
  };
  return {
    format: DELIMITED_FILES,
    scan,
    facts: () => facts,
    unchanged: () => unchanged(files),
    refused: () => {
      onRefused();
      return new TransientError(
        `reading files of slice ${slice.id}: DuckDB has not read what was found in them`,
        {
          code: 'files.read_otherwise',
          remedy: 'nothing: they are read without it',
          next: 'at-once',
        },
      );
    },
  };
}

function mayRefuse({ limits }: ColumnLimits): boolean {
  return limits.some(({ fate }) => fate === 'refused');
}

interface PlainFile {
  path: string;
  bytes: number;
  document: ReadDocument;
  plain: NonNullable<ReadDocument['plain']>;
}

/** Whole files of one text each, written alike. */
function plainFiles(
  parts: readonly FilePart[],
  { layouts }: FilesSurvey,
  storage: ObjectStorage,
): PlainFile[] | undefined {
  const files: PlainFile[] = [];
  for (const { path: key, size, range } of parts) {
    const { documents } = layouts.get(key)!;
    const [document] = documents;
    const plain = document?.plain;
    if (range || documents.length !== 1 || !plain || plain.longest > LONGEST_RECORD) return undefined;
    files.push({ path: storage.localPath(key), bytes: size, document, plain });
  }
  const [first] = files;
  const alike = ({ document, plain }: PlainFile): boolean =>
    plain.crlf === first!.plain.crlf && document.fields === first!.document.fields;
  return first && files.every(alike) ? files : undefined;
}

/** Whether a DuckDB makes the same of the values of all columns; of where they lie nothing is said. */
export function readsAlike({
  form,
  read,
  forms,
  schema,
}: Pick<FilesSurvey, 'form' | 'read' | 'forms' | 'schema'>): boolean {
  return (
    form.dialect.format === 'csv' &&
    read.every((column, i) => forms[i] === undefined && isReadAlike(column, schema.fields[i]!.nullable))
  );
}

function scanOf(
  files: readonly PlainFile[],
  survey: FilesSurvey,
  required: ReadonlySet<string>,
): DelimitedScan | undefined {
  const { form, read, schema } = survey;
  if (form.dialect.format !== 'csv' || !readsAlike(survey)) return undefined;
  const columns: (number | (string | null)[])[] = [];
  for (const [i, column] of read.entries()) {
    const places = files.map(({ document }) => document.places.get(column.name) ?? null);
    const field = schema.fields[i]!;
    const nullable = field.nullable && !required.has(field.name);
    if (!isReadAlike(column, nullable)) return undefined;
    if (!nullable && places.includes(null)) return undefined;
    const texts = places.filter((place) => typeof place !== 'number');
    const [first] = places;
    if (texts.length === places.length) columns.push(texts);
    else if (texts.length > 0 || places.some((place) => place !== first)) return undefined;
    else columns.push(first as number);
  }
  const [{ document }] = files as [PlainFile];
  return {
    delimiter: form.dialect.delimiter,
    header: form.header,
    fields: document.fields,
    longest: Math.max(...files.map(({ plain }) => plain.longest)),
    files: files.map(({ path, bytes, plain }) => ({ path, bytes, rows: plain.records })),
    columns,
  };
}

/** Kinds of values, of which no others may be among those of a column. */
const READ_ALIKE: Partial<Record<LogicalType['kind'], readonly Kind[]>> = {
  int16: ['integers'],
  int32: ['integers'],
  int64: ['integers'],
  decimal: ['integers', 'decimals'],
  float64: ['integers', 'decimals'],
  bool: ['bools'],
  date: ['dates'],
};
type Kind = (typeof COUNTS)[number];

/** Digits that numbers of these types have for sure. */
const DIGITS: Partial<Record<LogicalType['kind'], number>> = { int16: 4, int32: 9, int64: 18, float64: 15 };

/** Whether DuckDB makes the same of all values of a column. */
function isReadAlike({ type, sample }: Pick<FileColumn, 'type' | 'sample'>, nullable: boolean): boolean {
  if (!sample) return true;
  if (!nullable && sample.nulls > 0) return false;
  if (type.kind === 'utf8') return true;
  const kinds = type.kind === 'timestamp' ? momentsOf(type.zone) : READ_ALIKE[type.kind];
  if (!kinds || sample.unusual > 0 || COUNTS.some((kind) => sample[kind] > 0 && !kinds.includes(kind)))
    return false;
  if (type.kind === 'decimal')
    return sample.scale <= type.scale && sample.whole <= type.precision - type.scale;
  return sample.digits <= (DIGITS[type.kind] ?? 0) || !kinds.includes('integers');
}

function momentsOf(zone: boolean): readonly Kind[] {
  return zone ? ['instants'] : ['dates', 'moments'];
}

/** Whether they still are what was looked at. */
async function unchanged(files: readonly PlainFile[]): Promise<boolean> {
  for (const { path, plain } of files) {
    const now = await stat(path, { bigint: true }).catch(() => undefined);
    if (!now || fileStamp(now) !== plain.stamp) return false;
  }
  return true;
}
