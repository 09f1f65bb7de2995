/** A DuckDB file as a place to write to: batches go from the decoder into its tables, in the thread that has its engine. */
import type { ConnectorContext } from '../../core/connector.ts';
import { throwIfAborted } from '../../core/errors.ts';
import { engineMemory } from '../../core/memory.ts';
import { type Schema, schemaToJson } from '../../core/schema.ts';
import type { BytesReader, DecodeFacts, FilesForm } from '../../core/source.ts';
import { duckName, sourceColumn } from '../../duckdb/types.ts';
import { scanQuery, expectScanned, scanError } from '../shared/duckdb/files-scan.ts';
import { feedThread } from '../shared/feed-thread.ts';
import { textRowBytes } from '../shared/lane/row-groups.ts';
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
import { duckdbDialect } from './dialect.ts';
import { engineOf, type WriteEngine } from './engine.ts';
import { type DatabaseFile, databaseFile } from './file.ts';
import type { DuckdbOptions } from './options.ts';
import type { EngineReply } from './target-protocol.ts';

interface Scanning {
  direct: FilesForm;
  schema: Schema;
  doing: string;
  onRows: OnProgress;
  signal: AbortSignal;
}

type Reply<Kind extends EngineReply['kind']> = Extract<EngineReply, { kind: Kind }>;

export class DuckdbTarget implements SqlSystem {
  readonly dialect: SqlDialect;
  readonly workers = 1;
  readonly gives: SqlSystem['gives'] = { indexes: false, foreignKeys: false, spare: false };
  readonly #file: DatabaseFile;
  readonly #engine: WriteEngine;
  readonly #open = new Set<SqlSession>();
  #closed = false;

  constructor(options: DuckdbOptions, context: ConnectorContext) {
    this.#file = databaseFile(context.directory, options.path);
    this.dialect = duckdbDialect(this.#file, options.schema);
    this.#engine = engineOf({
      file: this.#file,
      memoryBytes: engineMemory(context.memoryBytes),
      tempDirectory: `${this.#file.path}.tmp`,
      threads: Math.max(1, context.workers),
    });
  }

  async title(signal: AbortSignal): Promise<string> {
    const session = await this.connect(signal);
    try {
      const { rows } = await session.query('SELECT version() AS version', 'checking DuckDB');
      return `DuckDB ${String(rows[0]!['version']).replace(/^v/, '')}, ${this.#file.path}`;
    } finally {
      await session.close();
    }
  }

  async connect(signal: AbortSignal): Promise<SqlSession> {
    throwIfAborted(signal);
    const number = await this.#engine.connect();
    const session: SqlSession = {
      query: (sql, doing, values) => this.#query(number, sql, doing, values),
      load: (into, reader, onRows, stop) => this.#load(number, into, { reader, onRows, signal: stop }),
      batches: (sql, how) => this.#batches(number, sql, how),
      close: async () => {
        if (this.#open.delete(session)) await this.#engine.disconnect(number);
      },
    };
    this.#open.add(session);
    return session;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#open].map((session) => session.close()));
    await this.#engine.leave();
  }

  async #query(
    session: number,
    sql: string,
    doing: string,
    values: readonly unknown[] = [],
  ): Promise<SqlResult> {
    const done = await this.#engine.send({ kind: 'query', session, sql, doing, values });
    const { rows, count } = done as Reply<'result'>;
    return { rows, count };
  }

  async #load(
    session: number,
    into: LoadTarget,
    { reader, onRows, signal }: { reader: BytesReader; onRows: OnProgress; signal: AbortSignal },
  ): Promise<LoadedRows> {
    const stamps = into.stamped ? this.dialect.stamps[into.stamped.stamp] : [];
    const names = [...into.columns.map(({ name }) => duckName(name)), ...stamps.map(({ column }) => column)];
    const values = [...into.columns.map((_, i) => sourceColumn(i)), ...stamps.map(({ value }) => value)];
    const sql = `INSERT INTO ${into.table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM {}`;
    const { direct, schema } = reader;
    if (direct?.format === 'plain-files') {
      const query = sql.replace('{}', () => `(${scanQuery({ scan: direct.scan, schema })})`);
      return {
        facts: await this.#read(session, query, { direct, schema, doing: into.doing, onRows, signal }),
      };
    }
    const task = {
      kind: 'load',
      session,
      doing: into.doing,
      schema: schemaToJson(schema),
      decoder: reader.decoder,
      sql,
    } as const;
    const loaded = await this.#engine.load(async () => {
      await this.#engine.send({ kind: 'empty-buffers' });
      return feedThread(reader, (ring) => this.#engine.send({ ...task, ring }, onRows), signal);
    });
    const { facts, taken } = loaded as Reply<'loaded'>;
    expectTaken(taken, facts.rows, into.doing);
    return { facts };
  }

  /** DuckDB reads files by itself. */
  async #read(
    session: number,
    sql: string,
    { direct, schema, doing, onRows, signal }: Scanning,
  ): Promise<DecodeFacts> {
    throwIfAborted(signal);
    const stop = (): void => void this.#engine.send({ kind: 'interrupt', session }).catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const facts = direct.facts();
      const inserted = await this.#engine.load(async () => {
        await this.#engine.send({ kind: 'empty-buffers' });
        throwIfAborted(signal);
        return this.#engine.send({
          kind: 'insert',
          session,
          sql,
          doing,
          rowBytes: textRowBytes(schema, facts),
        });
      });
      await expectScanned(direct, (inserted as Reply<'inserted'>).rows);
      onRows(facts.rows, facts.bytes);
      return facts;
    } catch (error) {
      throwIfAborted(signal);
      throw scanError(direct, error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async *#batches(
    session: number,
    sql: string,
    { doing, signal }: { doing: string; signal: AbortSignal },
  ): AsyncGenerator<readonly unknown[][]> {
    throwIfAborted(signal);
    const stop = (): void => void this.#engine.send({ kind: 'interrupt', session }).catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await this.#engine.send({ kind: 'begin-rows', session, sql, doing });
      for (;;) {
        const { rows } = (await this.#engine.send({ kind: 'next-rows', session, doing })) as Reply<'rows'>;
        if (rows.length === 0) return;
        yield rows;
      }
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
