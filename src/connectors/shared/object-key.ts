import { ConfigError } from '../../core/errors.ts';

/**
 * What is not whole yet, or says something about the storage itself, is called like this: files on a disk are written under
 * such a name beside their final place, and get their real one when they are whole. Listings leave them out, no key may use
 * the name, and no `*.parquet` pattern finds them.
 */
export const UNFINISHED = '.sluice-unfinished-';

/** Keys become paths on this machine, also those of a bucket. */
export function checkKey(key: string): void {
  checkParts(key, key.split('/'));
}

/** The folders of a prefix; the rest of it may be any text. */
export function checkPrefix(prefix: string): void {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (folder !== '') checkParts(prefix, folder.slice(0, -1).split('/'));
}

/** Whether others can have put something there that has no key here. */
export function isKey(key: string): boolean {
  return badPart(key.split('/')) === undefined;
}

function checkParts(key: string, parts: readonly string[]): void {
  if (badPart(parts) === undefined) return;
  throw new ConfigError(
    `naming an object: ${JSON.stringify(key)} is not a path below the folder of the storage`,
    {
      code: 'storage.invalid_key',
      remedy: 'use names without empty, "." and ".." parts',
      details: { key },
    },
  );
}

function badPart(parts: readonly string[]): string | undefined {
  const windows = process.platform === 'win32';
  return parts.find(
    (part) =>
      part === '' ||
      part === '.' ||
      part === '..' ||
      part.includes('\0') ||
      part.startsWith(UNFINISHED) ||
      // Two different keys would become the same file name.
      !part.isWellFormed() ||
      (windows && /[\\:]/.test(part)),
  );
}
