import type { Connector } from '../../core/connector.ts';
import type { StreamOptions } from '../../core/project.ts';
import { openStorage } from '../shared/open-storage.ts';
import { type FilesConnection, filesOptions } from './options.ts';

/** Unless their names promise text. */
function maybeParquet({ files }: StreamOptions): boolean {
  const { path, format } = typeof files === 'string' ? { path: files } : (files ?? { path: '' });
  return format === undefined ? !TEXT.test(path) : format === 'parquet';
}

const TEXT = /\.(csv|tsv|txt|jsonl?|ndjson)(\.\w+)?$|\.(gz|zst|bz2|zip)$/i;

export const filesConnector: Connector<FilesConnection> = {
  name: 'files',
  title: 'Files',
  summary:
    'Files of CSV, JSON and Parquet in a folder or on S3, each loaded once, with a ledger of what was loaded.',
  options: filesOptions,
  capabilities: { source: true, destination: false, atomicCommit: false, engine: maybeParquet },
  fromUrl: () => undefined,
  openSource: async (options, context) => {
    const { FilesSource } = await import('./source.ts');
    return new FilesSource(await openStorage(options, context), options, context);
  },
};
