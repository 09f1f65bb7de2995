import type { Connector } from '../../core/connector.ts';
import { postgresOptions, type PostgresOptions } from './options.ts';

export const postgresConnector: Connector<PostgresOptions> = {
  name: 'postgres',
  title: 'PostgreSQL',
  summary: 'Tables, views and queries of PostgreSQL 12 and later, read and written by binary COPY.',
  options: postgresOptions,
  capabilities: {
    source: true,
    destination: true,
    atomicCommit: true,
    versions: true,
    accepts: ['postgres-copy'],
  },
  fromUrl: (url) => (/^postgres(ql)?:\/\//.test(url) ? { type: 'postgres', url } : undefined),
  // The driver is loaded only when something is read.
  openSource: async (options, context) => new (await import('./source.ts')).PostgresSource(options, context),
  openDestination: async (options, context) => {
    const [{ SqlDestination }, { PostgresTarget }] = await Promise.all([
      import('../shared/sql/destination.ts'),
      import('./target.ts'),
    ]);
    return new SqlDestination(new PostgresTarget(options, context));
  },
};
