/** Files that a process needs for a while; their names say which one. */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isRunning } from './is-running.ts';

export function scratchName(ending: string): string {
  return `${process.pid}-${randomUUID()}${ending}`;
}

/** Removes what processes have left that are gone. */
export async function sweepScratch(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(/^(\d+)-[\da-f-]+\.\w+$/.exec(name)?.[1]);
    if (!Number.isNaN(pid) && !isRunning(pid)) await rm(path.join(folder, name), { force: true });
  }
}
