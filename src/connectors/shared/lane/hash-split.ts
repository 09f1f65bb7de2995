/**
 * Two sets of rows, taken apart by a hash, so that rows which belong together come together, with memory for a part of them.
 * Few parts are read out of the whole; of many, some at a time are first written to files of their own, so that the time grows
 * with the rows and hardly with the number of parts.
 */
import { rmSync } from 'node:fs';
import { duckText, literalPattern } from '../../../duckdb/types.ts';

/** How many parts are read out of a set, each by reading all of it. */
const FAN_OUT = 8;
const HASHES = 1n << 64n;
/** Column with the hash. */
export const HASH = '_sluice_hash';

/** Queries with the column {@link HASH}. */
export interface Sides {
  left: string;
  right: string;
}

/** Comparing rows takes several times their size: part of the memory that those of one part may have. */
const COMPARE_MEMORY = 1 / 16;

/** In how many parts so many bytes of rows are compared. */
export function partsFor(bytes: number, memoryBytes: number): number {
  return Math.max(1, Math.ceil(bytes / (memoryBytes * COMPARE_MEMORY)));
}

/** Writes a query to a new file and returns its path. */
type Write = (query: string) => Promise<string>;

/** The sides in so many parts, without the hash; each has to be read before the next is asked for. */
export async function* hashParts(sides: Sides, parts: number, write: Write): AsyncGenerator<Sides> {
  yield* divide(sides, { from: 0n, to: HASHES, parts }, write);
}

/** A scan of a file; folder names give no columns. */
export function fileScan(...files: string[]): string {
  return `SELECT * FROM read_parquet([${files.map((file) => duckText(literalPattern(file))).join(', ')}], hive_partitioning = false)`;
}

interface Range {
  from: bigint;
  /** Exclusive. */
  to: bigint;
  parts: number;
}

async function* divide(sides: Sides, { from, to, parts }: Range, write: Write): AsyncGenerator<Sides> {
  const count = Math.min(parts, FAN_OUT);
  for (let i = 0; i < count; i++) {
    const border = (n: number): bigint => from + ((to - from) * BigInt(n)) / BigInt(count);
    const range = { from: border(i), to: border(i + 1), parts: Math.ceil(parts / count) };
    const left = among(sides.left, range);
    const right = among(sides.right, range);
    if (range.parts === 1) {
      yield {
        left: `SELECT * EXCLUDE (${HASH}) FROM (${left})`,
        right: `SELECT * EXCLUDE (${HASH}) FROM (${right})`,
      };
      continue;
    }
    const files: string[] = [];
    try {
      for (const query of [left, right]) files.push(await write(query));
      yield* divide({ left: fileScan(files[0]!), right: fileScan(files[1]!) }, range, write);
    } finally {
      for (const file of files) rmSync(file, { force: true });
    }
  }
}

function among(query: string, { from, to }: Range): string {
  return `SELECT * FROM (${query}) WHERE ${HASH} BETWEEN CAST('${from}' AS UBIGINT) AND CAST('${to - 1n}' AS UBIGINT)`;
}
