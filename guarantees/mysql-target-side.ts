/** MySQL or MariaDB as a destination under attack: one new database, read as its readers read it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { quoteBackticks } from '../src/connectors/shared/quote.ts';
import { fitNames } from '../src/connectors/shared/sql/names.ts';
import { schemaFromJson, type Schema, type SchemaJson } from '../src/core/schema.ts';
import type { MariadbServer } from '../src/testing/mariadb-server.ts';
import { mysqlLines } from './mysql-row.ts';
import { mysqlRows, mysqlSession, urlAs, VISITOR } from './mysql-session.ts';
import type { ReadBy, Restart, TargetSession, TargetSide } from './sides.ts';

const LIMIT = { bytes: 64, folds: true, plain: true };
/** Longest time after which nothing of a killed process may be at work. */
const GONE_MS = 20_000;
let databases = 0;

export class MysqlTargetSide implements TargetSide {
  readonly type = 'mysql';
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly server: MariadbServer;
  readonly url: string;
  #db: Connection;

  private constructor(server: MariadbServer, url: string, db: Connection) {
    this.server = server;
    this.url = url;
    this.#db = db;
    this.connection = { type: 'mysql', url };
  }

  static async open(server: MariadbServer): Promise<MysqlTargetSide> {
    await server.query(
      `CREATE USER IF NOT EXISTS ${VISITOR}; GRANT ALL ON *.* TO ${VISITOR} WITH GRANT OPTION`,
    );
    const url = await server.createDatabase(`target_${process.pid}_${++databases}`);
    return new MysqlTargetSide(server, url, await mysqlSession(urlAs(url, VISITOR)));
  }

  get readBy(): ReadBy {
    return { type: 'mysql', url: urlAs(this.url, VISITOR) };
  }

  async query(sql: string, values: readonly unknown[] = []): Promise<Record<string, string | null>[]> {
    return (await mysqlRows(this.#db, sql, values)) as Record<string, string | null>[];
  }

  async session(): Promise<TargetSession> {
    const client = await mysqlSession(urlAs(this.url, VISITOR));
    return {
      query: (sql) => mysqlRows(client, sql),
      end: () => client.end().catch(() => undefined),
    };
  }

  urlOf(role: string): string {
    return urlAs(this.url, role);
  }

  async restart(how: Restart): Promise<void> {
    await this.server.restart(how);
    await this.close();
    this.#db = await mysqlSession(urlAs(this.url, VISITOR));
  }

  async schema(table: string): Promise<Schema | undefined> {
    if ((await this.query(`SHOW TABLES LIKE '\\_sluice\\_tables'`)).length === 0) return undefined;
    const [row] = await this.query('SELECT table_schema FROM _sluice_tables WHERE name = ? AND version > 0', [
      table,
    ]);
    return row && schemaFromJson(JSON.parse(row['table_schema']!) as SchemaJson);
  }

  async lines(table: string, view: 'current' | 'history', columns?: readonly string[]): Promise<string[]> {
    const { fields, key } = (await this.schema(table))!;
    const names = fitNames(
      fields.map(({ name }) => name),
      LIMIT,
    );
    const name = (field: string): string =>
      quoteBackticks(names[fields.findIndex((each) => each.name === field)]!);
    const shown = fields.filter((field) =>
      columns ? columns.includes(field.name) : !field.name.startsWith('_sluice_'),
    );
    const plain = fitNames([table], LIMIT)[0]!;
    const history = await this.query(
      `SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = '_sluice_load_id'`,
      [plain],
    );
    const keys = key.map(name).join(', ');
    const newest =
      view === 'current' && history.length > 0 && key.length > 0
        ? `(SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY ${keys} ORDER BY _sluice_load_id DESC) AS _rank FROM ${quoteBackticks(plain)}) x WHERE _rank = 1) t`
        : quoteBackticks(plain);
    return mysqlLines(
      (sql) => this.query(sql),
      newest,
      shown.map((field) => ({ name: name(field.name), type: field.type, native: field.native })),
    );
  }

  async version(table: string): Promise<number | undefined> {
    if ((await this.schema(table)) === undefined) return undefined;
    const [row] = await this.query('SELECT version FROM _sluice_tables WHERE name = ?', [table]);
    return Number(row!['version']);
  }

  /** A server ends the transaction of a client that is gone when it next looks at the connection. */
  async settled(): Promise<void> {
    const others = `SELECT STATE AS state, INFO AS info FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND USER <> '${VISITOR}'`;
    for (const end = performance.now() + GONE_MS; performance.now() < end; await sleep(5))
      if ((await this.query(others)).length === 0) return;
    throw new Error(
      `sessions of processes that are gone live on: ${JSON.stringify(await this.query(others))}`,
    );
  }

  async leftovers(): Promise<string[]> {
    const rows = await this.query(
      `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '\\_sluice\\_load\\_%' ORDER BY 1`,
    );
    return rows.map((row) => row['name']!);
  }

  /** The next run removes what a killed one has left, and waits for nothing. */
  async tidy(): Promise<void> {}

  async close(): Promise<void> {
    await this.#db.end().catch(() => undefined);
  }
}
