import { createHash, randomUUID } from 'node:crypto';
import { InternalError, TransientError } from '../core/errors.ts';
import type { Lease, LeaseHolder, RunRecord, StateStore } from '../core/state.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { checkLeaseTerms, leaseHeld, leaseLost } from './lease-errors.ts';
import { appendLease, type LeaseEntry, parseObject, readLease } from './lease-log.ts';
import { isProvenDead, markProcess } from './process-mark.ts';

const ATTEMPTS = 50;
const PARALLEL_READS = 16;
const KEEP_RUNS = 10_000;
/** Times in whole seconds, or of two servers of one storage, make a new lease look as if it came from the future. */
const CLOCK_SLACK_MS = 5000;
const DAY_MS = 24 * 3600 * 1000;
/** The newest run is most often among these; longer ago is listed only when they were not enough. */
const RECENT_DAYS: readonly number[] = [2, 60];

/**
 * State as objects below `prefix`, for teams that have a lake and no shared disk:
 * `leases/<name>/<number>.json`, `runs/<start>-<id>.json`, and `clock.json`, which is written to see what time it is there.
 */
export function openObjectState(storage: ObjectStorage, prefix: string): StateStore {
  return new ObjectState(storage, prefix.endsWith('/') || prefix === '' ? prefix : `${prefix}/`);
}

class ObjectState implements StateStore {
  readonly #storage: ObjectStorage;
  readonly #prefix: string;
  #pruned = false;

