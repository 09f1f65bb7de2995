import type { Alert } from './alerts.ts';

/**
 * Leases and run history. What belongs to the data (checkpoints) is stored by the destination with the data, so
 * a state store that is lost costs the history and nothing else.
 *
 * A lease keeps two runs from doing the same work; it is not what keeps the data right. A process can be stopped
 * for an hour between its last renewal and its commit, therefore destinations refuse a commit with an old fence
 * or version. Names and run ids may be any text.
 */
export interface StateStore {
  /**
   * Takes the lease of one stream into one table for `ttlMs`; called before the stream is loaded. Throws
   * ConflictError `lease.held`, which names the holder, while somebody else's lease is alive: not released, not
   * expired, and its process not known to be dead. `fence` is greater than every fence handed out for that name
   * before and greater than `minFence`: the engine passes the highest fence that it finds in the destination, so
   * that a lost store does not hand out old ones again.
   */
  acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence?: number): Promise<Lease>;
  /**
   * Extends a lease to `ttlMs` from now; called by the holder about every third of it. A lease that expired is
   * extended all the same as long as nobody took it over. Throws ConflictError `lease.lost` when somebody did:
   * the run must stop working on that stream.
   */
  renew(lease: Lease, ttlMs: number): Promise<void>;
  /** Ends a lease; does nothing when it was lost. Its fence stays used. */
  release(lease: Lease): Promise<void>;
  /** Inserts or replaces the record of a run; old records are dropped once there are many thousands. */
  recordRun(run: RunRecord): Promise<void>;
  /** Newest start first. */
  runs(filter: { pipeline?: string; limit: number }): Promise<RunRecord[]>;
  /** Every lease that was not released, also expired ones, by name. */
  leases(): Promise<Lease[]>;
  close(): Promise<void>;
}

export interface LeaseHolder {
  /** Run id. */
  run: string;
  /** As `os.hostname()` gives it: a store can tell that a process of its own host is dead. */
  host: string;
  pid: number;
}

export interface Lease {
  name: string;
  holder: LeaseHolder;
  fence: number;
  /** Milliseconds since the epoch, by the clock of the store, like `expiresAt`. */
  acquiredAt: number;
  /** As of the call that returned this object; a renewal moves it. */
  expiresAt: number;
  /** True when the lease of somebody who never released it was taken over. */
  takenOver: boolean;
}

export interface RunRecord {
  run: string;
  pipeline: string;
  /** ISO 8601; the same in every record of one run. */
  startedAt: string;
  finishedAt: string | undefined;
  status: string;
  host: string;
  pid: number;
  /** Attempts made again that belong to no stream: the source did not answer. This and what else may be absent is not in old records. */
  retries?: number | undefined;
  streams: RunStreamRecord[];
  /** What the run gave reason to tell. */
  alerts?: Alert[] | undefined;
}

export interface RunStreamRecord {
  stream: string;
  table: string;
  status: string;
  rows: number;
  loaded: number;
  /** Read from the source. */
  bytes: number;
  written?: number | undefined;
  quarantined?: number | undefined;
  /** Rows that were read and are not loaded, as they were there or a later one takes their place. */
  skipped?: number | undefined;
  /** Rows gone from the source that were removed or flagged; absent where nobody looked. */
  deleted?: number | undefined;
  retries?: number | undefined;
  /** Of the schema of the table: `+ loyalty_tier utf8`. */
  changes?: string[] | undefined;
  seconds: number;
  watermark: string | undefined;
  /** When a run last brought the stream up to date, this one or an earlier one; ISO 8601. */
  succeededAt?: string | undefined;
  error: { code: string; message: string; remedy: string | undefined } | undefined;
  /** How the load was checked, and what that found; absent where nothing was compared. */
  verification?:
    | { by: string; status: string; rows: { source: number; read: number; target: number } }
    | undefined;
}
