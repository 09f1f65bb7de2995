/**
 * Makes documents of elements out of documents of records: one with a line for each element, and, where elements take the place
 * of those that their parent had, one that names the parents. Those of a parent are all in one document.
 */
import { throwIfAborted } from '../../../core/errors.ts';
import { giveBack } from '../../../core/give-back.ts';
import { type DocumentKeys, earlierVersions, KeyHashes } from '../look/key-hashes.ts';
import { ElementSplitter, type ElementsJob } from './element-splitter.ts';
import type { Spool, SpooledDocument, SpoolWriter } from './spool.ts';

const LF = 10;
const DOCUMENT_BYTES = 8 << 20;
/** Of what a spool reads at a time, with the line before that goes on. */
const PIECE_BYTES = 2 << 20;
const LINE_END: Uint8Array = Buffer.from('\n');
const OPEN: Uint8Array = Buffer.from('{');
const CLOSE: Uint8Array = Buffer.from('}\n');

export interface ChildJob {
  /** Gets the documents. */
  spool: Spool;
  elements: ElementsJob;
  /** Parents are named: a later one takes the place of an earlier one with all that it had. */
  groups: boolean;
  signal: AbortSignal;
}

export interface ChildDocuments {
  documents: SpooledDocument[];
  /** Of the parents of each document of elements. */
  keys: DocumentKeys[];
  /** By document: lines of elements whose parent comes again later. */
  superseded: Map<string, Float64Array>;
}

export async function childDocuments(
  source: Spool,
  documents: readonly SpooledDocument[],
  job: ChildJob,
): Promise<ChildDocuments> {
  const output = new Output(job);
  const all = new Lines();
  try {
    for (const document of documents) {
      output.begin(document);
      await all.each(source.storage.read(document.key, undefined, job.signal), async (bytes, lines) => {
        throwIfAborted(job.signal);
        for (let i = 0; i < lines.length; i++) {
          output.record(bytes, i === 0 ? 0 : lines[i - 1]! + 1, lines[i]!);
          if (output.full) await output.flush();
        }
      });
      await output.end(document.position);
    }
    return output.found();
  } catch (error) {
    await output.discard();
    throw error;
  }
}

/** Lines of one document after the other, all in the same memory: garbage of that size makes its collector run all the time. */
class Lines {
  #bytes: Buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);

  /** Calls back with bytes that begin with a line, and where its line feed and those after it are. They are gone after that. */
  async each(
    pieces: AsyncIterable<Uint8Array>,
    read: (bytes: Uint8Array, ends: readonly number[]) => Promise<void>,
  ): Promise<void> {
    let rest = 0;
    for await (const piece of pieces) {
      const end = rest + piece.length;
      this.#need(end, rest);
      this.#bytes.set(piece, rest);
      giveBack(piece);
      const here = this.#bytes.subarray(0, end);
      const ends: number[] = [];
      // What was there before has no line feed.
      for (let at = here.indexOf(LF, rest); at >= 0; at = here.indexOf(LF, at + 1)) ends.push(at);
      if (ends.length > 0) await read(here, ends);
      const done = (ends.at(-1) ?? -1) + 1;
      here.copyWithin(0, done);
      rest = end - done;
    }
    if (rest > 0) await read(this.#bytes, [rest]);
  }

  #need(bytes: number, used: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, used);
    this.#bytes = larger;
  }
}

/** What is known of a document of elements. */
interface Written {
  /** Names of the documents; one without lines is none. */
  rows: string;
  groups: string;
  keys: DocumentKeys;
  starts: Uint32Array;
  ends: Uint32Array;
}

/** A document of elements that is being written, and what is known of it. */
interface Part {
  rows: SpoolWriter;
  groups: SpoolWriter;
  records: number;
  parents: number;
  keys: KeyHashes;
  /** For each parent that is named, lines of its elements before it, and with it. */
  starts: number[];
  ends: number[];
}

