/** Objects of a bucket, below a prefix. Protocol: the Amazon S3 API Reference, 2006-03-01. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { ConfigError, InternalError, TransientError } from '../../../core/errors.ts';
import {
  type ByteRange,
  compareKeys,
  type ListOptions,
  type LocalCopies,
  type ObjectStorage,
  type StoredObject,
} from '../../../core/storage.ts';
import { checkKey, checkPrefix, isKey, UNFINISHED } from '../object-key.ts';
import { CopiedObjects } from './local-copies.ts';
import { s3Error, statusOf } from './s3-errors.ts';
import { type Place, readObject } from './s3-read.ts';
import { PUT_MARK, uploadFile } from './s3-upload.ts';

export interface S3Options {
  bucket: string;
  /** Without a slash at its ends; may be empty. */
  prefix: string;
  endpoint: string | undefined;
  region: string | undefined;
  forcePathStyle: boolean;
  profile: string | undefined;
  cache: { folder: string; bytes: number };
}

/** Requests of one DeleteObjects, as S3 limits them. */
const DELETE_KEYS = 1000;
/** Objects that are looked at one by one. */
const MOST_HEADS = 16;
/** How often a request is sent, with longer and longer pauses between. */
const ATTEMPTS = 5;
const CONNECT_MS = 10_000;
const IDLE_MS = 60_000;
const CONFLICT_ATTEMPTS = 20;
/** Also tells, in every bucket, whether its store keeps the promise of conditional puts. */
const CONDITION_KEY = `${UNFINISHED}conditional-put`;

/** The SDK is loaded here. */
export async function openS3Storage(options: S3Options): Promise<ObjectStorage> {
  const { S3 } = await import('@aws-sdk/client-s3');
  const { endpoint, region, profile, forcePathStyle } = options;
  const client = new S3({
    ...(endpoint !== undefined && { endpoint }),
    // Stores of one's own have regions in name only, and want any.
    ...(region !== undefined
      ? { region }
      : endpoint !== undefined && !process.env['AWS_REGION'] && { region: 'us-east-1' }),
    ...(profile !== undefined && { profile }),
    forcePathStyle,
    retryMode: 'standard',
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS, httpAgent: {}, httpsAgent: {} },
  });
  return new S3Storage(client, options);
}

class S3Storage implements ObjectStorage {
  readonly #s3: S3;
  readonly #bucket: string;
  /** Ends with a slash unless it is empty. */
  readonly #prefix: string;
  readonly #endpoint: string | undefined;
  readonly #copies: CopiedObjects;
  #conditional: Promise<void> | undefined;

