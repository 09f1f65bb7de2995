/** A row as a line of JSON, for those that go aside and whose source has no text of them. Few rows: values of JavaScript are made of them. */
import type { Batch, Column } from '../core/batch.ts';
import { formatValue } from './format-value.ts';

/** Values by the names of their columns; numbers with all their digits, bytes as `\x` and hexadecimal digits. */
export function rowText(batch: Batch, row: number): string {
  const { fields } = batch.schema;
  const members = batch.columns.map(
    (column, i) =>
      `${JSON.stringify(fields[i]!.name)}:${column.isNull(row) ? 'null' : jsonValue(column, row)}`,
  );
  return `{${members.join(',')}}`;
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
