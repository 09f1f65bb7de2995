/** The file of a dump: its index, and its text. */
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import {
  CancelledError,
  ConfigError,
  DataError,
  SluiceError,
  throwIfAborted,
  TransientError,
} from '../../core/errors.ts';
import type { ObjectStorage, StoredObject } from '../../core/storage.ts';
import { feedThread } from '../shared/feed-thread.ts';
import { crcText } from '../shared/file-checksum.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import { scratchName, sweepScratch } from '../shared/scratch-files.ts';
import { storageError } from '../shared/storage-error.ts';
import { TaskThread } from '../shared/task-thread.ts';
import { sendDocument } from '../shared/text/document-input.ts';
import { compressionOf } from '../shared/text/packing.ts';
import { type TextForm, textOf } from '../shared/text/text-stream.ts';
import { readArchive } from '../shared/text/zip.ts';
import type { DumpIndex } from './dump-index.ts';
import type { Indexed, IndexTask } from './index-worker.ts';

/** A dump as it was when it was looked at. */
export interface ReadDump {
  /** Size and time of the file. */
  object: StoredObject;
  crc32: string;
  index: DumpIndex;
  /** The text is the file: what is at a place of one is there in the other. */
  plain: boolean;
}

/** A text of which ranges can be read. */
interface DumpText {
  storage: ObjectStorage;
  key: string;
}

export class DumpFile {
  readonly key: string;
  readonly #storage: ObjectStorage;
  readonly #partBytes: number;
  /** Folder for the text of a packed dump. */
  readonly #scratch: string;
  #read: Promise<ReadDump> | undefined;
  readonly #texts = new WeakMap<ReadDump, Promise<DumpText>>();
  readonly #unpacked: string[] = [];

  constructor(file: string, { partBytes, scratch }: { partBytes: number; scratch: string }) {
    this.key = path.basename(file);
    this.#storage = openLocalStorage(path.dirname(file));
    this.#partBytes = partBytes;
    this.#scratch = scratch;
    // Refuses what is packed in a way that cannot be read.
    compressionOf(file);
  }

  describe(): string {
    return `${this.#storage.describe()}/${this.key}`;
  }

  /** Looks through all of it, once for as long as it stays the same. */
  async read(signal: AbortSignal): Promise<ReadDump> {
    const object = await this.find();
    const before = await this.#read?.catch(() => undefined);
    if (before && before.object.size === object.size && before.object.modifiedAt === object.modifiedAt)
      return before;
    const read = this.#look(object, signal);
    this.#read = read;
    read.catch(() => {
      this.#read = undefined;
    });
    return read;
  }

  async find(): Promise<StoredObject> {
    const object = (await this.#storage.list(this.key, { empty: true })).find(({ key }) => key === this.key);
    if (object) return object;
    throw new ConfigError(`opening the dump: there is no "${this.key}" in ${this.#storage.describe()}`, {
      code: 'dump.missing',
      remedy: 'correct `path` of the connection',
    });
  }

  /** Throws when the file is another one than it was when it was looked at. */
  async unchanged({ object }: ReadDump): Promise<void> {
    const now = await this.find();
    if (now.size === object.size && now.modifiedAt === object.modifiedAt) return;
    throw new TransientError(`reading "${this.key}": it has changed since it was looked at`, {
      code: 'engine.old_snapshot',
      remedy: 'run again when its writer is done',
    });
  }

  async #look(object: StoredObject, signal: AbortSignal): Promise<ReadDump> {
    const thread = new TaskThread<IndexTask, Indexed>('./index-worker', import.meta.url, undefined);
    let crc = 0;
    let bytes = 0;
    let text = 0;
    try {
      const { encoding, archive } = await this.#beginning(signal);
      if (archive) throw notPlain(this.key);
      const pieces = this.#pieces(encoding, signal, (piece) => {
        crc = crc32(piece, crc);
        bytes += piece.length;
      });
      const { index } = await feedThread(
        {
          pump: (sink) =>
            sendDocument(sink, 0, pieces, (count) => {
              text += count;
            }),
        },
        (ring) => thread.send({ ring, partBytes: this.#partBytes }),
        signal,
      );
      refuseBroken(this.key, index);
      const plain = encoding === 'utf-8' && bytes === text && compressionOf(this.key) === 'none';
      return { object, crc32: crcText(crc), index, plain };
    } finally {
      await thread.close(new CancelledError('the thread is closed', { code: 'thread.closed' }));
    }
  }

