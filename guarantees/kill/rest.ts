/** What must be true of a Pair whenever nobody is at work on it. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openState } from '../../src/engine/context.ts';
import type { AnyPair } from '../pair.ts';

function stateFile(pair: AnyPair): string {
  return path.join(pair.folder, '.sluice/state.db');
}

/** No lease is held, the state is sound, and a sweep leaves nothing that no reader sees. */
export async function expectAtRest(pair: AnyPair): Promise<void> {
  await expectSoundState(pair);
  const leases = await pair.leases();
  if (leases.length > 0) throw new Error(`a lease is held though nobody works: ${JSON.stringify(leases)}`);
  await pair.to.tidy();
  const leftovers = await pair.to.leftovers();
  if (leftovers.length > 0) throw new Error(`a sweep left behind: ${leftovers.join(', ')}`);
}

/** The history of runs can be read, the file is whole; true also right after a kill. */
export async function expectSoundState(pair: AnyPair): Promise<void> {
  const store = await openState(await pair.context());
  try {
    await store.runs({ limit: 1000 });
  } finally {
    await store.close();
  }
  if (pair.stateOptions.type !== 'sqlite') return;
  const database = new DatabaseSync(stateFile(pair));
  try {
    const found = database.prepare('PRAGMA integrity_check').all();
    if (found.length !== 1 || found[0]!['integrity_check'] !== 'ok')
      throw new Error(`the state is damaged: ${JSON.stringify(found)}`);
  } finally {
    database.close();
  }
}

/** As if the holders had not been heard of for longer than their leases; returns how many there were. */
export function expireLeases(pair: AnyPair): number {
  const database = new DatabaseSync(stateFile(pair));
  try {
    return Number(database.prepare('UPDATE lease SET expires_at = 1 WHERE held = 1').run().changes);
  } finally {
    database.close();
  }
}

export async function linesOf(pair: AnyPair, table: string): Promise<string[]> {
  return (await pair.to.schema(table)) === undefined ? [] : pair.to.lines(table, 'current');
}

export function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}
