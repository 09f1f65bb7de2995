/** A DuckDB file as a destination, read between the runs: while one has it open, nobody else can. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { DestinationSide, ReadBy } from '../../guarantees/sides.ts';
import { duckText } from '../../guarantees/row-text.ts';
import { schemaFromJson, type Schema, type SchemaJson } from '../../src/core/schema.ts';
import { duckName } from '../../src/duckdb/types.ts';
import { askDuckdb } from './duckdb-reader.ts';

export class DuckdbSide implements DestinationSide {
  readonly type = 'duckdb';
  connection: Record<string, unknown> = { type: 'duckdb', path: './warehouse.duckdb' };
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get file(): string {
    return path.join(this.#folder, 'warehouse.duckdb');
  }

  get readBy(): ReadBy {
    throw new Error('nobody can read the file while it is written');
  }

  ask(sql: string): Promise<Record<string, unknown>[]> {
    return askDuckdb(this.file, sql);
  }

  async #record(table: string): Promise<Record<string, unknown> | undefined> {
    if (!existsSync(this.file)) return undefined;
    const known = await this.ask(`SELECT 1 FROM duckdb_tables() WHERE schema_name = '_sluice'`);
    if (known.length === 0) return undefined;
    const [record] = await this.ask(
      `SELECT table_schema, version FROM _sluice.tables WHERE version > 0 AND name = '"main"."${table}"'`,
    );
    return record;
  }

  async schema(table: string): Promise<Schema | undefined> {
    const record = await this.#record(table);
    return record && schemaFromJson(JSON.parse(String(record['table_schema'])) as SchemaJson);
  }

  async version(table: string): Promise<number | undefined> {
    const record = await this.#record(table);
    return record && Number(record['version']);
  }

  async lines(table: string, view: 'current' | 'history', columns?: readonly string[]): Promise<string[]> {
    const { fields, key } = (await this.schema(table))!;
    const shown = fields.filter(({ name }) =>
      columns ? columns.includes(name) : !name.startsWith('_sluice_'),
    );
    const history = await this.ask(
      `SELECT 1 FROM duckdb_columns() WHERE table_name = '${table}' AND column_name = '_sluice_load_id'`,
    );
    const newest =
      view === 'current' && history.length > 0 && key.length > 0
        ? ` QUALIFY row_number() OVER (PARTITION BY ${key.map(duckName).join(', ')} ORDER BY _sluice_load_id DESC) = 1`
        : '';
    const list = shown.map(({ name, type }) => duckText(duckName(name), type)).join(', ');
    const rows = await this.ask(
      `SELECT concat_ws('|', ${list}) AS line FROM main.${duckName(table)}${newest}`,
    );
    return rows.map(({ line }) => String(line)).sort();
  }

  /** The system gives the lock of a dead process back at once. */
  async settled(): Promise<void> {}

  async leftovers(): Promise<string[]> {
    const hidden = await this.ask(
      `SELECT table_name AS name FROM duckdb_tables() WHERE starts_with(table_name, '_sluice_') OR temporary`,
    );
    const files = readdirSync(this.#folder).filter((name) => name.startsWith('warehouse.duckdb.'));
    return [...hidden.map(({ name }) => String(name)), ...files];
  }

  async tidy(): Promise<void> {}

  async close(): Promise<void> {}
}