  /** Dumps may hold bytes of any kind: only a mark at the beginning says that they are not those of their text. */
  async #beginning(signal: AbortSignal): Promise<{ encoding: string; archive: boolean }> {
    for await (const piece of this.#pieces('latin1', signal)) {
      const head = Buffer.from(piece.subarray(0, 16)).toString('utf8');
      const encoding = head.startsWith('ÿþ') ? 'utf-16le' : head.startsWith('þÿ') ? 'utf-16be' : 'utf-8';
      return { encoding, archive: head.startsWith('PGDMP') || head.includes('toc.dat') };
    }
    return { encoding: 'utf-8', archive: false };
  }

  async *#pieces(
    encoding: string,
    signal: AbortSignal,
    onRaw?: (piece: Uint8Array) => void,
  ): AsyncGenerator<Uint8Array> {
    const form = { ...(await this.#packed(signal)), encoding, skip: 0 };
    yield* textOf(this.#storage, { path: this.key }, form, { signal, onRaw });
  }

  async #packed(signal: AbortSignal): Promise<Pick<TextForm, 'packing' | 'entry'>> {
    const packing = compressionOf(this.key);
    if (packing !== 'zip') return { packing };
    const { size } = await this.find();
    const place = { storage: this.#storage, path: this.key, size, signal };
    const { entries } = await readArchive({ ...place, isText: (name) => !/\.(?!sql$)[^./]+$/i.test(name) });
    const [entry] = entries;
    if (entry && entries.length === 1) return { packing: entry.packing, entry };
    throw new ConfigError(`opening "${this.key}": it has ${entries.length} files of SQL`, {
      code: 'dump.archive',
      remedy: 'unpack it, and load each dump by itself',
    });
  }

  /** Where ranges of the text can be read: the file itself, or what it was unpacked to. */
  async text(dump: ReadDump, signal: AbortSignal): Promise<DumpText> {
    if (dump.plain) return { storage: this.#storage, key: this.key };
    let text = this.#texts.get(dump);
    if (!text) {
      text = this.#unpack(signal);
      this.#texts.set(dump, text);
      text.catch(() => this.#texts.delete(dump));
    }
    return text;
  }

  async #unpack(signal: AbortSignal): Promise<DumpText> {
    const { encoding } = await this.#beginning(signal);
    const key = scratchName('.sql');
    const file = path.join(this.#scratch, key);
    try {
      await sweepScratch(this.#scratch);
      await mkdir(this.#scratch, { recursive: true });
      this.#unpacked.push(file);
      await pipeline(this.#pieces(encoding, signal), createWriteStream(file, { highWaterMark: 1 << 20 }), {
        signal,
      });
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throwIfAborted(signal);
      throw storageError(error, `unpacking "${this.key}" to ${this.#scratch}`);
    }
    return { storage: openLocalStorage(this.#scratch), key };
  }

  async close(): Promise<void> {
    for (const file of this.#unpacked) await rm(file, { force: true }).catch(() => undefined);
  }
}

function notPlain(key: string): ConfigError {
  return new ConfigError(`reading "${key}": it is an archive of pg_dump and no SQL`, {
    code: 'dump.archive',
    remedy: 'make SQL of it: pg_restore -f shop.sql shop.dump',
  });
}

const UTF8 = /^(utf-?8(mb3|mb4)?|unicode|sql_ascii|ascii|us-ascii)$/i;

function refuseBroken(key: string, { cut, encoding }: DumpIndex): void {
  if (cut)
    throw new DataError(`reading "${key}": it ends on line ${cut.line} in the middle of ${cut.what}`, {
      code: 'dump.cut',
      remedy: 'nothing was loaded from it; make the dump again, or copy it again',
      details: { file: key, line: cut.line },
    });
  if (encoding !== undefined && !UTF8.test(encoding))
    throw new ConfigError(`reading "${key}": its texts are in ${encoding}`, {
      code: 'dump.encoding',
      remedy: 'make the dump with --encoding=UTF8 (pg_dump) or --default-character-set=utf8mb4 (mysqldump)',
    });
}
