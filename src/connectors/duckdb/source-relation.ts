/** Finds what a stream's name or query stands for in the file, and what is read of it. */
import { ConfigError } from '../../core/errors.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { duckName } from '../../duckdb/types.ts';
import { type Relation, resolveRelation } from '../shared/duckdb/relation.ts';
import type { SourceEngine } from '../shared/duckdb/source-engine.ts';
import { splitName } from '../shared/stream-name.ts';
import { type CatalogTable, readCatalog } from './catalog.ts';
import { forcedColumn, mapColumn } from '../shared/duckdb/column-types.ts';

export interface Found {
  /** Body of a FROM clause. */
  from: string;
  /** Undefined for queries. */
  table: CatalogTable | undefined;
  relation: Relation;
}

/** Where a snapshot looks. */
export interface Place {
  engine: SourceEngine;
  /** Name of the database, and of the schema of names without one. */
  database: string;
  schema: string;
}

export async function findRelation(place: Place, stream: StreamConfig, signal: AbortSignal): Promise<Found> {
  const { from, table, columns } =
    stream.sql === undefined
      ? await findTable(place, stream, signal)
      : await findQuery(place, stream.sql, stream.name, signal);
  const relation = resolveRelation({
    stream,
    columns: columns.map(mapColumn),
    key: table?.key ?? [],
    native: ({ name }) => columns.find((column) => column.name === name)!.native,
    forced: forcedColumn,
    mistakes: [],
  });
  return { from, table, relation };
}

type Columns = { name: string; native: string; nullable: boolean }[];

async function findTable(
  { engine, database, schema }: Place,
  { name }: StreamConfig,
  signal: AbortSignal,
): Promise<{ from: string; table: CatalogTable; columns: Columns }> {
  const parts = splitName(name);
  const one = { schema: parts.length > 1 ? parts[0]! : schema, name: parts.at(-1)! };
  const found = parts.length > 2 ? [] : await readCatalog(engine, database, signal, one);
  const [table] = found;
  if (!table)
    throw new ConfigError(`reading ${name}: the file has no such table or view`, {
      code: 'duckdb.no_table',
      remedy: '`sluice discover` lists what is there',
      details: { stream: name },
    });
  const from = [database, table.schema, table.name].map(duckName).join('.');
  return { from, table, columns: table.columns };
}

async function findQuery(
  { engine }: Place,
  sql: string,
  name: string,
  signal: AbortSignal,
): Promise<{ from: string; table: undefined; columns: Columns }> {
  const from = `(${sql.replace(/;\s*$/, '')}\n) AS sluice_query`;
  try {
    const columns = await engine.rows(
      `SELECT '=' || column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${from})`,
      signal,
    );
    return {
      from,
      table: undefined,
      columns: columns.map((row) => ({
        name: String(row['name']).slice(1),
        native: String(row['type']),
        nullable: true,
      })),
    };
  } catch (error) {
    if (!(error instanceof Error) || !/^(Binder|Parser|Catalog) Error/.test(error.message)) throw error;
    throw new ConfigError(`reading the query of ${name}: ${error.message.split('\n')[0]!}`, {
      code: 'stream.invalid',
      remedy: 'it is a query in the SQL of DuckDB',
      cause: error,
    });
  }
}
