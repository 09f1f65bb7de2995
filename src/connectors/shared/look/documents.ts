/** The texts that files have: a file is one, an archive has one for each of its entries, and counts as one file all the same. */
import { ConfigError, SluiceError } from '../../../core/errors.ts';
import type { FileFormat, FilesConfig } from '../../../core/ledger.ts';
import type { ObjectStorage, StoredObject } from '../../../core/storage.ts';
import { checksum, crcText } from '../file-checksum.ts';
import { compressionOf, type Packing } from '../text/packing.ts';
import { type TextForm, textOf } from '../text/text-stream.ts';
import { readArchive, type ZipArchive, type ZipEntry } from '../text/zip.ts';
import { type Form, formatOf, lookAt } from './look.ts';

export interface FileDocument {
  file: StoredObject;
  /** For people, and for records that do not fit. */
  name: string;
  packing: Packing;
  entry: ZipEntry | undefined;
  /** Of the directory of the archive that it is in. */
  crc32: string | undefined;
}

/** A file that cannot be read. */
export interface FileProblem {
  file: StoredObject;
  error: SluiceError;
}

export interface Documents {
  documents: FileDocument[];
  problems: FileProblem[];
  /** Names of what lies in archives and is no text. */
  others: string[];
}

interface Place {
  storage: ObjectStorage;
  config: FilesConfig;
  signal: AbortSignal;
}

/** What is wrong with one file, and not with the storage as a whole. */
const OF_FILES: ReadonlySet<string> = new Set([
  'files.compression',
  'files.packing',
  'files.record_too_long',
  'files.too_many_fields',
  'files.too_many_names',
  'files.type',
  'storage.missing',
  'storage.changed',
  'storage.permission',
]);

/** The error of a file, where others can be read nevertheless; throws any other one. */
export function problemOf(error: unknown): SluiceError {
  if (error instanceof SluiceError && OF_FILES.has(error.code)) return error;
  throw error;
}

const HEAD_BYTES = 1 << 18;

export function packingOf(path: string, { compression }: FilesConfig): ReturnType<typeof compressionOf> {
  return compression ?? compressionOf(path);
}

function isArchive(path: string, config: FilesConfig): boolean {
  return packingOf(path, config) === 'zip';
}

export async function documentsOf(files: readonly StoredObject[], place: Place): Promise<Documents> {
  const found: Documents = { documents: [], problems: [], others: [] };
  for (const file of files) {
    try {
      await addFile(file, place, found);
    } catch (error) {
      found.problems.push({ file, error: problemOf(error) });
    }
  }
  refuseMixed(
    found.documents.map(({ name }) => name),
    place.config,
  );
  return found;
}

async function addFile(file: StoredObject, place: Place, found: Documents): Promise<void> {
  const packing = packingOf(file.key, place.config);
  if (packing !== 'zip') {
    found.documents.push({ file, name: file.key, packing, entry: undefined, crc32: undefined });
    return;
  }
  const { entries, others, ...archive } = await archiveOf(file, place);
  const sum = crcText(archive.crc32);
  for (const entry of entries)
    found.documents.push({
      file,
      name: `${file.key}/${entry.name}`,
      packing: entry.packing,
      entry,
      crc32: sum,
    });
  found.others.push(...others.map((name) => `${file.key}/${name}`));
}

export function archiveOf(
  { key, size }: StoredObject,
  { storage, config, signal }: Place,
): Promise<ZipArchive> {
  const isText = (name: string): boolean =>
    config.format !== undefined || formatOf(key) === 'parquet' || isTextName(name);
  return readArchive({ storage, path: key, size, signal, isText });
}

function isTextName(name: string): boolean {
  const format = formatOf(name);
  return format === undefined ? !/\.[^./]+$/.test(name) : format !== 'parquet';
}

/** Of a file as it is stored; of an archive that of its directory, which holds those of its entries. */
export async function checksumOf(file: StoredObject, place: Place): Promise<string | undefined> {
  if (isArchive(file.key, place.config)) {
    const archive = await archiveOf(file, place).catch(problemOf);
    return archive instanceof SluiceError ? undefined : crcText(archive.crc32);
  }
  return checksum(place.storage.read(file.key, undefined, place.signal));
}

/** What is text in one way is read in no other. */
export function refuseMixed(names: readonly string[], { format }: FilesConfig): void {
  const first = new Map<FileFormat, string>();
  for (const name of format === undefined ? names : []) {
    const its = formatOf(name);
    if (its !== undefined && !first.has(its)) first.set(its, name);
  }
  if (first.size < 2) return;
  const kinds = [...first].map(([its, name]) => `"${name}" is ${its}`);
  throw new ConfigError(`looking at files: ${kinds.join(', ')}`, {
    code: 'files.mixed',
    remedy: 'give each format a stream of its own, by `path`; or say with `format` how all of them are read',
  });
}

/** How the texts are written, from the beginning of the first that has one. */
export async function formOf(documents: readonly FileDocument[], place: Place): Promise<Form> {
  const { storage, config, signal } = place;
  for (const document of documents) {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    try {
      const path = document.file.key;
      for await (const piece of textOf(storage, { path }, textForm(document, config), { signal })) {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes >= HEAD_BYTES) break;
      }
    } catch (error) {
      // It is told when all of it is looked at.
      problemOf(error);
    }
    if (bytes > 0) return lookAt(document.name, Buffer.concat(pieces), config);
  }
  return lookAt(documents[0]?.name ?? '', new Uint8Array(), config);
}

export function textForm({ packing, entry }: FileDocument, { encoding, skip = 0 }: FilesConfig): TextForm {
  return {
    packing,
    entry,
    encoding: encoding === undefined ? undefined : new TextDecoder(encoding).encoding,
    skip,
  };
}
