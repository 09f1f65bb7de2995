/** Records with arrays in them, from an API into tables of some system. */
import path from 'node:path';
import pg from 'pg';
import { mysqlRows, mysqlSession } from '../../guarantees/mysql-session.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { ProjectDefinition, RunOptions, StreamReport } from '../../src/index.ts';
import type { MariadbServer } from '../../src/testing/mariadb-server.ts';
import type { PostgresServer } from '../../src/testing/postgres-server.ts';
import { askDuckdb } from './duckdb-reader.ts';
import { FileLake } from './file-lake.ts';

export type TargetKind = 'postgres' | 'mysql' | 'lake' | 'duckdb';

let databases = 0;

export class NestedPair extends FileLake {
  /** Of the API. */
  url = '';
  /** Options of its endpoint `orders`, beside its path. */
  endpoint: Record<string, unknown> = { key: 'id' };
  /** In the place of the connection to the API. */
  source: unknown;
  streams: Record<string, StreamOptions>;
  readonly #kind: TargetKind;
  #database = '';

  private constructor(kind: TargetKind, streams: Record<string, StreamOptions>) {
    super({});
    this.#kind = kind;
    this.streams = streams;
  }

  static async open(
    kind: TargetKind,
    server: PostgresServer | MariadbServer,
    streams: Record<string, StreamOptions>,
  ): Promise<NestedPair> {
    const pair = new NestedPair(kind, streams);
    if (kind === 'postgres' || kind === 'mysql') {
      pair.#database = await server.createDatabase(`nested_${process.pid}_${++databases}`);
      pair.target = { type: kind, url: pair.#database };
    } else if (kind === 'duckdb') pair.target = { type: 'duckdb', path: './out.duckdb' };
    return pair;
  }

  override get project(): ProjectDefinition {
    const orders = { path: '/orders', ...this.endpoint };
    const rest = { type: 'rest', url: this.url, endpoints: { orders }, ...this.connection };
    return {
      connections: { api: (this.source ?? rest) as typeof this.target, lake: this.target },
      pipelines: { p: { from: 'api', to: 'lake', streams: this.streams } },
    };
  }

  /** A run in which no stream fails; what it says of each. */
  async runs(options: RunOptions & { directory?: string } = {}): Promise<Record<string, StreamReport>> {
    const { streams } = await this.report(options);
    for (const { stream, error } of streams)
      if (error) throw new Error(`${stream}: ${error.code}: ${error.message}; ${error.remedy}`);
    return Object.fromEntries(streams.map((each) => [each.stream, each]));
  }

  /** Rows as texts in their order: values with `|` between them, `-` for NULL. */
  async rows(table: string, ...columns: string[]): Promise<string[]> {
    const list = columns
      .map((column) => `CAST(${column} AS ${this.#kind === 'mysql' ? 'CHAR' : 'VARCHAR'}) AS ${column}`)
      .join(', ');
    const order = columns.map((_, i) => i + 1).join(', ');
    const sql = `SELECT ${list} FROM ${table} ORDER BY ${order}`;
    const rows = await this.#ask(sql);
    return rows.map((row) => row.map((value) => value ?? '-').join('|')).toSorted();
  }

  /** Statements in a database. */
  async execute(sql: string): Promise<void> {
    await this.#ask(sql);
  }

  async #ask(sql: string): Promise<(string | null)[][]> {
    if (this.#kind === 'lake') return (await this.query(sql)) as (string | null)[][];
    if (this.#kind === 'duckdb') {
      const found = await askDuckdb(path.join(this.folder, 'out.duckdb'), sql);
      return found.map((row) => Object.values(row) as (string | null)[]);
    }
    if (this.#kind === 'mysql') {
      const session = await mysqlSession(this.#database);
      try {
        const found = await mysqlRows(session, sql);
        return found.map((row) => Object.values(row) as (string | null)[]);
      } finally {
        await session.end();
      }
    }
    const client = new pg.Client(this.#database);
    await client.connect();
    try {
      return (await client.query({ text: sql, rowMode: 'array' })).rows as (string | null)[][];
    } finally {
      await client.end();
    }
  }
}
