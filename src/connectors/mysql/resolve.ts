/** Finds what a stream's name or query stands for. */
import { ConfigError } from '../../core/errors.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { splitName } from '../shared/stream-name.ts';
import { type CatalogColumn, type CatalogTable, readCatalog } from './catalog.ts';
import type { Client } from './client.ts';
import { mysqlError } from './errors.ts';
import { nativeOf } from './result-types.ts';
import { describeColumns } from './rows-out.ts';

export interface Found {
  from: string;
  /** Undefined for queries. */
  table: CatalogTable | undefined;
  columns: CatalogColumn[];
  key: string[];
}

export async function findRelation(
  client: Client,
  stream: StreamConfig,
  database: string | undefined,
): Promise<Found> {
  if (stream.sql !== undefined) return findQuery(client, stream.sql, stream.name);
  const parts = splitName(stream.name);
  const name = parts.at(-1)!;
  const schema = parts.length > 1 ? parts[0]! : database;
  const found =
    schema === undefined || parts.length > 2 ? [] : await readCatalog(client, { table: { schema, name } });
  // The catalog may compare names without regard to case where the server's files do regard it.
  const table = found.find((each) => each.schema === schema && each.name === name) ?? found[0];
  if (!table) {
    throw new ConfigError(`reading ${stream.name}: there is no such table or view`, {
      code: 'mysql.no_table',
      remedy: '`sluice discover` lists what this account can see',
      details: { stream: stream.name },
    });
  }
  return { from: fromClause(table), table, columns: table.columns, key: table.key };
}

function fromClause(table: { schema: string; name: string }): string {
  return `${quoteBackticks(table.schema)}.${quoteBackticks(table.name)}`;
}

async function findQuery(client: Client, sql: string, name: string): Promise<Found> {
  const from = `(${sql.replace(/;\s*$/, '')}\n) AS sluice_query`;
  try {
    const columns = await describeColumns(client, `SELECT * FROM ${from}`);
    return {
      from,
      table: undefined,
      columns: columns.map((column): CatalogColumn => {
        const { type, native } = nativeOf(column);
        return {
          name: column.name,
          native,
          type,
          nullable: true,
          rising: false,
          readable: true,
          comment: '',
        };
      }),
      key: [],
    };
  } catch (error) {
    throw mysqlError(error, `reading the query of ${name}`);
  }
}
