/**
 * Files of Parquet that are packed once more, for engines that open files: each lies unpacked in a folder of the project for as long as
 * somebody reads it. What is not packed lies where its storage has it.
 */
import { createWriteStream, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SluiceError, throwIfAborted } from '../../core/errors.ts';
import type { FilesConfig } from '../../core/ledger.ts';
import type { LocalCopies, ObjectStorage } from '../../core/storage.ts';
import { scratchName, sweepScratch } from '../shared/scratch-files.ts';
import { storageError } from '../shared/storage-error.ts';
import { notReadable } from '../shared/text/packing.ts';
import { bytesOf, type TextForm } from '../shared/text/text-stream.ts';
import { archiveOf, packingOf } from '../shared/look/documents.ts';
import { foundFile } from './found-files.ts';
import { formatOf } from '../shared/look/look.ts';

export class UnpackedTables implements Pick<ObjectStorage, 'fetch' | 'localPath'> {
  readonly #storage: ObjectStorage;
  readonly #config: FilesConfig;
  readonly #folder: string;
  readonly #files = new Map<string, string>();

  /** `folder`: for what is unpacked; made when it is needed. */
  constructor(storage: ObjectStorage, config: FilesConfig, folder: string) {
    this.#storage = storage;
    this.#config = config;
    this.#folder = folder;
  }

  isPacked(key: string): boolean {
    return packingOf(key, this.#config) !== 'none';
  }

  localPath(key: string): string {
    if (!this.isPacked(key)) return this.#storage.localPath(key);
    let file = this.#files.get(key);
    if (file === undefined) this.#files.set(key, (file = path.join(this.#folder, scratchName('.parquet'))));
    return file;
  }

  async fetch(keys: readonly string[], signal: AbortSignal | undefined): Promise<LocalCopies> {
    const packed = keys.filter((key) => this.isPacked(key));
    const copies = await this.#storage.fetch(
      keys.filter((key) => !packed.includes(key)),
      signal,
    );
    const release = (): void => {
      copies.release();
      for (const key of packed) rmSync(this.localPath(key), { force: true });
    };
    try {
      for (const key of packed) await this.#unpack(key, signal ?? new AbortController().signal);
      return { release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #unpack(key: string, signal: AbortSignal): Promise<void> {
    const form = await this.#formOf(key, signal);
    try {
      await sweepScratch(this.#folder);
      await mkdir(this.#folder, { recursive: true });
      const target = createWriteStream(this.localPath(key), { highWaterMark: 1 << 20 });
      await pipeline(bytesOf(this.#storage, { path: key }, form, { signal }), target, { signal });
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throwIfAborted(signal);
      throw storageError(error, `unpacking "${key}" to ${this.#folder}`);
    }
  }

  async #formOf(key: string, signal: AbortSignal): Promise<Pick<TextForm, 'packing' | 'entry'>> {
    const packing = packingOf(key, this.#config);
    if (packing !== 'zip') return { packing };
    const place = { storage: this.#storage, config: this.#config, signal };
    const { entries } = await archiveOf(await foundFile(key, this.#storage), place);
    const tables = entries.filter(({ name }) => formatOf(name) === 'parquet');
    const [entry] = tables;
    if (entry && tables.length === 1) return { packing: entry.packing, entry };
    throw notReadable(key, `it has ${tables.length} files of Parquet`, { remedy: 'pack each by itself' });
  }
}
