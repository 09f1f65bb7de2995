/** A row as a line of JSON, for those that go aside and whose source has no text of them. Few rows: values of JavaScript are made of them. */
import type { Batch, Column } from '../../../core/batch.ts';
import type { Schema } from '../../../core/schema.ts';
import { formatValue } from './format-value.ts';

/** How they are kept: as lines of JSON, with a member for each column. */
interface RowForm {
  row: 'json';
  /** Columns of text whose values are bytes: `\x` and hexadecimal digits. */
  bytes?: readonly string[] | undefined;
}

export function rowForm(bytes: readonly string[] = []): string {
  return JSON.stringify({ row: 'json', ...(bytes.length > 0 && { bytes }) } satisfies RowForm);
}

/** Undefined for forms of texts that their source has written. */
export function parseRowForm(form: string): RowForm | undefined {
  const found = JSON.parse(form) as Partial<RowForm>;
  return found.row === 'json' ? (found as RowForm) : undefined;
}

/** A value that is not of the type of its column. */
export interface OddValue {
  text: string;
  /** They are the digits of its bytes. */
  bytes: boolean;
}

/** What comes before each value. */
export function memberHeads({ fields }: Schema): string[] {
  return fields.map(({ name }, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`);
}

/**
 * Values by the names of their columns; numbers with all their digits, bytes as `\x` and hexadecimal digits. `odd`: by column.
 */
export function rowText(
  { columns }: Batch,
  row: number,
  heads: readonly string[],
  odd?: ReadonlyMap<number, OddValue>,
): string {
  let line = '';
  for (const [i, column] of columns.entries()) {
    const text = odd?.get(i)?.text;
    const value = column.isNull(row) ? 'null' : jsonValue(column, row);
    line += heads[i]! + (text === undefined ? value : JSON.stringify(text));
  }
  return `${line}}`;
}

function jsonValue(column: Column, row: number): string {
  const text = formatValue(column, row);
  switch (column.type.kind) {
    case 'bool':
    case 'int16':
    case 'int32':
    case 'int64':
    case 'decimal':
      return text;
    case 'float32':
    case 'float64':
      return /^-?[\d.]+(?:e[+-]?\d+)?$/.test(text) ? text : JSON.stringify(text);
    default:
      return JSON.stringify(text);
  }
}
