import { padEnd, padStart, textWidth, truncate } from './text-width.ts';

export interface Column {
  readonly title: string;
  /** Numbers are aligned on the right. */
  readonly align?: 'right';
}

export interface TableOptions {
  /** Spaces before each line; 2 unless told. */
  readonly indent?: number;
  /** Longest text of one cell; longer ones end in `…`. */
  readonly maxCell?: number;
  readonly paintTitle?: (text: string) => string;
}

/** Columns aligned by spaces, a title line on top, no newline at the end. Cells may hold colour codes. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const maxCell = options.maxCell ?? Number.POSITIVE_INFINITY;
  const cells = rows.map((row) => columns.map((_, i) => truncate(row[i] ?? '', maxCell)));
  const widths = columns.map((column, i) =>
    cells.reduce((widest, row) => Math.max(widest, textWidth(row[i] ?? '')), textWidth(column.title)),
  );
  const line = (texts: readonly string[]): string =>
    columns
      .map((column, i) => (column.align === 'right' ? padStart : padEnd)(texts[i] ?? '', widths[i] ?? 0))
      .join('   ')
      .trimEnd();
  const indent = ' '.repeat(options.indent ?? 2);
  const title = line(columns.map((column) => column.title));
  return [(options.paintTitle ?? same)(title), ...cells.map(line)].map((text) => indent + text).join('\n');
}

/**
 * CSV by RFC 4180, with its CRLF line ends. NULL is an empty field and the empty string is `""`, so that the two stay
 * apart for readers that care.
 */
export function renderCsv(titles: readonly string[], rows: Iterable<readonly unknown[]>): string {
  let text = `${titles.map(csvField).join(',')}\r\n`;
  for (const row of rows) text += `${row.map(csvField).join(',')}\r\n`;
  return text;
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = plainText(value);
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A value for a person: NULL is named, line ends and control characters are shown instead of obeyed. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  // eslint-disable-next-line no-control-regex -- data must not be able to steer the terminal
  return plainText(value).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (char) => {
    const known: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
    return known[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function plainText(value: unknown): string {
  if (typeof value === 'string') return value;
  const json = jsonValue(value);
  return typeof json === 'string' ? json : JSON.stringify(json);
}

/**
 * A value as JSON can hold it: integers beyond 2^53 become text with all digits, dates ISO 8601, bytes hexadecimal;
 * what knows its own text form (decimals, timestamps of a database driver) becomes that.
 */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value === null || value === undefined || typeof value !== 'object') return value ?? null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  if (Array.isArray(value)) return value.map(jsonValue);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonValue(item)]));
  if (isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(item)]));
  // A class of a database driver: its own toString is the SQL text of the value.
  const text: unknown = (value as { toString(): unknown }).toString();
  return typeof text === 'string' ? text : null;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isSafe(value: bigint): boolean {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
}

function same(text: string): string {
  return text;
}
