import { SchemaError } from '../../core/errors.ts';
import type { Schema } from '../../core/schema.ts';
import { renderType, sameType, widen } from '../../core/types.ts';

/** Throws SchemaError when a column of `before` would be lost or become narrower. */
export function checkGrows(before: Schema, after: Schema, table: string): void {
  for (const was of before.fields) {
    const is = after.fields.find((field) => field.name === was.name);
    const both = is && widen(was.type, is.type);
    if (is && both && sameType(both, is.type)) continue;
    throw new SchemaError(
      `loading table "${table}": column "${was.name}" is ${renderType(was.type)} and cannot become ${is ? renderType(is.type) : 'nothing'}`,
      { code: 'schema.narrowing', details: { table, column: was.name } },
    );
  }
}
