import type { ConnectorContext } from '../core/connector.ts';
import type { SqlSystem } from './shared/sql/system.ts';

/** Connectors whose destination is tables of SQL. */
const SYSTEMS: Readonly<Record<string, (options: unknown, context: ConnectorContext) => Promise<SqlSystem>>> =
  {
    postgres: async (options, context) =>
      new (await import('./postgres/target.ts')).PostgresTarget(options as never, context),
    mysql: async (options, context) =>
      new (await import('./mysql/target.ts')).MysqlTarget(options as never, context),
    duckdb: async (options, context) =>
      new (await import('./duckdb/target.ts')).DuckdbTarget(options as never, context),
  };

/** The database of a connection, for whoever makes tables that no pipeline loads; undefined for other systems. */
export function openSqlSystem(
  connector: string,
  options: unknown,
  context: ConnectorContext,
): Promise<SqlSystem> | undefined {
  return SYSTEMS[connector]?.(options, context);
}
