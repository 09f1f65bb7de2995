import type { ObjectStorage } from '../../core/storage.ts';

export interface NeededFiles {
  storage: Pick<ObjectStorage, 'fetch'>;
  files: readonly { key: string }[];
  signal?: AbortSignal | undefined;
}

/** Does something for which an engine opens these files. */
export async function withFiles<T>(
  { storage, files, signal }: NeededFiles,
  work: () => Promise<T>,
): Promise<T> {
  const copies = await storage.fetch(keysOf(files), signal);
  try {
    return await work();
  } finally {
    copies.release();
  }
}

/** The same for what is read bit by bit. */
export async function* readingFiles<T>(
  { storage, files, signal }: NeededFiles,
  work: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  const copies = await storage.fetch(keysOf(files), signal);
  try {
    yield* work();
  } finally {
    copies.release();
  }
}

function keysOf(files: readonly { key: string }[]): string[] {
  return files.map(({ key }) => key);
}
