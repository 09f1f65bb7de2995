import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { ByteSink } from '../../core/byte-ring.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import { DataError, throwIfAborted } from '../../core/errors.ts';
import type { FileLedger, FileMark, FilePart, FileRange, FilesConfig } from '../../core/ledger.ts';
import { sourceEngineMemory } from '../../core/memory.ts';
import type {
  Loaded,
  SliceReader,
  SliceToRead,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint, RunWindow, Slice, StreamConfig } from '../../core/stream.ts';
import { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { sendDocument, sendKept } from '../shared/text/document-input.ts';
import type { DocumentFacts, DocumentLayout } from '../shared/text/text-decoder.ts';
import { textDecoding } from '../shared/text/text-decoding.ts';
import { discoverFiles } from './discover.ts';
import { crcText } from '../shared/file-checksum.ts';
import { checksumOf } from '../shared/look/documents.ts';
import { filesForm, PLAIN_FILES, type PlainFile } from '../shared/look/direct-files.ts';
import { keptLayout, layoutOf } from '../shared/look/read-form.ts';
import { changed, unchanged } from './found-files.ts';
import type { FilesConnection } from './options.ts';
import { readParquet } from './parquet-reader.ts';
import { type FilesSurvey, type ReadDocument, survey } from './survey.ts';
import { textOf } from '../shared/text/text-stream.ts';
import { UnpackedTables } from './unpacked-tables.ts';

export class FilesSource implements Source {
  readonly #open = new Set<SourceEngine>();
  readonly #storage: ObjectStorage;
  readonly #options: FilesConnection;
  readonly #context: ConnectorContext;

  constructor(storage: ObjectStorage, options: FilesConnection, context: ConnectorContext) {
    this.#storage = storage;
    this.#options = options;
    this.#context = context;
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    throwIfAborted(signal);
    return { title: this.#storage.describe(), warnings: [] };
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    throwIfAborted(signal);
    return discoverFiles(await this.#storage.list('', { empty: true }));
  }

  async open(signal: AbortSignal, accepts: readonly string[] = []): Promise<Snapshot> {
    throwIfAborted(signal);
    // It is started when there is a file of Parquet.
    const engine = new SourceEngine({
      memoryBytes: sourceEngineMemory(this.#context.memoryBytes),
      threads: Math.max(1, this.#context.workers),
      // Rows that a target refuses are known by their place.
      opening: { engine: 'SET preserve_insertion_order = true' },
    });
    this.#open.add(engine);
    const direct = accepts.includes(PLAIN_FILES);
    return new FilesSnapshot({ storage: this.#storage, engine, direct }, this.#options, this.#context);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((engine) => engine.close()));
  }
}

/** Files have no common moment: each is as it was when it was looked at, and reading it notices when it is another. */
class FilesSnapshot implements Snapshot {
  readonly at = `${new Date().toISOString().slice(0, -1)}000+00`;
  readonly #storage: ObjectStorage;
  readonly #engine: SourceEngine;
  readonly #options: FilesConnection;
  readonly #context: ConnectorContext;
  /** The destination may read files by itself. */
  #direct: boolean;

  constructor(
    { storage, engine, direct }: { storage: ObjectStorage; engine: SourceEngine; direct: boolean },
    options: FilesConnection,
    context: ConnectorContext,
  ) {
    this.#storage = storage;
    this.#engine = engine;
    this.#direct = direct;
    this.#options = options;
    this.#context = context;
  }

  get #scratch(): string {
    return path.join(this.#context.directory, '.sluice', 'unpacked');
  }

  survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<FilesSurvey> {
    const place = {
      storage: this.#storage,
      engine: this.#engine,
      scratch: this.#scratch,
      sliceBytes: this.#options.slice_size,
      direct: this.#direct,
    };
    return survey(place, stream, { checkpoint, window }, signal);
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: SliceToRead,
    signal: AbortSignal,
  ): Promise<SliceReader> {
    const facts = surveyed as FilesSurvey;
    const { kept } = slice;
    const parts = partsOf(slice);
    if (parts.some(({ path }) => facts.layouts.get(path)!.parquet))
      return readParquet({
        stream: stream.name,
        survey: facts,
        aside: slice.aside,
        parts,
        storage: this.#storage,
        tables: new UnpackedTables(this.#storage, facts.config, this.#scratch),
        engine: this.#engine,
        signal,
      });
    const decoder = textDecoding({
      documents: kept
        ? kept.documents.map((document) => keptLayout(facts, document, stream.files?.delimiter))
        : piecesOf(facts, parts).map((piece) => documentLayout(facts, piece)),
      aside: slice.aside,
      batchBytes: this.#context.batchBytes,
    });
    const files = this.#direct ? plainFiles(parts, facts, this.#storage) : undefined;
    const onRefused = (): void => void (this.#direct = false);
    const direct = files && (await filesForm({ slice, files, survey: facts, onRefused }));
    return {
      format: 'bytes',
      schema: facts.schema,
      decoder,
      direct,
      pump: (sink, onBytes) =>
        kept ? sendKept(kept, sink, onBytes) : this.#pump({ parts, facts, signal }, sink, onBytes),
      close: async () => {},
    };
  }

  async #pump(
    { parts, facts, signal }: { parts: readonly FilePart[]; facts: FilesSurvey; signal: AbortSignal },
    sink: ByteSink,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { config } = facts;
    for (const [number, { part, document }] of piecesOf(facts, parts).entries()) {
      const { name, text } = document;
      const { entry } = text;
      // What an archive says of itself may be that of another one by now.
      if (entry && facts.layouts.get(part.path)!.documents[0] === document)
        await unchangedArchive(part, { storage: this.#storage, config, signal });
      let bytes = 0;
      let sum = 0;
      const whole = part.range === undefined && !entry;
      const onRaw = (piece: Uint8Array): void => {
        bytes += piece.length;
        if (whole) sum = crc32(piece, sum);
      };
      const pieces = textOf(this.#storage, part, text, { signal, onRaw });
      await sendDocument(sink, number, pieces, onBytes).catch((error: unknown) => {
        throw error instanceof DataError && error.code === 'storage.missing' ? changed(name) : error;
      });
      const expected = part.range ? part.range.to - part.range.from : (entry?.packed ?? part.size);
      if (bytes !== expected || (whole && crcText(sum) !== part.crc32)) throw changed(name);
      // Of a part nobody knows what its bytes were.
      if (part.range) await unchanged(part, this.#storage);
    }
  }

  advance({ survey: surveyed, before, loads }: Loaded): Checkpoint {
    const { contract, layouts, touched } = surveyed as FilesSurvey;
    const files: FileLedger['files'] = { ...before?.ledger?.files };
    for (const { key, modifiedAt, etag } of touched)
      if (Object.hasOwn(files, key)) files[key] = { ...files[key]!, modifiedAt, etag };
    for (const { slice, facts } of loads) {
      const { rows, bad } = facts.own as DocumentFacts;
      let number = 0;
      for (const part of partsOf(slice)) {
        const { documents, parts, parquet } = layouts.get(part.path)!;
        const end = number + (parquet ? 1 : documents.length);
        files[part.path] = markAfter(files, part, {
          rows: sumOf(rows.slice(number, end)),
          bad: sumOf(bad.slice(number, end)),
          parts,
        });
        number = end;
      }
    }
    return { cursor: [], ledger: { contract, files } };
  }

  async alive(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    void this.#engine.end();
  }
}

/** Files that a slice reads; records that are read again change nothing in the ledger. */
function partsOf({ range }: Slice): FilePart[] {
  if (range.kind === 'quarantine') return [];
  if (range.kind !== 'files') throw new TypeError(`a slice of files cannot be ${range.kind}`);
  return range.files;
}

/** A part of a file, or one of its texts. */
interface Piece {
  part: FilePart;
  document: ReadDocument;
}

function piecesOf({ layouts }: FilesSurvey, parts: readonly FilePart[]): Piece[] {
  return parts.flatMap((part) => layouts.get(part.path)!.documents.map((document) => ({ part, document })));
}

/** Undefined when there are others among them. */
function plainFiles(
  parts: readonly FilePart[],
  { layouts }: FilesSurvey,
  storage: ObjectStorage,
): PlainFile[] | undefined {
  const files: PlainFile[] = [];
  for (const { path: key, size, range } of parts) {
    const { documents } = layouts.get(key)!;
    const [document] = documents;
    if (range || documents.length !== 1 || !document?.plain) return undefined;
    const { fields, places, plain } = document;
    files.push({ path: storage.localPath(key), bytes: size, fields, places, plain });
  }
  return files;
}

async function unchangedArchive(
  part: FilePart,
  place: { storage: ObjectStorage; config: FilesConfig; signal: AbortSignal },
): Promise<void> {
  const now = await checksumOf({ key: part.path, size: part.size, modifiedAt: part.modifiedAt }, place);
  if (now !== part.crc32) throw changed(part.path);
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function documentLayout(
  facts: FilesSurvey,
  { part: { path: file, range }, document }: Piece,
): DocumentLayout {
  const first = range === undefined || range.from === 0;
  return layoutOf(
    facts,
    { ...document, file },
    { skip: facts.form.header && first ? 1 : 0, line: range?.line ?? 1 + document.text.skip },
  );
}

interface LoadedPart {
  rows: number;
  bad: number;
  /** All of the file. */
  parts: readonly FileRange[];
}

/** What is known of a file when one more part of it is loaded. */
function markAfter(
  files: Readonly<FileLedger['files']>,
  { path: name, range, ...file }: FilePart,
  { rows, bad, parts }: LoadedPart,
): FileMark {
  if (!range) return { ...file, rows, bad };
  const before = Object.hasOwn(files, name) ? files[name]! : undefined;
  // Parts of a file that has changed in between are none of this one.
  const same = before?.left !== undefined && before.crc32 === file.crc32 ? before : undefined;
  const left = (same?.left ?? [...parts]).filter((each) => each.from !== range.from);
  return {
    ...file,
    rows: rows + (same?.rows ?? 0),
    bad: bad + (same?.bad ?? 0),
    ...(left.length > 0 && { left: [...left] }),
  };
}
