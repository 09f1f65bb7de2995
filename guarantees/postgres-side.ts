/** PostgreSQL as a source under attack: one new database. */
import pg from 'pg';
import type { Schema } from '../src/core/schema.ts';
import type { PostgresServer } from '../src/testing/postgres-server.ts';
import { postgresText } from './row-text.ts';
import type { SqlSide, SqlSession } from './sides.ts';
import { POSTGRES_SQL, type SourceSql } from './source-sql.ts';

let databases = 0;

export class PostgresSide implements SqlSide {
  readonly type = 'postgres';
  readonly sql: SourceSql = POSTGRES_SQL;
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly server: PostgresServer;
  readonly url: string;
  #db: pg.Client;
  readonly #clients: pg.Client[];

  private constructor(server: PostgresServer, url: string, db: pg.Client) {
    this.server = server;
    this.url = url;
    this.connection = { type: 'postgres', url };
    this.#db = db;
    this.#clients = [db];
  }

  /** A superuser's connection to the database. */
  get db(): pg.Client {
    return this.#db;
  }

  /** Connects anew after the server was restarted or the session ended. */
  async reconnect(): Promise<void> {
    this.#db = await this.connect();
  }

  static async open(server: PostgresServer, options: { encoding?: string } = {}): Promise<PostgresSide> {
    const url = await server.createDatabase(`pair_${process.pid}_${++databases}`, options);
    return new PostgresSide(server, url, await connected(url));
  }

  /** Another connection to the database, closed with the side. */
  async connect(url: string = this.url): Promise<pg.Client> {
    const client = await connected(url);
    this.#clients.push(client);
    return client;
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return rowsOf(this.db, sql);
  }

  async session(role?: string): Promise<SqlSession> {
    const client = await this.connect(role === undefined ? this.url : this.urlOf(role));
    return { query: (sql) => rowsOf(client, sql) };
  }

  /** The database's URL for another role. */
  urlOf(role: string): string {
    const url = new URL(this.url);
    url.username = role;
    return url.href;
  }

  nameOf(table: string): string {
    return `public.${table}`;
  }

  async lines(from: string, schema: Schema): Promise<string[]> {
    const list = schema.fields
      .filter((field) => !field.name.startsWith('_sluice_'))
      .map((field) => postgresText(`"${field.name.replaceAll('"', '""')}"`, field.type));
    const { rows } = await this.db.query<{ line: string }>(
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM ${from}`,
    );
    return rows.map((row) => row.line).sort();
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' });
  // An attack that ends the server on purpose must not end this process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Rows of the last one of the statements. */
export async function rowsOf(client: pg.Client, sql: string): Promise<Record<string, unknown>[]> {
  const result: unknown = await client.query(sql);
  // Several statements at once give a list of results.
  const last = (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult<Record<string, unknown>>;
  return last.rows;
}
