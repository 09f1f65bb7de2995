import { mkdirSync, rmSync } from 'node:fs';
import { storageError } from '../storage-error.ts';

/** Makes a folder, without what an earlier attempt has left in it. */
export function emptyFolder(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw storageError(error, `making "${directory}"`);
  }
}
