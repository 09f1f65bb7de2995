/**
 * Loads tables of a real server into a lake and compares them cell by cell: the server's side is the text that its
 * output functions print, the lake's side is what DuckDB reads from the files, brought into the server's spelling here.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { type Cell, type LakeColumn, quote, reading, spell } from '../../guarantees/fidelity/cells.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunReport, StreamReport } from '../../src/engine/types.ts';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';

/** One server with one database and as many lakes as are asked for. */
export class Lab implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly #folder: string;
  readonly #clients: pg.Client[] = [];
  #lakes = 0;

  private constructor(server: PostgresServer) {
    this.server = server;
    this.#folder = mkdtempSync(path.join(tmpdir(), 'sluice-types-'));
  }

  static async open(): Promise<Lab> {
    return new Lab(await startPostgres());
  }

  async client(url: string = this.server.url()): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url, application_name: 'types test' });
    await client.connect();
    this.#clients.push(client);
    await client.query(
      `SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1`,
    );
    return client;
  }

  /** Runs the streams into a new lake; every one must succeed. */
  async load(streams: Record<string, StreamOptions>, url: string = this.server.url()): Promise<Lake> {
    const root = path.join(this.#folder, `lake${this.#lakes++}`);
    const lake = new Lake(root, await this.run(root, streams, url));
    const failed = lake.report.streams.filter((stream) => stream.error !== undefined);
    if (failed.length > 0)
      throw new Error(failed.map(({ stream, error }) => `${stream}: ${error!.message}`).join('\n'));
    return lake;
  }

  async run(
    root: string,
    streams: Record<string, StreamOptions>,
    url: string = this.server.url(),
  ): Promise<RunReport> {
    const project = {
      directory: this.#folder,
      connections: { db: { type: 'postgres', url }, lake: { type: 'lake', path: root } },
      pipelines: { p: { from: 'db', to: 'lake', defaults: { load: 'replace' as const }, streams } },
      state: { type: 'sqlite' as const, path: `${path.basename(root)}.sqlite` },
      memoryBytes: 512 << 20,
    };
    return runPipeline({ project, connectors: await connectors() }, 'p', {});
  }

  lakeFolder(): string {
    return path.join(this.#folder, `lake${this.#lakes++}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    await this.server.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Lake implements AsyncDisposable {
  readonly root: string;
  readonly report: RunReport;
  readonly catalog: Catalog;

  constructor(root: string, report: RunReport) {
    this.root = root;
    this.report = report;
    this.catalog = openCatalog({ storage: openLocalStorage(root) });
  }

  stream(name: string): StreamReport {
    return this.report.streams.find((stream) => stream.stream === name)!;
  }

  /** All rows of a table in order of its first column, every value in the server's spelling. */
  async read(table: string): Promise<{ columns: LakeColumn[]; rows: Cell[][] }> {
    const { columns, views } = await this.catalog.describe(table);
    const list = columns.map(({ name, type }) => reading(type, quote(name)));
    const { batches } = await this.catalog.select(
      `SELECT ${list.join(', ')} FROM ${quote(views[0]!.name)} ORDER BY ${quote(columns[0]!.name)}`,
    );
    const rows: Cell[][] = [];
    for await (const batch of batches) {
      for (const row of batch)
        rows.push(row.map((value, i) => (value === null ? null : spell(columns[i]!.type, value as string))));
    }
    return {
      columns: columns.map(({ name, type, native, nullable }) => ({ name, type, native, nullable })),
      rows,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.catalog.close();
  }
}
