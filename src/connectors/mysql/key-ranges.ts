/** Ranges of the primary key with about as many rows each. Rows lie in its order in InnoDB, so that a range is read in one piece. */
import type { SliceRange } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { cutsSql, rangesBetween, sampleOf } from '../shared/key-sample.ts';
import { quoteBackticks } from '../shared/quote.ts';
import type { Client } from './client.ts';
import { keyText } from './cursor-sql.ts';
import { type Relation, sliceSql } from './relation.ts';

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
    kind: 'key',
    columns: [table.column],
    from: from === undefined ? undefined : [from.toString()],
    to: cuts[i] === undefined ? undefined : [cuts[i].toString()],
  }));
}

/** What a row has when nothing tells its size. */
const COLUMN_BYTES = 16;

/** Ranges of any columns, cut at values of a sample for which all rows are looked at. */
export async function sampledRanges(
  client: Client,
  job: { relation: Relation; columns: string[]; bytes: number | undefined; partBytes: number },
): Promise<SliceRange[]> {
  const { relation, columns, partBytes } = job;
  const rows = await estimatedRows(client, sliceSql(relation, { kind: 'all' }));
  const sample = sampleOf(job.bytes ?? rows * relation.columns.length * COLUMN_BYTES, partBytes);
  if (!sample) return [];
  const share = sample.rows / Math.max(1, rows);
  const sql = cutsSql(
    {
      from: relation.from,
      where: [
        ...(relation.where === undefined ? [] : [`(${relation.where})`]),
        ...(share < 1 ? [`RAND() < ${share}`] : []),
      ],
      columns: columns.map(quoteBackticks),
      text: (name, i) => `${keyText(name, relation.types[columns[i]!])} AS cut${i}`,
    },
    sample.parts,
  );
  const cuts = await client.query<Record<string, string>>(sql);
  return rangesBetween(
    columns,
    cuts.map((cut) => columns.map((_, i) => cut[`cut${i}`]!)),
  );
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
