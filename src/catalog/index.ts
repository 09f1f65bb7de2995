/**
 * The catalog of a lake: which tables there are, what is in them, and SQL over them. It only reads. What a lake
 * consists of is taken from the commits; a folder of Parquet files that others wrote is read as it is.
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { stagingFolder, thisOwner } from '../connectors/shared/staging.ts';
import { inParallel, listTables, openTableLog, type TableLog } from '../connectors/lake/log.ts';
import type { FoldedState } from '../connectors/lake/records.ts';
import { ConfigError } from '../core/errors.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { type CheckReport, checkTable, checkWholeLake } from './check.ts';
import { Engine } from './engine.ts';
import { HeldFiles } from './held-files.ts';
import { knownTable, unknownTable, withTableNames } from './names.ts';
import { PlainCatalog } from './plain-catalog.ts';
import { checkSingle, type QueryResult, referencedTables, startQuery } from './query.ts';
import { type QueryFormat, render, type RowBatches } from './render.ts';
import {
  describeTable,
  type PartitionSummary,
  sumPartitions,
  summarize,
  type TableDescription,
  type TableSummary,
} from './summary.ts';
import { type ViewNames, viewNames, viewStatements } from './views.ts';

export interface CatalogOptions {
  storage: ObjectStorage;
  /** Limit of DuckDB's buffers; what exceeds it goes to `tempDirectory`. */
  memoryBytes?: number | undefined;
  threads?: number | undefined;
  /** Local folder in which a scratch folder is made; the lake's private part unless told. */
  tempDirectory?: string | undefined;
}

