/** Records that have arrived and are not loaded yet: files in a folder of their own, which goes when nobody needs it any more. */
import { copyFile, type FileHandle, link, mkdir, open, rename, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { SluiceError } from '../../../core/errors.ts';
import type { ObjectStorage } from '../../../core/storage.ts';
import { openLocalStorage } from '../local-storage.ts';
import { scratchName } from '../scratch-files.ts';
import { sweepFolders } from '../scratch-folders.ts';
import { storageError } from '../storage-error.ts';

/** A document of the spool: a page, or as much of a stream as fits. */
export interface SpooledDocument {
  /** Below the folder of the spool. */
  key: string;
  /** For people: the request that brought it. */
  name: string;
  bytes: number;
  records: number;
  /** Where fetching goes on once it is loaded, with all that came before it; undefined: only the end of all says so. */
  position?: string | undefined;
  /** It is not cut: what belongs together is in it. */
  whole?: true | undefined;
  /** Its records are no rows: they name the parents whose rows those of the document before it take the place of. */
  groups?: true | undefined;
}

export function bytesOf(documents: readonly SpooledDocument[]): number {
  return documents.reduce((sum, { bytes }) => sum + bytes, 0);
}

const ENDING = '.spool';
const BUFFER_BYTES = 1 << 20;
const FULL_BYTES = 1 << 19;
const NO_BYTES: Buffer = Buffer.alloc(0);
/** Faster than a view for each piece. */
const COPY = Buffer.prototype.copy as (
  this: Uint8Array,
  ...args: [Uint8Array, number, number, number]
) => number;

export class Spool {
  readonly storage: ObjectStorage;
  /** Those that nobody has taken yet. */
  readonly documents: SpooledDocument[] = [];
  /** Bytes of documents that are in the folder. */
  #held = 0;
  #most = Infinity;
  /** Nothing more comes. */
  #ended = false;
  #wake: (() => void)[] = [];
  readonly #folder: string;
  #made: Promise<void> | undefined;
  #count = 0;
  #closed = false;
  readonly #followers: Spool[] = [];
  /** Used again by one document after the other: what is left to the collector of garbage makes it run all the time. */
  readonly #buffers: Buffer[] = [];

  /** `parent`: the folder that spools lie in; those of processes that are gone are removed from it. */
  constructor(parent: string) {
    this.#folder = path.join(parent, scratchName(ENDING));
    this.storage = openLocalStorage(this.#folder);
  }

  /** No other one has it. */
  get id(): string {
    return path.basename(this.#folder, ENDING);
  }

  get records(): number {
    return this.documents.reduce((sum, { records }) => sum + records, 0);
  }

  /** Whoever adds documents waits while there are more bytes than that. */
  limit(bytes: number): void {
    this.#most = bytes;
    this.#changed();
  }

  /** The first documents that have so many bytes together, or all when no more come; `ended`: these are the last ones. */
  async take(bytes: () => number): Promise<{ documents: SpooledDocument[]; ended: boolean }> {
    while (!this.#ended && bytesOf(this.documents) < bytes()) await this.#change();
    const most = bytes();
    let [count, sum] = [0, 0];
    while (count < this.documents.length && sum < most) sum += this.documents[count++]!.bytes;
    const documents = this.documents.splice(0, count);
    return { documents, ended: this.#ended && this.documents.length === 0 };
  }

  /** All documents that are there. */
  takeAll(): SpooledDocument[] {
    return this.documents.splice(0);
  }

  /** Nobody needs these any more. Never throws. */
  async drop(documents: readonly SpooledDocument[]): Promise<void> {
    for (const { key } of documents)
      await rm(path.join(this.#folder, key), { force: true }).catch(() => undefined);
    this.#held -= bytesOf(documents);
    this.#changed();
  }

  end(): void {
    this.#ended = true;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const each of wake) each();
  }

  /** For what arrives now; it counts when it is added. */
  begin(): SpoolWriter {
    const key = `${String(++this.#count).padStart(7, '0')}.jsonl`;
    const place = async (): Promise<string> => {
      this.#made ??= this.#make();
      await this.#made;
      return path.join(this.#folder, key);
    };
    return new SpoolWriter(key, { place, buffers: this.#buffers });
  }

  /** Closes a document; one without records is none. */
  async add(writer: SpoolWriter, about: Omit<SpooledDocument, 'key' | 'bytes'>): Promise<void> {
    const { key, bytes } = writer;
    if (bytes === 0) return writer.discard();
    await writer.close();
    const document = { key, bytes, ...about };
    this.documents.push(document);
    this.#held += bytes;
    for (const other of this.#followers) await other.#link(this.#folder, document);
    this.#changed();
    while (this.#held > this.#most && !this.#ended) await this.#change();
  }

  /** Takes all that another spool of the same parent has, which is empty then. */
  async adopt(other: Spool): Promise<void> {
    await other.#made;
    if (other.#made) {
      try {
        await rename(other.#folder, this.#folder);
      } catch (error) {
        throw storageError(error, `keeping records in ${this.#folder}`);
      }
      this.#made = other.#made;
      other.#made = undefined;
    }
    this.documents.push(...other.documents.splice(0));
    this.#held = other.#held;
    this.#count = other.#count;
    other.#held = 0;
  }

  /** Gets all documents that come into this one from now on, until it is closed; each drops its own. */
  followedBy(other: Spool): void {
    this.#followers.push(other);
  }

  async #link(folder: string, document: SpooledDocument): Promise<void> {
    if (this.#closed) return;
    const [from, to] = [path.join(folder, document.key), path.join(this.#folder, document.key)];
    try {
      this.#made ??= this.#make();
      await this.#made;
      // Not everywhere can a file have two names.
      await link(from, to).catch(() => copyFile(from, to));
    } catch (error) {
      // Whoever needs it no longer has taken its folder away.
      if (this.#closed) return;
      throw storageError(error, `keeping records in ${to}`);
    }
    this.documents.push({ ...document });
    this.#held += document.bytes;
    this.#changed();
  }

  /** These were none, unless they are taken already; also where this one is followed. */
  async takeBack(documents: readonly SpooledDocument[]): Promise<void> {
    const keys = new Set(documents.map(({ key }) => key));
    for (const each of [this, ...this.#followers]) {
      const waiting = each.documents.filter(({ key }) => keys.has(key));
      each.documents.splice(0, Infinity, ...each.documents.filter(({ key }) => !keys.has(key)));
      await each.drop(waiting);
    }
  }

  /** Takes the end of a document away that waits. */
  async cut(document: SpooledDocument, end: Pick<SpooledDocument, 'bytes' | 'records'>): Promise<void> {
    await this.#cut(document, end);
    for (const other of this.#followers) {
      const same = other.documents.find(({ key }) => key === document.key);
      if (same) await other.#cut(same, end);
    }
  }

  async #cut(
    document: SpooledDocument,
    { bytes, records }: Pick<SpooledDocument, 'bytes' | 'records'>,
  ): Promise<void> {
    const file = path.join(this.#folder, document.key);
    this.#held -= document.bytes - bytes;
    Object.assign(document, { bytes, records });
    try {
      await truncate(file, bytes);
    } catch (error) {
      throw storageError(error, `keeping records in ${file}`);
    }
  }

  async #make(): Promise<void> {
    const parent = path.dirname(this.#folder);
    try {
      await mkdir(this.#folder, { recursive: true });
    } catch (error) {
      throw storageError(error, `making ${this.#folder}`);
    }
    await sweepFolders(parent, ENDING);
  }

  /** Never throws: the next spool sweeps what stays. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#made?.catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Writes one document, which is in memory as long as it is small. */
export class SpoolWriter {
  readonly key: string;
  readonly #place: () => Promise<string>;
  readonly #buffers: Buffer[];
  #file = '';
  #handle: FileHandle | undefined;
  #buffer: Buffer;
  #used = 0;
  #written = 0;

  constructor(key: string, { place, buffers }: { place: () => Promise<string>; buffers: Buffer[] }) {
    this.key = key;
    this.#place = place;
    this.#buffers = buffers;
    this.#buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  get bytes(): number {
    return this.#written + this.#used;
  }

  /** All that was written, while none of it is in a file. */
  get held(): Uint8Array | undefined {
    return this.#handle ? undefined : this.#buffer.subarray(0, this.#used);
  }

  /** Copies; whoever writes much looks at {@link full} now and then. */
  write(bytes: Uint8Array): void {
    this.writePart(bytes, 0, bytes.length);
  }

  /** The same for bytes that lie among others. */
  writePart(bytes: Uint8Array, from: number, to: number): void {
    const needed = this.#used + to - from;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
    }
    COPY.call(bytes, this.#buffer, this.#used, from, to);
    this.#used = needed;
  }

  /** What was written, from one byte up to another. */
  async read(from: number, to: number): Promise<Uint8Array> {
    if (from >= this.#written) return this.#buffer.slice(from - this.#written, to - this.#written);
    if (to > this.#written) await this.flush();
    try {
      const { buffer, bytesRead } = await this.#handle!.read(
        Buffer.allocUnsafe(to - from),
        0,
        to - from,
        from,
      );
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      throw storageError(error, `reading records in ${this.#file}`);
    }
  }

  /** What was written behind so many bytes is none any more. */
  async cut(bytes: number): Promise<void> {
    if (bytes < this.#written) {
      await this.#handle!.truncate(bytes);
      this.#written = bytes;
      this.#used = 0;
    } else this.#used = bytes - this.#written;
  }

  get full(): boolean {
    return this.#used >= FULL_BYTES;
  }

  async flush(): Promise<void> {
    try {
      if (!this.#handle) {
        this.#file = await this.#place();
        this.#handle = await open(this.#file, 'w+');
      }
      for (let at = 0; at < this.#used;)
        at += (await this.#handle.write(this.#buffer, at, this.#used - at, this.#written + at)).bytesWritten;
    } catch (error) {
      throw error instanceof SluiceError ? error : storageError(error, `keeping records in ${this.#file}`);
    }
    this.#written += this.#used;
    this.#used = 0;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle!.close();
    this.#giveBack();
  }

  /** Never throws. */
  async discard(): Promise<void> {
    this.#giveBack();
    if (!this.#handle) return;
    await this.#handle.close().catch(() => undefined);
    await rm(this.#file, { force: true }).catch(() => undefined);
  }

  #giveBack(): void {
    if (this.#buffer.length === BUFFER_BYTES) this.#buffers.push(this.#buffer);
    this.#buffer = NO_BYTES;
  }
}
