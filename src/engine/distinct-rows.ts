import type { StageOptions } from '../core/destination.ts';
import { renamed, type Slice } from '../core/stream.ts';
import type { Planned } from './plan-stream.ts';

/** How rows of a slice are told from those that were loaded. What lies outside of the cursor's order may lie anywhere in the table. */
export function distinctRows(planned: Planned, slice: Slice): NonNullable<StageOptions['distinct']> {
  const { stream } = planned.plan;
  const range = slice.range.kind === 'cursor' ? slice.range : undefined;
  const ordered = range && !range.since && !(range.nulls && planned.survey.cursor?.nullRows !== false);
  const cursor =
    stream.cursor.length === 1 && stream.cursor[0] === 'xmin'
      ? ['_sluice_xmin']
      : stream.cursor.map((name) => renamed(stream, name));
  // What the table does not hold bounds nothing in it.
  const held = cursor.every((name) => planned.schema.fields.some((field) => field.name === name));
  return {
    key: [...planned.schema.key],
    cursor: held ? cursor : [],
    from: ordered && held ? range.from : undefined,
  };
}
