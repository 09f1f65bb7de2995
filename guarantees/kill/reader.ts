/**
 * Reads tables in a loop as those do who use them, in a process of its own, until its input ends. Anything that a reader
 * must not see, and any error, is a line of output; the last line is how often it read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { openCatalog } from '../../src/catalog/index.ts';
import { connectors } from '../../src/connectors/registry.ts';
import type { ObjectStorage } from '../../src/core/storage.ts';
import { openStorage, type ProjectContext } from '../../src/engine/context.ts';
import type { ReadBy } from '../sides.ts';

export interface ReaderTask {
  by: ReadBy;
  tables: readonly string[];
  /** Those of the tables whose rows all have the same `gen`. */
  replaced: readonly string[];
  /** Those that hold all versions of a row where they are tables of a database. */
  versions: readonly string[];
}

interface Connection {
  /** The first row. */
  query(sql: string): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

const PAUSE_MS = 50;
const BATCH_MS = 1000;

const { by, tables, replaced, versions } = JSON.parse(process.argv[2]!) as ReaderTask;
let going = true;
process.stdin.resume().on('end', () => (going = false));
const least = new Map<string, number>();
let reads = 0;
while (going) {
  // Queries of one connection, then a new one: what is kept from query to query must not go stale.
  const connection = await connect();
  for (const end = performance.now() + BATCH_MS; going && performance.now() < end;) {
    for (const table of tables) {
      const problem = await look(connection, table).catch((error: unknown) => String(error));
      if (problem !== undefined) console.log(`${table}: ${problem}`);
      reads++;
    }
    await sleep(PAUSE_MS);
  }
  await connection.close();
}
console.log(reads);

async function connect(): Promise<Connection> {
  if ('connection' in by) {
    const catalog = openCatalog({
      storage: await storageOf(by.connection),
      memoryBytes: 128 << 20,
      threads: 1,
    });
    return {
      query: async (sql) => (await Array.fromAsync((await catalog.select(sql)).batches)).flat()[0]!,
      close: () => catalog.close(),
    };
  }
  if (by.type === 'mysql') {
    const client = await mysql.createConnection({ uri: by.url });
    return {
      query: async (sql) => ((await client.execute({ sql, rowsAsArray: true }))[0] as unknown[][])[0]!,
      close: () => client.end(),
    };
  }
  const client = new pg.Client({ connectionString: by.url, application_name: 'reader' });
  await client.connect();
  return {
    // Prepared once for each connection, and used again.
    query: async (text) =>
      (await client.query({ text, name: text.slice(-40), rowMode: 'array' })).rows[0] as unknown[],
    close: () => client.end(),
  };
}

async function storageOf(lake: Record<string, unknown>): Promise<ObjectStorage> {
  const project = { directory: process.cwd(), connections: { lake }, memoryBytes: 128 << 20 };
  return openStorage({ project, connectors: await connectors() } as unknown as ProjectContext, 'lake');
}

/** The newest version of each row. */
function current(table: string): string {
  if ('connection' in by || !versions.includes(table)) return table;
  return `(SELECT * FROM ${table} a WHERE NOT EXISTS (SELECT 1 FROM ${table} b WHERE b.id = a.id AND b._sluice_load_id > a._sluice_load_id)) ${table}`;
}

async function look(connection: Connection, table: string): Promise<string | undefined> {
  const sql = `SELECT count(*) AS n, sum(balance) AS total, count(DISTINCT gen) AS gens FROM ${current(table)}`;
  const [n, total, gens] = (await connection.query(sql)).map(Number);
  const before = least.get(table) ?? 0;
  least.set(table, n!);
  if (n! < before) return `${n} rows, before there were ${before}`;
  if (n === 0 || n! % 2 !== 0 || total !== 0) return `half a transaction: ${n} rows, sum ${total}`;
  return replaced.includes(table) && gens !== 1 ? `rows of ${gens} loads` : undefined;
}
