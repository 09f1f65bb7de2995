import type { Connector } from '../../core/connector.ts';
import { type DumpConnection, dumpOptions } from './options.ts';

export const dumpConnector: Connector<DumpConnection> = {
  name: 'dump',
  title: 'SQL dump',
  summary: 'The tables of a dump of PostgreSQL, MySQL or MariaDB, read without a server.',
  options: dumpOptions,
  capabilities: { source: true, destination: false, atomicCommit: false },
  fromUrl: (url) =>
    /^(?![a-z][a-z0-9+.-]+:\/\/).*\.sql(\.(gz|gzip|zst|zstd))?$/i.test(url)
      ? { type: 'dump', path: url }
      : undefined,
  openSource: async (options, context) => new (await import('./source.ts')).DumpSource(options, context),
};
