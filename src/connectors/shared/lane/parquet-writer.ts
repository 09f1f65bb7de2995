import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../../duckdb/session.ts';
import { duckText } from '../../../duckdb/types.ts';
import { emptyFolder } from './empty-folder.ts';
import { fileChecksum } from '../file-checksum.ts';
import type { FileOptions, StagedFile } from './lane-protocol.ts';
import { partitionsOf, type Split, withPartition } from './partition-split.ts';
import { dictionaryLimit, rowGroupLimit, rowGroupRows } from './row-groups.ts';

const VECTOR_ROWS = 2048;
/** Part of the memory that rows of partitions may take while they wait for being written; sorting them takes several times that. */
const PASS_MEMORY = 0.125;

/** Files that are read again at once have row groups of a quarter of the size: for them memory counts, and nothing else. */
const SCRATCH_GROUPS = 4;

interface Format {
  compression: string;
  signedZeros: boolean;
  rowGroupRows?: number;
}

/** Writes the results of queries as Parquet files of bounded size into one folder. */
export class ParquetWriter {
  readonly files: StagedFile[] = [];
  readonly #session: Session;
  readonly #options: FileOptions;
  #rowBytes = 0;
  #rowGroupRows = VECTOR_ROWS;
  #made = false;
  #count = 0;

  constructor(session: Session, options: FileOptions, rowBytes: number) {
    this.#session = session;
    this.#options = options;
    this.rowBytes = rowBytes;
  }

  /** Memory that one row of the next files is expected to take. */
  get rowBytes(): number {
    return this.#rowBytes;
  }

  set rowBytes(rowBytes: number) {
    this.#rowBytes = rowBytes;
    const rows = this.#options.rowGroupRows ?? rowGroupRows(rowBytes);
    this.#rowGroupRows = Math.max(VECTOR_ROWS, Math.ceil(rows / VECTOR_ROWS) * VECTOR_ROWS);
  }

  /**
   * Runs the query into the next file (or one file per partition); remembers files that hold rows. `signedZeros` says
   * that there may be -0 among floats: DuckDB's dictionaries would turn it into 0, or every 0 into -0.
   */
  async write(query: string, signedZeros: boolean): Promise<void> {
    this.#prepare();
    const { compression, partitions } = this.#options;
    if (partitions.length === 0) return this.#writeFile(query, [], { compression, signedZeros });
    const split: Split = {
      session: this.#session,
      passRows: Math.floor((this.#session.memoryBytes * PASS_MEMORY) / this.#rowBytes),
      rowBytes: this.#rowBytes,
      levels: partitions.length,
      write: (rows) => this.writeScratch(rows, signedZeros),
    };
    const whole = await split.write(
      withPartition(
        query,
        partitions.map((level) => level.sql),
      ),
    );
    for await (const partition of partitionsOf(split, whole))
      await this.#writeFile(partition.query, partition.values, { compression, signedZeros });
    rmSync(whole, { force: true });
  }

  /** Runs the query into a file that is only for being read again, soon, and returns its path: written fast, not small. */
  async writeScratch(query: string, signedZeros: boolean): Promise<string> {
    this.#prepare();
    const path = this.#next();
    const rowGroupRows = Math.ceil(this.#rowGroupRows / SCRATCH_GROUPS / VECTOR_ROWS) * VECTOR_ROWS;
    await this.#copy(query, path, { compression: 'snappy', signedZeros, rowGroupRows });
    await this.#session.giveBack();
    return path;
  }

  async #writeFile(query: string, partition: (string | null)[], format: Format): Promise<void> {
    const path = this.#next();
    const [written] = await this.#copy(query, path, format);
    const rows = Number(written?.['count'] ?? 0);
    if (rows === 0 && this.#options.empty !== true) return;
    this.files.push({
      path,
      rows,
      bytes: Number(written!['file_size_bytes']),
      crc32: await fileChecksum(path),
      partition,
      stats: columnStats(written!['column_statistics']),
    });
    await this.#session.giveBack();
  }

  async #copy(query: string, path: string, format: Format): Promise<Record<string, unknown>[]> {
    const { compression, signedZeros, rowGroupRows = this.#rowGroupRows } = format;
    const options = [
      `FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${rowGroupRows}, RETURN_STATS`,
      // Rows may turn out to be wider than the first ones, which the number of rows comes from.
      ...(this.#options.rowGroupRows === undefined
        ? [`ROW_GROUP_SIZE_BYTES ${rowGroupLimit(this.#session.memoryBytes)}`]
        : []),
      `STRING_DICTIONARY_PAGE_SIZE_LIMIT ${dictionaryLimit(this.#session.memoryBytes, this.#rowBytes)}`,
      // They wait in memory for the end of the file, and there are some only for columns with few values, where they
      // hardly ever tell anything.
      'WRITE_BLOOM_FILTER false',
      // Level 3, the default, makes files 2 to 3 % smaller and loads 8 to 23 % longer.
      ...(compression === 'zstd' ? ['COMPRESSION_LEVEL 1'] : []),
      ...(signedZeros ? ['DICTIONARY_SIZE_LIMIT 0'] : []),
    ].join(', ');
    return this.#session.rows(`COPY (${query}) TO ${duckText(path)} (${options})`, `writing ${path}`);
  }

  /** A check, for the scan of the next file, of whether that file has reached its size. */
  fullCheck(): () => boolean {
    if (this.#options.partitions.length > 0) return () => false;
    const path = join(this.#options.directory, `${this.#count}.parquet`);
    return () => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= this.#options.fileBytes;
  }

  /** A file ends where -0 begins to be among floats. */
  get splits(): boolean {
    return true;
  }

  async finish(): Promise<StagedFile[]> {
    return this.files;
  }

  #prepare(): void {
    if (this.#made) return;
    emptyFolder(this.#options.directory);
    this.#made = true;
  }

  #next(): string {
    return join(this.#options.directory, `${this.#count++}.parquet`);
  }
}

/** DuckDB gives maps as lists of key and value. */
function entries(map: unknown): Map<string, unknown> {
  const list = (map ?? []) as { key: string; value: unknown }[];
  return new Map(list.map(({ key, value }) => [key, value]));
}

function columnStats(map: unknown): StagedFile['stats'] {
  const stats: StagedFile['stats'] = {};
  for (const [quoted, inner] of entries(map)) {
    const values = entries(inner);
    const name = quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted;
    stats[name] = {
      min: values.get('min') as string | undefined,
      max: values.get('max') as string | undefined,
    };
  }
  return stats;
}
