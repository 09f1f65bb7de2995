/** Ranges of the primary key with about as many rows each. Rows lie in its order in InnoDB, so that a range is read in one piece. */
import type { SliceRange } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { Client } from './client.ts';

export interface KeyedTable {
  from: string;
  column: string;
  /** The table's size, and that of one part. */
  bytes: number;
  partBytes: number;
}

const MOST_PARTS = 1000;

export function isKeyType(type: LogicalType | undefined): boolean {
  if (type === undefined) return false;
  return ['int16', 'int32', 'int64'].includes(type.kind) || (type.kind === 'decimal' && type.scale === 0);
}

/** Empty when one read is enough. The first range is open below, the last one above: rows may be added while we read. */
export async function keyRanges(client: Client, table: KeyedTable): Promise<SliceRange[]> {
  const wanted = Math.min(MOST_PARTS, Math.round(table.bytes / table.partBytes));
  if (wanted < 2) return [];
  const name = quoteBackticks(table.column);
  const [ends] = await client.query<{ low: string | null; high: string | null }>(
    `SELECT CAST(MIN(${name}) AS CHAR) AS low, CAST(MAX(${name}) AS CHAR) AS high FROM ${table.from}`,
  );
  if (ends!.low === null || ends!.high === null) return [];
  const low = BigInt(ends!.low);
  const end = BigInt(ends!.high) + 1n;
  const estimate = (from: bigint, to: bigint): Promise<number> =>
    estimatedRows(client, `SELECT 1 FROM ${table.from} WHERE ${name} >= ${from} AND ${name} < ${to}`);
  const share = (await estimate(low, end)) / wanted;
  const pieces = await bisect({ low, end, rows: share * wanted }, share, estimate);
  const cuts = merge(pieces, share);
  return [undefined, ...cuts].map((from, i) => ({
    kind: 'column',
    column: table.column,
    from: from?.toString(),
    to: cuts[i]?.toString(),
  }));
}

interface Piece {
  low: bigint;
  end: bigint;
  rows: number;
}

/** Halves ranges until each has few rows by the optimizer's estimate, which looks at the index: gaps cost nothing. */
async function bisect(
  piece: Piece,
  share: number,
  estimate: (from: bigint, to: bigint) => Promise<number>,
): Promise<Piece[]> {
  const done: Piece[] = [];
  const open = [piece];
  while (open.length > 0) {
    const { low, end, rows } = open.pop()!;
    const middle = (low + end) / 2n;
    if (rows <= share / 2 || middle === low || done.length + open.length > 4 * MOST_PARTS) {
      done.push({ low, end, rows });
      continue;
    }
    open.push({ low: middle, end, rows: await estimate(middle, end) });
    open.push({ low, end: middle, rows: await estimate(low, middle) });
  }
  return done;
}

/** Joins neighbours up to a share of the rows; returns where one part ends and the next begins. */
function merge(pieces: Piece[], share: number): bigint[] {
  const cuts: bigint[] = [];
  let rows = 0;
  for (const piece of pieces) {
    if (rows > 0 && rows + piece.rows > share * 1.25) {
      cuts.push(piece.low);
      rows = 0;
    }
    rows += piece.rows;
  }
  return cuts;
}

/** The optimizer's estimate; zero when it sees none. */
export async function estimatedRows(client: Client, sql: string): Promise<number> {
  const rows = await client.query<{ rows: string | number | null }>(`EXPLAIN ${sql}`);
  return Math.max(0, ...rows.map((row) => Number(row.rows ?? 0)));
}
