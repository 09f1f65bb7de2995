import type { ObjectStorage } from '../../core/storage.ts';
import { stagingFolder, type StagingOwner } from './staging.ts';

/**
 * The clock that dates the objects of a storage, milliseconds. How old they are is the difference of two of its times: the
 * clock of this machine may be a year off. Where nothing can be written ours has to do.
 */
export async function storageClock(storage: ObjectStorage, owner: StagingOwner): Promise<() => number> {
  const key = `${stagingFolder(owner)}clock.json`;
  try {
    await storage.put(key, new TextEncoder().encode('{}\n'));
    const [object] = await storage.list(key);
    await storage.delete([key]);
    const offset = object ? object.modifiedAt - Date.now() : 0;
    return () => Date.now() + offset;
  } catch {
    return Date.now;
  }
}
