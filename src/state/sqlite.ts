import type { DatabaseSync } from 'node:sqlite';
import { InternalError } from '../core/errors.ts';
import type { Lease, LeaseHolder, RunRecord, StateStore } from '../core/state.ts';
import { checkLeaseTerms, leaseHeld, leaseLost } from './lease-errors.ts';
import { MIGRATIONS } from './migrations.ts';
import { isProvenDead, markProcess, type ProcessMark } from './process-mark.ts';
import { openDatabase, type SqliteDatabase } from './sqlite-database.ts';

export interface SqliteStateOptions {
  /** Milliseconds since the epoch. All processes that share the file run on one machine, so its clock is the store's. */
  clock?: () => number;
  /** Records of runs to keep. */
  keepRuns?: number;
}

/** State in a SQLite file on a local disk; the default. Creates the file and its folder. */
export async function openSqliteState(file: string, options: SqliteStateOptions = {}): Promise<StateStore> {
  const database = await openDatabase(file, MIGRATIONS);
  return new SqliteState(database, options.clock ?? Date.now, options.keepRuns ?? 10_000);
}

interface LeaseRow {
  lease: Lease;
  held: boolean;
  ttlMs: number;
  mark: ProcessMark | undefined;
}

class SqliteState implements StateStore {
  readonly #database: SqliteDatabase;
  readonly #clock: () => number;
  readonly #keepRuns: number;

  constructor(database: SqliteDatabase, clock: () => number, keepRuns: number) {
    this.#database = database;
    this.#clock = clock;
    this.#keepRuns = keepRuns;
  }

  async acquire(name: string, holder: LeaseHolder, ttlMs: number, minFence: number = 0): Promise<Lease> {
    checkLeaseTerms(name, ttlMs, minFence);
    const mark = markProcess(holder);
    const answer = await this.#database.write('acquiring a lease in the state', (db) => {
      const now = this.#clock();
      const row = findLease(db, name);
      const held = row === undefined ? undefined : findHolder(db, row, now);
      if (held !== undefined) return { held };
      const lease: Lease = {
        name,
        holder: { run: holder.run, host: holder.host, pid: holder.pid },
        fence: Math.max(row?.lease.fence ?? 0, minFence) + 1,
        acquiredAt: now,
        expiresAt: now + ttlMs,
        takenOver: row?.held === true,
      };
      saveLease(db, { lease, held: true, ttlMs, mark });
      return { lease };
    });
    // Thrown outside of the transaction: what findHolder corrected stays corrected.
    if (answer.lease === undefined) throw leaseHeld(answer.held);
    return answer.lease;
  }

  async renew(lease: Lease, ttlMs: number): Promise<void> {
    checkLeaseTerms(lease.name, ttlMs, 0);
    const now = await this.#database.write('renewing a lease in the state', (db) => {
      const expiresAt = this.#clock() + ttlMs;
      const { changes } = db
        .prepare(
          'UPDATE lease SET expires_at = ?, ttl_ms = ? WHERE name = ? AND fence = ? AND run = ? AND held = 1',
        )
        .run(expiresAt, ttlMs, lease.name, lease.fence, lease.holder.run);
      return changes === 0 ? { row: findLease(db, lease.name) } : undefined;
    });
    if (now !== undefined) throw leaseLost(lease, now.row?.held === true ? now.row.lease : undefined);
  }

  async release(lease: Lease): Promise<void> {
    await this.#database.write('releasing a lease in the state', (db) =>
      db
        .prepare('UPDATE lease SET held = 0 WHERE name = ? AND fence = ? AND run = ? AND held = 1')
        .run(lease.name, lease.fence, lease.holder.run),
    );
  }

  async recordRun(run: RunRecord): Promise<void> {
    const startedAt = Date.parse(run.startedAt);
    if (Number.isNaN(startedAt)) {
      throw new InternalError(`recording a run: "${run.startedAt}" is not a time`, {
        code: 'state.invalid_run',
      });
    }
    await this.#database.write('recording a run in the state', (db) => {
      db.prepare(
        `INSERT INTO run (run, pipeline, started_at, record) VALUES (?, ?, ?, ?) ON CONFLICT (run) DO UPDATE
         SET pipeline = excluded.pipeline, started_at = excluded.started_at, record = excluded.record`,
      ).run(run.run, run.pipeline, startedAt, JSON.stringify(run));
      db.prepare(
        'DELETE FROM run WHERE run IN (SELECT run FROM run ORDER BY started_at DESC, run DESC LIMIT -1 OFFSET ?)',
      ).run(this.#keepRuns);
    });
  }

  async runs(filter: { pipeline?: string; limit: number }): Promise<RunRecord[]> {
    const where = filter.pipeline === undefined ? '' : 'WHERE pipeline = ?';
    const values = filter.pipeline === undefined ? [] : [filter.pipeline];
    const limit = Number.isFinite(filter.limit) ? Math.max(0, Math.floor(filter.limit)) : -1;
    return this.#database.read('reading runs from the state', (db) =>
      db
        .prepare(`SELECT record FROM run ${where} ORDER BY started_at DESC, run DESC LIMIT ?`)
        .all(...values, limit)
        .map((row) => JSON.parse(String(row['record'])) as RunRecord),
    );
  }

  async leases(): Promise<Lease[]> {
    const rows = await this.#database.read('reading leases from the state', (db) =>
      db.prepare('SELECT * FROM lease WHERE held = 1 ORDER BY name').all(),
    );
    return rows.map((row) => toLeaseRow(row).lease);
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

