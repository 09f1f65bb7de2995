/** MySQL or MariaDB as a destination under attack: one new database, read as its readers read it. */
import { setTimeout as sleep } from 'node:timers/promises';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { quoteBackticks } from '../src/connectors/shared/quote.ts';
import { fitNames } from '../src/connectors/shared/sql/names.ts';
import { schemaFromJson, type Schema, type SchemaJson } from '../src/core/schema.ts';
import type { MariadbServer } from '../src/testing/mariadb-server.ts';
import { mysqlCell, mysqlColumn } from './mysql-row.ts';
import type { DestinationSide, ReadBy } from './sides.ts';

const LIMIT = { bytes: 64, folds: true, plain: true };
let databases = 0;

export class MysqlTargetSide implements DestinationSide {
  readonly type = 'mysql';
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly db: Connection;
  readonly url: string;

  private constructor(url: string, db: Connection) {
    this.url = url;
    this.db = db;
    this.connection = { type: 'mysql', url };
  }

  static async open(server: MariadbServer): Promise<MysqlTargetSide> {
    const url = await server.createDatabase(`target_${process.pid}_${++databases}`);
    const db = await mysql.createConnection({
      uri: url,
      dateStrings: true,
      multipleStatements: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    // An attack that ends the server on purpose must not end this process.
    db.on('error', () => undefined);
    await db.query(`SET time_zone = '+00:00'`);
    return new MysqlTargetSide(url, db);
  }

  get readBy(): ReadBy {
    return { type: 'mysql', url: this.url };
  }

  async query(sql: string, values: unknown[] = []): Promise<Record<string, string | null>[]> {
    const [rows] = await this.db.query<RowDataPacket[]>(sql, values);
    return rows;
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
    const list = shown.map((field, i) => `${mysqlColumn(name(field.name), field.type)} AS c${i}`);
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
    const rows = await this.query(`SELECT ${list.join(', ')} FROM ${newest}`);
    return rows.map((row) => shown.map(({ type }, i) => mysqlCell(row[`c${i}`]!, type)).join('|')).sort();
  }

  async version(table: string): Promise<number | undefined> {
    if ((await this.schema(table)) === undefined) return undefined;
    const [row] = await this.query('SELECT version FROM _sluice_tables WHERE name = ?', [table]);
    return Number(row!['version']);
  }

  /** A server ends the transaction of a client that is gone when it next looks at the connection. */
  async settled(): Promise<void> {
    const others =
      'SELECT 1 AS n FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()';
    for (let tries = 0; tries < 2000; tries++) {
      if ((await this.query(others)).length === 0) return;
      await sleep(5);
    }
    throw new Error('sessions of processes that are gone live on');
  }

  async leftovers(): Promise<string[]> {
    const rows = await this.query(
      `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '\\_sluice\\_load\\_%' ORDER BY 1`,
    );
    return rows.map((row) => row['name']!);
  }

  async tidy(): Promise<void> {
    for (const name of await this.leftovers())
      await this.db.query(`DROP TABLE IF EXISTS ${quoteBackticks(name)}`);
  }

  async close(): Promise<void> {
    await this.db.end().catch(() => undefined);
  }
}
