import { availableParallelism } from 'node:os';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../src/testing/postgres-server.ts';
import type { TableShape } from './tables.ts';

const DATABASE = 'bench';

/** A server as one would run it for a database of this size, but for the log, which a benchmark need not survive. */
const SETTINGS: Record<string, string> = {
  shared_buffers: '1GB',
  maintenance_work_mem: '512MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // It would start in the middle of a measurement.
  autovacuum: 'off',
};

export interface BenchServer extends AsyncDisposable {
  /** Process id of the postmaster. */
  pid: number;
  /** Over TCP on the loopback, which is what both sides of a comparison use. */
  url: string;
  version: string;
  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
  /** The same in another database. */
  queryIn<Row extends pg.QueryResultRow>(database: string, sql: string): Promise<Row[]>;
}

/** The server stops when the signal says so, which ends whatever is being asked of it. */
export function startServer(signal: AbortSignal): Promise<BenchServer> {
  return openServer((settings) => startPostgres({ settings }), signal);
}

/** The same with a server of another kind. */
export async function openServer(
  start: (settings: Record<string, string>) => Promise<PostgresServer>,
  signal: AbortSignal,
): Promise<BenchServer> {
  const server = await start(SETTINGS);
  const stop = (): Promise<void> => server.stop('immediate');
  try {
    signal.throwIfAborted();
    signal.addEventListener('abort', () => void stop(), { once: true });
    const url = await server.createDatabase(DATABASE);
    const ask = <Row extends pg.QueryResultRow>(at: string, sql: string): Promise<Row[]> =>
      withClient(at, async (client) => (await client.query<Row>(sql)).rows);
    const query: BenchServer['query'] = (sql) => ask(url, sql);
    const queryIn: BenchServer['queryIn'] = (database, sql) => ask(server.url(database), sql);
    const [row] = await query<{ version: string }>(`SELECT current_setting('server_version') AS version`);
    return { pid: server.pid, url, version: row!.version, query, queryIn, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes the table and its rows on the server, several connections at a time, frozen and analyzed as after a quiet night. */
export async function makeTable(
  server: BenchServer,
  shape: TableShape,
  rows: number,
  signal: AbortSignal,
): Promise<void> {
  const { name, columns, after } = shape;
  const list = columns.map((column) => `${column.name} ${column.type}`).join(', ');
  // Not logged: a log that is written back later would disturb what is measured. Reading is the same.
  await server.query(`CREATE UNLOGGED TABLE ${name} (${list})`);
  const values = columns.map((column) => column.value).join(', ');
  const makers = Math.max(1, availableParallelism());
  await Promise.all(
    Array.from({ length: makers }, (_, maker) => {
      const [first, last] = [
        Math.floor((rows * maker) / makers) + 1,
        Math.floor((rows * (maker + 1)) / makers),
      ];
      return server.query(
        `INSERT INTO ${name} SELECT ${values} FROM generate_series(${first}, ${last}) AS i`,
      );
    }),
  );
  signal.throwIfAborted();
  for (const sql of after) await server.query(sql);
  signal.throwIfAborted();
  await server.query(`VACUUM (FREEZE, ANALYZE) ${name}`);
  await server.query('CHECKPOINT');
  signal.throwIfAborted();
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // The server may be stopped under it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
