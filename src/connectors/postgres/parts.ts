/** Parts of a relation that can be read side by side: ranges of pages, or of the columns of `slice_by`. */
import type pg from 'pg';
import type { Checkpoint, SliceRange, StreamConfig } from '../../core/stream.ts';
import { cutsSql, rangesBetween, readsAll, sampleOf } from '../shared/key-sample.ts';
import { quoteName } from '../shared/quote.ts';
import type { CursorHorizon } from './horizon.ts';
import { type Relation, sliceSql } from './relation.ts';
import type { Found } from './resolve.ts';

export interface PartsRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  found: Found;
  relation: Relation;
  serverVersion: number;
  partBytes: number;
}

export interface Parts {
  ranges: SliceRange[];
  /** Another value: page ranges mean other rows. */
  layout: string;
}

/** A table that rows lie in: a partition, or the table itself. */
interface Leaf {
  oid: string;
  kind: string;
  filenode: string;
  pages: number;
}

export async function partsOf(client: pg.Client, request: PartsRequest): Promise<Parts> {
  const { found, stream, checkpoint } = request;
  const leaves = await leavesOf(client, found);
  const layout = layoutOf(found, leaves);
  if (!readsAll(stream, checkpoint)) return { ranges: [], layout };
  const ranges =
    stream.sliceBy === undefined
      ? await byPages(client, request, leaves)
      : await byKey(client, request, stream.sliceBy, leaves);
  return { ranges, layout };
}

/** The relations whose rows a query of this one reads; undefined for views, foreign tables and queries. */
async function leavesOf(client: pg.Client, { table, relations }: Found): Promise<Leaf[] | undefined> {
  const oids = table?.kind === 'm' ? [table.oid] : relations;
  if (oids === undefined) return undefined;
  const { rows } = await client.query<Omit<Leaf, 'pages'> & { pages: string }>(
    `SELECT c.oid::int8 AS oid, c.relkind AS kind, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8 AS filenode,
            coalesce(CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END, 0)::int8 / current_setting('block_size')::int8 AS pages
       FROM pg_catalog.pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relkind <> 'p' ORDER BY c.oid`,
    [oids],
  );
  return rows.map((row) => ({ ...row, pages: Number(row.pages) }));
}

function layoutOf({ table }: Found, leaves: Leaf[] | undefined): string {
  if (!table) return 'query';
  if (!table.hasChildren) return `${table.oid}/${table.filenode}`;
  // A partition that comes, goes or is rewritten changes what a range of pages holds.
  return `${table.oid}/${(leaves ?? []).map(({ oid, filenode }) => `${oid}:${filenode}`).join(',')}`;
}

/** PostgreSQL 14 and later find ranges of pages without reading the rest of the table. */
async function byPages(
  client: pg.Client,
  request: PartsRequest,
  leaves: Leaf[] | undefined,
): Promise<SliceRange[]> {
  const { found, partBytes, serverVersion } = request;
  if (!leaves || leaves.some(({ kind }) => !hasPages(kind)) || serverVersion < 140_000) return [];
  const blocks = Math.round(found.table!.bytes / partBytes);
  if (blocks < 2 || !(await readsMost(client, request))) return [];
  const cuts = pageCuts(
    leaves.map(({ pages }) => pages),
    blocks,
  );
  // The last range is open: pages may be added while we read.
  return [0, ...cuts].map((from, i) => ({ kind: 'pages', from, to: cuts[i] }));
}

function hasPages(kind: string): boolean {
  return kind === 'r' || kind === 'm';
}

/** What `where` leaves of a table is found sooner by an index when it is little. */
async function readsMost(client: pg.Client, { stream, found, relation }: PartsRequest): Promise<boolean> {
  if (stream.where === undefined) return true;
  const all = found.table!.rows;
  const wanted = await estimate(client, relation);
  return all !== undefined && wanted !== undefined && wanted.rows > all / 2;
}