class Output {
  readonly #job: ChildJob;
  readonly #splitter: ElementSplitter;
  #part: Part | undefined;
  #name = '';
  /** Elements of the present document in parts before. */
  #before = 0;
  readonly #parts: Written[] = [];

  constructor(job: ChildJob) {
    this.#job = job;
    const out = {
      element: (bytes: Uint8Array, from: number, to: number): void =>
        this.#part!.rows.writePart(bytes, from, to),
      ended: (): void => void this.#part!.records++,
    };
    this.#splitter = new ElementSplitter(job.elements, out);
  }

  begin({ name }: SpooledDocument): void {
    this.#name = name;
    this.#before = 0;
  }

  record(bytes: Uint8Array, from: number, to: number): void {
    this.#part ??= this.#open();
    const part = this.#part;
    const first = part.records;
    if (!this.#splitter.split(bytes, from, to)) {
      if (isBlank(bytes, from, to)) return;
      // Nobody knows what it has; it is a bad record here as well.
      part.rows.writePart(bytes, from, to);
      part.rows.write(LINE_END);
      part.records++;
      return;
    }
    if (!this.#job.groups || !this.#splitter.told) return;
    part.groups.write(OPEN);
    part.groups.write(this.#splitter.given);
    part.groups.write(CLOSE);
    part.keys.addText(this.#splitter.key, ++part.parents);
    part.starts.push(first);
    part.ends.push(part.records);
  }

  get full(): boolean {
    const { rows, groups } = this.#part ?? {};
    return rows?.full === true || groups?.full === true;
  }

  /** Between two records. */
  async flush(): Promise<void> {
    const { rows, groups } = this.#part!;
    await rows.flush();
    await groups.flush();
    if (rows.bytes >= DOCUMENT_BYTES) await this.end(undefined);
  }

  #open(): Part {
    const { spool } = this.#job;
    const keys = new KeyHashes([]);
    return { rows: spool.begin(), groups: spool.begin(), records: 0, parents: 0, keys, starts: [], ends: [] };
  }

  async end(position: string | undefined): Promise<void> {
    const part = this.#part;
    if (!part) return;
    this.#part = undefined;
    const { spool, elements } = this.#job;
    const { rows, groups, records, parents, keys, starts, ends } = part;
    const from = this.#before === 0 ? '' : ` from ${(this.#before + 1).toLocaleString('en')}`;
    const name = `${this.#name}, ${elements.path.join('.')}${from}`;
    this.#before += records;
    await spool.add(rows, { name, records, position, whole: true });
    await spool.add(groups, {
      name: `${name}, parents`,
      records: parents,
      position,
      whole: true,
      groups: true,
    });
    this.#parts.push({
      rows: rows.key,
      groups: groups.key,
      keys: keys.keys,
      starts: Uint32Array.from(starts),
      ends: Uint32Array.from(ends),
    });
  }

  found(): ChildDocuments {
    const keys = this.#parts.map((part) => part.keys);
    const superseded = new Map<string, Float64Array>();
    for (const [i, gone] of earlierVersions(keys).entries()) {
      const { rows, groups, starts, ends } = this.#parts[i]!;
      const lines: number[] = [];
      for (const number of gone)
        for (let line = starts[number - 1]!; line < ends[number - 1]!; line++) lines.push(line + 1);
      if (lines.length > 0) superseded.set(rows, Float64Array.from(lines));
      // It is named where its rows are: slices are committed in any order.
      if (gone.length > 0) superseded.set(groups, gone);
    }
    return { documents: this.#job.spool.documents.splice(0), keys, superseded };
  }

  /** Never throws. */
  async discard(): Promise<void> {
    await this.#part?.rows.discard();
    await this.#part?.groups.discard();
    await this.#job.spool.drop(this.#job.spool.documents.splice(0));
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) if (bytes[p]! > 0x20) return false;
  return true;
}
