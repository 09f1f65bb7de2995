/** A MariaDB database as the source under attack. */
import mysql, { type Connection } from 'mysql2/promise';
import { quoteBackticks } from '../src/connectors/shared/quote.ts';
import type { Schema } from '../src/core/schema.ts';
import type { MariadbServer } from '../src/testing/mariadb-server.ts';
import { mysqlText } from './row-text.ts';
import type { SourceSide, SqlSession } from './sides.ts';

let databases = 0;

export class MysqlSide implements SourceSide {
  readonly type = 'mysql';
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly database: string;
  readonly url: string;
  readonly #db: Connection;
  readonly #others: Connection[] = [];

  private constructor(database: string, url: string, db: Connection) {
    this.database = database;
    this.url = url;
    this.#db = db;
    this.connection = { type: 'mysql', url };
  }

  /** A new database. */
  static async open(server: MariadbServer): Promise<MysqlSide> {
    const database = `side${process.pid}_${databases++}`;
    const url = await server.createDatabase(database);
    return new MysqlSide(database, url, await open(url));
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return rowsOf(this.#db, sql);
  }

  urlOf(role: string): string {
    const url = new URL(this.url);
    url.username = role;
    return url.href;
  }

  async session(role?: string): Promise<SqlSession & { id: number }> {
    const client = await open(role === undefined ? this.url : this.urlOf(role));
    this.#others.push(client);
    return { query: (sql) => rowsOf(client, sql), id: client.threadId };
  }

  async lines(from: string, schema: Schema): Promise<string[]> {
    const columns = schema.fields
      .filter(({ name }) => !name.startsWith('_sluice_'))
      .map(({ name, type, native }) => mysqlText(quoteBackticks(name), type, native ?? ''));
    const rows = await this.query(`SELECT CONCAT_WS('|', ${columns.join(', ')}) AS line FROM ${from}`);
    return rows.map(({ line }) => line as string).toSorted();
  }

  async close(): Promise<void> {
    for (const other of this.#others) other.destroy();
    await this.#db.query(`DROP DATABASE ${quoteBackticks(this.database)}`).catch(() => undefined);
    await this.#db.end();
  }
}

/** Times in UTC, as text; dates that are none are let in. */
async function open(url: string): Promise<Connection> {
  const client = await mysql.createConnection({
    uri: url,
    dateStrings: true,
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  await client.query(`SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', lock_wait_timeout = 5`);
  return client;
}

async function rowsOf(client: Connection, sql: string): Promise<Record<string, unknown>[]> {
  const [result] = await client.query(sql);
  const last: unknown = Array.isArray(result) && Array.isArray(result.at(-1)) ? result.at(-1) : result;
  return Array.isArray(last) ? (last as Record<string, unknown>[]) : [];
}
