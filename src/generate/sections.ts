/** What the file of a day is made of. */
import type { EntityData, Selection } from './dataset.ts';
import type { FaultForm, FaultOptions } from './faults.ts';
import { type Field, textField } from './field.ts';
import { utf8 } from './byte-sink.ts';
import { RecordReader } from './record-reader.ts';

/** Records that are read in one way, one after the other. */
export interface Section {
  readonly selection: Selection;
  readonly reader: RecordReader;
}

export interface SectionOptions {
  readonly seed: number;
  readonly form: FaultForm;
  readonly faults: FaultOptions | undefined;
  /** `changes`: what the day has made, changed and, where there is a column that says so, taken away. */
  readonly content: 'all' | 'changes';
  /** Name of a column that says what happened to a record: `insert`, `update` or `delete`. */
  readonly changeColumn: string | undefined;
}

export function sectionsOf(entity: EntityData, day: number, options: SectionOptions): Section[] {
  const { seed, form, faults, content, changeColumn } = options;
  const reader = (change: string, versionsOf: number): RecordReader =>
    new RecordReader(entity, day, {
      seed,
      form,
      faults,
      versionsOf,
      more: changeColumn === undefined ? [] : [always(changeColumn, change)],
    });
  if (content === 'all') return [{ selection: entity.all(day), reader: reader('insert', day) }];
  const { inserted, updated, deleted } = entity.life.changes(day);
  const count = inserted.to - inserted.from;
  const sections = [
    {
      selection: { count, index: (position: number) => inserted.from + position },
      reader: reader('insert', day),
    },
  ];
  if (day === 0) return sections;
  sections.unshift({ selection: listed(updated), reader: reader('update', day) });
  // What is gone is as it was the day before.
  if (changeColumn !== undefined)
    sections.push({ selection: listed(deleted), reader: reader('delete', day - 1) });
  return sections;
}

function listed(indices: Uint32Array): Selection {
  return { count: indices.length, index: (position) => indices[position]! };
}

function always(name: string, text: string): Field {
  const bytes = utf8(text);
  return textField(name, (sink) => sink.put(bytes));
}
