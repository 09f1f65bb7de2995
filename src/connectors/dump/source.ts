import path from 'node:path';
import type { ByteSink } from '../../core/byte-ring.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import { throwIfAborted } from '../../core/errors.ts';
import type { FileLedger, FilePart } from '../../core/ledger.ts';
import type { KeptDocument } from '../../core/quarantine.ts';
import type {
  BytesReader,
  Loaded,
  SliceToRead,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import type { Checkpoint, RunWindow, Slice, StreamConfig } from '../../core/stream.ts';
import { sendDocument, sendKept } from '../shared/text/document-input.ts';
import type { Dialect } from '../shared/text/scanners.ts';
import type { SyntaxName } from '../shared/text/sql-syntax.ts';
import type { DocumentFacts, DocumentLayout } from '../shared/text/text-decoder.ts';
import { textDecoding } from '../shared/text/text-decoding.ts';
import { DumpFile, type ReadDump } from './dump-file.ts';
import type { DumpRange } from './dump-index.ts';
import type { DumpConnection } from './options.ts';
import { type ColumnForms, type DumpSurvey, keptSurvey, surveyTable, wholeSchema } from './survey.ts';

export class DumpSource implements Source {
  readonly #file: DumpFile;
  readonly #options: DumpConnection;
  readonly #context: ConnectorContext;

  constructor(options: DumpConnection, context: ConnectorContext) {
    this.#file = new DumpFile(path.resolve(context.directory, options.path), {
      partBytes: options.slice_size,
      scratch: path.join(context.directory, '.sluice', 'dumps'),
    });
    this.#options = options;
    this.#context = context;
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    throwIfAborted(signal);
    await this.#file.find();
    return { title: this.#file.describe(), warnings: [] };
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    const { index } = await this.#file.read(signal);
    return index.tables.map((table): StreamInfo => ({
      name: table.name,
      kind: 'table',
      schema: wholeSchema(table, index),
      estimatedRows: table.rows,
      bytes: table.bytes,
      cursors: [],
      proposal: { load: 'replace' },
      notes: [],
    }));
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    throwIfAborted(signal);
    return new DumpSnapshot(this.#file, this.#options, this.#context);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The moment of a dump is that of its writing; reading it notices when it has changed since it was looked at. */
class DumpSnapshot implements Snapshot {
  readonly at = `${new Date().toISOString().slice(0, -1)}000+00`;
  readonly #file: DumpFile;
  readonly #options: DumpConnection;
  readonly #context: ConnectorContext;
  /** The stream that was looked at first. */
  #first: string | undefined;

  constructor(file: DumpFile, options: DumpConnection, context: ConnectorContext) {
    this.#file = file;
    this.#options = options;
    this.#context = context;
  }

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<DumpSurvey> {
    if (window.replay) return keptSurvey(stream, checkpoint);
    const dump = await this.#file.read(signal);
    this.#first ??= stream.name;
    const first = this.#first === stream.name;
    return surveyTable(dump, { stream, checkpoint, window, sliceBytes: this.#options.slice_size, first });
  }

  async read(
    _stream: StreamConfig,
    surveyed: Survey,
    slice: SliceToRead,
    signal: AbortSignal,
  ): Promise<BytesReader> {
    const survey = surveyed as DumpSurvey;
    const { kept } = slice;
    const parts = kept ? [] : partsOf(slice);
    const documents = kept
      ? kept.documents.map((document) => keptLayout(survey, document))
      : parts.map((part) => documentLayout(survey, part));
    return {
      format: 'bytes',
      schema: survey.schema,
      decoder: textDecoding({ documents, aside: slice.aside, batchBytes: this.#context.batchBytes }),
      pump: (sink, onBytes) =>
        kept
          ? sendKept(kept, sink, onBytes)
          : this.#pump({ parts, dump: survey.found!.dump, signal }, sink, onBytes),
      close: async () => {},
    };
  }

  async #pump(
    { parts, dump, signal }: { parts: readonly FilePart[]; dump: ReadDump; signal: AbortSignal },
    sink: ByteSink,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    await this.#file.unchanged(dump);
    const { storage, key } = await this.#file.text(dump, signal);
    for (const [number, part] of parts.entries())
      await sendDocument(sink, number, storage.read(key, part.range, signal), onBytes);
    await this.#file.unchanged(dump);
  }

  /** All of a table is committed at once. */
  advance({ survey, loads }: Loaded): Checkpoint {
    const { contract, found } = survey as DumpSurvey;
    const { object, crc32 } = found!.dump;
    const { key, size, modifiedAt } = object;
    let rows = 0;
    let bad = 0;
    for (const { facts } of loads) {
      const own = facts.own as DocumentFacts;
      rows += own.rows.reduce((sum, count) => sum + count, 0);
      bad += own.bad.reduce((sum, count) => sum + count, 0);
    }
    const files: FileLedger['files'] = { [key]: { size, modifiedAt, crc32, rows, bad } };
    return { cursor: [], ledger: { contract, files } };
  }

  async alive(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {}
}

function partsOf({ range }: Slice): FilePart[] {
  if (range.kind !== 'files') throw new TypeError(`a slice of a dump cannot be ${range.kind}`);
  return range.files;
}

/** How rows are read that did not fit; what quarantine keeps of it. */
interface RowForm {
  /** A tuple begins, whatever statement it is of. */
  dialect: { format: 'copy' } | { format: 'insert'; syntax: SyntaxName; head: string; inside: true };
  /** Names of the fields. */
  places: readonly string[];
  fields: number;
  forms: ColumnForms;
}

export function documentLayout(survey: DumpSurvey, { path: name, range }: FilePart): DocumentLayout {
  const { dump, table, forms, ranges } = survey.found!;
  const { kind, head, inside, columns, fields, line } = ranges.get(range!.from)! satisfies DumpRange;
  const { syntax } = dump.index;
  // A statement without a list of columns has a value for each, also for those that the server computes.
  const places = columns ?? table.columns.map((column) => column.name);
  const dialect = kind === 'copy' ? { format: kind } : { format: kind, syntax, head, inside: true as const };
  const layout = layoutOf(survey, { dialect, places, fields, forms });
  return { ...layout, name, line, ...(kind === 'insert' && { dialect: { ...dialect, inside } as Dialect }) };
}

function keptLayout(survey: DumpSurvey, { document: name, form, lines }: KeptDocument): DocumentLayout {
  return { ...layoutOf(survey, JSON.parse(form) as RowForm), name, line: 0, lines };
}

function layoutOf({ read, schema }: DumpSurvey, row: RowForm): Omit<DocumentLayout, 'name' | 'line'> {
  const { dialect, places, fields, forms } = row;
  return {
    dialect,
    skip: 0,
    fields,
    columns: read.map((column) => (places.includes(column) ? places.indexOf(column) : null)),
    forms: read.map((column, i) => {
      const written = Object.hasOwn(forms, column) ? forms[column] : undefined;
      return written?.kind === schema.fields[i]!.type.kind ? written.form : undefined;
    }),
    form: JSON.stringify(row satisfies RowForm),
  };
}
