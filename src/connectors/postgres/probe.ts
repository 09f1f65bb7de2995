/** What is asked of rows before they are read. */
import type pg from 'pg';
import type { SliceRange, StreamConfig } from '../../core/stream.ts';
import { type Relation, sliceSql, whereClause } from './relation.ts';

/** Whether there is a row, or more than `after`. */
export async function anyRow(
  client: pg.Client,
  relation: Relation,
  range: SliceRange,
  { only, after = 0 }: { only?: string; after?: number } = {},
): Promise<boolean> {
  const where =
    only === undefined
      ? whereClause(relation, range)
      : `${whereClause(relation, { kind: 'all' }) || ' WHERE true'} AND ${only}`;
  const { rows } = await client.query<{ any: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM ${relation.from}${where}${after > 0 ? ` OFFSET ${after}` : ''}) AS any`,
  );
  return rows[0]!.any;
}

/** The planner's estimate. */
export async function estimateRows(client: pg.Client, sql: string): Promise<number | undefined> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(
    `EXPLAIN (FORMAT JSON) ${sql}`,
  );
  return rows[0]?.['QUERY PLAN'][0]?.Plan['Plan Rows'];
}

/** Rows of one micro-batch when nothing is configured: about a file of the lake. */
const SLICE_ROWS = 5_000_000;
const MOST_BOUNDARIES = 1000;

/**
 * Walks the index in steps of the wanted size and notes the cursor value at each step. Only for one cursor column:
 * the order of the greatest of several is in no index.
 */
export async function boundaries(
  client: pg.Client,
  relation: Relation,
  stream: StreamConfig,
  window: SliceRange,
): Promise<string[]> {
  const cursor = relation.cursor!;
  const size = stream.sliceRows ?? SLICE_ROWS;
  const estimate = (await estimateRows(client, sliceSql(relation, window))) ?? 0;
  // The estimate may be far off; a wish for small slices is always looked at.
  if (cursor.names.length > 1 || (stream.sliceRows === undefined && estimate < size * 1.5)) return [];
  const found: string[] = [];
  const column = cursor.expressions[0]!;
  let range: SliceRange = window;
  while (found.length < MOST_BOUNDARIES) {
    const { rows } = await client.query<{ value: string }>(
      `SELECT ${column}::text AS value FROM ${relation.from}${whereClause(relation, range) || ' WHERE true'} AND ${column} IS NOT NULL ORDER BY ${column} OFFSET $1 LIMIT 1`,
      [size],
    );
    const value = rows[0]?.value;
    if (value === undefined) break;
    // More equal values than a slice has rows stay together; the next boundary lies above them.
    const tie = value === found.at(-1);
    if (!tie) found.push(value);
    range = tie ? { kind: 'cursor', above: value } : { kind: 'cursor', from: value };
  }
  return found;
}
