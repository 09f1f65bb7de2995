import { resolve } from 'node:path';
import type { Connector } from '../../core/connector.ts';
import { lakeOptions, type LakeOptions } from './options.ts';

export const lakeConnector: Connector<LakeOptions> = {
  name: 'lake',
  title: 'Parquet lake',
  summary: 'Partitioned Parquet files in a folder, with atomic commits and a catalog of their own.',
  options: lakeOptions,
  capabilities: { source: true, destination: true, atomicCommit: true, engine: true },
  fromUrl: (url) =>
    /^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !url.startsWith('file://')
      ? undefined
      : { type: 'lake', path: url.replace(/^file:\/\//, '') },
  openSource: async (options, context) => new (await import('./source.ts')).LakeSource(options, context),
  openDestination: async (options, context) =>
    new (await import('./destination.ts')).LakeDestination(options, context),
  openStorage: async (options, context) =>
    (await import('../shared/local-storage.ts')).openLocalStorage(resolve(context.directory, options.path)),
};
