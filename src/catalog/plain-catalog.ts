/** The catalog of a folder of Parquet files that others wrote. What the log says elsewhere is asked of the files. */
import path from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { withFiles } from '../connectors/shared/local-files.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { ConfigError } from '../core/errors.ts';
import { duckName } from '../duckdb/types.ts';
import type { CheckReport } from './check.ts';
import type { Engine } from './engine.ts';
import { type Footer, readFooters } from './footers.ts';
import type { HeldFiles } from './held-files.ts';
import { knownTable } from './names.ts';
import { findPlainTables, type PlainFile, type PlainTable, plainViewSql } from './plain.ts';
import {
  type ColumnInfo,
  type PartitionSummary,
  sumPartitions,
  type TableDescription,
  type TableSummary,
} from './summary.ts';
import { schemaStatements, viewNames } from './views.ts';

type CountedFile = PlainFile & { rows: number; bytes: number };

/** Made anew for each call, since nothing tells when files change. */
export class PlainCatalog {
  readonly tableNames: readonly string[];
  readonly #storage: ObjectStorage;
  readonly #tables: Map<string, PlainTable>;
  readonly #engine: () => Promise<Engine>;

  private constructor(storage: ObjectStorage, tables: PlainTable[], engine: () => Promise<Engine>) {
    this.#storage = storage;
    this.#tables = new Map(tables.map((table) => [table.name, table]));
    this.tableNames = [...this.#tables.keys()];
    this.#engine = engine;
  }

  static async open(
    storage: ObjectStorage,
    root: string,
    engine: () => Promise<Engine>,
  ): Promise<PlainCatalog> {
    const tables = findPlainTables(
      (await storage.list('')).filter(({ key }) => !key.startsWith('_sluice/')),
      path.basename(root),
    );
    return new PlainCatalog(storage, tables, engine);
  }

  async tables(): Promise<TableSummary[]> {
    if (this.#tables.size === 0) return [];
    return this.#connected((connection) =>
      sequence(this.#tables.values(), (table) => this.#summary(table, connection)),
    );
  }

  async describe(name: string): Promise<TableDescription> {
    const table = this.#table(name);
    const view = viewNames(this.tableNames).get(table.name)!.current;
    return this.#connected(async (connection) => {
      const described = await withFiles({ storage: this.#storage, files: table.files }, async () => {
        await this.#makeView(table, view, connection);
        const rows = await connection.runAndReadAll(`DESCRIBE main.${duckName(view)}`);
        return rows.getRowsJson() as [string, string][];
      });
      const columns = described.map(([column, type]): ColumnInfo => ({
        name: column,
        type,
        sqlType: type,
        nullable: true,
        native: undefined,
        key: false,
      }));
      return {
        ...(await this.#summary(table, connection)),
        views: [{ name: view, shows: 'all rows of the files' }],
        columns,
        metaColumns: [],
        key: [],
        partitionBy: undefined,
        history: [],
      };
    });
  }

  async partitions(name: string): Promise<PartitionSummary[]> {
    const table = this.#table(name);
    return this.#connected(async (connection) => sumPartitions(await this.#counted(table, connection)));
  }

  /** Makes the views that a query names; all when it may look at any. */
  async prepare(wanted: ReadonlySet<string> | undefined, held: HeldFiles): Promise<void> {
    await this.#connected(async (connection) => {
      for (const [name, { current }] of viewNames(this.tableNames)) {
        if (wanted && !wanted.has(current.toLowerCase())) continue;
        const table = this.#tables.get(name)!;
        await held.add(table.files);
        await this.#makeView(table, current, connection);
      }
    });
  }

  /** There is nothing to compare the files with; whether they can be read is told. */
  async check(report: CheckReport, only: readonly string[] | undefined): Promise<CheckReport> {
    const tables = (only ?? this.tableNames).map((name) => this.#table(name));
    if (tables.length === 0) return report;
    return this.#connected(async (connection) => {
      for (const table of tables) {
        report.tables++;
        for (const [file, footer] of await this.#footers(table, connection)) {
          report.files++;
          if (!(footer instanceof Error)) {
            report.rows += footer.rows;
            continue;
          }
          const message = `the file cannot be read: ${footer.message.split('\n')[0]}`;
          report.findings.push({
            severity: 'error',
            code: 'file-unreadable',
            table: table.name,
            file,
            message,
            remedy: undefined,
          });
        }
        report.bytes += table.files.reduce((sum, file) => sum + file.size, 0);
      }
      return report;
    });
  }

  #table(name: string): PlainTable {
    return this.#tables.get(knownTable(name, this.tableNames))!;
  }

  async #summary(table: PlainTable, connection: DuckDBConnection): Promise<TableSummary> {
    const partitions = sumPartitions(await this.#counted(table, connection));
    const newest = Math.max(...table.files.map((file) => file.modifiedAt));
    return {
      name: table.name,
      stream: undefined,
      rows: partitions.reduce((sum, each) => sum + each.rows, 0),
      bytes: partitions.reduce((sum, each) => sum + each.bytes, 0),
      files: table.files.length,
      partitions: partitions.length,
      committedAt: new Date(newest).toISOString(),
      loadedAt: undefined,
      watermark: undefined,
    };
  }

  async #counted(table: PlainTable, connection: DuckDBConnection): Promise<CountedFile[]> {
    const footers = await this.#footers(table, connection);
    return table.files.map((file) => {
      const footer = footers.get(file.key);
      return { ...file, bytes: file.size, rows: footer && !(footer instanceof Error) ? footer.rows : 0 };
    });
  }

  #footers(table: PlainTable, connection: DuckDBConnection): Promise<Map<string, Footer | Error>> {
    return readFooters(
      connection,
      this.#storage,
      table.files.map((file) => file.key),
    );
  }

  async #makeView(table: PlainTable, view: string, connection: DuckDBConnection): Promise<void> {
    try {
      const first = table.files[0]!.key;
      const footer = (await readFooters(connection, this.#storage, [first])).get(first)!;
      if (footer instanceof Error) throw footer;
      const columns = new Set([...footer.columns.keys()].map((column) => column.toLowerCase()));
      await connection.run(
        `CREATE OR REPLACE VIEW main.${duckName(view)} AS ${plainViewSql(this.#storage, table, columns)}`,
      );
      for (const sql of schemaStatements(view)) await connection.run(sql);
    } catch (error) {
      const found = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      throw new ConfigError(`opening table "${table.name}": ${found}`, {
        code: 'catalog.table_unreadable',
        remedy:
          'the files of a table must be Parquet and have columns that go together; `sluice catalog check` names damaged ones',
        details: { table: table.name },
        cause: error,
      });
    }
  }

  async #connected<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await (await this.#engine()).connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  }
}

async function sequence<T, R>(items: Iterable<T>, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
