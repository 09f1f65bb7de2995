/** PostgreSQL as a place to write to: sessions with COPY, direct or from batches. */
import type pg from 'pg';
import { sendAll } from '../../core/byte-ring.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import type { EncoderSpec } from '../../core/encoder.ts';
import { throwIfAborted } from '../../core/errors.ts';
import type { BytesReader } from '../../core/source.ts';
import type { LoadMethod } from '../../core/stream.ts';
import { givenBy } from '../shared/sql/parts.ts';
import { loadRows } from '../shared/sql/load-rows.ts';
import type {
  LoadedRows,
  LoadTarget,
  SqlDialect,
  SqlResult,
  SqlSession,
  SqlSystem,
} from '../shared/sql/system.ts';
import { expectTaken } from '../shared/sql/table-check.ts';
import type { OnProgress } from '../shared/task-thread.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { type Transcoder, transcoderPool } from '../shared/transcoder.ts';
import { quoteName } from '../shared/quote.ts';
import { rowsOf } from './compare.ts';
import { cancel, connect, describeTarget, type Target, targetOf } from './client.ts';
import { CopyIn } from './copy-in.ts';
import { COPY_FORM } from './copy-out.ts';
import { LOAD_SIZES, postgresDialect } from './dialect.ts';
import { postgresError } from './errors.ts';
import { InsertIn } from './insert-in.ts';
import { type LoadStamp, stampOf } from './load-stamp.ts';
import type { PostgresOptions } from './options.ts';
import { breakSoon, disconnect, watch } from './watch.ts';

