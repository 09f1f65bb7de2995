/** A MariaDB database as the source under attack. */
import type { Connection } from 'mysql2/promise';
import { quoteBackticks } from '../src/connectors/shared/quote.ts';
import type { Schema } from '../src/core/schema.ts';
import type { MariadbServer } from '../src/testing/mariadb-server.ts';
import { mysqlLines } from './mysql-row.ts';
import { mysqlRows, mysqlSession, urlAs } from './mysql-session.ts';
import type { SqlSide, SqlSession } from './sides.ts';
import { MYSQL_SQL, type SourceSql } from './source-sql.ts';

let databases = 0;

export class MysqlSide implements SqlSide {
  readonly type = 'mysql';
  readonly sql: SourceSql = MYSQL_SQL;
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
    return new MysqlSide(database, url, await mysqlSession(url));
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return mysqlRows(this.#db, sql);
  }

  urlOf(role: string): string {
    return urlAs(this.url, role);
  }

  nameOf(table: string): string {
    return quoteBackticks(table);
  }

  async session(role?: string): Promise<SqlSession & { id: number }> {
    const client = await mysqlSession(role === undefined ? this.url : this.urlOf(role));
    this.#others.push(client);
    return { query: (sql) => mysqlRows(client, sql), id: client.threadId };
  }

  async lines(from: string, schema: Schema): Promise<string[]> {
    const columns = schema.fields
      .filter(({ name }) => !name.startsWith('_sluice_'))
      .map(({ name, type, native }) => ({ name: quoteBackticks(name), type, native }));
    return mysqlLines((sql) => this.query(sql), from, columns);
  }

  async close(): Promise<void> {
    for (const other of this.#others) other.destroy();
    await this.#db.query(`DROP DATABASE ${quoteBackticks(this.database)}`).catch(() => undefined);
    await this.#db.end().catch(() => undefined);
  }
}
