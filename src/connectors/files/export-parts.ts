import { createReadStream, createWriteStream } from 'node:fs';
import { stat, unlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { DataError } from '../../core/errors.ts';
import { duckText, literalPattern } from '../../duckdb/types.ts';
import type { FileOptions, StagedFile } from '../shared/lane/lane-protocol.ts';
import type { Lane } from '../shared/lane/lane.ts';
import { storageError } from '../shared/storage-error.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';

const COPY_BYTES = 1 << 20;

/** Throws when a file that is to be named has not all that was read. */
export function expectWritten(found: number, rows: number, stream: string): void {
  if (found === rows) return;
  throw new DataError(`exporting ${stream}: ${rows} rows were read, and the file has ${found}`, {
    code: 'files.rows_lost',
    remedy: 'nothing was published; run again, and look at the disk',
    details: { stream },
  });
}

/** Rows of a file of Parquet, as its footer says. */
export async function rowsInFooter(pool: ThreadPool<Lane>, path: string): Promise<number> {
  const sql = `SELECT num_rows AS n FROM parquet_file_metadata(${duckText(literalPattern(path))})`;
  const [footer] = await pool.use((lane) => lane.query(sql));
  return Number(footer!['n']);
}

/** One file of text out of several, which go as they are taken in: packed or not, one after the other is one file. */
export async function joinText(files: readonly StagedFile[]): Promise<string> {
  const [first, ...rest] = files.map(({ path }) => path) as [string, ...string[]];
  try {
    for (const path of rest) {
      const from = createReadStream(path, { highWaterMark: COPY_BYTES });
      await pipeline(from, createWriteStream(first, { flags: 'a' }));
      await unlink(path);
    }
    const { size } = await stat(first);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (size !== bytes) throw new Error(`it has ${size} bytes, and its parts have ${bytes}`);
  } catch (error) {
    throw storageError(error, `writing "${first}"`);
  }
  return first;
}

/** Parquet cannot be put one after the other: it is written once more. */
export async function joinParquet(
  pool: ThreadPool<Lane>,
  files: readonly StagedFile[],
  options: FileOptions,
): Promise<string> {
  if (files.length === 1) return files[0]!.path;
  const paths = files.map(({ path }) => duckText(literalPattern(path)));
  const query = `SELECT * FROM read_parquet([${paths.join(', ')}], hive_partitioning = false)`;
  const [joined] = await pool.use((lane) => lane.copy({ query, files: options }));
  return joined!.path;
}
