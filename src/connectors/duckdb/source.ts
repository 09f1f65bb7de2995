/** A DuckDB file to read from. It is opened read-only, which keeps every writer out: a snapshot is the file as it is. */
import { statSync } from 'node:fs';
import type { Comparable } from '../../core/compare.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError, throwIfAborted } from '../../core/errors.ts';
import { sourceEngineMemory } from '../../core/memory.ts';
import type {
  BatchesReader,
  Loaded,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from '../../core/source.ts';
import type { Checkpoint, RunWindow, Slice, StreamConfig } from '../../core/stream.ts';
import { duckName } from '../../duckdb/types.ts';
import { compareRelation } from '../shared/compare-relation.ts';
import { DUCK_COMPARE } from '../shared/duckdb/compare.ts';
import { nullCondition, rangeCondition, withinCondition } from '../shared/duckdb/relation.ts';
import { readQuery } from '../shared/duckdb/slice-reader.ts';
import { closed, SourceEngine } from '../shared/duckdb/source-engine.ts';
import { advance } from '../shared/rise.ts';
import { readCatalog } from './catalog.ts';
import { describeTable } from './describe.ts';
import { duckdbError } from './errors.ts';
import { type DatabaseFile, databaseFile, fileExists, holdFile } from './file.ts';
import { attach } from './file-sql.ts';
import type { DuckdbOptions } from './options.ts';
import type { Place } from './source-relation.ts';
import { type DuckdbSurvey, sliceSql, survey } from './source-survey.ts';

export class DuckdbSource implements Source {
  readonly #file: DatabaseFile;
  readonly #schema: string;
  readonly #context: ConnectorContext;
  readonly #open = new Set<OpenFile>();

  constructor(options: DuckdbOptions, context: ConnectorContext) {
    this.#file = databaseFile(context.directory, options.path);
    this.#schema = options.schema;
    this.#context = context;
  }

  check(signal: AbortSignal): Promise<SourceFacts> {
    return this.#using(signal, async ({ engine }) => {
      const [row] = await engine.rows('SELECT version() AS version', signal);
      return {
        title: `DuckDB ${String(row!['version']).replace(/^v/, '')}, ${this.#file.path}`,
        warnings: [],
      };
    });
  }

  discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return this.#using(signal, async ({ engine, database, schema }) =>
      (await readCatalog(engine, database, signal)).map((table) => describeTable(table, schema)),
    );
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    const opened = await this.#openFile(signal);
    const [row] = await opened.place.engine.rows('SELECT CAST(now() AS VARCHAR) AS now', signal);
    return new DuckdbSnapshot(opened, this.#file, String(row!['now']));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((opened) => opened.close()));
  }

  async #using<T>(signal: AbortSignal, work: (place: Place) => Promise<T>): Promise<T> {
    const opened = await this.#openFile(signal);
    try {
      return await work(opened.place);
    } catch (error) {
      throw duckdbError(error, `reading "${this.#file.path}"`);
    } finally {
      await opened.end();
    }
  }

  /** The file is opened here, so that what is wrong with it is said at once. */
  async #openFile(signal: AbortSignal): Promise<OpenFile> {
    throwIfAborted(signal);
    const file = this.#file;
    if (!fileExists(file))
      throw new ConfigError(`opening "${file.path}": there is no such file`, {
        code: 'duckdb.missing',
        remedy: 'correct `path`, or load something into it first',
      });
    const letGo = holdFile(file, 'read');
    const engine = new SourceEngine({
      memoryBytes: sourceEngineMemory(this.#context.memoryBytes),
      threads: Math.max(1, this.#context.workers),
      // Its own views name tables as if it were the only database.
      opening: { engine: attach(file, true), connection: `USE ${duckName(file.name)}` },
    });
    const release = (ended: Promise<void>): Promise<void> =>
      ended.then(() => {
        this.#open.delete(opened);
        letGo();
      });
    const opened: OpenFile = {
      place: { engine, database: file.name, schema: this.#schema },
      end: () => release(engine.end()),
      close: () => release(engine.close()),
    };
    this.#open.add(opened);
    try {
      await engine.rows('SELECT 1 AS one', signal);
      return opened;
    } catch (error) {
      await opened.close();
      throwIfAborted(signal);
      throw duckdbError(error, `opening "${file.path}"`);
    }
  }
}

interface OpenFile {
  place: Place;
  /** Gives the file back once nobody reads any more, or at once. */
  end(): Promise<void>;
  close(): Promise<void>;
}

class DuckdbSnapshot implements Snapshot {
  readonly at: string;
  readonly #opened: OpenFile;
  readonly #file: DatabaseFile;
  #closed = false;

  constructor(opened: OpenFile, file: DatabaseFile, at: string) {
    this.#opened = opened;
    this.#file = file;
    this.at = at;
  }

  async survey(
    stream: StreamConfig,
    checkpoint: Checkpoint | undefined,
    window: RunWindow,
    signal: AbortSignal,
  ): Promise<Survey> {
    this.#alive(signal);
    const { place } = this.#opened;
    const { size, mtimeMs } = statSync(this.#file.path);
    const version = `${size}/${mtimeMs}`;
    try {
      return await survey({ stream, checkpoint, window, place, at: this.at, version, signal });
    } catch (error) {
      throw duckdbError(error, `looking at ${stream.name}`);
    }
  }

  async read(
    stream: StreamConfig,
    surveyed: Survey,
    slice: Slice,
    signal: AbortSignal,
  ): Promise<BatchesReader> {
    this.#alive(signal);
    const { relation, from } = surveyed as DuckdbSurvey;
    const { schema, cursor } = relation;
    return readQuery(
      {
        stream: stream.name,
        schema,
        sql: sliceSql(relation, from, slice.range),
        cursor: cursor && { type: cursor.type, columns: cursor.names.length },
        exact: undefined,
      },
      this.#opened.place.engine,
      signal,
      async (error) => duckdbError(error, `reading ${stream.name}`),
    );
  }

  advance(loaded: Loaded): Checkpoint {
    const { relation } = loaded.survey as DuckdbSurvey;
    return advance(loaded, { at: this.at, identity: undefined, type: relation.cursor?.type });
  }

  compare(stream: StreamConfig, surveyed: Survey): Comparable {
    const { relation, from } = surveyed as DuckdbSurvey;
    const conditions = [
      relation.where === undefined ? undefined : `(${relation.where})`,
      stream.nullCursor === 'skip' && relation.cursor ? `NOT (${nullCondition(relation)})` : undefined,
    ].filter((condition) => condition !== undefined);
    const sqlOf = (column: string): string => relation.columns.find(({ name }) => name === column)!.sql;
    return compareRelation(
      {
        from,
        conditions,
        column: ({ name }) => ({ sql: sqlOf(name), nullable: true }),
        plain: sqlOf,
        within: (within) => withinCondition(relation, within),
        waiting: (range) => rangeCondition(relation, range),
      },
      DUCK_COMPARE,
      (sql, { signal }) => this.#rows(stream, sql, signal),
    );
  }

  async *#rows(stream: StreamConfig, sql: string, signal: AbortSignal): AsyncGenerator<readonly unknown[][]> {
    this.#alive(signal);
    try {
      yield* this.#opened.place.engine.chunks(sql, signal);
    } catch (error) {
      throw duckdbError(error, `comparing ${stream.name}`);
    }
  }

  async alive(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ended = this.#opened.end();
    // Readers come to their end by themselves, or are stopped with the source.
    if (!this.#opened.place.engine.busy) await ended;
  }

  #alive(signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#closed) throw closed();
  }
}