export interface QueryOptions {
  /** Most rows of the result. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
}

const MEMORY_BYTES = 512 << 20;
const THREADS = 2;
/** Each reads several files at once, and a process may have only so many open. */
const TABLES_AT_ONCE = 8;

export function openCatalog(options: CatalogOptions): Catalog {
  return new Catalog(options);
}

/** Every call sees the commits made so far. Several queries may run at once. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #storage: ObjectStorage;
  readonly #logs = new Map<string, TableLog>();
  /** Under which names and in which state a table has its views. */
  readonly #made = new Map<string, string>();
  #engine: Promise<Engine> | undefined;
  #preparing: Promise<unknown> = Promise.resolve();

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#storage = options.storage;
  }

  /** All tables, sorted by name. */
  async tables(): Promise<TableSummary[]> {
    const names = await listTables(this.#storage);
    if (names.length === 0) return (await this.#plain()).tables();
    const states = await inParallel(names, (name) => this.#log(name).read(), TABLES_AT_ONCE);
    return states.filter((state) => state !== undefined).map(summarize);
  }

  async describe(table: string): Promise<TableDescription> {
    const names = await listTables(this.#storage);
    if (names.length === 0) return (await this.#plain()).describe(table);
    const state = await this.#state(table, names);
    return describeTable(state, viewNames(names).get(state.table)!);
  }

  async partitions(table: string): Promise<PartitionSummary[]> {
    const names = await listTables(this.#storage);
    if (names.length === 0) return (await this.#plain()).partitions(table);
    return sumPartitions((await this.#state(table, names)).files);
  }

  /** Runs one read-only statement and gives its rows in batches of values that JSON can hold; see values.ts. */
  async select(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    const engine = await this.#started();
    const connection = await engine.connect();
    const held = new HeldFiles(this.#storage, options.signal);
    let names: readonly string[];
    try {
      await checkSingle(connection, sql);
      names = await this.#prepareFor(await referencedTables(connection, sql), held);
    } catch (error) {
      held.release();
      connection.closeSync();
      throw error;
    }
    try {
      const { columns, batches } = await startQuery(connection, sql, options.signal);
      return { columns, batches: held.until(firstRows(batches, options.limit ?? Infinity)) };
    } catch (error) {
      held.release();
      throw withTableNames(error, names);
    }
  }

  /** The same as text, in pieces. */
  async *query(sql: string, options: QueryOptions & { format: QueryFormat }): AsyncGenerator<string> {
    const { columns, batches } = await this.select(sql, options);
    yield* render(options.format, columns, batches);
  }

  /** Compares files and commits; all tables unless some are named. */
  async check(tables?: readonly string[]): Promise<CheckReport> {
    const report: CheckReport = { tables: 0, files: 0, rows: 0, bytes: 0, findings: [] };
    const names = await listTables(this.#storage);
    if (names.length === 0) return (await this.#plain()).check(report, tables);
    const engine = await this.#started();
    const connection = await engine.connect();
    const ask = async (table: string): Promise<void> => {
      const held = new HeldFiles(this.#storage, undefined);
      try {
        await this.#prepare(names, new Set([viewNames(names).get(table)!.current.toLowerCase()]), held);
        const { current, history } = viewNames(names).get(table)!;
        for (const sql of [`DESCRIBE ${quoted(current)}`, `SELECT * FROM ${quoted(history)} LIMIT 1`])
          await connection.run(sql);
      } finally {
        held.release();
      }
    };
    try {
      for (const name of tables ?? names)
        await checkTable({ storage: this.#storage, connection, ask, report }, knownTable(name, names));
      if (!tables) await checkWholeLake(this.#storage, names, report);
      return report;
    } finally {
      connection.closeSync();
    }
  }

  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => undefined);
    await engine?.close();
  }

  #log(table: string): TableLog {
    const log = this.#logs.get(table) ?? openTableLog(this.#storage, table);
    this.#logs.set(table, log);
    return log;
  }

  async #state(table: string, names: readonly string[]): Promise<FoldedState> {
    const name = knownTable(table, names);
    const state = await this.#log(name).read();
    if (state) return state;
    // A name without commits: the first load was interrupted.
    throw unknownTable(
      table,
      names.filter((each) => each !== name),
    );
  }

  #started(): Promise<Engine> {
    this.#engine ??= this.#start();
    return this.#engine;
  }

  async #start(): Promise<Engine> {
    const { memoryBytes = MEMORY_BYTES, threads = THREADS, tempDirectory } = this.#options;
    // The engine removes the folder at the end, so it is always one of our own making.
    const run = `query-${randomUUID()}`;
    const inLake = this.#storage.localPath(stagingFolder(thisOwner(run)).slice(0, -1));
    // Folders that others wrote stay as they are.
    const ours = path.isAbsolute(inLake) && (await listTables(this.#storage)).length > 0;
    return Engine.open({
      root: rootOf(this.#storage),
      memoryBytes,
      threads,
      tempDirectory:
        tempDirectory === undefined ? (ours ? inLake : undefined) : path.join(tempDirectory, run),
    });
  }

  async #plain(): Promise<PlainCatalog> {
    return PlainCatalog.open(this.#storage, rootOf(this.#storage), () => this.#started());
  }

  /** Makes the views that a query names, or all; returns the names of all tables. */
  async #prepareFor(wanted: ReadonlySet<string> | undefined, held: HeldFiles): Promise<readonly string[]> {
    const names = await listTables(this.#storage);
    if (names.length > 0) {
      await this.#prepare(names, wanted, held);
      return names;
    }
    const plain = await this.#plain();
    await plain.prepare(wanted, held);
    return plain.tableNames;
  }

  /** Makes the views that a query needs show the newest state; one caller at a time. */
  #prepare(
    names: readonly string[],
    wanted: ReadonlySet<string> | undefined,
    held: HeldFiles,
  ): Promise<void> {
    const work = this.#preparing.then(async () => {
      for (const [table, views] of viewNames(names)) {
        const named = [views.current, views.history].some((view) => wanted?.has(view.toLowerCase()));
        if (!named && wanted) continue;
        try {
          await this.#makeViews(table, views, held);
        } catch (error) {
          // A query that looks at all tables can do without one that is damaged.
          if (named) throw error;
        }
      }
    });
    this.#preparing = work.catch(() => undefined);
    return work;
  }

  async #makeViews(table: string, views: ViewNames, held: HeldFiles): Promise<void> {
    const state = await this.#log(table).read();
    if (!state) return;
    const made = JSON.stringify([state.version, views]);
    const connection = await (await this.#started()).connect();
    try {
      await held.add(state.files);
      if (this.#made.get(table) === made) return;
      for (const sql of viewStatements(this.#storage, state, views)) await connection.run(sql);
      this.#made.set(table, made);
    } catch (error) {
      const found = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      throw new ConfigError(`opening table "${table}": ${found}`, {
        code: 'catalog.table_unreadable',
        remedy: `a file is missing or damaged; \`sluice catalog check ${table}\` names it`,
        details: { table },
        cause: error,
      });
    } finally {
      connection.closeSync();
    }
  }
}

async function* firstRows(batches: RowBatches, limit: number): RowBatches {
  let left = limit;
  for await (const rows of batches) {
    if (left > 0) yield rows.slice(0, left);
    left -= rows.length;
    if (left <= 0) return;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function rootOf(storage: ObjectStorage): string {
  return storage.localPath('x').slice(0, -1);
}
