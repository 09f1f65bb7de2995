import { setTimeout as sleep } from 'node:timers/promises';
import type { GetObjectCommandOutput, S3 } from '@aws-sdk/client-s3';
import { throwIfAborted, TransientError } from '../../../core/errors.ts';
import type { ByteRange } from '../../../core/storage.ts';
import { s3Error, statusOf } from './s3-errors.ts';

/** One object of a bucket. */
export interface Place {
  s3: S3;
  bucket: string;
  /** All names of the storage begin with it. */
  root: string;
  /** With the prefix of the storage. */
  name: string;
  /** For messages. */
  url: string;
}

/** Connections that end one after the other without bringing a byte. */
const ATTEMPTS = 5;
const PAUSE_MS = 200;

/**
 * A part of an object as `ObjectStorage.read` promises it: when the connection is lost in the middle, what is left is asked for again,
 * of the same content. `etag`: read that content or none.
 */
export async function* readObject(
  place: Place,
  range: ByteRange = { from: 0 },
  signal?: AbortSignal,
  etag?: string,
): AsyncGenerator<Uint8Array, void> {
  const doing = `reading ${place.url}`;
  let at = range.from;
  let content = etag;
  for (let failures = 0; ;) {
    if (signal) throwIfAborted(signal);
    try {
      const answer = await request(place, { ...range, from: at }, { content, signal });
      if (answer === undefined) return;
      content = answer.ETag;
      for await (const part of answer.Body as AsyncIterable<Uint8Array>) {
        if (signal) throwIfAborted(signal);
        failures = 0;
        at += part.length;
        yield part;
      }
      return;
    } catch (error) {
      if (signal) throwIfAborted(signal);
      // What was begun is no longer there as it was.
      const gone = content !== undefined && statusOf(error) === 404;
      const found = s3Error(
        gone ? Object.assign(new Error('gone'), { name: 'PreconditionFailed' }) : error,
        doing,
      );
      const lost = found instanceof TransientError && found.code !== 'storage.changed';
      if (!lost || ++failures === ATTEMPTS) throw found;
      await sleep(PAUSE_MS * 2 ** failures);
    }
  }
}

/** Undefined when nothing is there in that range. */
async function request(
  { s3, bucket: Bucket, name: Key }: Place,
  { from, to }: ByteRange,
  { content, signal }: { content: string | undefined; signal: AbortSignal | undefined },
): Promise<GetObjectCommandOutput | undefined> {
  const http = signal ? { abortSignal: signal } : {};
  if (to !== undefined && to <= from) {
    if (content === undefined) await s3.headObject({ Bucket, Key }, http);
    return undefined;
  }
  const condition = content === undefined ? {} : { IfMatch: content };
  // Of an object without bytes no range can be had.
  const range =
    from === 0 && to === undefined ? {} : { Range: `bytes=${from}-${to === undefined ? '' : to - 1}` };
  try {
    return await s3.getObject({ Bucket, Key, ...condition, ...range }, http);
  } catch (error) {
    if (statusOf(error) === 416) return undefined;
    throw error;
  }
}
