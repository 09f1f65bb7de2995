import { CancelledError, type SluiceError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { ByteSink } from '../../core/byte-ring.ts';
import type { Comparable } from '../../core/compare.ts';
import type { DiagnoseRequest, Diagnosis } from '../../core/diagnose.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import type {
  BytesReader,
  Loaded,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import { BATCH_BYTES } from '../../core/memory.ts';
import type { Checkpoint, RunWindow, Slice, StreamConfig } from '../../core/stream.ts';
import { diagnoseRelation } from '../shared/diagnose-relation.ts';
import { advance } from '../shared/rise.ts';
import { readCatalog } from './catalog.ts';
import { type Client, connect, describeTarget, interrupt, type Target, targetOf } from './client.ts';
import { compareMysql } from './compare.ts';
import { describeTable } from './describe.ts';
import { diagnosed } from './diagnose.ts';
import { errorNumber, mysqlError } from './errors.ts';
import { atSnapshot, observe } from './horizon.ts';
import type { MysqlOptions } from './options.ts';
import { sliceSql, wireFormats } from './relation.ts';
import { expectFormats } from './result-types.ts';
import type { RowDecoderOptions } from './row-decoder.ts';
import { rowBatches } from './row-batches.ts';
import { rowsOut } from './rows-out.ts';
import {
  BEGIN_LOCKS,
  giveLocksBack,
  prepareSession,
  releasingLocks,
  type SessionSettings,
} from './session.ts';
import { beginTogether, SnapshotPool } from './snapshot-pool.ts';
import { type MysqlSurvey, type SnapshotFacts, survey } from './survey.ts';
import { warningsOf } from './warnings.ts';
import { watch } from './watch.ts';

const BATCH_ROWS = 2048;

export class MysqlSource implements Source {
  readonly #target: Target;
  readonly #session: SessionSettings;
  readonly #options: MysqlOptions;
  readonly batchBytes: number;
  readonly #workers: number;
  readonly #open = new Set<Client>();

  constructor(options: MysqlOptions, context: ConnectorContext) {
    this.#target = targetOf(options);
    this.#session = {
      statementTimeoutMs: (options.statement_timeout ?? 0) * 1000,
      lockTimeoutSeconds: options.lock_timeout,
    };
    this.#options = options;
    this.batchBytes = context.batchBytes ?? BATCH_BYTES.usual;
    this.#workers = Math.max(1, context.workers);
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    return this.#using(signal, 'checking the server', async (client) => {
      const horizon = await observe(client, [client.id]);
      const warnings = await warningsOf(client, {
        horizon,
        schemas: this.#schemas(),
        workers: this.#workers,
        globalLock: this.#options.global_lock,
      });
      const version = /^[\d.]+/.exec(client.version)?.[0] ?? client.version;
      const product = client.mariadb ? 'MariaDB' : 'MySQL';
      return { title: `${product} ${version}, ${describeTarget(this.#target)}`, warnings };
    });
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return this.#using(signal, 'reading the catalog', async (client) => {
      const tables = await readCatalog(client, { schemas: this.#schemas() });
      const types = { tinyint1AsBool: this.#options.tinyint1_as_bool };
      return tables.map((table) => describeTable(table, types));
    });
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    const clients: Client[] = [];
    try {
      clients.push(await this.#connect(signal));
      clients.push(...(await this.#readers(signal)));
      const first = clients[0]!;
      const own = clients.map(({ id }) => id);
      // The order matters: see horizon.ts.
      const horizon = await observe(first, own);
      const together = await beginTogether(clients, this.#options.global_lock);
      if (!together) await Promise.all(clients.splice(1).map((client) => this.release(client)));
      const facts: SnapshotFacts = {
        horizon: await atSnapshot(first, horizon),
        database: this.#target.database,
        types: { tinyint1AsBool: this.#options.tinyint1_as_bool },
        partBytes: this.#options.slice_size,
      };
      return new MysqlSnapshot(this, clients, facts);
    } catch (error) {
      await Promise.all(clients.map((client) => this.release(client)));
      throw mysqlError(error, `taking a snapshot of ${describeTarget(this.#target)}`);
    }
  }

  async release(client: Client): Promise<void> {
    this.#open.delete(client);
    await client.end();
  }

  /** Ends what a reader is doing, from outside. */
  interrupt(client: Client): Promise<void> {
    return interrupt(this.#target, client);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((client) => this.release(client)));
  }

  #schemas(): string[] | undefined {
    const { database } = this.#target;
    return this.#options.schemas ?? (database === undefined ? undefined : [database]);
  }

  /** One for each worker; fewer where the server has no more. */
  async #readers(signal: AbortSignal): Promise<Client[]> {
    const tried = await Promise.allSettled(
      Array.from({ length: this.#workers }, () => this.#connect(signal)),
    );
    const refused = tried.find(
      (each) => each.status === 'rejected' && (each.reason as SluiceError).code !== 'mysql.exhausted',
    );
    const made = tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (refused?.status !== 'rejected') return made;
    await Promise.all(made.map((client) => this.release(client)));
    throw refused.reason;
  }

  async #connect(signal: AbortSignal): Promise<Client> {
    const client = await connect(this.#target, signal);
    this.#open.add(client);
    try {
      watch(client, this.#options.stall_timeout * 1000, () =>
        connect(this.#target, new AbortController().signal),
      );
      await prepareSession(client, this.#session);
      return client;
    } catch (error) {
      await this.release(client);
      throw mysqlError(error, `preparing a session on ${describeTarget(this.#target)}`);
    }
  }

  async #using<T>(signal: AbortSignal, doing: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#connect(signal);
    try {
      return await work(client);
    } catch (error) {
      throw mysqlError(error, `${doing} on ${describeTarget(this.#target)}`);
    } finally {
      await this.release(client);
    }
  }
}

class MysqlSnapshot implements Snapshot {
  readonly at: string;
  readonly #source: MysqlSource;
  readonly #facts: SnapshotFacts;
  readonly #clients: readonly Client[];
  /** For surveys, one at a time; where only one connection sees the snapshot, for reading too. */
  readonly #control: SnapshotPool;
  readonly #readers: SnapshotPool;

  constructor(source: MysqlSource, clients: readonly Client[], facts: SnapshotFacts) {
    this.#source = source;
    this.#facts = facts;
    this.#clients = clients;
    this.at = facts.horizon.at;
    this.#control = new SnapshotPool(clients.slice(0, 1));
    this.#readers = clients.length === 1 ? this.#control : new SnapshotPool(clients.slice(1));
  }

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey> {
    const client = await this.#control.take(signal);
    try {
      return await releasingLocks(client, () => survey(client, this.#facts, { stream, checkpoint, window }));
    } catch (error) {
      throw mysqlError(error, `looking at ${stream.name}`);
    } finally {
      this.#control.give(client);
    }
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: Slice,
    signal: AbortSignal,
  ): Promise<BytesReader> {
    throwIfAborted(signal);
    const { relation } = surveyed as MysqlSurvey;
    const formats = wireFormats(relation);
    const options: RowDecoderOptions = {
      formats,
      cursor: relation.cursor?.fields ?? [],
      maxRows: BATCH_ROWS,
      maxBytes: this.#source.batchBytes,
    };
    const file = import.meta.url.endsWith('.ts') ? './row-decoder.ts' : './row-decoder.js';
    const sql = sliceSql(relation, slice.range);
    const expect = (columns: Parameters<typeof expectFormats>[2]): void =>
      expectFormats(stream.name, formats, columns);
    return {
      format: 'bytes',
      schema: relation.schema,
      decoder: { module: new URL(file, import.meta.url).href, name: 'createRowDecoder', options },
      // A connection is taken when the bytes are wanted: who waits for a thread must not hold one.
      pump: (ring, onBytes) => this.#pump({ stream, sql, expect, signal }, ring, onBytes),
      close: async () => {},
    };
  }

  async #pump(
    job: {
      stream: StreamConfig;
      sql: string;
      expect: (columns: Parameters<typeof expectFormats>[2]) => void;
      signal: AbortSignal;
    },
    ring: ByteSink,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { stream, sql, expect, signal } = job;
    const client = await this.#readers.take(signal);
    let interrupted: Promise<void> | undefined;
    const stop = (): void => {
      interrupted ??= this.#source.interrupt(client);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await releasingLocks(client, () => rowsOut({ client, sql, expect, ring, onBytes, stop }));
      if (ring.abandoned) throw new Error('nobody reads what is sent');
    } catch (error) {
      throwIfAborted(signal);
      if (ring.abandoned)
        throw new CancelledError('the reader was told to stop', { code: 'mysql.abandoned', cause: error });
      throw planned(error, stream) ?? mysqlError(error, `reading ${stream.name}`);
    } finally {
      signal.removeEventListener('abort', stop);
      // What comes too late would end the next statement of this connection.
      await interrupted;
      this.#readers.give(client);
    }
  }

  advance(loaded: Loaded): Checkpoint {
    const { relation } = loaded.survey as MysqlSurvey;
    return advance(loaded, { at: this.at, identity: undefined, type: relation.cursor?.type });
  }

  compare(stream: StreamConfig, surveyed: Survey): Comparable {
    return compareMysql({
      relation: (surveyed as MysqlSurvey).relation,
      skipNulls: stream.nullCursor === 'skip',
      ask: (sql, { signal }) => this.#rows({ doing: `comparing ${stream.name}`, stream, signal }, sql),
    });
  }

  diagnose(
    stream: StreamConfig,
    surveyed: Survey,
    request: DiagnoseRequest,
    signal: AbortSignal,
  ): Promise<Diagnosis> {
    const { relation } = surveyed as MysqlSurvey;
    const job = { doing: `looking through ${stream.name}`, stream, signal };
    const rows = diagnosed(relation, request.ranges, { mariadb: this.#clients[0]!.mariadb });
    return diagnoseRelation(rows, request, { ask: (sql) => this.#rows(job, sql), signal });
  }

  async *#rows(
    { doing, stream, signal }: { doing: string; stream: StreamConfig; signal: AbortSignal },
    sql: string,
  ): AsyncGenerator<readonly unknown[][]> {
    const client = await this.#readers.take(signal);
    try {
      await client.query(BEGIN_LOCKS);
      yield* rowBatches(client, sql, { interrupt: () => this.#source.interrupt(client), signal });
    } catch (error) {
      throwIfAborted(signal);
      throw planned(error, stream) ?? mysqlError(error, doing);
    } finally {
      await giveLocksBack(client);
      this.#readers.give(client);
    }
  }

  async alive(): Promise<boolean> {
    if (!this.#control.alive || !this.#readers.alive) return false;
    // One that reads is seen to be alive by what comes.
    const client = this.#control.idle();
    if (!client) return true;
    try {
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      this.#control.give(client);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => this.#source.release(client)));
  }
}

const NO_TABLE = 1146;
const NO_COLUMN = 1054;

/** What was there when it was looked at is gone: the plan is of yesterday, and planning anew says what is to be said. */
function planned(error: unknown, stream: StreamConfig): SluiceError | undefined {
  const number = errorNumber(error);
  if (number !== NO_TABLE && number !== NO_COLUMN) return undefined;
  return new TransientError(
    `reading ${stream.name}: its table or a column was dropped or renamed after it was planned`,
    {
      code: 'engine.old_snapshot',
      remedy: 'run again when nobody changes the table any more',
      cause: error,
    },
  );
}
