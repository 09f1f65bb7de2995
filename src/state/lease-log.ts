import { randomUUID } from 'node:crypto';
import { ConfigError, TransientError } from '../core/errors.ts';
import type { LeaseHolder } from '../core/state.ts';
import type { ObjectStorage } from '../core/storage.ts';
import type { ProcessMark } from './process-mark.ts';

/**
 * The history of one lease as numbered objects, of which the newest decides. Whoever wants to change anything -
 * acquire, renew, release - creates the next number; the storage lets exactly one win, so a renewal that comes late and
 * a takeover cannot both succeed. Nothing is ever changed in place.
 *
 * Older objects are deleted, so a number can be free again for somebody who has slept since they looked. Therefore
 * a winner looks again: the newest object is never deleted, and if it is not theirs they have not won.
 */
export interface LeaseRecord {
  /** Identifies one acquisition through its renewals. */
  grant: string;
  name: string;
  fence: number;
  held: boolean;
  holder: LeaseHolder;
  mark: ProcessMark | undefined;
  ttlMs: number;
  /** By the clock of the storage; undefined in the first record of a grant, which was written at that time. */
  acquiredAt: number | undefined;
  takenOver: boolean;
}

export interface LeaseEntry {
  sequence: number;
  /** By the clock of the storage. */
  writtenAt: number;
  record: LeaseRecord;
}

/** `write` tells one's own object from somebody else's when the answer to a request got lost. */
interface StoredRecord {
  format: number;
  write: string;
  record: LeaseRecord;
}

const FORMAT = 1;
const ATTEMPTS = 50;
/** Objects before the newest that stay, so that a slow listing of a folder that changes never comes back empty. */
const KEEP = 3;
const NAME = /^(\d{12})\.json$/;

interface NumberedObject {
  key: string;
  sequence: number;
  modifiedAt: number;
}

/** `folder` ends with a slash. */
export async function readLease(storage: ObjectStorage, folder: string): Promise<LeaseEntry | undefined> {
  for (let round = 0; round < ATTEMPTS; round++) {
    const newest = (await listNumbered(storage, folder)).at(-1);
    if (newest === undefined) return undefined;
    const bytes = await storage.get(newest.key);
    // Absent: superseded and deleted since the listing.
    if (bytes !== undefined) {
      return {
        sequence: newest.sequence,
        writtenAt: newest.modifiedAt,
        record: parse(storage, newest.key, bytes).record,
      };
    }
  }
  throw new TransientError(
    `reading the lease "${folder}" in ${storage.describe()}: it changes all the time`,
    {
      code: 'state.contended',
      remedy: 'look for many runs of the same pipeline that start at once',
    },
  );
}

/** Writes the record that follows `after`; undefined when somebody else did so first. */
export async function appendLease(
  storage: ObjectStorage,
  folder: string,
  after: LeaseEntry | undefined,
  record: LeaseRecord,
): Promise<LeaseEntry | undefined> {
  const sequence = (after?.sequence ?? 0) + 1;
  const key = `${folder}${String(sequence).padStart(12, '0')}.json`;
  const stored: StoredRecord = { format: FORMAT, write: randomUUID(), record };
  if (!(await create(storage, key, stored))) return undefined;
  const objects = await listNumbered(storage, folder);
  const newest = objects.at(-1);
  if (newest === undefined || newest.sequence < sequence) return undefined;
  if (newest.sequence > sequence) {
    // Also a renewal of the same grant may have followed already.
    const entry = await readLease(storage, folder);
    return entry?.record.grant === record.grant && entry.record.held === record.held ? entry : undefined;
  }
  const old = objects.filter((object) => object.sequence < sequence - KEEP).map((object) => object.key);
  // Litter is harmless and the next one to win tries again.
  await storage.delete(old).catch(() => undefined);
  return { sequence, writtenAt: newest.modifiedAt, record };
}

async function create(storage: ObjectStorage, key: string, stored: StoredRecord): Promise<boolean> {
  const bytes = new TextEncoder().encode(JSON.stringify(stored));
  let failure: { error: unknown } | undefined;
  try {
    if (await storage.putIfAbsent(key, bytes)) return true;
  } catch (error) {
    failure = { error };
  }
  // A client that repeats a request after a lost answer is told that the object exists: it may be our own.
  const present = await storage.get(key).catch((error: unknown) => {
    if (failure === undefined) throw error;
  });
  if (present !== undefined && parse(storage, key, present).write === stored.write) return true;
  if (failure !== undefined) throw failure.error;
  return false;
}

async function listNumbered(storage: ObjectStorage, folder: string): Promise<NumberedObject[]> {
  const found: NumberedObject[] = [];
  for (const { key, modifiedAt } of await storage.list(folder)) {
    const digits = NAME.exec(key.slice(folder.length))?.[1];
    if (digits !== undefined) found.push({ key, sequence: Number(digits), modifiedAt });
  }
  return found;
}

function parse(storage: ObjectStorage, key: string, bytes: Uint8Array): StoredRecord {
  return parseObject(storage, key, bytes) as unknown as StoredRecord;
}

/** Reads one of the state's JSON objects. */
export function parseObject(storage: ObjectStorage, key: string, bytes: Uint8Array): Record<string, unknown> {
  const where = `reading the state object "${key}" in ${storage.describe()}`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw damaged(where, cause);
  }
  if (typeof value !== 'object' || value === null || !('format' in value)) throw damaged(where, undefined);
  if (value.format !== FORMAT) {
    throw new ConfigError(`${where}: its format is ${String(value.format)}, this sluice knows ${FORMAT}`, {
      code: 'state.newer_version',
      remedy: 'a newer sluice has written it: run that version here, too',
    });
  }
  return { ...value };
}

function damaged(where: string, cause: unknown): ConfigError {
  return new ConfigError(`${where}: it is not what sluice writes there`, {
    code: 'state.corrupt',
    remedy: 'stop other sluice processes and delete that object: the state is rebuilt from the destination',
    cause,
  });
}
