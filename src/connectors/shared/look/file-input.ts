/** Files in UTF-8 as a thread reads them by itself, without a way through another one. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { fileStamp } from '../file-stamp.ts';
import { encodingOf } from '../text/encoding.ts';
import { TextWindow } from '../text/text-window.ts';

/** What was read of a file. */
export interface ReadFile {
  crc: number;
  bytes: number;
  /** Without the mark that it may begin with. */
  text: number;
  stamp: string;
}

/** It is not for this way of reading: in another encoding, changing, or it cannot be read at all. */
export class OtherFile extends Error {}

const MARK_BYTES = 3;
const ENCODING_BYTES = 256 << 10;

export class FileInput extends TextWindow {
  /** By number of the document. */
  readonly read: ReadFile[];
  readonly #paths: readonly string[];
  readonly #guesses: boolean;
  readonly #stopped: () => boolean;
  #open: { handle: number; size: number } | undefined;

  /** `guesses`: files may be in other encodings. `stopped` is asked before each part of a file. */
  constructor(paths: readonly string[], guesses: boolean, stopped: () => boolean) {
    super();
    this.#paths = paths;
    this.#guesses = guesses;
    this.#stopped = stopped;
    this.read = paths.map(() => ({ crc: 0, bytes: 0, text: 0, stamp: '' }));
  }

  close(): void {
    if (this.#open) closeSync(this.#open.handle);
    this.#open = undefined;
  }

  /** Files without bytes are left out. */
  protected override begin(): boolean {
    this.close();
    while (++this.document < this.#paths.length) {
      const path = this.#paths[this.document]!;
      const size = this.#attempt(() => {
        this.#open = { handle: openSync(path, 'r'), size: 0 };
        const status = fstatSync(this.#open.handle, { bigint: true });
        this.read[this.document]!.stamp = fileStamp(status);
        return status.isFile() ? Number(status.size) : undefined;
      });
      if (size === undefined) throw new OtherFile(path);
      if (size > 0) {
        this.#open!.size = size;
        return true;
      }
      this.close();
    }
    return false;
  }

  protected override fill(room: number): void {
    if (this.#stopped()) throw new OtherFile('stopped');
    const { handle, size } = this.#open!;
    const read = this.read[this.document]!;
    const most = Math.min(room, size - read.bytes);
    const count = this.#attempt(() => readSync(handle, this.bytes, this.end, most, null));
    if (count === 0) throw new OtherFile('shorter');
    const found = this.bytes.subarray(this.end, this.end + count);
    const mark = read.bytes === 0 ? this.#begins(found) : 0;
    read.crc = crc32(found, read.crc);
    read.bytes += count;
    read.text += count - mark;
    this.total += count - mark;
    this.at += mark;
    this.end += count;
    if (read.bytes < size) return;
    this.final = true;
    const status = this.#attempt(() => fstatSync(handle, { bigint: true }));
    if (fileStamp(status) !== read.stamp) throw new OtherFile('changed');
  }

  /** Bytes before the text. */
  #begins(found: Uint8Array): number {
    if (this.#guesses && encodingOf(found.subarray(0, ENCODING_BYTES)) !== 'utf-8')
      throw new OtherFile('encoding');
    const marked = found[0] === 0xef && found[1] === 0xbb && found[2] === 0xbf;
    return marked ? MARK_BYTES : 0;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new OtherFile('unreadable', { cause: error });
    }
  }
}
