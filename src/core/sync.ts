/** What a power cut shall not take away. */
import { open } from 'node:fs/promises';

/** Writes the bytes of a finished file through to the disk. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Some network and user-space file systems cannot do it; ENOENT: somebody has deleted the file and its folder already. */
const CANNOT: ReadonlySet<string | undefined> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOENT']);

/** The entry of a new or renamed file is durable only with its folder. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and writes their entries with the file.
  if (process.platform === 'win32') return;
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!CANNOT.has((error as NodeJS.ErrnoException).code)) throw error;
  }
}
