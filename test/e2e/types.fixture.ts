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
import type { StreamOptions } from '../../src/core/project.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunReport, StreamReport } from '../../src/engine/types.ts';
import { type PostgresServer, startPostgres } from '../../src/testing/postgres-server.ts';

export type Cell = string | null;

/** What the lake should hold for a text of the server, where a rule changes it. */
export type RuleOf = Record<string, (server: string, id: string) => Cell>;

export interface LakeColumn {
  name: string;
  type: string;
  native: string | undefined;
  nullable: boolean;
}

export interface LakeTable {
  columns: LakeColumn[];
  rows: Cell[][];
}

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
  async read(table: string): Promise<LakeTable> {
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

/** Expression that gives a value as text without loss. */
function reading(type: string, name: string): string {
  switch (type) {
    case 'binary':
      return `lower(hex(${name}))`;
    case 'utf8':
    case 'json':
      // DuckDB's client takes a byte order mark off every string that it reads.
      return `hex(encode(${name}))`;
    case 'timestamptz':
      // Its text of the very last millisecond is wrong, the value is not.
      return `CASE WHEN isfinite(${name}) THEN make_timestamp(epoch_us(${name}))::VARCHAR || '+00' ELSE ${name}::VARCHAR END`;
    default:
      return `CAST(${name} AS VARCHAR)`;
  }
}

/** DuckDB's text of a value as PostgreSQL's output function would print it. */
function spell(type: string, text: string): string {
  switch (type) {
    case 'utf8':
    case 'json':
      return Buffer.from(text, 'hex').toString('utf8');
    case 'bool':
      return text === 'true' ? 't' : 'f';
    case 'float32':
    case 'float64':
      return float(type, text);
    case 'binary':
      return `\\x${text}`;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return text.includes('(BC)') ? `${text.replace(' (BC)', '')} BC` : text;
    default:
      // DuckDB leaves out the zero before the point when there are no digits for it.
      return type.startsWith('decimal') ? text.replace(/^(-?)\./, '$10.') : text;
  }
}

const SPECIAL: Readonly<Record<string, string>> = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' };

/** The number that a text stands for: DuckDB and PostgreSQL do not always choose the same digits for one float. */
function float(type: string, text: string): string {
  const number = Number(SPECIAL[text.toLowerCase()] ?? text);
  const value = type === 'float32' ? Math.fround(number) : number;
  return Object.is(value, -0) ? '-0' : String(value);
}

export interface ServerTable {
  names: string[];
  rows: Cell[][];
}

/** The text that the server prints for every value; the driver converts nothing. */
export async function serverRows(client: pg.Client, sql: string): Promise<ServerTable> {
  const result = await client.query<Cell[]>({
    text: sql,
    rowMode: 'array',
    types: { getTypeParser: () => (text: unknown) => text },
  });
  return { names: result.fields.map((field) => field.name), rows: result.rows };
}

/** Every difference between server and lake, as `column[id]: server → lake`; at most 20 are kept. */
export function differences(server: ServerTable, lake: LakeTable, rules: RuleOf = {}): string[] {
  const found: string[] = [];
  if (server.rows.length !== lake.rows.length)
    found.push(`${server.rows.length} rows on the server, ${lake.rows.length} in the lake`);
  if (server.names.length !== lake.columns.length)
    found.push(`${server.names.length} columns on the server, ${lake.columns.length} in the lake`);
  for (const [r, row] of server.rows.entries()) {
    for (const [c, text] of row.entries()) {
      const name = server.names[c]!;
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      const ruled = text !== null && rule ? rule(text, row[0]!) : text;
      const type = lake.columns[c]?.type ?? '';
      const wanted = ruled !== null && type.startsWith('float') ? float(type, ruled) : ruled;
      const got = lake.rows[r]?.[c];
      if (wanted !== got && found.length < 20)
        found.push(`${name}[${row[0]}]: ${shown(wanted)} → ${shown(got)}`);
    }
  }
  return found;
}

function shown(value: Cell | undefined): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length})` : text;
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
