/** Proves that tables of a lake hold exactly the rows of the database. How rows are compared: verify-sql.ts. */
import type pg from 'pg';
import type { Catalog } from '../catalog/index.ts';
import { tableName } from '../config/stream-name.ts';
import {
  bucketSql,
  checksumSql,
  type ColumnFact,
  lakeSide,
  postgresSide,
  rowsSql,
  type Side,
} from './verify-sql.ts';

export interface TableComparison {
  table: string;
  /** Rows on either side. */
  rows: { database: number; lake: number };
  columns: number;
  equal: boolean;
  /** Some of the rows that differ, by key, and the columns that the lake does not have; empty when all is equal. */
  differences: Difference[];
}

interface Difference {
  kind: 'missing' | 'changed' | 'not in the database' | 'doubled' | 'missing column';
  /** The key, `order_id 9, line_no 1`, or the name of a column. */
  what: string;
}

export interface VerifyOptions {
  /** A connection whose transaction sees what the lake should hold; it must be in one. */
  client: pg.ClientBase;
  catalog: Catalog;
  signal: AbortSignal;
}

/** `tables` are names in the database, of tables with a primary key. */
export async function compareTables(
  tables: readonly string[],
  options: VerifyOptions,
): Promise<TableComparison[]> {
  const results: TableComparison[] = [];
  // One after the other: each is already worked on by both sides at once.
  for (const table of tables) results.push(await compareTable(table, options));
  return results;
}

async function compareTable(table: string, options: VerifyOptions): Promise<TableComparison> {
  const { client, catalog } = options;
  const { columns, key } = await describe(client, table);
  const lakeTable = tableName(table);
  const described = await catalog.describe(lakeTable);
  const missing = columns.filter(({ name }) => !described.columns.some((each) => each.name === name));
  const shared = columns.filter((column) => !missing.includes(column));
  const sides = [postgresSide(table, shared, key), lakeSide(lakeTable, shared, key)] as const;
  const [database, lake] = await both(sides, checksumSql, options);
  const same = database[0]?.join() === lake[0]?.join();
  const differences = missing.map(({ name }): Difference => ({ kind: 'missing column', what: name }));
  if (!same) differences.push(...(await findDifferences(sides, options)));
  return {
    table,
    rows: { database: Number(database[0]?.[0]), lake: Number(lake[0]?.[0]) },
    columns: columns.length,
    equal: same && missing.length === 0,
    differences,
  };
}

async function describe(
  client: pg.ClientBase,
  table: string,
): Promise<{ columns: ColumnFact[]; key: string[] }> {
  const columns = await client.query<ColumnFact & { key: boolean }>(
    `select a.attname as name, coalesce(base.typname, own.typname) as type, own.typcategory as category,
       coalesce(a.attnum = any (i.indkey), false) as key
     from pg_attribute a
     join pg_type own on own.oid = a.atttypid
     left join pg_type base on base.oid = own.typbasetype
     left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
     order by a.attnum`,
    [table],
  );
  return {
    columns: columns.rows.map(({ name, type, category }) => ({ name, type, category })),
    key: columns.rows.filter((column) => column.key).map(({ name }) => name),
  };
}

type Row = readonly (string | null)[];

/** Both sides work at the same time: one is a server, the other a thread. */
function both(
  [database, lake]: readonly [Side, Side],
  sql: (side: Side) => string,
  options: VerifyOptions,
): Promise<[Row[], Row[]]> {
  return Promise.all([askDatabase(options, sql(database)), askLake(options, sql(lake))]);
}

async function askDatabase({ client }: VerifyOptions, sql: string): Promise<Row[]> {
  return (await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })).rows;
}

async function askLake({ catalog, signal }: VerifyOptions, sql: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of (await catalog.select(sql, { signal })).batches)
    rows.push(...(batch as readonly Row[]));
  return rows;
}

/** Enough to look into, and little to hold: a bucket is the 256th part of a table. */
const BUCKETS_LOOKED_INTO = 3;
const MOST_DIFFERENCES = 10;

/** Looks for the groups of rows that differ, and only into some of those for the rows. */
async function findDifferences(sides: readonly [Side, Side], options: VerifyOptions): Promise<Difference[]> {
  const [database, lake] = (await both(sides, bucketSql, options)).map(
    (rows) => new Map(rows.map(([bucket, ...sums]) => [bucket ?? '', sums.join()])),
  ) as [Map<string, string>, Map<string, string>];
  const buckets = [...new Set([...database.keys(), ...lake.keys()])].toSorted();
  const differing = buckets.filter((bucket) => database.get(bucket) !== lake.get(bucket));
  const found: Difference[] = [];
  for (const bucket of differing.slice(0, BUCKETS_LOOKED_INTO)) {
    const [mine, theirs] = await both(sides, (side) => rowsSql(side, bucket), options);
    found.push(...differencesIn(byKey(mine), byKey(theirs)));
  }
  return found.slice(0, MOST_DIFFERENCES);
}

function byKey(rows: readonly Row[]): Map<string, string[]> {
  const groups = Map.groupBy(rows, ([key]) => key ?? '');
  return new Map([...groups].map(([key, all]) => [key, all.map(([, hash]) => hash ?? '')]));
}

function differencesIn(database: Map<string, string[]>, lake: Map<string, string[]>): Difference[] {
  return [...new Set([...database.keys(), ...lake.keys()])].flatMap((what): Difference[] => {
    const mine = database.get(what) ?? [];
    const theirs = lake.get(what) ?? [];
    if (mine.length === 0) return [{ kind: 'not in the database', what }];
    if (theirs.length === 0) return [{ kind: 'missing', what }];
    if (theirs.length > mine.length) return [{ kind: 'doubled', what }];
    return mine.toSorted().join() === theirs.toSorted().join() ? [] : [{ kind: 'changed', what }];
  });
}
