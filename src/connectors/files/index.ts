import type { Connector } from '../../core/connector.ts';
import type { StreamOptions } from '../../core/project.ts';
import { openStorage } from '../shared/open-storage.ts';
import { exportFromUrl } from './export-url.ts';
import { type FilesConnection, filesOptions } from './options.ts';
import { filesFromUrl } from './source-url.ts';

/** Unless their names promise text. */
function maybeParquet({ files }: StreamOptions): boolean {
  const { path, format } = typeof files === 'string' ? { path: files } : (files ?? { path: '' });
  return format === undefined ? !TEXT.test(path) : format === 'parquet';
}

const TEXT = /\.(csv|tsv|txt|jsonl?|ndjson)(\.\w+)?$|\.(gz|zst|bz2|zip)$/i;

function sourceFromUrl(url: string): { path: string } | undefined {
  const files = filesFromUrl(url);
  return files && { path: files.path };
}

export const filesConnector: Connector<FilesConnection> = {
  name: 'files',
  title: 'Files',
  summary:
    'Files of CSV, JSON and Parquet in a folder or on S3: loaded once each, with a ledger of what was loaded; or written, one for a table or a day.',
  options: filesOptions,
  capabilities: {
    source: true,
    destination: true,
    atomicCommit: false,
    engine: maybeParquet,
    exports: true,
  },
  fromUrl: (url, role) => (role === 'destination' ? exportFromUrl(url) : sourceFromUrl(url)),
  streamFromUrl(url, to) {
    const found = filesFromUrl(url);
    if (!found) return undefined;
    const { name, pattern } = found;
    if (to.exports !== true) return { name, options: { files: pattern } };
    // What becomes a file again is all that there is, and no more columns than there are.
    return { name, options: { load: 'replace', files: { path: pattern, file_column: false } } };
  },
  openSource: async (options, context) => {
    const { FilesSource } = await import('./source.ts');
    return new FilesSource(await openStorage(options, context), options, context);
  },
  openDestination: async (options, context) => {
    const { FilesDestination } = await import('./destination.ts');
    return new FilesDestination(await openStorage(options, context), options, context);
  },
};
