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
  const section = (selection: Selection, change: string, versionsOf: number = day): Section => {
    const more = changeColumn === undefined ? [] : [always(changeColumn, change)];
    const most = selection.count;
    return {
      selection,
      reader: new RecordReader(entity, day, { seed, form, faults, versionsOf, most, more }),
    };
  };
  if (content === 'all') return [section(entity.all(day), 'insert')];
  const { inserted, updated, deleted } = entity.life.changes(day);
  const count = inserted.to - inserted.from;
  const sections = [section({ count, index: (position) => inserted.from + position }, 'insert')];
  if (updated.length > 0) sections.unshift(section(listed(updated), 'update'));
  // What is gone is as it was the day before.
  if (changeColumn !== undefined && deleted.length > 0)
    sections.push(section(listed(deleted), 'delete', day - 1));
  return sections;
}

function listed(indices: Uint32Array): Selection {
  return { count: indices.length, index: (position) => indices[position]! };
}

function always(name: string, text: string): Field {
  const bytes = utf8(text);
  return textField(name, (sink) => sink.put(bytes));
}
