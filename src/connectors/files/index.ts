import type { Connector } from '../../core/connector.ts';
import { openStorage } from '../shared/open-storage.ts';
import { type FilesConnection, filesOptions } from './options.ts';

export const filesConnector: Connector<FilesConnection> = {
  name: 'files',
  title: 'Files',
  summary: 'Files of CSV and JSON in a folder or on S3, each loaded once, with a ledger of what was loaded.',
  options: filesOptions,
  capabilities: { source: true, destination: false, atomicCommit: false },
  fromUrl: () => undefined,
  openSource: async (options, context) => {
    const { FilesSource } = await import('./source.ts');
    return new FilesSource(await openStorage(options, context), options, context);
  },
};
