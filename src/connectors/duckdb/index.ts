import type { Connector } from '../../core/connector.ts';
import { duckdbOptions, type DuckdbOptions } from './options.ts';

export const duckdbConnector: Connector<DuckdbOptions> = {
  name: 'duckdb',
  title: 'DuckDB',
  summary: 'Tables and views of a DuckDB database file, read and written without a server.',
  options: duckdbOptions,
  capabilities: {
    source: true,
    destination: true,
    atomicCommit: true,
    engine: true,
    versions: true,
    accepts: ['plain-files'],
  },
  fromUrl: (url) => {
    const path = /^duckdb:(?:\/\/)?(.+)$/i.exec(url)?.[1] ?? (/^[^?]+\.duckdb$/i.test(url) ? url : undefined);
    return path === undefined || /^[a-z][a-z0-9+.-]+:\/\//i.test(path) ? undefined : { type: 'duckdb', path };
  },
  // DuckDB is loaded only when something is read or written.
  openSource: async (options, context) => new (await import('./source.ts')).DuckdbSource(options, context),
  openDestination: async (options, context) => {
    const [{ SqlDestination }, { DuckdbTarget }] = await Promise.all([
      import('../shared/sql/destination.ts'),
      import('./target.ts'),
    ]);
    return new SqlDestination(new DuckdbTarget(options, context));
  },
};
