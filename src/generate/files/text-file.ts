import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import type { Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import zlib from 'node:zlib';
import { ConfigError } from '../../core/errors.ts';
import { ByteSink, utf8 } from '../byte-sink.ts';
import { jsonRowWriter, type WriteRow } from '../json-rows.ts';
import { BATCH_ROWS, type RecordReader, type RowFault } from '../record-reader.ts';
import { csvHeader, csvRowWriter } from './csv-rows.ts';
import type { FileFormat, FilePacking } from './file-form.ts';
import type { Section } from '../sections.ts';

const PIECE_BYTES = 256 << 10;
/** Half of the time of level 6, for files that are 7 % larger. */
const GZIP_LEVEL = 3;
const LINE_END = 0x0a;

/** Told after each batch: faults of its records, the first of which has this position in the file. */
export type OnRecords = (count: number, faults: readonly FileFault[], position: number) => void;

export interface FileFault extends RowFault {
  /** Of files of lines: that on which the record begins, from 1 on. */
  readonly line?: number | undefined;
}

/** Writes records as CSV or JSON. Resolves to the bytes of the file. */
export async function writeTextFile(
  path: string,
  sections: readonly Section[],
  { format, packing, onRecords }: { format: FileFormat; packing: FilePacking; onRecords: OnRecords },
): Promise<number> {
  const file = createWriteStream(path);
  const packer = packerOf(packing);
  const target: Writable = packer ?? file;
  const done = finished(file);
  // Whoever waits for room is told of a failure, too.
  done.catch((error: unknown) => packer?.destroy(error as Error));
  packer?.pipe(file);
  try {
    for (const piece of pieces(sections, format, onRecords)) {
      if (!target.write(piece)) await Promise.race([once(target, 'drain'), done]);
    }
    target.end();
    await done;
  } finally {
    file.destroy();
  }
  return file.bytesWritten;
}

function packerOf(packing: FilePacking): Transform | undefined {
  if (packing === 'none') return undefined;
  if (packing === 'gzip') return zlib.createGzip({ level: GZIP_LEVEL, chunkSize: PIECE_BYTES });
  if (typeof zlib.createZstdCompress === 'function')
    return zlib.createZstdCompress({ chunkSize: PIECE_BYTES });
  throw new ConfigError('making files: this Node cannot pack by zstd', {
    code: 'generate.zstd',
    remedy: 'use .gz, or Node 22.15 or newer',
  });
}

function* pieces(
  sections: readonly Section[],
  format: FileFormat,
  onRecords: OnRecords,
): Generator<Uint8Array> {
  const sink = new ByteSink();
  const form = FORMS[format as keyof typeof FORMS];
  const counted = form.after === LINE_END && sections.some(({ reader }) => reader.breaks);
  const lines = counted ? new Lines() : undefined;
  let written = 0;
  if (form.begins) sink.put(form.begins(sections[0]!));
  for (const { selection, reader } of sections) {
    const write = form.writer(reader.batch);
    for (let at = 0; at < selection.count; at += BATCH_ROWS) {
      reader.load(selection, at, Math.min(BATCH_ROWS, selection.count - at));
      const faults = writeBatch(sink, { form, write, first: written === 0, lines }, reader);
      onRecords(reader.batch.rows, faults, written);
      written += reader.batch.rows;
      if (sink.length < PIECE_BYTES) continue;
      lines?.pass(sink);
      yield sink.written.slice();
      sink.length = 0;
    }
  }
  if (form.ends) sink.put(form.ends);
  yield sink.written.slice();
}

function writeBatch(
  sink: ByteSink,
  {
    form,
    write,
    first,
    lines,
  }: { form: TextForm; write: WriteRow; first: boolean; lines: Lines | undefined },
  { batch, faults }: RecordReader,
): FileFault[] {
  const placed: FileFault[] = [];
  for (let r = 0; r < batch.rows; r++) {
    if (form.between !== undefined && !(first && r === 0)) sink.byte(form.between);
    const fault = faults[placed.length]?.row === r ? faults[placed.length] : undefined;
    if (fault) placed.push({ ...fault, line: lines?.at(sink) });
    const begin = sink.length;
    write(sink, r, fault?.change);
    if (fault?.kind === 'columns') sink.ascii(',surplus');
    if (fault?.kind === 'cut') sink.length = begin + Math.floor((sink.length - begin) * 0.7);
    if (form.after !== undefined) sink.byte(form.after);
  }
  return placed;
}

/** Counts lines, of which a record may have several. */
class Lines {
  #line = 1;
  #looked = 0;

  /** The line that begins at the end of what was written. */
  at({ bytes, length }: ByteSink): number {
    for (; this.#looked < length; this.#looked++) if (bytes[this.#looked] === LINE_END) this.#line++;
    return this.#line;
  }

  /** What was written is taken away. */
  pass(sink: ByteSink): void {
    this.at(sink);
    this.#looked = 0;
  }
}

interface TextForm {
  writer: (batch: Section['reader']['batch']) => WriteRow;
  begins?: (first: Section) => Uint8Array;
  between?: number;
  after?: number;
  ends?: Uint8Array;
}

const FORMS: Readonly<Record<Exclude<FileFormat, 'parquet'>, TextForm>> = {
  csv: { writer: csvRowWriter, begins: ({ reader }) => csvHeader(reader.batch), after: LINE_END },
  jsonl: { writer: jsonRowWriter, after: LINE_END },
  json: { writer: jsonRowWriter, begins: () => utf8('['), between: 0x2c, ends: utf8(']\n') },
};