/** A range of pages means the same pages of every partition: cut where all of them together have a share of the pages. */
export function pageCuts(pages: readonly number[], blocks: number): number[] {
  const sizes = pages.toSorted((a, b) => a - b);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const cuts = new Set<number>();
  // Pages of partitions that have ended, and up to where they are counted.
  let [before, at, left] = [0, 0, sizes.length];
  let next = 1;
  for (const size of sizes) {
    for (; next < blocks; next++) {
      const cut = at + Math.ceil(((all * next) / blocks - before) / left);
      if (cut > size) break;
      cuts.add(cut);
    }
    before += (size - at) * left;
    at = size;
    left--;
  }
  return [...cuts].filter((cut) => cut > 0 && cut < at);
}

async function byKey(
  client: pg.Client,
  { found, relation, stream, partBytes }: PartsRequest,
  names: string[],
  leaves: Leaf[] | undefined,
): Promise<SliceRange[]> {
  const expected = await estimate(client, relation);
  if (!expected) return [];
  const bytes = stream.where === undefined ? found.table?.bytes : undefined;
  const sample = sampleOf(bytes || expected.rows * expected.width, partBytes);
  if (!sample) return [];
  const columns = names.map(quoteName);
  const share = Math.min(1, sample.rows / Math.max(1, expected.rows));
  const physical = leaves !== undefined && leaves.every(({ kind }) => hasPages(kind));
  const { rows } = await client.query<string[]>({
    rowMode: 'array',
    text: cutsSql(
      {
        from: physical ? `${relation.from} TABLESAMPLE SYSTEM (${pageShare(leaves, share)})` : relation.from,
        where: [
          ...(relation.where === undefined ? [] : [`(${relation.where})`]),
          // Rows of a view have no pages of their own to choose from.
          ...(physical || share === 1 ? [] : [`random() < ${share}`]),
        ],
        columns,
        text: (column) => `${column}::text`,
      },
      sample.parts,
    ),
  });
  return rangesBetween(names, rows);
}

/** Percent of the pages. Rows of a page are neighbours, so a few pages would not tell how all are spread. */
function pageShare(leaves: Leaf[], share: number): number {
  const pages = leaves.reduce((sum, leaf) => sum + leaf.pages, 0);
  return 100 * Math.min(1, Math.max(share, LEAST_PAGES / Math.max(1, pages)));
}

const LEAST_PAGES = 1000;

/** The planner's. */
async function estimate(
  client: pg.Client,
  relation: Relation,
): Promise<{ rows: number; width: number } | undefined> {
  const { rows } = await client.query<{
    'QUERY PLAN': { Plan: { 'Plan Rows': number; 'Plan Width': number } }[];
  }>(`EXPLAIN (FORMAT JSON) ${sliceSql(relation, { kind: 'all' })}`);
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
  return plan && { rows: plan['Plan Rows'], width: plan['Plan Width'] };
}

/**
 * What has changed since an unfinished load began, in the parts that it has done: updates move rows between pages, so a
 * row may since have come from a part that is still to be read. Transaction ids tell, whatever the cursor is. Without a
 * key such a row could not be told from its equals.
 */
export function catchUp(
  { checkpoint, found, relation }: PartsRequest,
  layout: string,
): SliceRange[] | undefined {
  const unfinished = checkpoint?.unfinished;
  if (!unfinished || unfinished.layout !== layout || relation.schema.key.length === 0) return undefined;
  // Rows of views and foreign tables do not tell who wrote them.
  if (found.table?.kind !== 'm' && found.relations === undefined) return undefined;
  const { oldestXid } = unfinished.horizon as CursorHorizon;
  return unfinished.slices.flatMap(({ id, range }) =>
    unfinished.done.includes(id) && (range.kind === 'pages' || range.kind === 'key')
      ? [{ ...range, since: oldestXid }]
      : [],
  );
}
