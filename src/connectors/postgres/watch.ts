/**
 * A network that swallows what is sent ends no connection: who waits for an answer would wait for ever, and TCP's
 * keepalive notices nothing where a proxy in between answers it. But a server that sorts a large table may well be silent
 * for an hour. So nobody is given up for being silent: the server is asked, over another connection, whether it is still
 * at work for us.
 */
import type { Socket } from 'node:net';
import type pg from 'pg';
import { SluiceError } from '../../core/errors.ts';

/** The parts of pg's client that tell whether it waits for something; not in its published types. */
interface WaitingClient {
  processID: number | null;
  readyForQuery: boolean;
  connection: { stream: Socket };
}

/** The server's process behind a connection: a pooler gives ids of its own, so it is asked for. */
export interface Backend {
  pid: number;
  /** When the server was started, so that it is not mistaken for another one of the same name. */
  server: string;
}

const BACKENDS = new WeakMap<pg.Client, Backend>();

/** SQL of a {@link Backend}. */
export const BACKEND_SQL = `SELECT pg_catalog.pg_backend_pid() AS pid, extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text AS server`;

/** Notes which process answers a connection while its transaction is open. */
export function setBackend(client: pg.Client, backend: Backend): void {
  BACKENDS.set(client, backend);
}

export function backendOf(client: pg.Client): number | null {
  return BACKENDS.get(client)?.pid ?? (client as unknown as WaitingClient).processID;
}

/** Looks that have to find nobody at work, one after the other, before a connection is given up. */
const DOUBTS = 2;

/**
 * Breaks the connection when the server has been silent for a while and does not work for it, or cannot be reached, twice
 * in a row. `ask` opens another connection. Ends with the connection.
 */
export function watch(client: pg.Client, stallMs: number, ask: () => Promise<pg.Client>): void {
  let seen = 0;
  let doubts = 0;
  let asking = false;
  const look = async (): Promise<void> => {
    const { connection, readyForQuery } = client as unknown as WaitingClient;
    const { stream } = connection;
    // Paused: it is us who are slow.
    if (readyForQuery || stream.isPaused() || stream.bytesRead !== seen) {
      seen = stream.bytesRead;
      doubts = 0;
      return;
    }
    if (asking) return;
    asking = true;
    doubts = (await atWork(client, stallMs, ask)) ? 0 : doubts + 1;
    asking = false;
    if (doubts < DOUBTS || stream.bytesRead !== seen) return;
    stream.destroy(new Error('read timeout: the server is silent, and is not at work for us when asked'));
  };
  const timer = setInterval(() => void look(), stallMs);
  timer.unref();
  client.once('end', () => clearInterval(timer));
}

const STATE_SQL = `
SELECT a.state, a.wait_event, extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text AS server
  FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = $1`;

/** Whether the process behind `client` has something to do other than to send us bytes that do not come. Never throws. */
async function atWork(client: pg.Client, limitMs: number, ask: () => Promise<pg.Client>): Promise<boolean> {
  let other: pg.Client;
  try {
    other = await ask();
  } catch (error) {
    // A server that refuses is there: if it had lost our process, the connection would have ended.
    const unreachable = ['timeout', 'unknown_host', 'connection_refused', 'connection_lost'];
    return error instanceof SluiceError && !unreachable.includes(error.code.replace('postgres.', ''));
  }
  try {
    const query = { text: STATE_SQL, values: [backendOf(client)], query_timeout: limitMs };
    const { rows } = await other.query<{ state: string | null; wait_event: string | null; server: string }>(
      query,
    );
    const { state, wait_event: waits, server } = rows[0]!;
    const backend = BACKENDS.get(client);
    if (backend && backend.server !== server) return true;
    return state === 'disabled' || (state === 'active' && waits !== 'ClientWrite');
  } catch {
    return false;
  } finally {
    await disconnect(other);
  }
}

/** Long enough for a last word with a server that is there. */
const GOODBYE_MS = 1000;

/** Ends a connection, in good form where the server answers. Never throws. */
export async function disconnect(client: pg.Client): Promise<void> {
  breakSoon(client);
  await client.end().catch(() => undefined);
}

/** Breaks a connection unless it ends by itself: nobody waits for an answer that the network has swallowed. */
export function breakSoon(client: pg.Client): void {
  const { stream } = (client as unknown as WaitingClient).connection;
  const timer = setTimeout(() => stream.destroy(), GOODBYE_MS);
  client.once('end', () => clearTimeout(timer));
}
