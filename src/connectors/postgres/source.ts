import type pg from 'pg';
import type {
  BytesReader,
  Loaded,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import type { Comparable } from '../../core/compare.ts';
import type { DiagnoseRequest, Diagnosis } from '../../core/diagnose.ts';
import { CancelledError, throwIfAborted, TransientError } from '../../core/errors.ts';
import type { ByteSink } from '../../core/byte-ring.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import { BATCH_BYTES } from '../../core/memory.ts';
import {
  type Checkpoint,
  hasRules,
  type RunWindow,
  type Slice,
  type SliceRange,
  type StreamConfig,
} from '../../core/stream.ts';
import { readCatalog } from './catalog.ts';
import { cancel, connect, describeTarget, type Target, targetOf } from './client.ts';
import { comparePostgres, rowsOf } from './compare.ts';
import type { CopyDecoderOptions } from './copy-decoder.ts';
import { COPY_FORM, copyOut } from './copy-out.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
import { diagnoseRelation } from '../shared/diagnose-relation.ts';
import { advance } from '../shared/rise.ts';
import { describeTable } from './describe.ts';
import { diagnosed } from './diagnose.ts';
import { postgresError } from './errors.ts';
import { atSnapshot, observe } from './horizon.ts';
import type { PostgresOptions } from './options.ts';
import { highSql, type Relation, sliceSql, wireFormats } from './relation.ts';
import { INCARNATION_SQL } from './seen.ts';
import { begin, join, type SessionSettings } from './session.ts';
import { survey, type PostgresSurvey, type SnapshotFacts } from './survey.ts';
import { breakSoon, disconnect, watch } from './watch.ts';

const BATCH_ROWS = 2048;

export class PostgresSource implements Source {
  readonly #target: Target;
  readonly #settings: SessionSettings;
  readonly #stallMs: number;
  readonly #schemas: string[] | undefined;
  readonly #sliceBytes: number;
  readonly batchBytes: number;
  readonly #open = new Set<pg.Client>();

  constructor(options: PostgresOptions, context: ConnectorContext) {
    this.batchBytes = context.batchBytes ?? BATCH_BYTES.usual;
    this.#target = targetOf(options);
    this.#settings = {
      statementTimeoutMs: (options.statement_timeout ?? 0) * 1000,
      lockTimeoutMs: options.lock_timeout * 1000,
      rowSecurity: options.row_security,
    };
    this.#stallMs = options.stall_timeout * 1000;
    this.#schemas = options.schemas;
    this.#sliceBytes = options.slice_size;
  }

  async check(signal: AbortSignal): Promise<SourceFacts> {
    return this.#using(signal, 'checking the server', async (client) => {
      const horizon = await observe(client);
      const { rows } = await client.query<{ version: string; encoding: string }>(
        `SELECT pg_catalog.current_setting('server_version') AS version, pg_catalog.current_setting('server_encoding') AS encoding`,
      );
      const warnings: SourceFacts['warnings'] = [];
      if (horizon.blind !== undefined) {
        warnings.push({
          code: 'postgres.blind',
          message: horizon.blind,
          remedy: 'until then the last hour is read again on every run; `overlap` sets another time',
        });
      }
      if (rows[0]!.encoding === 'SQL_ASCII') {
        warnings.push({
          code: 'postgres.sql_ascii',
          message: 'the database has no encoding (SQL_ASCII): text that is not UTF-8 is repaired and counted',
          remedy: 'types: { column: binary } keeps the bytes',
        });
      }
      return {
        title: `PostgreSQL ${rows[0]!.version.split(' ')[0]}, ${describeTarget(this.#target)}`,
        warnings,
      };
    });
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return this.#using(signal, 'reading the catalog', async (client) => {
      await begin(client, this.#settings, 'SELECT 1 AS moment');
      const tables = await readCatalog(client, undefined);
      return tables
        .filter((table) => !this.#schemas || this.#schemas.includes(table.schema))
        .map(describeTable);
    });
  }

  async open(signal: AbortSignal, accepts: readonly string[] = []): Promise<Snapshot> {
    const client = await this.#connect(signal);
    try {
      // The order matters: see horizon.ts.
      const horizon = await observe(client);
      const row = await begin<SnapshotRow>(client, this.#settings, SNAPSHOT_SQL);
      const facts: SnapshotFacts = {
        horizon: atSnapshot(horizon, { nextXid: row.next_xid, clock: row.clock }),
        serverVersion: row.version,
        checked: row.encoding !== 'SQL_ASCII',
        nextXid: row.next_xid,
        oldestXid: row.oldest_xid,
        incarnation: row.incarnation,
        partBytes: this.#sliceBytes,
        // Text that nobody has checked has to be looked at on its way.
        direct: accepts.includes(COPY_FORM) && row.encoding !== 'SQL_ASCII',
      };
      const utf8 = row.encoding === 'UTF8' || row.encoding === 'SQL_ASCII';
      return new PostgresSnapshot(this, client, { ...facts, id: row.id, at: row.at, utf8 });
    } catch (error) {
      await this.release(client);
      throw postgresError(error, `taking a snapshot of ${describeTarget(this.#target)}`);
    }
  }

  /** A connection of its own that sees the snapshot. */
  async reader(snapshot: string, signal: AbortSignal, rawText: boolean = false): Promise<pg.Client> {
    const client = await this.#connect(signal);
    try {
      await join(client, { ...this.#settings, rawText }, snapshot);
      return client;
    } catch (error) {
      await this.release(client);
      const doing = `joining the snapshot of ${describeTarget(this.#target)}`;
      throw snapshotLost(error, doing) ?? postgresError(error, doing);
    }
  }

  async release(client: pg.Client): Promise<void> {
    this.#open.delete(client);
    await disconnect(client);
  }

  /** Ends what a reader is doing, from outside. */
  async interrupt(client: pg.Client): Promise<void> {
    breakSoon(client);
    await cancel(this.#target, client);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((client) => this.release(client)));
  }

  async #connect(signal: AbortSignal): Promise<pg.Client> {
    const client = await connect(this.#target, signal);
    watch(client, this.#stallMs, () => connect(this.#target, new AbortController().signal));
    this.#open.add(client);
    return client;
  }

  async #using<T>(signal: AbortSignal, doing: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.#connect(signal);
    try {
      return await work(client);
    } catch (error) {
      throw postgresError(error, `${doing} on ${describeTarget(this.#target)}`);
    } finally {
      await this.release(client);
    }
  }
}

/** Whoever held the snapshot has been ended. Servers say it in three ways, none of them as of a lost connection. */
function snapshotLost(error: unknown, doing: string): TransientError | undefined {
  if (!['42704', '22023', '55000'].includes(String((error as { code?: unknown }).code))) return undefined;
  return new TransientError(`${doing}: the session that held it was ended`, {
    code: 'postgres.connection_lost',
    remedy: "the server's log says who ended it",
    cause: error,
  });
}

const RUN_AGAIN = 'run again when nobody changes the table any more';

/** What was there when it was looked at is gone: the plan is of yesterday, and planning anew says what is to be said. */
function outdated(error: unknown, stream: StreamConfig): TransientError | undefined {
  const { code } = error as { code?: unknown };
  if (code !== '42P01' && code !== '42703') return undefined;
  return new TransientError(
    `reading ${stream.name}: its table or a column was dropped or renamed after it was planned`,
    { code: 'engine.old_snapshot', remedy: RUN_AGAIN, cause: error },
  );
}

/** Relations that the transaction has read, and which are not those of its snapshot. */
const REWRITTEN = `
SELECT l.relation::regclass::text AS name
  FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND (c.relkind IS NULL OR c.relkind IN ('r', 'm'))
   AND (c.oid IS NULL OR c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid))
 LIMIT 1`;

/**
 * A table that ALTER TABLE has rewritten, or TRUNCATE emptied, after the snapshot was taken looks empty to it, without an
 * error. Our transaction still has its locks from reading, so what is found now is what was read: pg_class as the
 * snapshot sees it, against the file of today.
 */
async function refuseRewritten(client: pg.Client, stream: StreamConfig): Promise<void> {
  const { rows } = await client.query<{ name: string }>(REWRITTEN);
  if (rows[0] === undefined) return;
  throw new TransientError(
    `reading ${stream.name}: table ${rows[0].name} was rewritten or emptied after the snapshot was taken`,
    { code: 'engine.old_snapshot', remedy: RUN_AGAIN },
  );
}

/** Nobody has looked into rows that went as they were. */
async function highOf(
  client: pg.Client,
  stream: StreamConfig,
  { relation, range }: { relation: Relation; range: SliceRange },
): Promise<string | undefined> {
  const { cursor } = relation;
  if (!cursor) return undefined;
  try {
    const { rows } = await client.query<{ high: string | null }>(highSql(relation, cursor, range));
    const text = rows[0]!.high;
    return text === null ? undefined : renderCursor(parseCursor(text, cursor.type), cursor.type);
  } catch (error) {
    throw postgresError(error, `looking for the newest row of ${stream.name}`);
  }
}

interface SnapshotRow {
  id: string;
  at: string;
  clock: string;
  next_xid: string;
  oldest_xid: string;
  incarnation: string | null;
  version: number;
  encoding: string;
}

const SNAPSHOT_SQL = `
SELECT pg_catalog.pg_export_snapshot() AS id,
       (pg_catalog.statement_timestamp() AT TIME ZONE 'UTC')::text || '+00' AS at,
       (pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')::text || '+00' AS clock,
       pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())::text AS next_xid,
       pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())::text AS oldest_xid,
       ${INCARNATION_SQL} AS incarnation,
       pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.current_setting('server_encoding') AS encoding`;

interface PostgresSnapshotFacts extends SnapshotFacts {
  id: string;
  at: string;
  /** Text is kept as UTF-8, or without an encoding. */
  utf8: boolean;
}

class PostgresSnapshot implements Snapshot {
  readonly at: string;
  readonly #source: PostgresSource;
  readonly #client: pg.Client;
  readonly #facts: PostgresSnapshotFacts;
  /** One connection answers one survey at a time. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(source: PostgresSource, client: pg.Client, facts: PostgresSnapshotFacts) {
    this.#source = source;
    this.#client = client;
    this.#facts = facts;
    this.at = facts.at;
  }

  survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey> {
    const run = async (): Promise<Survey> => {
      throwIfAborted(signal);
      try {
        await this.#client.query('SAVEPOINT survey');
        const surveyed = await survey(this.#client, this.#facts, { stream, checkpoint, window });
        await refuseRewritten(this.#client, stream);
        return surveyed;
      } catch (error) {
        throw postgresError(error, `looking at ${stream.name}`);
      } finally {
        // A failed statement would end the transaction and with it the snapshot for all streams. And a lock on a table
        // would stay until the run ends: an ALTER TABLE would wait for it, our own readers for the ALTER, for ever.
        await this.#client
          .query('ROLLBACK TO SAVEPOINT survey; RELEASE SAVEPOINT survey')
          .catch(() => undefined);
      }
    };
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: Slice,
    signal: AbortSignal,
  ): Promise<BytesReader> {
    const { relation } = surveyed as PostgresSurvey;
    const direct = this.#facts.direct && !hasRules(stream);
    const client = await this.#source.reader(this.#facts.id, signal, !this.#facts.checked);
    const options: CopyDecoderOptions = {
      formats: wireFormats(relation),
      cursor: relation.cursor?.fields ?? [],
      maxRows: BATCH_ROWS,
      maxBytes: this.#source.batchBytes,
    };
    const file = import.meta.url.endsWith('.ts') ? './copy-decoder.ts' : './copy-decoder.js';
    let high: string | undefined;
    let rows = 0;
    return {
      format: 'bytes',
      schema: relation.schema,
      decoder: { module: new URL(file, import.meta.url).href, name: 'createCopyDecoder', options },
      ...(direct && {
        direct: { format: COPY_FORM, facts: () => ({ rows, bytes: 0, high, coerced: {} }) },
      }),
      pump: async (sink, onBytes) => {
        rows = await this.#pump(
          { client, stream, sql: sliceSql(relation, slice.range), signal },
          sink,
          onBytes,
        );
        if (direct) high = await highOf(client, stream, { relation, range: slice.range });
      },
      close: () => this.#source.release(client),
    };
  }

  async #pump(
    job: { client: pg.Client; stream: StreamConfig; sql: string; signal: AbortSignal },
    ring: ByteSink,
    onBytes: (bytes: number) => void,
  ): Promise<number> {
    const { client, stream, sql, signal } = job;
    throwIfAborted(signal);
    const abort = (): void => void this.#source.interrupt(client);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const rows = await copyOut(client, `COPY (${sql}) TO STDOUT (FORMAT binary)`, ring, onBytes);
      await refuseRewritten(client, stream);
      return rows;
    } catch (error) {
      throwIfAborted(signal);
      if (ring.abandoned)
        throw new CancelledError('the reader was told to stop', { code: 'postgres.abandoned', cause: error });
      throw outdated(error, stream) ?? postgresError(error, `reading ${stream.name}`);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  advance(loaded: Loaded): Checkpoint {
    const { identity, relation, seen } = loaded.survey as PostgresSurvey;
    return advance(loaded, { at: this.at, identity, type: relation.cursor?.type, seen });
  }

  compare(stream: StreamConfig, surveyed: Survey): Comparable {
    return comparePostgres({
      relation: (surveyed as PostgresSurvey).relation,
      utf8: this.#facts.utf8,
      skipNulls: stream.nullCursor === 'skip',
      connected: (signal, work) =>
        this.#connected({ doing: `comparing ${stream.name}`, stream, signal }, work),
    });
  }

  async diagnose(
    stream: StreamConfig,
    surveyed: Survey,
    request: DiagnoseRequest,
    signal: AbortSignal,
  ): Promise<Diagnosis> {
    const { relation } = surveyed as PostgresSurvey;
    const { serverVersion: version } = this.#facts;
    const direct = this.#facts.direct && !hasRules(stream);
    const job = { doing: `looking through ${stream.name}`, stream, signal };
    const ask = (sql: string): AsyncGenerator<readonly unknown[][]> =>
      this.#connected(job, (client) => rowsOf(client, sql, false));
    // Whether there are such casts the server knows.
    if (relation.forced.size > 0)
      for await (const _ of ask(`${sliceSql(relation, { kind: 'all' })} LIMIT 0`));
    const rows = diagnosed(relation, request.ranges, { version, direct });
    return diagnoseRelation(rows, request, { ask, signal });
  }

  async *#connected<T>(
    { doing, stream, signal }: { doing: string; stream: StreamConfig; signal: AbortSignal },
    work: (client: pg.Client) => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    throwIfAborted(signal);
    const client = await this.#source.reader(this.#facts.id, signal, !this.#facts.checked);
    const abort = (): void => void this.#source.interrupt(client);
    signal.addEventListener('abort', abort, { once: true });
    try {
      yield* work(client);
      await refuseRewritten(client, stream);
    } catch (error) {
      throwIfAborted(signal);
      throw outdated(error, stream) ?? postgresError(error, doing);
    } finally {
      signal.removeEventListener('abort', abort);
      await this.#source.release(client);
    }
  }

  alive(): Promise<boolean> {
    const asked = this.#queue
      .then(() => this.#client.query('SELECT 1'))
      .then(
        () => true,
        () => false,
      );
    this.#queue = asked;
    return asked;
  }

  async close(): Promise<void> {
    await this.#source.release(this.#client);
  }
}