  constructor(storage: ObjectStorage, prefix: string) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  async acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence: number = 0): Promise<Lease> {
    checkLeaseTerms(name, ttlMs, minFence);
    const folder = this.#leaseFolder(name);
    const mark = markProcess(holder);
    for (let round = 0; round < ATTEMPTS; round++) {
      const newest = await readLease(this.#storage, folder);
      if (newest?.record.held === true) {
        const until = await this.#validUntil(folder, newest);
        if (until !== undefined) throw leaseHeld({ ...toLease(newest), expiresAt: until });
      }
      const entry = await appendLease(this.#storage, folder, newest, {
        grant: randomUUID(),
        name,
        fence: Math.max(newest?.record.fence ?? 0, minFence) + 1,
        held: true,
        holder: { run: holder.run, host: holder.host, pid: holder.pid },
        mark,
        ttlMs,
        acquiredAt: undefined,
        takenOver: newest?.record.held === true,
      });
      if (entry !== undefined) return toLease(entry);
    }
    throw this.#contended('acquiring', name);
  }

  async renew(lease: Lease, ttlMs: number): Promise<void> {
    checkLeaseTerms(lease.name, ttlMs, 0);
    const folder = this.#leaseFolder(lease.name);
    for (let round = 0; round < ATTEMPTS; round++) {
      const newest = await readLease(this.#storage, folder);
      const own = onlyOf(lease, newest);
      if (own === undefined) throw leaseLost(lease, newest?.record.held === true ? newest.record : undefined);
      if ((await this.#extend(folder, own, ttlMs)) !== undefined) return;
    }
    throw this.#contended('renewing', lease.name);
  }

  async release(lease: Lease): Promise<void> {
    const folder = this.#leaseFolder(lease.name);
    for (let round = 0; round < ATTEMPTS; round++) {
      const own = onlyOf(lease, await readLease(this.#storage, folder));
      if (own === undefined) return;
      const record = { ...own.record, held: false, acquiredAt: acquiredAt(own) };
      if ((await appendLease(this.#storage, folder, own, record)) !== undefined) return;
    }
    throw this.#contended('releasing', lease.name);
  }

  async leases(): Promise<Lease[]> {
    const folder = `${this.#prefix}leases/`;
    const objects = await this.#storage.list(folder);
    const names = new Set(objects.map(({ key }) => key.slice(0, key.lastIndexOf('/') + 1)));
    const entries = await inParallel([...names], (name) => readLease(this.#storage, name));
    const held = entries.flatMap((entry) => (entry?.record.held === true ? [toLease(entry)] : []));
    return held.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async recordRun(run: RunRecord): Promise<void> {
    const key = `${this.#prefix}runs/${toSortable(run)}-${toFileName(run.run)}.json`;
    await this.#storage.put(key, new TextEncoder().encode(JSON.stringify({ format: 1, run })));
    if (this.#pruned) return;
    this.#pruned = true;
    // Once per process is enough, and no run fails because its history could not be shortened.
    await this.#pruneRuns().catch(() => undefined);
  }

  async runs(filter: { pipeline?: string; limit: number }): Promise<RunRecord[]> {
    const found: RunRecord[] = [];
    const folder = `${this.#prefix}runs/`;
    let end: string | undefined;
    for (const days of [...RECENT_DAYS, undefined]) {
      const startAfter = days === undefined ? undefined : folder + sortableTime(Date.now() - days * DAY_MS);
      const listed = await this.#storage.list(folder, { startAfter });
      const before = end;
      const keys = listed.map(({ key }) => key).filter((key) => before === undefined || key <= before);
      end = startAfter;
      // In steps, newest first: with a filter nobody knows how many have to be read.
      for (let to = keys.length; to > 0 && found.length < filter.limit; to -= PARALLEL_READS) {
        const records = await inParallel(
          keys.slice(Math.max(0, to - PARALLEL_READS), to).toReversed(),
          (key) => this.#readRun(key),
        );
        for (const run of records) {
          if (run !== undefined && (filter.pipeline ?? run.pipeline) === run.pipeline) found.push(run);
        }
      }
      if (found.length >= filter.limit) break;
    }
    return found.slice(0, Math.max(0, filter.limit));
  }

  async close(): Promise<void> {
    // The storage belongs to whoever opened it.
  }

  /**
   * Until when the lease stands in the way, by the clock of the storage; undefined when it can be taken over. The
   * clocks of the machines involved are never compared: only what the storage says, of the lease and of now.
   */
  async #validUntil(folder: string, entry: LeaseEntry): Promise<number | undefined> {
    const { holder, mark, ttlMs } = entry.record;
    if (isProvenDead(holder.pid, mark)) return undefined;
    const now = await this.#now();
    const age = now - latest(entry.writtenAt);
    if (age >= ttlMs) return undefined;
    if (age >= -CLOCK_SLACK_MS) return latest(entry.writtenAt) + ttlMs;
    // The clock of the storage has gone back. Written again, the lease counts from now: its holder, if well, has the
    // usual time to renew, and a dead one does not block everybody until the clock has caught up.
    await this.#extend(folder, entry, ttlMs);
    return now + ttlMs;
  }

  #extend(folder: string, newest: LeaseEntry, ttlMs: number): Promise<LeaseEntry | undefined> {
    const record = { ...newest.record, ttlMs, acquiredAt: acquiredAt(newest) };
    return appendLease(this.#storage, folder, newest, record);
  }

  /** Not later than the storage's clock when the answer is back. */
  async #now(): Promise<number> {
    const key = `${this.#prefix}clock.json`;
    await this.#storage.put(key, new TextEncoder().encode('{"format":1}'));
    const object = (await this.#storage.list(key)).find((candidate) => candidate.key === key);
    if (object === undefined) {
      throw new TransientError(`reading the clock of ${this.#storage.describe()}: "${key}" vanished`, {
        code: 'state.contended',
        remedy: 'check that nothing deletes objects there',
      });
    }
    return object.modifiedAt;
  }

  async #readRun(key: string): Promise<RunRecord | undefined> {
    const bytes = await this.#storage.get(key);
    return bytes === undefined ? undefined : (parseObject(this.#storage, key, bytes)['run'] as RunRecord);
  }

  async #pruneRuns(): Promise<void> {
    const objects = await this.#storage.list(`${this.#prefix}runs/`);
    const old = objects.slice(0, Math.max(0, objects.length - KEEP_RUNS));
    if (old.length > 0) await this.#storage.delete(old.map(({ key }) => key));
  }

  #leaseFolder(name: string): string {
    return `${this.#prefix}leases/${toFileName(name)}/`;
  }

  #contended(doing: string, name: string): TransientError {
    return new TransientError(
      `${doing} the lease ${JSON.stringify(name)} in ${this.#storage.describe()}: others were faster ${ATTEMPTS} times`,
      { code: 'state.contended', remedy: 'look for many runs of the same pipeline that start at once' },
    );
  }
}

/** The entry, if it is of this lease and the lease has not been ended. */
function onlyOf(lease: Lease, entry: LeaseEntry | undefined): LeaseEntry | undefined {
  if (entry?.record.held !== true || entry.record.fence !== lease.fence) return undefined;
  return entry.record.holder.run === lease.holder.run ? entry : undefined;
}

function acquiredAt({ record, writtenAt }: LeaseEntry): number {
  return record.acquiredAt ?? writtenAt;
}

function toLease(entry: LeaseEntry): Lease {
  const { name, holder, fence, ttlMs, takenOver } = entry.record;
  const expiresAt = latest(entry.writtenAt) + ttlMs;
  return { name, holder, fence, acquiredAt: acquiredAt(entry), expiresAt, takenOver };
}

/** The latest time that `at` can stand for: a time without milliseconds was rounded down. */
function latest(at: number): number {
  return at % 1000 === 0 ? at + 999 : at;
}

/**
 * Any text as one part of a key that means the same on every file system: short, and without capitals, for some
 * do not tell them from small letters. The hash keeps different texts apart.
 */
function toFileName(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(text)) return text;
  const readable = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 40);
  // The dot keeps it apart from a name that needs no hash.
  return `${readable}.${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function toSortable(run: RunRecord): string {
  const startedAt = Date.parse(run.startedAt);
  if (Number.isNaN(startedAt)) {
    throw new InternalError(`recording a run: "${run.startedAt}" is not a time`, {
      code: 'state.invalid_run',
    });
  }
  return sortableTime(startedAt);
}

/** UTC without the colons, which Windows does not allow in names: `20260724T010203456Z`. */
function sortableTime(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:.]/g, '');
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += PARALLEL_READS) {
    results.push(...(await Promise.all(items.slice(at, at + PARALLEL_READS).map(work))));
  }
  return results;
}
