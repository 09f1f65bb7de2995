/** MySQL and MariaDB as a place to write to: sessions with LOAD DATA LOCAL, and INSERT for few rows or where the server forbids that. */
import type { ConnectorContext } from '../../core/connector.ts';
import type { History } from '../../core/destination.ts';
import type { EncoderSpec } from '../../core/encoder.ts';
import { ConfigError, throwIfAborted } from '../../core/errors.ts';
import { BATCH_BYTES } from '../../core/memory.ts';
import type { BytesReader } from '../../core/source.ts';
import type { LoadMethod } from '../../core/stream.ts';
import { quoteBackticks } from '../shared/quote.ts';
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
import type { OnProgress } from '../shared/task-thread.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { type Transcoder, transcoderPool } from '../shared/transcoder.ts';
import { type Client, connect, describeTarget, interrupt, type Target, targetOf } from './client.ts';
import { mysqlDialect, type ServerFacts } from './dialect.ts';
import { mysqlError } from './errors.ts';
import type { LoadEncoderOptions } from './load-encoder.ts';
import { LoadFile, LoadInserts, type LoadSink } from './load-in.ts';
import { checkLoaded } from './load-warnings.ts';
import type { MysqlOptions } from './options.ts';
import { rowBatches } from './row-batches.ts';
import { watch } from './watch.ts';

/** A day: the server waits for rows as long as the source takes, and keeps an open load. */
const PATIENCE_SECONDS = 86_400;

interface Facts extends ServerFacts {
  /** The longest that it reads in one piece. */
  packetBytes: number;
}

/** What goes to the server at a time; more is not faster. */
const PIECE_BYTES = 256 << 10;

const ENCODER: Omit<EncoderSpec, 'options'> = {
  module: new URL(
    import.meta.url.endsWith('.ts') ? './load-encoder.ts' : './load-encoder.js',
    import.meta.url,
  ).href,
  name: 'createLoadEncoder',
};

export class MysqlTarget implements SqlSystem {
  readonly dialect: SqlDialect;
  readonly workers: number;
  readonly gives: SqlSystem['gives'];
  readonly #target: Target & { database: string };
  readonly #stallMs: number;
  readonly #lockSeconds: number;
  readonly #batchBytes: number;
  readonly #pool: ThreadPool<Transcoder>;
  readonly #open = new Set<Client>();
  #facts: Facts | undefined;

