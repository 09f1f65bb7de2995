import type { Connector } from '../../core/connector.ts';
import { openStorage } from '../shared/open-storage.ts';
import { lakeOptions, type LakeOptions } from './options.ts';

export const lakeConnector: Connector<LakeOptions> = {
  name: 'lake',
  title: 'Parquet lake',
  summary: 'Partitioned Parquet files in a folder or on S3, with atomic commits and a catalog of their own.',
  options: lakeOptions,
  capabilities: {
    source: true,
    destination: true,
    atomicCommit: true,
    engine: true,
    accepts: ['plain-files'],
  },
  fromUrl: (url) =>
    /^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !/^(file|s3):\/\//i.test(url)
      ? undefined
      : { type: 'lake', path: url.replace(/^file:\/\//, '') },
  openSource: async (options, context) => {
    const { LakeSource } = await import('./source.ts');
    return new LakeSource(await openStorage(options, context), options, context);
  },
  openDestination: async (options, context) => {
    const { LakeDestination } = await import('./destination.ts');
    return new LakeDestination(await openStorage(options, context), options, context);
  },
  openStorage,
};
