import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isRunning } from './is-running.ts';

/** Removes folders of processes that are gone; their names are made by `scratchName`. Never throws. */
export async function sweepFolders(parent: string, ending: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, written, end] = /^(\d+)-[\da-f-]+(\.\w+)$/.exec(name) ?? [];
    if (end !== ending || isRunning(Number(written))) continue;
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
