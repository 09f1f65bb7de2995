/**
 * Folders for what is written out of readers' sight, one for each process that writes. What killed ones have left is found by
 * the objects that say who they were.
 */
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { ObjectStorage, StoredObject } from '../../core/storage.ts';
import { encodeName } from './object-names.ts';

const STAGING_PREFIX = '_sluice/staging/';

/** Who writes: its private folder under staging. */
export interface StagingOwner {
  host: string;
  pid: number;
  run: string;
}

export function stagingFolder(owner: StagingOwner): string {
  const text = [owner.host, String(owner.pid), owner.run].map(encodeName).join('~');
  return `${STAGING_PREFIX}${text}/`;
}

/** The key whose last change says when the owner was last seen. */
export function ownerKey(owner: StagingOwner): string {
  return `${stagingFolder(owner)}owner.json`;
}

/** The owner of a file under staging; undefined when the folder was not made by {@link stagingFolder}. */
export function ownerOfKey(key: string): StagingOwner | undefined {
  const folder = key.slice(STAGING_PREFIX.length).split('/')[0]!;
  const [host, pid, run, ...rest] = folder.split('~');
  if (run === undefined || rest.length > 0 || !/^\d+$/.test(pid!)) return undefined;
  try {
    return { host: decodeURIComponent(host!), pid: Number(pid), run: decodeURIComponent(run) };
  } catch {
    return undefined;
  }
}

/**
 * Says that a writer is at work. Called before it writes its first file, and again every few minutes. The first
 * object stays as it is, since its age tells which files cannot be this writer's; a second one shows signs of life.
 */
export async function announceOwner(storage: ObjectStorage, owner: StagingOwner): Promise<void> {
  const content = new TextEncoder().encode(`${JSON.stringify(owner)}\n`);
  if (await storage.putIfAbsent(ownerKey(owner), content)) return;
  await storage.put(`${stagingFolder(owner)}alive.json`, content);
}

/** Removes the writer's staging folder. */
export async function dismissOwner(storage: ObjectStorage, owner: StagingOwner): Promise<void> {
  const objects = await storage.list(stagingFolder(owner));
  await storage.delete(objects.map((object) => object.key));
}

/** The owner that this process is for a run. */
export function thisOwner(run: string): StagingOwner {
  return { host: hostname(), pid: process.pid, run };
}

/** Owners on other machines that show no sign of life for so long are dead. */
export const SILENT_MS: number = 24 * 3_600_000;

interface OwnerSurvey {
  /** Who asks; its own folder does not count. */
  owner: StagingOwner;
  now: () => number;
  /** Owners on other machines that have been silent for so long are dead. */
  silentMs: number;
  /** Whether a process of this machine exists. */
  isRunning: (pid: number) => boolean;
}

/** Staging files whose owner is dead, and when the oldest living writer was first seen. */
export async function surveyOwners(
  storage: ObjectStorage,
  { owner: self, now, silentMs, isRunning: running }: OwnerSurvey,
): Promise<{ dead: StoredObject[]; aliveSince: number }> {
  const folders = Map.groupBy(
    await storage.list(STAGING_PREFIX),
    (object) => object.key.slice(STAGING_PREFIX.length).split('/')[0]!,
  );
  const dead: StoredObject[] = [];
  let aliveSince = Infinity;
  for (const objects of folders.values()) {
    const owner = ownerOfKey(objects[0]!.key);
    if (owner && ownerKey(owner) === ownerKey(self)) continue;
    const times = objects.map((object) => object.modifiedAt);
    const silent = now() - Math.max(...times) > silentMs;
    // A process id may be in use again, so on this machine, too, silence for much longer counts as death.
    const gone =
      owner?.host === self.host ? !running(owner.pid) || now() - Math.max(...times) > 7 * silentMs : silent;
    if (gone) dead.push(...objects);
    else aliveSince = Math.min(aliveSince, ...times);
  }
  return { dead, aliveSince };
}

/**
 * Scratch files are made by an engine, not by the storage, whose listings leave out those that are still empty. Folders of
 * the owner go before the objects by which the next sweep would find it, should this one not come to its end.
 */
export async function deleteStaging(storage: ObjectStorage, keys: readonly string[]): Promise<void> {
  const owners = keys.map(ownerOfKey).filter((owner) => owner !== undefined);
  for (const folder of new Set(owners.map(stagingFolder))) {
    const local = storage.localPath(folder.replace(/\/$/, ''));
    if (!path.isAbsolute(local)) continue;
    const entries = await readdir(local, { withFileTypes: true }).catch(() => []);
    for (const entry of entries.filter((each) => each.isDirectory()))
      await rm(path.join(local, entry.name), { recursive: true, force: true }).catch(() => undefined);
  }
  await storage.delete(keys);
}