/** The lease that stands in the way at `now`, if any. */
function findHolder(
  db: DatabaseSync,
  { lease, held, ttlMs, mark }: LeaseRow,
  now: number,
): Lease | undefined {
  if (!held || lease.expiresAt <= now || isProvenDead(lease.holder.pid, mark)) return undefined;
  if (lease.expiresAt <= now + ttlMs) return lease;
  // It lasts longer than it was given for, so the clock has gone back since. The holder may be well and has the usual
  // time to renew from here on; if it is dead, it does not block everybody until the clock has caught up.
  db.prepare('UPDATE lease SET expires_at = ? WHERE name = ?').run(now + ttlMs, lease.name);
  return { ...lease, expiresAt: now + ttlMs };
}

function findLease(db: DatabaseSync, name: string): LeaseRow | undefined {
  const row = db.prepare('SELECT * FROM lease WHERE name = ?').get(name);
  return row === undefined ? undefined : toLeaseRow(row);
}

function toLeaseRow(row: Record<string, unknown>): LeaseRow {
  const machine = row['machine'];
  return {
    lease: {
      name: String(row['name']),
      holder: { run: String(row['run']), host: String(row['host']), pid: Number(row['pid']) },
      fence: Number(row['fence']),
      acquiredAt: Number(row['acquired_at']),
      expiresAt: Number(row['expires_at']),
      takenOver: row['taken_over'] === 1,
    },
    held: row['held'] === 1,
    ttlMs: Number(row['ttl_ms']),
    mark: typeof machine === 'string' ? { machine, start: String(row['process_start']) } : undefined,
  };
}

function saveLease(db: DatabaseSync, { lease, held, ttlMs, mark }: LeaseRow): void {
  db.prepare(
    `INSERT OR REPLACE INTO lease (name, fence, held, run, host, pid, machine, process_start, ttl_ms, acquired_at,
       expires_at, taken_over) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    lease.name,
    lease.fence,
    held ? 1 : 0,
    lease.holder.run,
    lease.holder.host,
    lease.holder.pid,
    mark?.machine ?? null,
    mark?.start ?? null,
    ttlMs,
    lease.acquiredAt,
    lease.expiresAt,
    lease.takenOver ? 1 : 0,
  );
}
