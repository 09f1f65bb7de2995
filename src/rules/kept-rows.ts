/** Rows that went aside as lines of JSON, read again. */
import { DataError } from '../core/errors.ts';
import type { KeptRecords } from '../core/quarantine.ts';
import type { Schema } from '../core/schema.ts';
import type { BytesReader, SliceToRead } from '../core/source.ts';
import type { TypeKind } from '../core/types.ts';
import type { FieldForm } from '../connectors/shared/text/records.ts';
import { sendKept } from '../connectors/shared/text/document-input.ts';
import { parseRowForm } from '../connectors/shared/text/row-text.ts';
import type { DocumentLayout } from '../connectors/shared/text/text-decoder.ts';
import { textDecoding } from '../connectors/shared/text/text-decoding.ts';

/** Where values are not written as in other objects, see row-text.ts. */
const FORMS: Partial<Record<TypeKind, FieldForm>> = { binary: 'hex', json: 'text' };

/** Whether all records were rows; those of a source with texts are for it to read. */
export function areRows({ documents }: KeptRecords, stream: string): boolean {
  const rows = documents.filter(({ form }) => parseRowForm(form));
  if (rows.length > 0 && rows.length < documents.length)
    throw new DataError(`reading records of ${stream} again: some are rows, and some are texts of files`, {
      code: 'quarantine.mixed',
      remedy: 'load them run by run: `sluice quarantine replay --run`',
      details: { stream },
    });
  return rows.length > 0;
}

/** `schema`: of the source, with the names of the destination. */
export function readKeptRows(
  kept: KeptRecords,
  schema: Schema,
  { aside, batchBytes }: { aside: SliceToRead['aside']; batchBytes: number },
): BytesReader {
  const { fields } = schema;
  const layout = (form: string): Omit<DocumentLayout, 'name' | 'lines'> => {
    const { bytes = [] } = parseRowForm(form)!;
    return {
      dialect: { format: 'json', names: fields.map(({ name }) => name), flatten: 0 },
      skip: 0,
      line: 0,
      fields: fields.length,
      columns: fields.map((_, i) => i),
      forms: fields.map(({ name, type }) => (bytes.includes(name) ? 'hex' : FORMS[type.kind])),
      form,
    };
  };
  const documents = kept.documents.map(({ document: name, form, lines }) => ({
    ...layout(form),
    name,
    lines,
  }));
  return {
    format: 'bytes',
    schema,
    decoder: textDecoding({ documents, aside, batchBytes }),
    pump: (sink, onBytes) => sendKept(kept, sink, onBytes),
    close: async () => {},
  };
}
