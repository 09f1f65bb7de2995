/** PostgreSQL as a destination under attack: one new database, read as its readers read it. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { fitNames } from '../src/connectors/shared/sql/names.ts';
import { quoteName, quoteText } from '../src/connectors/shared/quote.ts';
import { schemaFromJson, type Schema, type SchemaJson } from '../src/core/schema.ts';
import type { PostgresServer } from '../src/testing/postgres-server.ts';
import { postgresText } from './row-text.ts';
import { rowsOf } from './postgres-side.ts';
import type { ReadBy, Restart, TargetSession, TargetSide } from './sides.ts';

const LIMIT = { bytes: 63, folds: false };
/** Longest time after which nothing of a killed process may be at work. */
const GONE_MS = 20_000;
let databases = 0;

export class PostgresTargetSide implements TargetSide {
  readonly type = 'postgres';
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly server: PostgresServer;
  readonly url: string;
  #db: pg.Client;

  private constructor(server: PostgresServer, url: string, db: pg.Client) {
    this.server = server;
    this.url = url;
    this.#db = db;
    this.connection = { type: 'postgres', url };
  }

  static async open(
    server: PostgresServer,
    options: { encoding?: string } = {},
  ): Promise<PostgresTargetSide> {
    const url = await server.createDatabase(`target_${process.pid}_${++databases}`, options);
    return new PostgresTargetSide(server, url, await connected(url));
  }

  /** A superuser's connection to the database. */
  get db(): pg.Client {
    return this.#db;
  }

  get readBy(): ReadBy {
    return { type: 'postgres', url: this.url };
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return rowsOf(this.#db, sql);
  }

  async session(): Promise<TargetSession> {
    const client = await this.connect();
    return { query: (sql) => rowsOf(client, sql), end: () => client.end() };
  }

  async restart(how: Restart): Promise<void> {
    await this.server.restart(how === 'crash' ? 'immediate' : 'fast');
    await this.reconnect();
  }

  /** Connects anew. */
  async reconnect(): Promise<void> {
    await this.close();
    this.#db = await connected(this.url);
  }

  /** Another connection to the database; whoever asks for it ends it. */
  async connect(url: string = this.url): Promise<pg.Client> {
    return connected(url);
  }

  /** The database's URL for another role. */
  urlOf(role: string): string {
    const url = new URL(this.url);
    url.username = role;
    return url.href;
  }

  async schema(table: string): Promise<Schema | undefined> {
    const { rows: known } = await this.db.query(`SELECT 1 WHERE to_regclass('_sluice.tables') IS NOT NULL`);
    if (known.length === 0) return undefined;
    const { rows } = await this.db.query<{ table_schema: string }>(
      'SELECT table_schema FROM _sluice.tables WHERE name = $1 AND version > 0',
      [nameOf(table)],
    );
    return rows[0] && schemaFromJson(JSON.parse(rows[0].table_schema) as SchemaJson);
  }

  async lines(table: string, view: 'current' | 'history', columns?: readonly string[]): Promise<string[]> {
    const { fields, key } = (await this.schema(table))!;
    const names = fitNames(
      fields.map(({ name }) => name),
      LIMIT,
    );
    const name = (field: string): string =>
      quoteName(names[fields.findIndex((each) => each.name === field)]!);
    const list = fields
      .filter((field) => (columns ? columns.includes(field.name) : !field.name.startsWith('_sluice_')))
      .map((field) => postgresText(name(field.name), field.type));
    const { rows: history } = await this.db.query(
      `SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(${quoteText(nameOf(table))}) AND attname = '_sluice_load_id'`,
    );
    const keys = key.map(name).join(', ');
    const newest =
      view === 'current' && history.length > 0 && key.length > 0
        ? `(SELECT DISTINCT ON (${keys}) * FROM ${nameOf(table)} ORDER BY ${keys}, _sluice_load_id DESC) t`
        : nameOf(table);
    const { rows } = await this.db.query<{ line: string }>(
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM ${newest}`,
    );
    return rows.map((row) => row.line).sort();
  }

  async version(table: string): Promise<number | undefined> {
    if ((await this.schema(table)) === undefined) return undefined;
    const { rows } = await this.db.query<{ version: string }>(
      'SELECT version FROM _sluice.tables WHERE name = $1',
      [nameOf(table)],
    );
    return Number(rows[0]!.version);
  }

  /** A server ends the transaction of a client that is gone when it next looks at the connection. */
  async settled(): Promise<void> {
    for (const end = performance.now() + GONE_MS; performance.now() < end; await sleep(5)) {
      const { rows } = await this.db.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice'`,
      );
      if (rows.length === 0) return;
    }
    const { rows } = await this.db.query(
      `SELECT state, wait_event, query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice'`,
    );
    throw new Error(`sessions of processes that are gone live on: ${JSON.stringify(rows)}`);
  }

  async leftovers(): Promise<string[]> {
    const { rows } = await this.db.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = '_sluice' AND c.relkind = 'r' AND c.relname LIKE 'load%' ORDER BY 1`,
    );
    return rows.map((row) => row.name);
  }

  /** The next run removes what a killed one has left, and waits for nothing. */
  async tidy(): Promise<void> {}

  async close(): Promise<void> {
    await this.db.end().catch(() => undefined);
  }
}

function nameOf(table: string): string {
  return `"public".${quoteName(fitNames([table], LIMIT)[0]!)}`;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' });
  // An attack that ends the server on purpose must not end this process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
