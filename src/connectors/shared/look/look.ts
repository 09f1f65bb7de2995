/** How a file is written, from its beginning. */
import type { FileFormat, FilesConfig } from '../../../core/ledger.ts';
import type { LogicalType } from '../../../core/types.ts';
import { type CsvDialect, CsvScanner } from '../text/csv-scanner.ts';
import type { JsonDialect } from '../text/json-scanner.ts';
import { escapedBy } from '../text/escapes.ts';
import { fieldText } from '../text/field-text.ts';
import { Records, type FieldForm } from '../text/records.ts';
import { looksLikeText } from '../text/sniff-columns.ts';

/** How the files of a stream are written. */
export interface Form {
  dialect: CsvDialect | JsonDialect;
  header: boolean;
}

/** Of files that are no text. */
export const NO_TEXT: Form = { dialect: { format: 'json', names: [], flatten: 0 }, header: false };

const DELIMITERS = [',', ';', '\t', '|'];
const LOOKED_AT = 100;

const FORMATS: Readonly<Record<string, FileFormat>> = {
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  csv: 'csv',
  tsv: 'csv',
  txt: 'csv',
  parquet: 'parquet',
};

/** By the ending of a name, before that of what it is packed with. */
export function formatOf(path: string): FileFormat | undefined {
  const endings = path.toLowerCase().split('/').at(-1)!.split('.').slice(1);
  return endings.map((ending) => FORMATS[ending]).findLast((format) => format !== undefined);
}

/** `head`: the first bytes of the file, or all; what the configuration says is taken as it is. */
export function lookAt(path: string, head: Uint8Array, config: FilesConfig): Form {
  const format =
    config.format ??
    formatOf(path) ??
    (/^\s*[[{]/.test(Buffer.from(head).toString('latin1')) ? 'json' : 'csv');
  if (format === 'parquet') return NO_TEXT;
  if (format === 'json')
    return { dialect: { format, names: [], flatten: config.flatten ?? 0 }, header: false };
  return lookAtCsv(head, config);
}

const NUMBERS: ReadonlySet<string> = new Set(['int16', 'int32', 'int64', 'decimal', 'float32', 'float64']);

/** How values of a pinned type are written; undefined: in the usual way. */
export function writtenForm(
  { kind }: LogicalType,
  { decimal, thousands, date }: FilesConfig,
): FieldForm | undefined {
  if (kind === 'binary') return 'hex';
  if (NUMBERS.has(kind) && (decimal !== undefined || thousands !== undefined))
    return { kind: 'number', decimal: decimal ?? '.', thousands };
  if (date === undefined || (kind !== 'date' && kind !== 'timestamp')) return undefined;
  return { kind: 'date', order: date.replace(/(\w)\w*\W?/g, '$1'), separator: /\W/.exec(date)![0] };
}

function lookAtCsv(head: Uint8Array, config: FilesConfig): Form {
  const dialect = (delimiter: string): CsvDialect => ({
    format: 'csv',
    delimiter,
    quote: config.quote === false ? undefined : (config.quote ?? '"'),
    escape: config.quote === false ? undefined : (config.escape ?? config.quote ?? '"'),
    nulls: config.nulls ?? [''],
  });
  const bytes = new Uint8Array(head.length + 1);
  bytes.set(head);
  const chosen = dialect(config.delimiter ?? bestDelimiter(bytes, dialect));
  return { dialect: chosen, header: config.header ?? hasHeader(bytes, chosen) };
}

/** The one that takes most records into the same number of fields, and into more of them than others do. */
function bestDelimiter(bytes: Uint8Array, dialect: (delimiter: string) => CsvDialect): string {
  let best = { delimiter: ',', score: 0 };
  for (const delimiter of DELIMITERS) {
    const counts = fieldCounts(bytes, dialect(delimiter));
    const usual = [...Map.groupBy(counts, (count) => count)].toSorted((a, b) => b[1].length - a[1].length)[0];
    if (!usual || usual[0] < 2) continue;
    const score = (usual[1].length / counts.length) * Math.log(1 + usual[0]);
    if (score > best.score * 1.05) best = { delimiter, score };
  }
  return best.delimiter;
}

function fieldCounts(bytes: Uint8Array, dialect: CsvDialect): number[] {
  const scanner = scannerFor(dialect, 2);
  const end = bytes.length - 1;
  const counts: number[] = [];
  let at = 0;
  while (counts.length < LOOKED_AT && at < end) {
    const found = scanner.measure(bytes, { at, end, final: false });
    if (!found) break;
    counts.push(found.fields);
    at = found.next;
  }
  // A single record without a line break.
  if (counts.length === 0) {
    const only = scanner.measure(bytes, { at: 0, end, final: true });
    if (only) counts.push(only.fields);
  }
  return counts;
}

/**
 * Names are texts. Where some are missing or there are two alike, as spreadsheets and indexes of data frames make them, most are there
 * and none of them is a value of its column further down.
 */
function hasHeader(bytes: Uint8Array, dialect: CsvDialect): boolean {
  const end = bytes.length - 1;
  const found = scannerFor(dialect, 2).measure(bytes, { at: 0, end, final: true });
  if (!found) return true;
  const [names = [], ...others] = firstRecords(bytes, dialect, found.fields);
  const written = names.filter((name) => name !== null && name.trim() !== '');
  if (written.length * 2 < names.length || !written.every((name) => looksLikeText(name!))) return false;
  if (new Set(written).size === names.length) return true;
  return !others.some((record) => record.some((value, f) => value !== null && value === names[f]));
}

/** Those that have the fields of the first one. */
function firstRecords(bytes: Uint8Array, dialect: CsvDialect, fields: number): (string | null)[][] {
  const records = new Records(fields, LOOKED_AT);
  const scanner = new CsvScanner(dialect, records, { maxBytes: Infinity, onBroken: () => undefined });
  const { row } = scanner.scan(bytes, { at: 0, end: bytes.length - 1, final: true, row: 0 });
  const escapes = escapedBy(dialect.escape);
  return Array.from({ length: row }, (_, r) =>
    Array.from({ length: fields }, (_, f) => fieldText(bytes, records, r * fields + f, escapes)),
  );
}

function scannerFor(dialect: CsvDialect, fields: number): CsvScanner {
  return new CsvScanner(dialect, new Records(fields, 1), { maxBytes: Infinity, onBroken: () => undefined });
}
