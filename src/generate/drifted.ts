/** Fields that come with a change of the model, and what records have in them that were not changed since. */
import type { Column } from '../core/batch.ts';
import { type Field, type FieldOptions, putWide, type Rows, textField } from './field.ts';
import type { Range } from './fields.ts';
import { fraction, type Words } from './random.ts';

/** No value in records that were last changed before that day. */
export function since(day: number, field: Field): Field {
  const fill = (column: Column, rows: Rows, words: Words): void => {
    field.fill(column, rows, words);
    for (let r = 0; r < rows.count; r++) if (rows.version[r]! < day) column.setNull(r);
  };
  return { ...field, optional: true, fill };
}

/** What was a whole number of a range has two digits after the point. */
export function widened(
  name: string,
  { min, max, skew = 1 }: Range,
  day: number,
  options: FieldOptions = {},
): Field {
  return {
    name,
    type: { kind: 'decimal', precision: 12, scale: 2 },
    ...options,
    fill: (column, { count, version }, { a, b }) => {
      for (let r = 0; r < count; r++) {
        const value = min + Math.floor(fraction(a[r]!) ** skew * (max - min + 1));
        putWide(column, r, value * 100 + (version[r]! < day ? 0 : (b[r]! >>> 8) % 100));
      }
    },
  };
}

/** What was a whole number of a range is a text with letters. */
export function relettered(
  name: string,
  { min, max, skew = 1 }: Range,
  day: number,
  options: FieldOptions = {},
): Field {
  const field = textField(
    name,
    (sink, { a, version }) => {
      if (version >= day) sink.ascii('N-');
      sink.digits(min + Math.floor(fraction(a) ** skew * (max - min + 1)));
    },
    options,
  );
  return field;
}
