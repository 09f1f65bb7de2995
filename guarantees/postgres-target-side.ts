/** PostgreSQL as a destination under attack: one new database, read as its readers read it. */
import pg from 'pg';
import { fitNames } from '../src/connectors/shared/sql/names.ts';
import { quoteName, quoteText } from '../src/connectors/shared/quote.ts';
import { schemaFromJson, type Schema, type SchemaJson } from '../src/core/schema.ts';
import type { PostgresServer } from '../src/testing/postgres-server.ts';
import { postgresText } from './row-text.ts';
import type { DestinationSide } from './sides.ts';

const LIMIT = { bytes: 63, folds: false };
let databases = 0;

export class PostgresTargetSide implements DestinationSide {
  readonly type = 'postgres';
  /** May be changed between runs. */
  connection: Record<string, unknown>;
  readonly db: pg.Client;
  readonly url: string;

  private constructor(url: string, db: pg.Client) {
    this.url = url;
    this.db = db;
    this.connection = { type: 'postgres', url };
  }

  static async open(server: PostgresServer): Promise<PostgresTargetSide> {
    const url = await server.createDatabase(`target_${process.pid}_${++databases}`);
    const db = new pg.Client({ connectionString: url, application_name: 'test' });
    // An attack that ends the server on purpose must not end this process.
    db.on('error', () => undefined);
    await db.connect();
    return new PostgresTargetSide(url, db);
  }

  async schema(table: string): Promise<Schema | undefined> {
    const { rows: known } = await this.db.query(`SELECT 1 WHERE to_regclass('_sluice.tables') IS NOT NULL`);
    if (known.length === 0) return undefined;
    const { rows } = await this.db.query<{ table_schema: string }>(
      'SELECT table_schema FROM _sluice.tables WHERE name = $1 AND version > 0',
      [table],
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
    const quoted = quoteName(fitNames([table], LIMIT)[0]!);
    const { rows: history } = await this.db.query(
      `SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(${quoteText(`public.${quoted}`)}) AND attname = '_sluice_load_id'`,
    );
    const keys = key.map(name).join(', ');
    const newest =
      view === 'current' && history.length > 0 && key.length > 0
        ? `(SELECT DISTINCT ON (${keys}) * FROM public.${quoted} ORDER BY ${keys}, _sluice_load_id DESC) t`
        : `public.${quoted}`;
    const { rows } = await this.db.query<{ line: string }>(
      `SELECT concat_ws('|', ${list.join(', ')}) AS line FROM ${newest}`,
    );
    return rows.map((row) => row.line).sort();
  }

  async leftovers(): Promise<string[]> {
    const { rows } = await this.db.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = '_sluice' AND c.relkind = 'r' AND c.relname LIKE 'load%' ORDER BY 1`,
    );
    return rows.map((row) => row.name);
  }

  async tidy(): Promise<void> {
    for (const name of await this.leftovers())
      await this.db.query(`DROP TABLE IF EXISTS _sluice.${quoteName(name)}`);
  }

  async close(): Promise<void> {
    await this.db.end().catch(() => undefined);
  }
}