/** CopyData with `PGCOPY\n\xff\r\n\0`, no flags, no extension; and with the count of fields that ends a copy. */
const HEADER = Buffer.from('\x64\0\0\0\x17PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from('\x64\0\0\0\x06\xff\xff', 'latin1');

const ENCODER: EncoderSpec = {
  module: new URL(
    import.meta.url.endsWith('.ts') ? './copy-encoder.ts' : './copy-encoder.js',
    import.meta.url,
  ).href,
  name: 'createCopyEncoder',
  options: undefined,
};

export class PostgresTarget implements SqlSystem {
  readonly dialect: SqlDialect;
  readonly workers: number;
  readonly gives: SqlSystem['gives'];
  readonly #target: Target;
  readonly #stallMs: number;
  readonly #lockMs: number;
  readonly #pool: ThreadPool<Transcoder>;
  readonly #open = new Set<pg.Client>();

  constructor(options: PostgresOptions, context: ConnectorContext) {
    this.dialect = postgresDialect(options.schema);
    this.workers = context.workers;
    this.gives = givenBy(options);
    this.#target = targetOf(options);
    this.#stallMs = options.stall_timeout * 1000;
    this.#lockMs = options.lock_timeout * 1000;
    this.#pool = transcoderPool(context.workers);
  }

  async title(signal: AbortSignal): Promise<string> {
    const session = await this.connect(signal);
    try {
      const { rows } = await session.query(
        `SELECT pg_catalog.current_setting('server_version') AS version`,
        'checking the server',
      );
      return `PostgreSQL ${String(rows[0]!['version']).split(' ')[0]}, ${describeTarget(this.#target)}`;
    } finally {
      await session.close();
    }
  }

  async connect(signal: AbortSignal): Promise<SqlSession> {
    const client = await connect(this.#target, signal);
    watch(client, this.#stallMs, () => connect(this.#target, new AbortController().signal));
    this.#open.add(client);
    const session: SqlSession = {
      query: (sql, doing, values) => query(client, sql, doing, values),
      load: (into, reader, onRows, stop) => this.#load(client, into, { reader, onRows, signal: stop }),
      batches: (sql, how) => this.#batches(client, sql, how),
      close: async () => {
        this.#open.delete(client);
        await disconnect(client);
      },
    };
    try {
      await session.query(settings(this.#lockMs), 'preparing a connection');
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((client) => disconnect(client)));
    await this.#pool.close();
  }

  async *#batches(
    client: pg.Client,
    sql: string,
    { doing, many, signal }: { doing: string; many: boolean; signal: AbortSignal },
  ): AsyncGenerator<readonly unknown[][]> {
    throwIfAborted(signal);
    const stop = (): void => void cancel(this.#target, client);
    signal.addEventListener('abort', stop, { once: true });
    try {
      yield* rowsOf(client, sql, many);
    } catch (error) {
      throwIfAborted(signal);
      throw postgresError(error, doing);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #load(
    client: pg.Client,
    into: LoadTarget,
    { reader, onRows, signal }: { reader: BytesReader; onRows: OnProgress; signal: AbortSignal },
  ): Promise<LoadedRows> {
    throwIfAborted(signal);
    const stop = (): void => {
      breakSoon(client);
      void cancel(this.#target, client);
    };
    signal.addEventListener('abort', stop, { once: true });
    const to: { rows?: CopyIn | InsertIn } = {};
    try {
      const direct = reader.direct?.format === COPY_FORM;
      const loaded = await loadRows({
        reader,
        asked: into.method,
        sizes: LOAD_SIZES,
        pool: this.#pool,
        direct: COPY_FORM,
        open: async (method) => {
          // Statements of a few rows leave it to the server.
          const stamp = method === 'bulk' ? stampOf(into) : undefined;
          const rows = openRows(client, into, { method, direct, stamp });
          to.rows = rows;
          if (rows instanceof CopyIn) await rows.opened();
          // When nobody wants bytes any more, the end of the load tells why.
          if (!direct) await sendAll(rows, HEADER);
          return { sink: rows, encoder: { ...ENCODER, options: stamp } };
        },
        onRows,
        signal,
      });
      if (!direct) await sendAll(to.rows!, TRAILER);
      expectTaken(await to.rows!.finish(), loaded.facts.rows, into.doing);
      return loaded;
    } catch (error) {
      await to.rows?.fail();
      throwIfAborted(signal);
      // When the server refuses rows, whatever feeds them fails as well.
      const { error: refused } = to.rows ?? {};
      throw postgresError(refused && !isOwn(refused) ? refused : error, into.doing);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

/** What takes the rows: both take the messages of a binary COPY. */
function openRows(
  client: pg.Client,
  into: LoadTarget,
  { method, direct, stamp }: { method: LoadMethod; direct: boolean; stamp: LoadStamp | undefined },
): CopyIn | InsertIn {
  const names = [...into.columns.map(({ name }) => name), ...(stamp?.columns ?? [])];
  const columns = names.map(quoteName);
  if (method === 'statements') return new InsertIn(client, into.table, columns);
  // An encoder has put it behind each row.
  const rowStamp = direct && stamp ? { ...stamp, fields: names.length } : undefined;
  const copy = new CopyIn(`COPY ${into.table} (${columns.join(', ')}) FROM STDIN (FORMAT binary)`, rowStamp);
  client.query(copy);
  return copy;
}

/** Newer servers know more of them; a setting that a server does not have is left out. */
function settings(lockMs: number): string {
  const wherever = {
    // A session that says that we live is idle for as long as the run takes.
    idle_session_timeout: '0',
    transaction_timeout: '0',
    // A server at work on a long statement notices that we are gone, and lets go of its locks.
    client_connection_check_interval: '5s',
  };
  const list = Object.entries(wherever).map(([name, value]) => `('${name}', '${value}')`);
  return `SET lock_timeout = ${lockMs}; SET statement_timeout = 0; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET client_min_messages = warning;
SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES ${list.join(', ')}) v(name, value) JOIN pg_catalog.pg_settings s ON s.name = v.name
 WHERE v.name <> 'client_connection_check_interval' OR pg_catalog.version() ~ 'linux'`;
}

/** What a server says to a copy that we have ended ourselves. */
function isOwn(error: Error): boolean {
  return (error as { code?: unknown }).code === '57014';
}

async function query(
  client: pg.Client,
  sql: string,
  doing: string,
  values: readonly unknown[] = [],
): Promise<SqlResult> {
  try {
    const result: unknown =
      values.length > 0 ? await client.query(sql, [...values]) : await client.query(sql);
    const last = (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult<Record<string, unknown>>;
    return { rows: last.rows, count: last.command === 'SELECT' ? 0 : (last.rowCount ?? 0) };
  } catch (error) {
    throw postgresError(error, doing);
  }
}
