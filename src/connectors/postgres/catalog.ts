import type pg from 'pg';
import type { NativeType } from './types.ts';

/** One column as the catalog has it. */
export interface CatalogColumn {
  name: string;
  /** format_type: `numeric(12,2)`, `character varying(40)`. */
  native: string;
  /** The same of the type that a domain is made of. */
  base: string;
  type: NativeType;
  nullable: boolean;
  generated: boolean;
  identity: boolean;
  /** This role may SELECT it. */
  readable: boolean;
}

export interface CatalogTable {
  oid: number;
  schema: string;
  name: string;
  /** pg_class.relkind. */
  kind: string;
  parent: string | undefined;
  hasChildren: boolean;
  /** pg_class.reltuples; undefined when never analysed. */
  rows: number | undefined;
  pages: number;
  bytes: number;
  /** Changes when the table is rewritten. */
  filenode: number;
  columns: CatalogColumn[];
  /** Columns of the primary key, or of a unique index over NOT NULL columns. */
  key: string[];
  /** First columns of valid, whole-table btree and brin indexes. */
  indexed: string[];
}

/** Neither of the server's schemas, nor the one that Sluice keeps its books in where it writes. */
const USERS = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_sluice')`;

/** What this role may read, at least in part. */
const READABLE = `pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')`;

/** Whether a column of a table cannot hold NULL. Since PostgreSQL 18 the flag is also set where old rows were not checked. */
const NOT_NULL = `(a.attnotnull AND NOT EXISTS (
         SELECT 1 FROM pg_catalog.pg_constraint k
          WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated))`;

/**
 * One row per relation that can be read. reltuples and relpages of a partitioned table are those of its leaves; a parent
 * by inheritance has rows of its own as well.
 * `$1` is an oid, or NULL for all of them.
 */
const TABLES = `
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       (SELECT pn.nspname || '.' || p.relname FROM pg_catalog.pg_inherits i
          JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
         WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) AS parent,
       EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       coalesce(leaves.rows, CASE WHEN c.reltuples >= 0 AND c.relkind <> 'v' THEN c.reltuples END)::float8 AS rows,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8 ELSE 0 END::int8 AS pages,
       coalesce(leaves.bytes, CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END)::int8 AS bytes,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8 AS filenode
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       WITH RECURSIVE tree AS (
         SELECT c.oid
         UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)
       SELECT sum(l.reltuples) FILTER (WHERE l.reltuples >= 0) AS rows, sum(pg_catalog.pg_table_size(l.oid)) AS bytes
         FROM tree JOIN pg_catalog.pg_class l ON l.oid = tree.oid AND l.relkind = 'r') leaves
    ON EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (c.oid = $1::oid OR ($1::oid IS NULL AND ${USERS} AND ${READABLE}))
 ORDER BY n.nspname, c.relname`;

/** Columns with their types, domains followed down to the base type and its modifier. */
const COLUMNS = `
SELECT a.attrelid::int8 AS oid, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS native,
       pg_catalog.format_type(base.oid, base.modifier) AS base,
       base.typname AS type_name, tn.nspname AS type_schema, base.typtype AS sort, base.typcategory AS category,
       base.modifier, NOT (c.relkind IN ('r', 'p') AND (${NOT_NULL} OR base.not_null)) AS nullable,
       coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '' AS generated, coalesce(to_jsonb(a) ->> 'attidentity', '') <> '' AS identity,
       -- NULL where it was dropped after the snapshot.
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') IS DISTINCT FROM false AS readable
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       WITH RECURSIVE chain AS (
         SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod, t.typnamespace,
                a.atttypmod AS modifier, t.typtype = 'd' AND t.typnotnull AS not_null, 0 AS depth
           FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
         UNION ALL
         SELECT b.oid, b.typname, b.typtype, b.typcategory, b.typbasetype, b.typtypmod, b.typnamespace,
                chain.typtypmod, chain.not_null OR (b.typtype = 'd' AND b.typnotnull), chain.depth + 1
           FROM chain JOIN pg_catalog.pg_type b ON b.oid = chain.typbasetype WHERE chain.typtype = 'd')
       SELECT * FROM chain ORDER BY depth DESC LIMIT 1) base
  JOIN pg_catalog.pg_namespace tn ON tn.oid = base.typnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND (c.oid = $1::oid OR ($1::oid IS NULL AND ${USERS}))
 ORDER BY a.attrelid, a.attnum`;

