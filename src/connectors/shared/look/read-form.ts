/** How documents of records are read, and how those of their records that did not fit are read again. */
import type { KeptDocument } from '../../../core/quarantine.ts';
import type { FieldForm } from '../text/records.ts';
import type { DocumentLayout } from '../text/text-decoder.ts';
import type { FileColumn } from './contract.ts';
import type { Form } from './look.ts';

/** What all documents of a stream have in common. */
export interface ReadForm {
  form: Form;
  /** Columns that are read: by field of the schema. */
  read: readonly FileColumn[];
  /** For each of these, how its values are written, where it is not the usual way. */
  forms: readonly (FieldForm | undefined)[];
  /** Name of the column with the file of a row. */
  fileColumn: string | false;
}

/** For each column of the contract: the field, or a text. */
export type Places = ReadonlyMap<string, number | string | null>;

/** How records of a document are read that did not fit; what quarantine keeps of it. */
interface RecordForm {
  /** The file that they are from, which may be an archive. */
  file?: string | undefined;
  dialect: Form['dialect'];
  fields: number;
  places: Record<string, number | string | null>;
}

/** How a document is read; places in it begin at `line`. */
export function layoutOf(
  { form: { dialect }, read, forms }: ReadForm,
  document: { name: string; file?: string; fields: number; places: Places },
  { line, skip, superseded }: { line: number; skip: number; superseded?: Float64Array | undefined },
): DocumentLayout {
  const { name, file, fields, places } = document;
  return {
    name,
    dialect,
    skip,
    line,
    superseded,
    fields,
    columns: read.map((column) => places.get(column.name) ?? null),
    forms,
    form: JSON.stringify({ file, dialect, fields, places: Object.fromEntries(places) } satisfies RecordForm),
  };
}

/** `delimiter`: when the stream says which. */
export function keptLayout(
  { read, forms, form: { dialect }, fileColumn }: ReadForm,
  kept: KeptDocument,
  delimiter: string | undefined,
): DocumentLayout {
  const { document: name, form, lines } = kept;
  const was = JSON.parse(form) as RecordForm;
  const placeOf = (column: string): number | string | null =>
    column === fileColumn
      ? (was.file ?? name)
      : Object.hasOwn(was.places, column)
        ? was.places[column]!
        : null;
  return {
    name,
    // Objects go by the names that they had then.
    dialect:
      dialect.format === 'csv' && was.dialect.format === 'csv'
        ? { ...dialect, delimiter: delimiter ?? was.dialect.delimiter }
        : was.dialect,
    skip: 0,
    line: 0,
    lines,
    fields: was.fields,
    columns: read.map((column) => placeOf(column.name)),
    forms,
    form,
  };
}
