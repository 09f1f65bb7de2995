/** Finds what a stream's name or query stands for. */
import type pg from 'pg';
import { ConfigError, TransientError } from '../../core/errors.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { quoteName } from '../shared/quote.ts';
import { splitName } from '../shared/stream-name.ts';
import { readCatalog, type CatalogColumn, type CatalogTable } from './catalog.ts';
import { postgresError } from './errors.ts';

export interface Found {
  from: string;
  /** Undefined for queries. */
  table: CatalogTable | undefined;
  columns: CatalogColumn[];
  key: string[];
  /** The relation and all that inherit from it; undefined for views and queries, which read who knows what. */
  relations: number[] | undefined;
}

export async function findRelation(client: pg.ClientBase, stream: StreamConfig): Promise<Found> {
  if (stream.sql !== undefined) return findQuery(client, stream.sql, stream.name);
  const { rows } = await client.query<{ oid: string | null }>('SELECT to_regclass($1)::oid::int8 AS oid', [
    quoteStreamName(stream.name),
  ]);
  const oid = rows[0]?.oid;
  const table = oid === null || oid === undefined ? undefined : (await readCatalog(client, Number(oid)))[0];
  if (oid && !table) {
    throw new TransientError(`reading ${stream.name}: the table was made after the snapshot was taken`, {
      code: 'engine.old_snapshot',
      remedy: 'run again',
    });
  }
  if (!table) {
    throw new ConfigError(`reading ${stream.name}: there is no such table or view`, {
      code: 'postgres.no_table',
      remedy: '`sluice discover` lists what this role can see',
      details: { stream: stream.name },
    });
  }
  const from = `${quoteName(table.schema)}.${quoteName(table.name)}`;
  const readable = table.kind !== 'v' && table.kind !== 'm' && table.kind !== 'f';
  return {
    from,
    table,
    columns: table.columns,
    key: table.key,
    relations: readable ? await withChildren(client, table) : undefined,
  };
}

/** `public.orders` or `public."Odd.Name"` as to_regclass wants it: parts that are not quoted are taken literally, not folded. */
export function quoteStreamName(name: string): string {
  return splitName(name).map(quoteName).join('.');
}

async function withChildren(client: pg.ClientBase, table: CatalogTable): Promise<number[]> {
  if (!table.hasChildren) return [table.oid];
  const { rows } = await client.query<{ oid: string }>(
    `WITH RECURSIVE tree AS (SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)
     SELECT oid::int8 AS oid FROM tree`,
    [table.oid],
  );
  return rows.map((row) => Number(row.oid));
}

async function findQuery(client: pg.ClientBase, sql: string, name: string): Promise<Found> {
  const from = `(${sql.replace(/;\s*$/, '')}\n) AS sluice_query`;
  let fields: pg.FieldDef[];
  try {
    fields = (await client.query(`SELECT * FROM ${from} LIMIT 0`)).fields;
  } catch (error) {
    throw postgresError(error, `reading the query of ${name}`);
  }
  const { rows } = await client.query<{
    oid: string;
    name: string;
    schema: string;
    sort: string;
    category: string;
  }>(
    `SELECT t.oid::int8 AS oid, t.typname AS name, n.nspname AS schema, t.typtype AS sort, t.typcategory AS category
       FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY($1::oid[])`,
    [fields.map((field) => field.dataTypeID)],
  );
  const natives = await client.query<{ native: string }>(
    'SELECT pg_catalog.format_type(oid, modifier) AS native FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS t(oid, modifier, n) ORDER BY n',
    [fields.map((field) => field.dataTypeID), fields.map((field) => field.dataTypeModifier)],
  );
  const columns = fields.map((field, i): CatalogColumn => {
    const type = rows.find((row) => Number(row.oid) === field.dataTypeID)!;
    return {
      name: field.name,
      native: natives.rows[i]!.native,
      base: natives.rows[i]!.native,
      type: {
        name: type.name,
        schema: type.schema,
        sort: type.sort,
        category: type.category,
        modifier: field.dataTypeModifier,
      },
      nullable: true,
      generated: false,
      identity: false,
      readable: true,
    };
  });
  return { from, table: undefined, columns, key: [], relations: undefined };
}
