import type { Connector } from '../../core/connector.ts';
import { mysqlOptions, type MysqlOptions } from './options.ts';

export const mysqlConnector: Connector<MysqlOptions> = {
  name: 'mysql',
  title: 'MySQL and MariaDB',
  summary:
    'Tables, views and queries of MySQL 5.7 and MariaDB 10.4 and later, read as binary rows and written by LOAD DATA.',
  options: mysqlOptions,
  capabilities: { source: true, destination: true, atomicCommit: true, versions: true },
  fromUrl: (url) => (/^(mysql|mariadb):\/\//i.test(url) ? { type: 'mysql', url } : undefined),
  // The driver is loaded only when something is read.
  openSource: async (options, context) => new (await import('./source.ts')).MysqlSource(options, context),
  openDestination: async (options, context) => {
    const [{ SqlDestination }, { MysqlTarget }] = await Promise.all([
      import('../shared/sql/destination.ts'),
      import('./target.ts'),
    ]);
    return new SqlDestination(new MysqlTarget(options, context));
  },
};
