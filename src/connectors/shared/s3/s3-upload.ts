import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteRange } from '../../../core/storage.ts';
import { storageError } from '../storage-error.ts';
import { s3Error, statusOf } from './s3-errors.ts';
import type { Place } from './s3-read.ts';

/** Parts are held in memory so that they can be sent again: so many bytes of so many parts. */
const PART_BYTES = 8 << 20;
const PARALLEL = 3;
/** As S3 limits them. */
const MOST_PARTS = 10_000;
/** Nobody uploads one file for so long: its writer was killed. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
/** Metadata that tells what one call has written from what others have. */
export const PUT_MARK = 'sluice-put';

/** Creates or replaces the object from a file, which stays. Nobody sees a part of it. Returns the etag of the new content. */
export async function uploadFile(place: Place, file: string): Promise<string> {
  const reading = `reading "${file}"`;
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw storageError(error, reading);
  });
  try {
    const { size } = await handle.stat();
    const read = (from: number, to: number): Promise<Uint8Array> => readPart(handle, { from, to }, reading);
    if (size > PART_BYTES) return await uploadParts(place, read, size);
    const { s3, bucket: Bucket, name: Key } = place;
    return etagIn(await s3.putObject({ Bucket, Key, Body: await read(0, size) }));
  } catch (error) {
    throw s3Error(error, `uploading ${place.url}`);
  } finally {
    await handle.close();
  }
}

type Read = (from: number, to: number) => Promise<Uint8Array>;

async function uploadParts(place: Place, read: Read, size: number): Promise<string> {
  const { s3, bucket: Bucket, name: Key } = place;
  const mark = randomUUID();
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key, Metadata: { [PUT_MARK]: mark } });
  const upload = { Bucket, Key, UploadId };
  underWay.add(UploadId);
  const bytes = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
  const Parts: { ETag: string; PartNumber: number }[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let part = next++; part * bytes < size; part = next++) {
      const Body = await read(part * bytes, Math.min((part + 1) * bytes, size));
      const PartNumber = part + 1;
      Parts[part] = { ETag: etagIn(await s3.uploadPart({ ...upload, PartNumber, Body })), PartNumber };
    }
  };
  const stopping = (): Promise<void> =>
    lane().catch((error: unknown) => {
      next = MOST_PARTS;
      throw error;
    });
  try {
    const lanes = await Promise.allSettled(Array.from({ length: PARALLEL }, stopping));
    const failed = lanes.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    const etag = await complete(place, { UploadId, Parts, mark });
    void abortAbandoned(place);
    return etag;
  } catch (error) {
    // Its parts would be paid for until a later upload finds them.
    await s3.abortMultipartUpload(upload).catch(() => undefined);
    throw error;
  } finally {
    underWay.delete(UploadId);
  }
}

interface Finished {
  UploadId: string | undefined;
  Parts: { ETag: string; PartNumber: number }[];
  mark: string;
}

async function complete(
  { s3, bucket: Bucket, name: Key }: Place,
  { UploadId, Parts, mark }: Finished,
): Promise<string> {
  try {
    return etagIn(await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    // The SDK has asked again after an answer that got lost: the upload is gone because it is done.
    const there = await s3.headObject({ Bucket, Key }).catch(() => undefined);
    if (there?.Metadata?.[PUT_MARK] === mark) return etagIn(there);
    throw error;
  }
}

/** Uploads of this process. */
const underWay = new Set<string | undefined>();
/** Clients whose bucket was looked at. */
const swept = new WeakSet<object>();

/** Gives up what killed processes have begun. What it may not do is left to a rule of the bucket. */
async function abortAbandoned({ s3, bucket: Bucket, root: Prefix }: Place): Promise<void> {
  if (swept.has(s3)) return;
  swept.add(s3);
  try {
    const { Uploads = [] } = await s3.listMultipartUploads({ Bucket, Prefix });
    for (const { Key, UploadId, Initiated } of Uploads)
      if (!underWay.has(UploadId) && Date.now() - (Initiated?.getTime() ?? Infinity) > ABANDONED_AFTER_MS)
        await s3.abortMultipartUpload({ Bucket, Key, UploadId });
  } catch {
    // Nothing is wrong with the object that was uploaded.
  }
}

async function readPart(
  handle: FileHandle,
  { from, to }: Required<ByteRange>,
  doing: string,
): Promise<Uint8Array> {
  const part = new Uint8Array(Number(to) - from);
  try {
    for (let at = 0; at < part.length;) {
      const { bytesRead } = await handle.read(part, at, part.length - at, from + at);
      if (bytesRead === 0) throw new Error('the file became shorter');
      at += bytesRead;
    }
    return part;
  } catch (error) {
    throw storageError(error, doing);
  }
}

function etagIn({ ETag }: { ETag?: string | undefined }): string {
  return ETag ?? '';
}
