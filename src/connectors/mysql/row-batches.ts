/** The rows of a query in batches, as they come, for results of many rows that are no tables. */
import type { Client } from './client.ts';

/** Rows of a batch; the server waits while nobody takes it. */
const BATCH = 10_000;

/** `interrupt` ends the statement from outside: called when nobody wants the rest, or the signal says so. */
export async function* rowBatches(
  client: Client,
  sql: string,
  { interrupt, signal }: { interrupt: () => Promise<void>; signal: AbortSignal },
): AsyncGenerator<readonly unknown[][]> {
  const { connection } = client;
  let rows: unknown[][] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const fail = (error: Error): void => {
    if (ended) return;
    ended = true;
    failure = error;
    wake();
  };
  const close = (): void => fail(new Error('the connection was closed'));
  let interrupted: Promise<void> | undefined;
  const stop = (): void => {
    interrupted ??= interrupt();
  };
  signal.addEventListener('abort', stop, { once: true });
  connection.on('error', fail);
  client.socket.once('close', close);
  client.waiting++;
  const query = connection.query({ sql, rowsAsArray: true });
  query.on('result', (row: unknown) => {
    rows.push(row as unknown[]);
    if (rows.length < BATCH) return;
    connection.pause();
    wake();
  });
  query.on('error', fail);
  query.on('end', () => {
    ended = true;
    wake();
  });
  const more = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      if (ended || rows.length >= BATCH) resolve();
    });
  try {
    for (let last = false; !last;) {
      await more();
      if (failure !== undefined) throw failure;
      last = ended;
      const batch = rows;
      rows = [];
      if (batch.length > 0) yield batch;
      connection.resume();
    }
  } finally {
    if (!ended) stop();
    while (!ended) {
      connection.resume();
      await more();
      rows = [];
    }
    client.waiting--;
    connection.off('error', fail);
    client.socket.off('close', close);
    signal.removeEventListener('abort', stop);
    // What comes too late would end the next statement of this connection.
    await interrupted;
  }
}
