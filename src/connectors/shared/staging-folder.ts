import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { ObjectStorage } from '../../core/storage.ts';
import { isRunning } from './is-running.ts';
import {
  announceOwner,
  deleteStaging,
  dismissOwner,
  SILENT_MS,
  type StagingOwner,
  stagingFolder,
  surveyOwners,
  thisOwner,
} from './staging.ts';
import { storageClock } from './storage-clock.ts';

const ALIVE_EVERY_MS = 120_000;

/** The folder of one destination of this process. */
export class StagingFolder {
  readonly owner: StagingOwner = thisOwner(`${Date.now().toString(36)}-${randomBytes(3).toString('hex')}`);
  readonly #storage: ObjectStorage;
  #announced: Promise<void> | undefined;
  #signOfLife: NodeJS.Timeout | undefined;
  #scratch = 0;

  constructor(storage: ObjectStorage) {
    this.#storage = storage;
  }

  /** A local path below the folder. */
  path(name: string): string {
    return path.join(this.#storage.localPath(stagingFolder(this.owner).replace(/\/$/, '')), name);
  }

  /** A local folder that nobody else uses; it exists when something was written to it. */
  scratch(): string {
    return this.path(String(this.#scratch++));
  }

  /** Called before the first file is written; from then on the owner shows signs of life. */
  async announce(): Promise<void> {
    const announce = (): Promise<void> => announceOwner(this.#storage, this.owner);
    this.#signOfLife ??= setInterval(() => void announce().catch(() => undefined), ALIVE_EVERY_MS).unref();
    this.#announced ??= announce();
    try {
      await this.#announced;
    } catch (error) {
      // The next stream, or the next attempt, finds the same or has better luck.
      this.#announced = undefined;
      throw error;
    }
  }

  /** Removes the folder; false when nobody was told of it. Never throws: what stays is swept when this process is gone. */
  async leave(): Promise<boolean> {
    clearInterval(this.#signOfLife);
    if (!this.#signOfLife) return false;
    await dismissOwner(this.#storage, this.owner).catch(() => undefined);
    return true;
  }

  /** Removes what dead owners have left; never throws, since tidying up is not worth an error. */
  async sweep(): Promise<void> {
    try {
      const now = await storageClock(this.#storage, this.owner);
      const { dead } = await surveyOwners(this.#storage, {
        owner: this.owner,
        now,
        silentMs: SILENT_MS,
        isRunning,
      });
      await deleteStaging(
        this.#storage,
        dead.map(({ key }) => key),
      );
    } catch {
      // The next run finds the same.
    }
  }
}
