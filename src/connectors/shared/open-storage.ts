import path from 'node:path';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError } from '../../core/errors.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { CacheOptions, StorageOptionsInput } from './storage-options.ts';

const S3 = /^s3:\/\//i;

/** Where the files of a connection are: a local folder, or a bucket. Nothing above knows which. */
export async function openStorage(
  options: StorageOptionsInput & CacheOptions,
  context: ConnectorContext,
): Promise<ObjectStorage> {
  if (!S3.test(options.path)) {
    const { openLocalStorage } = await import('./local-storage.ts');
    return openLocalStorage(path.resolve(context.directory, options.path));
  }
  const { openS3Storage } = await import('./s3/s3-storage.ts');
  const { region, profile, cache, cache_size: cacheBytes } = options;
  // Told here, too, since it decides where the bucket is written.
  const endpoint = options.endpoint ?? process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  return openS3Storage({
    ...bucketOf(options.path),
    endpoint,
    region,
    profile,
    forcePathStyle: options.force_path_style ?? endpoint !== undefined,
    cache: { folder: path.resolve(context.directory, cache), bytes: cacheBytes },
  });
}

/** Parts that are empty, such as a slash at the end, mean nothing. */
function bucketOf(url: string): { bucket: string; prefix: string } {
  const [bucket, ...parts] = url
    .replace(S3, '')
    .split('/')
    .filter((part) => part !== '');
  if (bucket === undefined)
    throw new ConfigError(`opening ${url}: it names no bucket`, {
      code: 'storage.no_bucket',
      remedy: 'write s3://<bucket>/<prefix>',
    });
  return { bucket, prefix: parts.join('/') };
}
