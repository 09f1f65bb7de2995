/** Query results as text, piece by piece: nothing here holds more than a few thousand rows. */
import { type Plain, plainText } from './values.ts';

export type QueryFormat = 'table' | 'csv' | 'json';

export interface ResultColumn {
  name: string;
  /** As DuckDB names it: `DECIMAL(12,2)`. */
  type: string;
}

/** Rows of a query; ends early when the consumer stops. */
export type RowBatches = AsyncIterable<readonly (readonly Plain[])[]>;

export function render(
  format: QueryFormat,
  columns: readonly ResultColumn[],
  batches: RowBatches,
): AsyncIterable<string> {
  switch (format) {
    case 'csv':
      return renderCsv(columns, batches);
    case 'json':
      return renderJson(columns, batches);
    case 'table':
      return renderTable(columns, batches);
  }
}

/** RFC 4180. NULL is an empty field and the empty string is `""`, so that the two stay apart for readers that care. */
async function* renderCsv(columns: readonly ResultColumn[], batches: RowBatches): AsyncGenerator<string> {
  yield `${columns.map((column) => csvField(column.name)).join(',')}\r\n`;
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) text += `${row.map((value) => csvField(plainText(value))).join(',')}\r\n`;
    yield text;
  }
}

function csvField(text: string | null): string {
  if (text === null) return '';
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One object per line. */
async function* renderJson(columns: readonly ResultColumn[], batches: RowBatches): AsyncGenerator<string> {
  const names = columns.map((column) => JSON.stringify(column.name));
  for await (const rows of batches) {
    let text = '';
    for (const row of rows)
      text += `{${row.map((value, i) => `${names[i]}:${JSON.stringify(value)}`).join(',')}}\n`;
    yield text;
  }
}

/** The widths of columns follow the first rows; later cells that are wider push the rest of their line. */
const ROWS_MEASURED = 1000;
const MAX_CELL = 80;

async function* renderTable(columns: readonly ResultColumn[], batches: RowBatches): AsyncGenerator<string> {
  // EXPLAIN draws its own boxes.
  if (columns[1]?.name === 'explain_value') return yield* renderTexts(batches, 1);
  const right = columns.map((column) =>
    /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U\w+INT|FLOAT|DOUBLE|DECIMAL)/.test(column.type),
  );
  const titles = columns.map((column) => cell(column.name));
  let waiting: string[][] = [];
  let widths: number[] | undefined;
  let count = 0;
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((text, i) => (right[i] ? text.padStart(widths![i]!) : text.padEnd(widths![i]!)))
      .join('   ')
      .trimEnd()}\n`;
  const begin = (): string => {
    widths = titles.map((title, i) =>
      waiting.reduce((widest, row) => Math.max(widest, row[i]!.length), title.length),
    );
    return line(titles) + line(widths.map((width) => '-'.repeat(width)));
  };
  for await (const rows of batches) {
    count += rows.length;
    for (const row of rows) waiting.push(row.map((value) => cell(plainText(value) ?? 'NULL')));
    if (!widths && waiting.length < ROWS_MEASURED) continue;
    if (!widths) yield begin();
    yield waiting.map(line).join('');
    waiting = [];
  }
  if (!widths) yield begin();
  yield `${waiting.map(line).join('')}(${count} ${count === 1 ? 'row' : 'rows'})\n`;
}

async function* renderTexts(batches: RowBatches, column: number): AsyncGenerator<string> {
  for await (const rows of batches) for (const row of rows) yield `${plainText(row[column]!) ?? ''}\n`;
}

/** Data must not be able to steer the terminal. */
function cell(text: string): string {
  const shown = text.replaceAll(
    /\p{Cc}/gu,
    (char) =>
      ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[char] ??
      `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  if (shown.length <= MAX_CELL) return shown;
  const characters = Array.from(shown);
  return characters.length > MAX_CELL ? `${characters.slice(0, MAX_CELL - 1).join('')}…` : shown;
}
