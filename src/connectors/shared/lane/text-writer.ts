import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { duckText } from '../../../duckdb/types.ts';
import type { Session } from '../../../duckdb/session.ts';
import { storageError } from '../storage-error.ts';
import { countRecords } from './count-records.ts';
import { emptyFolder } from './empty-folder.ts';
import type { FileOptions, StagedFile, TextFormat } from './lane-protocol.ts';

/** What is packed waits on the disk in pieces of this size. */
const PIECE_BYTES = 32 << 20;
const COPY_BYTES = 256 << 10;
/** Half of the time of level 6, for files that are 7 % larger. */
const GZIP_LEVEL = 3;

/**
 * Writes the results of queries into one file of text. DuckDB's gzip is several times slower than that of Node, so that
 * pieces without it are packed in Node's threads while DuckDB writes the next one.
 */
export class TextWriter {
  /** Of use to Parquet alone. */
  rowBytes = 0;
  readonly #session: Session;
  readonly #directory: string;
  readonly #format: TextFormat;
  readonly #path: string;
  #packing: Promise<void> | undefined;
  #pieces = 0;
  #rows = 0;

  constructor(session: Session, { directory }: FileOptions, format: TextFormat) {
    this.#session = session;
    this.#directory = directory;
    this.#format = format;
    this.#path = join(directory, 'text');
  }

  /** Text knows -0. */
  get splits(): boolean {
    return false;
  }

  async write(query: string): Promise<void> {
    const { gzip, options, header, records } = this.#format;
    if (this.#pieces === 0) emptyFolder(this.#directory);
    const path = gzip ? this.#piece(this.#pieces) : this.#path;
    const named = header && this.#pieces === 0;
    this.#pieces++;
    const [written] = await this.#session.rows(
      `COPY (${query}) TO ${duckText(path)} (FORMAT csv, HEADER ${named}, ${options}, USE_TMP_FILE false)`,
      `writing ${path}`,
    );
    this.#rows += records ? this.#count(path, records, named) : Number(written?.['Count'] ?? 0);
    if (!gzip) return;
    await this.#packing;
    this.#packing = this.#pack(path);
    this.#packing.catch(() => undefined);
  }

  /** What the writer has been told to write proves nothing. */
  #count(path: string, records: NonNullable<TextFormat['records']>, named: boolean): number {
    return countRecords(path, { quoted: records !== 'line' }) - (named ? 1 : 0);
  }

  /** A check, for the scan of the next piece, of whether that piece has reached its size. */
  fullCheck(): () => boolean {
    if (!this.#format.gzip) return () => false;
    const path = this.#piece(this.#pieces);
    return () => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= PIECE_BYTES;
  }

  async finish(): Promise<StagedFile[]> {
    if (this.#pieces === 0) return [];
    await this.#packing;
    const { size: bytes } = statSync(this.#path);
    return [{ path: this.#path, rows: this.#rows, bytes, crc32: '', partition: [], stats: {} }];
  }

  /** Of several packed pieces, one after the other is one packed file. */
  async #pack(piece: string): Promise<void> {
    try {
      await pipeline(
        createReadStream(piece, { highWaterMark: COPY_BYTES }),
        createGzip({ level: GZIP_LEVEL, chunkSize: COPY_BYTES }),
        createWriteStream(this.#path, { flags: 'a' }),
      );
      await unlink(piece);
    } catch (error) {
      throw storageError(error, `writing "${this.#path}"`);
    }
  }

  #piece(number: number): string {
    return join(this.#directory, `piece-${number}`);
  }
}
