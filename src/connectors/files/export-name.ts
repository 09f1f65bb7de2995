/** What exported files are called, and how they are written. Pure. */
import { createHash } from 'node:crypto';
import { InternalError } from '../../core/errors.ts';
import { type ExportCompression, type ExportConfig, type ExportFormat, fillPath } from '../../core/export.ts';

/** How the file of a stream is written, with nothing left open. */
export interface ExportForm {
  path: string;
  format: ExportFormat;
  compression: ExportCompression;
  delimiter: string;
  header: boolean;
  null: string;
  zone: string;
}

const DEFAULT_PATH = '{table}_{date}.csv';

const FORMATS: Readonly<Record<string, ExportFormat>> = {
  csv: 'csv',
  tsv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
};
const PACKED: Readonly<Record<string, ExportCompression>> = { gz: 'gzip', zst: 'zstd' };

/** `usual`: the path of streams that do not say where. Without a format the ending of the path says none. */
export function formOf(
  config: ExportConfig | undefined,
  usual: string | undefined,
): Omit<ExportForm, 'format'> & { format: ExportFormat | undefined } {
  const path = config?.path ?? usual ?? DEFAULT_PATH;
  const endings = path.toLowerCase().split('/').at(-1)!.split('.').slice(1);
  const packed = PACKED[endings.at(-1) ?? ''];
  const ending = endings.at(packed === undefined ? -1 : -2) ?? '';
  const format = config?.format ?? FORMATS[ending];
  return {
    path,
    format,
    compression: config?.compression ?? packed ?? (format === 'parquet' ? 'zstd' : 'none'),
    delimiter: config?.delimiter ?? (ending === 'tsv' ? '\t' : ','),
    header: config?.header ?? true,
    null: config?.null ?? '',
    zone: config?.zone ?? 'UTC',
  };
}

/** Bytes of a table's name in the name of a file, which has room for 255 in all. */
const TABLE_LIMIT = 150;
const HASH_DIGITS = 16;

/** `day`: that of the rows, null for those that have none; undefined: the file holds all rows that there are. */
export function fileKey(
  form: Pick<ExportForm, 'path' | 'zone'>,
  { table, at, day }: { table: string; at: string; day: string | null | undefined },
): string {
  const moment = clockIn(at, form.zone);
  const [year, month, date] = day === undefined ? moment.day : (day?.split('-') ?? []);
  const none = 'no_date';
  return fillPath(form.path, {
    table: shortened(table),
    date: year === undefined ? none : `${year}${month}${date}`,
    time: moment.time,
    year: year ?? none,
    month: month ?? none,
    day: date ?? none,
  });
}

/** A moment of a database on the clocks of a zone. */
function clockIn(at: string, zone: string): { day: string[]; time: string } {
  const iso = at
    .replace(' ', 'T')
    .replace(/(\.\d{3})\d*/, '$1')
    .replace(/([+-]\d\d)$/, '$1:00');
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime()))
    throw new InternalError(`naming an export: "${at}" is no moment`, { code: 'files.export_moment' });
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  const [year, month, day] = [parts.get('year')!, parts.get('month')!, parts.get('day')!];
  return {
    day: [year.padStart(4, '0'), month, day],
    time: `${parts.get('hour')}${parts.get('minute')}${parts.get('second')}`,
  };
}

/** `~` is in no name of a table, so that no two share a shortened one. */
function shortened(table: string): string {
  if (Buffer.byteLength(table) <= TABLE_LIMIT) return table;
  const hash = createHash('sha256').update(table).digest('hex').slice(0, HASH_DIGITS);
  let begin = '';
  for (const character of table) {
    if (Buffer.byteLength(begin) + Buffer.byteLength(character) + HASH_DIGITS + 1 > TABLE_LIMIT) break;
    begin += character;
  }
  return `${begin}~${hash}`;
}
