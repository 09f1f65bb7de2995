/**
 * A network that swallows what is sent ends no connection: who waits for an answer would wait for ever. But a server that
 * sorts a large table may well be silent for an hour. So nobody is given up for being silent: the server is asked, over
 * another connection, whether it is still at work for us.
 */
import { SluiceError } from '../../core/errors.ts';
import type { Client } from './client.ts';

/** Looks that have to find nobody at work, one after the other, before a connection is given up. */
const DOUBTS = 2;

/** Breaks the connection when the server is silent and does not work for it, twice in a row. Ends with the connection. */
export function watch(client: Client, stallMs: number, ask: () => Promise<Client>): void {
  let seen = 0;
  let doubts = 0;
  let asking = false;
  const look = async (): Promise<void> => {
    const { socket } = client;
    // Paused: it is us who are slow.
    if (client.waiting === 0 || socket.isPaused() || socket.bytesRead !== seen) {
      seen = socket.bytesRead;
      doubts = 0;
      return;
    }
    if (asking) return;
    asking = true;
    doubts = (await atWork(client, stallMs, ask)) ? 0 : doubts + 1;
    asking = false;
    if (doubts < DOUBTS || socket.bytesRead !== seen) return;
    client.destroy(new Error('the server is silent, and is not at work for us when asked'));
  };
  const timer = setInterval(() => void look(), stallMs);
  timer.unref();
  client.socket.once('close', () => clearInterval(timer));
}

/** What a server does that has sent us bytes which do not come. */
const SENDING = /^(writing to net|sending to client)$/i;

/** Whether the connection's thread has something to do. Never throws. */
async function atWork(client: Client, limitMs: number, ask: () => Promise<Client>): Promise<boolean> {
  let other: Client;
  try {
    other = await ask();
  } catch (error) {
    // A server that refuses is there: if it had lost our connection, that would have ended.
    const unreachable = ['timeout', 'unknown_host', 'connection_refused', 'connection_lost'];
    return error instanceof SluiceError && !unreachable.includes(error.code.replace('mysql.', ''));
  }
  const late = setTimeout(() => other.destroy(), limitMs);
  try {
    const [row] = await other.query<{ command: string; state: string | null }>(
      'SELECT COMMAND AS command, STATE AS state FROM information_schema.PROCESSLIST WHERE ID = ?',
      [client.id],
    );
    return row !== undefined && row.command !== 'Sleep' && !SENDING.test(row.state ?? '');
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    await other.end();
  }
}
