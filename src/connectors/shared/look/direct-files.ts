/** Which files a DuckDB reads to the same rows as the decoder does: those whose values were all found to be of forms that both know. */
import { stat } from 'node:fs/promises';
import type { ColumnLimits } from '../../../core/diagnose.ts';
import { TransientError } from '../../../core/errors.ts';
import type { Schema } from '../../../core/schema.ts';
import type { DecodeFacts, FilesForm, FilesScan, SliceToRead } from '../../../core/source.ts';
import type { LogicalType } from '../../../core/types.ts';
import { fileStamp } from '../file-stamp.ts';
import type { DocumentFacts } from '../text/text-decoder.ts';
import type { FieldForm } from '../text/records.ts';
import { COUNTS } from '../text/sniff-columns.ts';
import type { FileColumn } from './contract.ts';
import type { Places, ReadForm } from './read-form.ts';
import type { LookedDocument } from './sniffer.ts';

/** Name of the form among those that destinations accept. */
export const PLAIN_FILES = 'plain-files';

/** DuckDB would need larger buffers for longer ones. */
const LONGEST_RECORD = 1 << 20;

/** What was found when it was looked at; `records` that are rows. */
export type PlainFacts = NonNullable<LookedDocument['plain']> & { records: number };

/** A whole file of one text. */
export interface PlainFile {
  path: string;
  bytes: number;
  /** Fields of a record, and where columns are among them. */
  fields: number;
  places: Places;
  plain: PlainFacts;
}

interface DirectSlice {
  slice: SliceToRead;
  /** In the order of their rows. */
  files: readonly PlainFile[];
  survey: ReadForm & { schema: Schema };
  /** Greatest cursor value of them, when it is wanted. */
  high?: string | undefined;
  /** Called when a destination did not get these rows. */
  onRefused: () => void;
}

/** Undefined: only the decoder reads them. */
export async function filesForm(given: DirectSlice): Promise<FilesForm | undefined> {
  const { slice, files, survey, high, onRefused } = given;
  const { aside, kept } = slice;
  const limits = aside?.limits ?? [];
  // What the target refuses goes aside, and DuckDB puts nothing aside.
  if (kept || (aside && aside.refused.length > 0) || limits.some(mayRefuse)) return undefined;
  const required = new Set(limits.filter(({ nullable }) => !nullable).map(({ field }) => field));
  const scan = scanOf(files, survey, required);
  if (!scan || !(await unchanged(files))) return undefined;
  const rows = files.map(({ plain }) => plain.records);
  const own: DocumentFacts = { rows, bad: files.map(() => 0) };
  const facts: DecodeFacts = {
    rows: rows.reduce((sum, count) => sum + count, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    high,
    coerced: {},
    quarantined: 0,
    superseded: 0,
    own,
  };
  return {
    format: PLAIN_FILES,
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

/** Values that are of the usual form for sure mean the same in these. */
const FORMS: ReadonlySet<FieldForm | undefined> = new Set([undefined, 'rfc3339']);

/** Whether a DuckDB makes the same of the values of all columns; of where they lie nothing is said. */
export function readsAlike({
  form: { dialect },
  read,
  forms,
  schema,
}: ReadForm & { schema: Schema }): boolean {
  const { format } = dialect;
  // Members of objects within would be columns.
  if (format !== 'csv' && (format !== 'json' || dialect.flatten > 0)) return false;
  return read.every((column, i) => {
    const { nullable } = schema.fields[i]!;
    return FORMS.has(forms[i]) && isReadAlike(column, { nullable, format });
  });
}

function scanOf(
  files: readonly PlainFile[],
  survey: DirectSlice['survey'],
  required: ReadonlySet<string>,
): FilesScan | undefined {
  const [first] = files;
  const text = first && textOf(first, survey.form);
  if (!text || !readsAlike(survey) || !files.every((file) => isLike(file, first))) return undefined;
  const columns: (number | (string | null)[])[] = [];
  for (const [i, column] of survey.read.entries()) {
    const places = files.map((file) => file.places.get(column.name) ?? null);
    const field = survey.schema.fields[i]!;
    const nullable = field.nullable && !required.has(field.name);
    if (!isReadAlike(column, { nullable, format: text.format })) return undefined;
    if (!nullable && places.includes(null)) return undefined;
    const texts = places.filter((place) => typeof place !== 'number');
    const [place] = places;
    if (texts.length === places.length) columns.push(texts);
    else if (texts.length > 0 || places.some((each) => each !== place)) return undefined;
    else columns.push(place as number);
  }
  return {
    text,
    longest: Math.max(...files.map(({ plain }) => plain.longest)),
    files: files.map(({ path, bytes, plain }) => ({ path, bytes, rows: plain.records })),
    columns,
  };
}

function textOf({ fields }: PlainFile, { dialect, header }: ReadForm['form']): FilesScan['text'] | undefined {
  if (dialect.format === 'csv') return { format: 'csv', delimiter: dialect.delimiter, header, fields };
  if (dialect.format !== 'json') return undefined;
  const { names } = dialect;
  // DuckDB takes names for the same that differ in their case.
  const different = new Set(names.map((name) => name.toLowerCase()));
  return different.size === names.length ? { format: 'json', names } : undefined;
}

/** Whether it is written like another one. */
function isLike({ fields, plain }: PlainFile, other: PlainFile): boolean {
  return fields === other.fields && plain.crlf === other.plain.crlf && plain.longest <= LONGEST_RECORD;
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
/** As many digits does a decimal have that DuckDB reads from a number of JSON, which is a double before. */
const DOUBLE_DIGITS = 15;

/** Whether DuckDB makes the same of all values of a column. */
function isReadAlike(
  { type, sample }: Pick<FileColumn, 'type' | 'sample'>,
  { nullable, format }: { nullable: boolean; format: FilesScan['text']['format'] },
): boolean {
  if (!sample) return true;
  if (!nullable && sample.nulls > 0) return false;
  const only = (kinds: readonly Kind[]): boolean =>
    COUNTS.every((kind) => sample[kind] === 0 || kinds.includes(kind));
  // A number of JSON in a text would be written anew.
  if (type.kind === 'utf8') return format === 'csv' || only(STRINGS);
  const kinds = type.kind === 'timestamp' ? momentsOf(type.zone) : READ_ALIKE[type.kind];
  if (!kinds || sample.unusual > 0 || !only(kinds)) return false;
  if (type.kind === 'decimal')
    return (
      sample.scale <= type.scale &&
      sample.whole <= type.precision - type.scale &&
      (format === 'csv' || sample.digits <= DOUBLE_DIGITS)
    );
  return sample.digits <= (DIGITS[type.kind] ?? 0) || !kinds.includes('integers');
}

const STRINGS: readonly Kind[] = ['texts', 'dates', 'moments', 'instants'];

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