  constructor(options: MysqlOptions, context: ConnectorContext) {
    const target = { ...targetOf(options), localFiles: true };
    const { database } = target;
    if (database === undefined || database === '')
      throw new ConfigError(`opening connection "${context.name}": no database to write to is named`, {
        code: 'mysql.no_database',
        remedy: 'add it to the url, or set `database`',
      });
    this.#target = { ...target, database };
    this.#lockSeconds = Math.max(1, Math.ceil(options.lock_timeout));
    this.dialect = mysqlDialect(database, this.#lockSeconds, () => this.#facts!);
    this.#stallMs = options.stall_timeout * 1000;
    this.workers = context.workers;
    this.#batchBytes = context.batchBytes ?? BATCH_BYTES.usual;
    this.gives = givenBy(options);
    this.#pool = transcoderPool(context.workers);
  }

  async title(signal: AbortSignal): Promise<string> {
    const session = await this.connect(signal);
    await session.close();
    const { mariadb, version } = this.#facts!;
    return `${mariadb ? 'MariaDB' : 'MySQL'} ${/^[\d.]+/.exec(version)?.[0] ?? version}, ${describeTarget(this.#target)}`;
  }

  async connect(signal: AbortSignal): Promise<SqlSession> {
    const client = await connect(this.#target, signal);
    watch(client, this.#stallMs, () => connect(this.#target, new AbortController().signal));
    this.#open.add(client);
    const close = async (): Promise<void> => {
      this.#open.delete(client);
      await client.end();
    };
    try {
      await this.#prepare(client);
    } catch (error) {
      await close();
      throw mysqlError(error, 'preparing a connection');
    }
    return {
      query: (sql, doing, values) => query(client, sql, doing, values),
      load: (into, reader, onRows, stop) => this.#load(client, into, { reader, onRows, signal: stop }),
      batches: (sql, how) => this.#batches(client, sql, how),
      close,
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((client) => client.end()));
    await this.#pool.close();
  }

  /** What does not fit is an error, and what we compare is what is committed now. */
  async #prepare(client: Client): Promise<void> {
    await client.query(
      `SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_AUTO_VALUE_ON_ZERO',
       net_write_timeout = ${PATIENCE_SECONDS}, net_read_timeout = ${PATIENCE_SECONDS}, wait_timeout = ${PATIENCE_SECONDS},
       sql_big_selects = 1, sql_select_limit = DEFAULT, sql_safe_updates = 0, sql_notes = 1, max_error_count = 64, autocommit = 1,
       foreign_key_checks = 1, unique_checks = 1, lock_wait_timeout = ${this.#lockSeconds}, innodb_lock_wait_timeout = ${this.#lockSeconds}`,
    );
    await client.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    if (client.mariadb) {
      // Joins by hash: without an index, rows would be compared each with each.
      await client.query(
        'SET SESSION idle_transaction_timeout = 0, idle_write_transaction_timeout = 0, max_statement_time = 0, join_cache_level = 4',
      );
    }
    if (this.#facts) return;
    const [row] = await client.query<Record<string, unknown>>(
      'SELECT @@GLOBAL.local_infile AS files, @@lower_case_table_names AS folds, @@SESSION.max_allowed_packet AS packet',
    );
    this.#facts = {
      mariadb: client.mariadb,
      version: client.version,
      foldsTables: Number(row!['folds']) !== 0,
      takesFiles: Number(row!['files']) === 1,
      packetBytes: Number(row!['packet']),
    };
  }

  async *#batches(
    client: Client,
    sql: string,
    { doing, signal }: { doing: string; signal: AbortSignal },
  ): AsyncGenerator<readonly unknown[][]> {
    throwIfAborted(signal);
    try {
      yield* rowBatches(client, sql, { interrupt: () => interrupt(this.#target, client), signal });
    } catch (error) {
      throwIfAborted(signal);
      throw mysqlError(error, doing);
    }
  }

  async #load(
    client: Client,
    into: LoadTarget,
    { reader, onRows, signal }: { reader: BytesReader; onRows: OnProgress; signal: AbortSignal },
  ): Promise<LoadedRows> {
    throwIfAborted(signal);
    const stop = (): void => client.destroy();
    signal.addEventListener('abort', stop, { once: true });
    const to: { sink?: LoadSink } = {};
    try {
      const loaded = await loadRows({
        reader,
        asked: into.method,
        sizes: this.dialect.loadSizes!,
        pool: this.#pool,
        open: async (method) => {
          const pieceBytes = this.#pieceBytes;
          const bulk = method === 'bulk';
          const file = bulk ? openFile(client, into, { dialect: this.dialect, pieceBytes }) : undefined;
          const sink = (to.sink = file ?? openInserts(client, into, this.dialect));
          await file?.opened();
          return { sink, encoder: { ...ENCODER, options: this.#encoding(into, method) } };
        },
        onRows,
        signal,
      });
      const result = await to.sink!.finish();
      await checkLoaded(client, { into, rows: loaded.facts.rows, result });
      return loaded;
    } catch (error) {
      to.sink?.fail();
      throwIfAborted(signal);
      // When the server refuses rows, whatever feeds them fails as well.
      throw mysqlError(to.sink?.error ?? error, into.doing);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #encoding(into: LoadTarget, method: LoadMethod): LoadEncoderOptions {
    const more = { signedZeros: !this.#facts!.mariadb, frameBytes: this.#pieceBytes };
    if (method === 'bulk') return { form: 'load', stamps: [], ...more };
    const stamps = stampsOf(into, this.dialect).map(({ value }) => value);
    return { form: 'insert', stamps, ...more };
  }

  /** With room for the head of a statement. */
  get #pieceBytes(): number {
    return Math.min(PIECE_BYTES, this.#batchBytes, this.#facts!.packetBytes >> 1);
  }
}

function listOf(into: LoadTarget): string[] {
  return into.columns.map((column) => quoteBackticks(column.name));
}

function stampsOf({ stamped }: LoadTarget, { stamps }: SqlDialect): SqlDialect['stamps'][History] {
  return stamped ? stamps[stamped.stamp] : [];
}

/** In CHARACTER SET binary the bytes go into texts as they are, and into binary columns as well. */
function openFile(
  client: Client,
  into: LoadTarget,
  { dialect, pieceBytes }: { dialect: SqlDialect; pieceBytes: number },
): LoadFile {
  const set = stampsOf(into, dialect).map(({ column, value }) => `${column} = ${value}`);
  return new LoadFile(
    client,
    `LOAD DATA LOCAL INFILE 'sluice' INTO TABLE ${into.table} CHARACTER SET binary FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (${listOf(into).join(', ')})${set.length > 0 ? ` SET ${set.join(', ')}` : ''}`,
    pieceBytes,
  );
}

function openInserts(client: Client, into: LoadTarget, dialect: SqlDialect): LoadSink {
  const list = [...listOf(into), ...stampsOf(into, dialect).map(({ column }) => column)];
  return new LoadInserts(client, `INSERT INTO ${into.table} (${list.join(', ')}) VALUES `);
}

const COUNTED = /^(insert|update|delete)\b/i;

async function query(
  client: Client,
  sql: string,
  doing: string,
  values: readonly unknown[] = [],
): Promise<SqlResult> {
  try {
    const answer: unknown = await client.query(sql, values);
    if (Array.isArray(answer)) return { rows: answer as Record<string, unknown>[], count: 0 };
    const { affectedRows } = answer as { affectedRows: number };
    return { rows: [], count: COUNTED.test(sql) ? Number(affectedRows) : 0 };
  } catch (error) {
    throw mysqlError(error, doing);
  }
}
