/** MySQL and MariaDB as a place to write to: sessions with LOAD DATA LOCAL, or INSERT where the server forbids that. */
import type { ConnectorContext } from '../../core/connector.ts';
import type { History } from '../../core/destination.ts';
import { ConfigError, throwIfAborted } from '../../core/errors.ts';
import { BATCH_BYTES } from '../../core/memory.ts';
import type { BytesReader, DecodeFacts } from '../../core/source.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { givenBy } from '../shared/sql/parts.ts';
import type { LoadTarget, SqlDialect, SqlResult, SqlSession, SqlSystem } from '../shared/sql/system.ts';
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
  /** Takes the rows of LOAD DATA LOCAL. */
  takesFiles: boolean;
  /** The longest that it reads in one piece. */
  packetBytes: number;
}

/** What goes to the server at a time; more is not faster. */
const PIECE_BYTES = 256 << 10;

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
  ): Promise<DecodeFacts> {
    throwIfAborted(signal);
    const doing = into.doing;
    const stop = (): void => client.destroy();
    signal.addEventListener('abort', stop, { once: true });
    let sink: LoadSink | undefined;
    try {
      const options = this.#encoding(into);
      sink =
        options.form === 'load'
          ? await openFile(client, into, { dialect: this.dialect, pieceBytes: this.#pieceBytes })
          : openInserts(client, into, this.dialect);
      const facts = await this.#transcode({ reader, onRows, signal, sink, options });
      const result = await sink.finish();
      await checkLoaded(client, { into, rows: facts.rows, result });
      return facts;
    } catch (error) {
      sink?.fail();
      throwIfAborted(signal);
      // When the server refuses rows, whatever feeds them fails as well.
      throw mysqlError(sink?.error ?? error, doing);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #encoding(into: LoadTarget): LoadEncoderOptions {
    const { takesFiles, mariadb } = this.#facts!;
    const more = { signedZeros: !mariadb, frameBytes: this.#pieceBytes };
    if (takesFiles) return { form: 'load', stamps: [], ...more };
    const stamps = stampsOf(into, this.dialect).map(({ value }) => value);
    return { form: 'insert', stamps, ...more };
  }

  /** With room for the head of a statement. */
  get #pieceBytes(): number {
    return Math.min(PIECE_BYTES, this.#batchBytes, this.#facts!.packetBytes >> 1);
  }

  #transcode(job: {
    reader: BytesReader;
    onRows: OnProgress;
    signal: AbortSignal;
    sink: LoadSink;
    options: LoadEncoderOptions;
  }): Promise<DecodeFacts> {
    const { reader, sink, onRows, signal, options } = job;
    const file = import.meta.url.endsWith('.ts') ? './load-encoder.ts' : './load-encoder.js';
    const encoder = { module: new URL(file, import.meta.url).href, name: 'createLoadEncoder', options };
    return this.#pool.use((thread) => thread.run({ reader, encoder, sink, onRows }, signal));
  }
}

function listOf(into: LoadTarget): string[] {
  return into.columns.map((column) => quoteBackticks(column.name));
}

function stampsOf({ stamped }: LoadTarget, { stamps }: SqlDialect): SqlDialect['stamps'][History] {
  return stamped === undefined ? [] : stamps[stamped];
}

/** In CHARACTER SET binary the bytes go into texts as they are, and into binary columns as well. */
async function openFile(
  client: Client,
  into: LoadTarget,
  { dialect, pieceBytes }: { dialect: SqlDialect; pieceBytes: number },
): Promise<LoadSink> {
  const set = stampsOf(into, dialect).map(({ column, value }) => `${column} = ${value}`);
  const file = new LoadFile(
    client,
    `LOAD DATA LOCAL INFILE 'sluice' INTO TABLE ${into.table} CHARACTER SET binary FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (${listOf(into).join(', ')})${set.length > 0 ? ` SET ${set.join(', ')}` : ''}`,
    pieceBytes,
  );
  await file.opened();
  return file;
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
