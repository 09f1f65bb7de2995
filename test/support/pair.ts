/** A database and a lake that belong together: runs the pipeline between them and compares the two row by row. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { viewNames, viewStatements } from '../../src/catalog/views.ts';
import { openTableLog } from '../../src/connectors/lake/log.ts';
import type { FoldedState } from '../../src/connectors/lake/records.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import type { RunEvent } from '../../src/core/events.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { Checkpoint } from '../../src/core/stream.ts';
import { parseType } from '../../src/core/types.ts';
import { duckName } from '../../src/duckdb/types.ts';
import { Session } from '../../src/duckdb/session.ts';
import type { ProjectContext } from '../../src/engine/context.ts';
import { planPipeline } from '../../src/engine/plan.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { PipelinePlan, RunOptions, RunReport, StreamReport } from '../../src/engine/types.ts';
import type { PostgresServer } from '../../src/testing/postgres-server.ts';
import { duckText, postgresText } from './row-text.ts';

export type Streams = Record<string, StreamOptions>;

let databases = 0;

export class Pair implements AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  /** A superuser's connection to the database. */
  readonly db: pg.Client;
  /** May be changed between runs. */
  streams: Streams;
  /** Options of the source connection beside the URL. */
  source: Record<string, unknown> = {};
  lake: Record<string, unknown> = {};
  events: RunEvent[] = [];
  readonly #clients: pg.Client[];
  #session: Promise<Session> | undefined;

  private constructor(url: string, db: pg.Client, streams: Streams) {
    this.url = url;
    this.db = db;
    this.#clients = [db];
    this.streams = streams;
    this.folder = mkdtempSync(path.join(tmpdir(), 'sluice-pair-'));
  }

  /** A new database and an empty lake. */
  static async open(server: PostgresServer, streams: Streams, sql: string = ''): Promise<Pair> {
    const url = await server.createDatabase(`pair_${process.pid}_${++databases}`);
    const db = new pg.Client({ connectionString: url, application_name: 'test' });
    // A test that ends the server on purpose must not end the test process.
    db.on('error', () => undefined);
    await db.connect();
    if (sql !== '') await db.query(sql);
    return new Pair(url, db, streams);
  }

  /** Another connection to the database, closed with the pair. */
  async connect(url: string = this.url): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url, application_name: 'test' });
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async context(): Promise<ProjectContext> {
    return {
      connectors: await connectors(),
      project: {
        directory: this.folder,
        connections: {
          db: { type: 'postgres', url: this.url, ...this.source },
          lake: { type: 'lake', path: './lake', ...this.lake },
        },
        pipelines: { p: { from: 'db', to: 'lake', streams: this.streams } },
        state: { type: 'sqlite', path: '.sluice/state.db' },
        memoryBytes: 512 << 20,
      },
    };
  }

  /** Runs the pipeline, whatever comes of it; the events of the last run are kept. */
  async attempt(options: RunOptions = {}): Promise<RunReport> {
    this.events = [];
    const onEvent = (event: RunEvent): void => {
      this.events.push(event);
      options.onEvent?.(event);
    };
    return runPipeline(await this.context(), 'p', { ...options, onEvent });
  }

  /** Runs the pipeline and throws when a stream failed. Returns the report of the stream, or of the first one. */
  async run(options: RunOptions = {}): Promise<StreamReport> {
    const report = await this.attempt(options);
    const failed = report.streams.find((stream) => stream.error);
    if (failed) throw new Error(`${failed.stream}: ${failed.error!.code}: ${failed.error!.message}`);
    return report.streams[0]!;
  }

  async plan(options: RunOptions = {}): Promise<PipelinePlan> {
    return planPipeline(await this.context(), 'p', options);
  }

  /** What is committed for a table. */
  async state(table: string): Promise<FoldedState | undefined> {
    return openTableLog(openLocalStorage(path.join(this.folder, 'lake')), table).read();
  }

  /** Puts a checkpoint into the lake, as if an earlier run had left it there. */
  async commitCheckpoint(table: string, checkpoint: Checkpoint): Promise<void> {
    const state = (await this.state(table))!;
    const log = openTableLog(openLocalStorage(path.join(this.folder, 'lake')), table);
    const { stream, fence, version } = state;
    await log.append(
      {
        kind: 'checkpoint',
        stream,
        run: 'test',
        load: 'test',
        fence,
        at: new Date().toISOString(),
        add: [],
        remove: [],
        slices: [],
        checkpoint,
      },
      version,
    );
  }

  /** Rows of a query over the views `<table>` (current) and `<table>_history`, made from the live files of the log. */
  async query(table: string, sql: string): Promise<Record<string, unknown>[]> {
    this.#session ??= Session.open({
      memoryBytes: 256 << 20,
      threads: 1,
      tempDirectory: path.join(this.folder, 'spill'),
    });
    const session = await this.#session;
    const state = await this.state(table);
    if (!state) throw new Error(`table "${table}" has no commit`);
    const storage = openLocalStorage(path.join(this.folder, 'lake'));
    for (const statement of viewStatements(storage, state, viewNames([table]).get(table)!))
      await session.run(statement, 'making views');
    return session.rows(sql, `reading ${table}`);
  }

  /** Rows of a table of the lake as sorted lines of text. */
  async lines(table: string, view: 'current' | 'history' = 'current', columns?: string[]): Promise<string[]> {
    const schema = (await this.state(table))!.schemas.at(-1)!.schema;
    const wanted = schema.fields.filter((field) =>
      columns ? columns.includes(field.name) : !field.name.startsWith('_sluice_'),
    );
    const ordered = columns ? columns.map((name) => wanted.find((field) => field.name === name)!) : wanted;
    const list = ordered.map((field) => duckText(duckName(field.name), parseType(field.type)!));
    const rows = await this.query(
      table,
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM main.${duckName(view === 'current' ? table : `${table}_history`)}`,
    );
    return rows.map((row) => String(row['line'])).sort();
  }

  /** Rows of the source as sorted lines of text, in the columns and types of the lake's table. */
  async sourceLines(table: string, from: string = `public.${table}`): Promise<string[]> {
    const schema = (await this.state(table))!.schemas.at(-1)!.schema;
    const list = schema.fields
      .filter((field) => !field.name.startsWith('_sluice_'))
      .map((field) => postgresText(`"${field.name.replaceAll('"', '""')}"`, parseType(field.type)!));
    const { rows } = await this.db.query<{ line: string }>(
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM ${from}`,
    );
    return rows.map((row) => row.line).sort();
  }

  /** The lake's current rows are those of the source, no more and no fewer. */
  async expectEqual(table: string, from?: string): Promise<void> {
    const [lake, source] = await Promise.all([this.lines(table), this.sourceLines(table, from)]);
    expect(lake).toEqual(source);
  }

  /** No version of a row was loaded twice. */
  async expectNoRepeats(table: string): Promise<void> {
    const lines = await this.lines(table, 'history');
    expect(lines.filter((line, i) => line === lines[i - 1])).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#session?.then((session) => session.close());
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