  constructor(s3: S3, options: S3Options) {
    this.#s3 = s3;
    this.#bucket = options.bucket;
    this.#prefix = options.prefix === '' ? '' : `${options.prefix}/`;
    this.#endpoint = options.endpoint;
    this.#copies = new CopiedObjects({
      folder: options.cache.folder,
      limit: options.cache.bytes,
      storage: this.describe(),
      name: options.prefix.slice(options.prefix.lastIndexOf('/') + 1) || options.bucket,
      etagsOf: (keys) => this.#etagsOf(keys),
      download: async (key, etag, file) =>
        pipeline(
          readObject(this.#place(key), undefined, undefined, etag),
          createWriteStream(file, { flags: 'wx', flush: true }),
        ),
    });
  }

  describe(): string {
    const url = `"s3://${this.#bucket}/${this.#prefix}"`;
    return this.#endpoint === undefined ? url : `${url} at ${this.#endpoint}`;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    try {
      for await (const part of this.read(key)) parts.push(part);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'storage.missing') return undefined;
      throw error;
    }
    return parts.length === 0 ? undefined : Buffer.concat(parts);
  }

  read(key: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return readObject(this.#place(key), range, signal);
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const place = this.#place(key);
    checkFull(bytes);
    await (this.#conditional ??= this.#checkCondition().catch((error: unknown) => {
      this.#conditional = undefined;
      throw error;
    }));
    return this.#create(place, bytes);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { bucket: Bucket, name: Key, url } = this.#place(key);
    checkFull(bytes);
    await attempt(`writing ${url}`, () => this.#s3.putObject({ Bucket, Key, Body: bytes }));
  }

  async upload(key: string, localPath: string): Promise<void> {
    const etag = await uploadFile(this.#place(key), localPath);
    // A load that replaces these rows reads them soon.
    await this.#copies.keep(key, etag, localPath);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoredObject[]> {
    checkPrefix(prefix);
    const query = {
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      // Names may hold what XML cannot.
      EncodingType: 'url' as const,
      ...(options.startAfter && { StartAfter: this.#prefix + options.startAfter }),
    };
    const found: StoredObject[] = [];
    let next: string | undefined;
    do {
      const page = await attempt(`listing "s3://${this.#bucket}/${query.Prefix}"`, () =>
        this.#s3.listObjectsV2({ ...query, ...(next !== undefined && { ContinuationToken: next }) }),
      );
      for (const object of page.Contents ?? []) {
        const name = page.EncodingType === 'url' ? decoded(object.Key!) : object.Key!;
        const key = name.slice(this.#prefix.length);
        if (!isKey(key)) {
          // Folders that consoles make are objects without bytes, whose names end with a slash.
          if (object.Size !== 0 || !key.endsWith('/')) options.onUnnamed?.(key);
          continue;
        }
        if (object.Size === 0 && options.empty !== true) continue;
        found.push({
          key,
          size: object.Size ?? 0,
          modifiedAt: object.LastModified?.getTime() ?? 0,
          etag: object.ETag,
        });
      }
      next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (next !== undefined);
    return found.sort((a, b) => compareKeys(a.key, b.key));
  }

  async delete(keys: readonly string[]): Promise<void> {
    const places = keys.map((key) => this.#place(key));
    for (let at = 0; at < places.length; at += DELETE_KEYS)
      await this.#delete(places.slice(at, at + DELETE_KEYS));
  }

  async #delete(places: readonly Place[]): Promise<void> {
    const doing = `deleting ${places.length === 1 ? places[0]!.url : `${places.length} objects of ${this.describe()}`}`;
    const answer = await attempt(doing, () =>
      this.#s3.deleteObjects({
        Bucket: this.#bucket,
        Delete: { Quiet: true, Objects: places.map(({ name }) => ({ Key: name })) },
      }),
    );
    const refused = (answer.Errors ?? []).find(({ Code }) => Code !== 'NoSuchKey');
    if (!refused) return;
    const error = Object.assign(new Error(refused.Message ?? 'refused'), { name: refused.Code ?? 'Error' });
    throw s3Error(error, `deleting "s3://${this.#bucket}/${refused.Key ?? ''}"`);
  }

  fetch(keys: readonly string[], signal?: AbortSignal): Promise<LocalCopies> {
    return this.#copies.fetch(keys, signal);
  }

  localPath(key: string): string {
    return this.#copies.path(key);
  }

  #place(key: string): Place {
    checkKey(key);
    const name = this.#prefix + key;
    return {
      s3: this.#s3,
      bucket: this.#bucket,
      root: this.#prefix,
      name,
      url: `"s3://${this.#bucket}/${name}"`,
    };
  }

  /** Those of many objects come with a listing, a thousand at a time. */
  async #etagsOf(keys: readonly string[]): Promise<Map<string, string>> {
    const etags = new Map<string, string>();
    if (keys.length > MOST_HEADS)
      for (const { key, etag } of await this.list(commonFolder(keys)))
        if (etag !== undefined) etags.set(key, etag);
    const rest = keys.filter((key) => !etags.has(key)).values();
    const lane = async (): Promise<void> => {
      for (const key of rest) etags.set(key, await this.#etagOf(key));
    };
    await Promise.all(Array.from({ length: MOST_HEADS }, lane));
    return etags;
  }

  async #etagOf(key: string): Promise<string> {
    const { bucket: Bucket, name: Key, url } = this.#place(key);
    const doing = `looking at ${url}`;
    const { ETag } = await attempt(doing, () => this.#s3.headObject({ Bucket, Key }));
    if (ETag !== undefined) return ETag;
    throw new ConfigError(`${doing}: the storage does not say which content it has`, {
      code: 'storage.no_etag',
      remedy: 'use a store that gives every object an ETag',
    });
  }

  /**
   * The store creates the object unless it is there. An answer that got lost makes the SDK ask again, and the second answer
   * then is that an object exists: a mark tells whether that is ours.
   */
  async #create({ bucket: Bucket, name: Key, url }: Place, bytes: Uint8Array): Promise<boolean> {
    const mark = randomUUID();
    const doing = `creating ${url}`;
    for (let round = 1; ; round++) {
      try {
        await this.#s3.putObject({
          Bucket,
          Key,
          Body: bytes,
          IfNoneMatch: '*',
          Metadata: { [PUT_MARK]: mark },
        });
        return true;
      } catch (error) {
        const status = statusOf(error);
        // Another one is writing there at this moment: S3 wants the request again.
        if (status !== 409 && status !== 412) throw s3Error(error, doing);
      }
      const there = await attempt(doing, () => headIfThere(this.#s3, { Bucket, Key }));
      if (there) return there.Metadata?.[PUT_MARK] === mark;
      if (round === CONFLICT_ATTEMPTS)
        throw new TransientError(`${doing}: others write and delete it all the time`, { code: 'storage.io' });
      await sleep(50 * round);
    }
  }

  /** Where a store knows no conditions, everybody who commits would win: it must not be written to. */
  async #checkCondition(): Promise<void> {
    const request = {
      Bucket: this.#bucket,
      Key: this.#prefix + CONDITION_KEY,
      Body: 'Sluice has asked whether this storage creates objects only once.\n',
      IfNoneMatch: '*',
    };
    const doing = `looking whether ${this.describe()} creates objects only once`;
    for (let round = 1; round <= 2; round++) {
      try {
        await this.#s3.putObject(request);
      } catch (error) {
        const status = statusOf(error);
        if (status === 412 || status === 409) return;
        // What is not there yet was made by the first round.
        if (status !== 501 && status !== 400) throw s3Error(error, doing);
        break;
      }
    }
    throw new ConfigError(`${doing}: it does not, so that two runs could overwrite each other's commits`, {
      code: 'storage.no_conditional_put',
      remedy:
        'use a store that knows If-None-Match for PutObject: Amazon S3, MinIO, Cloudflare R2, Ceph from 20 on',
    });
  }
}

async function headIfThere(
  s3: S3,
  object: { Bucket: string; Key: string },
): Promise<{ Metadata?: Record<string, string> | undefined } | undefined> {
  try {
    return await s3.headObject(object);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw s3Error(error, doing);
  }
}

function checkFull(bytes: Uint8Array): void {
  if (bytes.length === 0)
    throw new InternalError('writing an object: it has no bytes', { code: 'storage.empty_object' });
}

function commonFolder(keys: readonly string[]): string {
  let common = keys[0]!;
  for (const key of keys) while (!key.startsWith(common)) common = common.slice(0, -1);
  return common.slice(0, common.lastIndexOf('/') + 1);
}

function decoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
