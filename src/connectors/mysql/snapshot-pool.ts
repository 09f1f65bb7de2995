/**
 * Connections that see one moment. Snapshots cannot be handed over here, so all are opened at once: either so close together
 * that the binary log proves that nothing was committed in between, or while writes are held up for a moment. Where neither
 * is possible one connection reads everything, one thing after the other.
 */
import { throwIfAborted, TransientError } from '../../core/errors.ts';
import type { Client } from './client.ts';
import { begin } from './session.ts';

/** Begins a transaction in each; returns whether all of them see the same moment. Otherwise only the first has begun. */
export async function beginTogether(clients: readonly Client[], globalLock: boolean): Promise<boolean> {
  if (clients.length > 1) {
    if (await beginAtPosition(clients)) return true;
    if (globalLock && (await beginLocked(clients))) return true;
  }
  await begin(clients[0]!);
  return clients.length === 1;
}

const TRIES = 20;

/** MariaDB tells for each snapshot the place in the binary log that it belongs to. */
async function beginAtPosition(clients: readonly Client[]): Promise<boolean> {
  if (!clients[0]!.mariadb) return false;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await Promise.all(clients.map(begin));
    const positions = await Promise.all(clients.map(positionOf));
    if (positions[0] !== '' && positions.every((position) => position === positions[0])) return true;
    await Promise.all(clients.map((client) => client.query('COMMIT')));
    if (positions[0] === '') return false;
  }
  return false;
}

async function positionOf(client: Client): Promise<string> {
  const rows = await client.query<{ Variable_name: string; Value: string }>(
    `SHOW STATUS WHERE Variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')`,
  );
  const values = rows.map(({ Value }) => Value);
  return values.includes('') ? '' : values.join('/');
}

/** Who waits for this lock holds up all others: better one connection than that. */
const LOCK_SECONDS = 2;

async function beginLocked(clients: readonly Client[]): Promise<boolean> {
  const first = clients[0]!;
  const [before] = await first.query<{ seconds: string }>('SELECT @@SESSION.lock_wait_timeout AS seconds');
  await first.query(`SET SESSION lock_wait_timeout = ${LOCK_SECONDS}`);
  try {
    await first.query('FLUSH TABLES WITH READ LOCK');
  } catch {
    // Not allowed (RDS and the like), or a statement that takes long is in the way.
    return false;
  } finally {
    await first.query(`SET SESSION lock_wait_timeout = ${Number(before!.seconds)}`);
  }
  try {
    await Promise.all(clients.map(begin));
  } finally {
    await first.query('UNLOCK TABLES');
  }
  return true;
}

/** Hands out connections that see the snapshot, one to one reader at a time. */
export class SnapshotPool {
  readonly #clients: Client[];
  readonly #free: Client[];
  readonly #waiting: (() => void)[] = [];

  constructor(clients: readonly Client[]) {
    this.#clients = [...clients];
    this.#free = [...clients];
  }

  /** Whether any is left; a snapshot that was lost cannot be joined again. */
  get alive(): boolean {
    return this.#clients.some((client) => client.alive);
  }

  async take(signal: AbortSignal): Promise<Client> {
    for (;;) {
      throwIfAborted(signal);
      if (!this.alive)
        throw new TransientError('reading: the connections that held the snapshot are gone', {
          code: 'mysql.connection_lost',
          remedy: "the server's log says who ended them",
        });
      const client = this.#free.pop();
      if (client?.alive) return client;
      if (client) continue;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** One that nobody uses; has to be given back. */
  idle(): Client | undefined {
    return this.#free.pop();
  }

  give(client: Client): void {
    this.#free.push(client);
    // All look again: the one that waits first may have given up.
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