/** Indexes that can serve as key (unique, immediate, whole table, NOT NULL columns) or for a cursor. */
const INDEXES = `
SELECT i.indrelid::int8 AS oid, i.indisprimary AS is_primary, am.amname AS method,
       i.indisunique AND i.indimmediate AND NOT bool_or(a.attnum IS NULL OR NOT ${NOT_NULL})
         OVER (PARTITION BY i.indexrelid) AS is_key,
       k.position, a.attname AS column
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = ic.relam
 CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
 WHERE i.indisvalid AND i.indpred IS NULL AND k.position <= i.indnkeyatts AND (c.oid = $1::oid OR ($1::oid IS NULL AND ${USERS}))
 ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, i.indexrelid, k.position`;

/** Everything that can be read, or one relation; in order of name. */
export async function readCatalog(client: pg.ClientBase, oid: number | undefined): Promise<CatalogTable[]> {
  const parameter = [oid ?? null];
  const tables = await client.query<TableRow>(TABLES, parameter);
  const columns = await client.query<Record<string, unknown>>(COLUMNS, parameter);
  const indexes = await client.query<Record<string, unknown>>(INDEXES, parameter);
  const columnsOf = groupBy(columns.rows);
  const indexesOf = groupBy(indexes.rows);
  return tables.rows.map((row): CatalogTable => {
    const own = indexesOf.get(row.oid) ?? [];
    return {
      oid: Number(row.oid),
      schema: row.schema,
      name: row.name,
      kind: row.kind,
      parent: row.parent ?? undefined,
      hasChildren: row.has_children,
      rows: row.rows ?? undefined,
      pages: Number(row.pages),
      bytes: Number(row.bytes),
      filenode: Number(row.filenode),
      columns: (columnsOf.get(row.oid) ?? []).map(toColumn),
      key: keyOf(own as unknown as IndexRow[]),
      indexed: indexedColumns(own as unknown as IndexRow[]),
    };
  });
}

interface TableRow {
  oid: string;
  schema: string;
  name: string;
  kind: string;
  parent: string | null;
  has_children: boolean;
  rows: number | null;
  pages: string;
  bytes: string;
  filenode: string;
}

interface IndexRow {
  is_primary: boolean;
  is_key: boolean;
  method: string;
  position: string;
  column: string | null;
}

function groupBy(rows: Record<string, unknown>[]): Map<string, Record<string, unknown>[]> {
  return Map.groupBy(rows, (row) => String(row['oid']));
}

function toColumn(row: Record<string, unknown>): CatalogColumn {
  return {
    name: row['name'] as string,
    native: row['native'] as string,
    base: row['base'] as string,
    type: {
      name: row['type_name'] as string,
      schema: row['type_schema'] as string,
      sort: row['sort'] as string,
      category: row['category'] as string,
      modifier: row['modifier'] as number,
    },
    nullable: row['nullable'] as boolean,
    generated: row['generated'] as boolean,
    identity: row['identity'] as boolean,
    readable: row['readable'] as boolean,
  };
}

/** Rows come with the primary key first, then narrow unique indexes: the first key wins. */
function keyOf(rows: IndexRow[]): string[] {
  const key: string[] = [];
  for (const row of rows) {
    if (!row.is_key) continue;
    if (Number(row.position) === 1 && key.length > 0) break;
    key.push(row.column!);
  }
  return key;
}

function indexedColumns(rows: IndexRow[]): string[] {
  const first = rows.filter(
    (row) => Number(row.position) === 1 && row.column !== null && ['btree', 'brin'].includes(row.method),
  );
  return [...new Set(first.map((row) => row.column!))];
}
