/**
 * Reads tables of a lake by its catalog in a loop, in a process of its own, until its input ends. Anything that a reader
 * must not see, and any error, is a line of output; the last line is how often it read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openCatalog } from '../../src/catalog/index.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';

export interface ReaderTask {
  root: string;
  tables: readonly string[];
  /** Those of the tables whose rows all have the same `gen`. */
  replaced: readonly string[];
}

const PAUSE_MS = 50;
const BATCH_MS = 1000;

const { root, tables, replaced } = JSON.parse(process.argv[2]!) as ReaderTask;
let going = true;
process.stdin.resume().on('end', () => (going = false));
const least = new Map<string, number>();
let reads = 0;
while (going) {
  // Queries of one catalog, then a new one: what is kept from query to query must not go stale.
  const catalog = openCatalog({ storage: openLocalStorage(root), memoryBytes: 128 << 20, threads: 1 });
  for (const end = performance.now() + BATCH_MS; going && performance.now() < end;) {
    for (const table of tables) {
      const problem = await look(table).catch((error: unknown) => String(error));
      if (problem !== undefined) console.log(`${table}: ${problem}`);
      reads++;
    }
    await sleep(PAUSE_MS);
  }
  await catalog.close();

  async function look(table: string): Promise<string | undefined> {
    const sql = `SELECT count(*) AS n, sum(balance) AS total, count(DISTINCT gen) AS gens FROM ${table}`;
    const [row] = (await Array.fromAsync((await catalog.select(sql)).batches)).flat();
    const [n, total, gens] = row!.map(Number);
    const before = least.get(table) ?? 0;
    least.set(table, n!);
    if (n! < before) return `${n} rows, before there were ${before}`;
    if (n === 0 || n! % 2 !== 0 || total !== 0) return `half a transaction: ${n} rows, sum ${total}`;
    return replaced.includes(table) && gens !== 1 ? `rows of ${gens} loads` : undefined;
  }
}
console.log(reads);
