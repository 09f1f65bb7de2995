/** How files are packed, and unpacking them as a stream. What is broken, damaged or cut off is an error and never less text. */
import { Readable, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { ConfigError, DataError, SluiceError } from '../../../core/errors.ts';
import type { FileCompression } from '../../../core/ledger.ts';
import { unpackBzip2 } from './bzip2.ts';

/** Of a stream of bytes; an archive has one for each of its entries. */
export type Packing = Exclude<FileCompression, 'zip'> | 'deflate';

const ENDINGS: Readonly<Record<string, FileCompression>> = {
  gz: 'gzip',
  gzip: 'gzip',
  zst: 'zstd',
  zstd: 'zstd',
  bz2: 'bzip2',
  bzip2: 'bzip2',
  zip: 'zip',
};

/** What is no text in any encoding. */
const FOREIGN = /\.(tar|xz|7z|rar|avro|orc|xlsx?|tgz|tbz2?)$|\.(tar)\.[^./]+$/i;

/** By the ending of a name; throws ConfigError for one that promises something else than text. */
export function compressionOf(path: string): FileCompression {
  const [, last, inner] = FOREIGN.exec(path) ?? [];
  const foreign = last ?? inner;
  if (foreign !== undefined)
    throw notReadable(path, `${foreign.toLowerCase()} files cannot be read here`, {
      remedy:
        'unpack it, or choose another one with `path`: text is read plain or packed by gzip, zstd, bzip2 or zip',
    });
  return ENDINGS[/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'none';
}

export function notReadable(path: string, found: string, { remedy }: { remedy: string }): ConfigError {
  return new ConfigError(`reading "${path}": ${found}`, {
    code: 'files.packing',
    remedy,
    details: { file: path },
  });
}

/** What is wrong with packed data is told by the name of its file; what goes wrong in the storage, as such. */
export function unsound(error: unknown, path: string, packing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  return new DataError(`reading "${path}": its ${packing} data is broken or ends too early`, {
    code: 'files.compression',
    remedy: 'write the file again, or say with `compression` how it is packed',
    details: { file: path },
    cause: error,
  });
}

/** Throws whatever the unpacker says, for {@link unsound}. */
export function unpacked(
  stored: AsyncGenerator<Uint8Array>,
  path: string,
  packing: Packing,
): AsyncGenerator<Uint8Array> {
  if (packing === 'none') return stored;
  return packing === 'bzip2' ? unpackBzip2(stored) : throughUnpacker(stored, path, packing);
}

async function* throughUnpacker(
  stored: AsyncGenerator<Uint8Array>,
  path: string,
  packing: Packing,
): AsyncGenerator<Uint8Array> {
  const unpacker = unpackerOf(path, packing, 1 << 18);
  const source = Readable.from(stored, { objectMode: false });
  // What goes wrong in the storage is told as such, and not as a broken file.
  let broken: unknown;
  source.on('error', (error) => {
    broken = error;
    unpacker.destroy(error);
  });
  try {
    for await (const piece of source.pipe(unpacker)) yield piece as Uint8Array;
  } catch (error) {
    throw broken ?? error;
  } finally {
    source.destroy();
    unpacker.destroy();
  }
}

function unpackerOf(path: string, packing: Packing, chunkSize: number): Transform {
  if (packing === 'gzip') return zlib.createGunzip({ chunkSize });
  if (packing === 'deflate') return zlib.createInflateRaw({ chunkSize });
  // Node has it from 22.15 on.
  if ('createZstdDecompress' in zlib) return zlib.createZstdDecompress({ chunkSize });
  throw notReadable(path, `this Node cannot unpack ${packing}`, {
    remedy: 'use Node 22.15 or newer, or gzip',
  });
}
