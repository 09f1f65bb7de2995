/**
 * How the memory of a run is shared out. The sizes of what is not DuckDB are measured (ARCHITECTURE.md, "Memory"); the
 * attacks in guarantees/memory hold the process to the budget.
 */
import { ConfigError } from './errors.ts';

const MEBIBYTE = 1 << 20;
/** Node, the program, connections. */
const MAIN_BYTES = 128 * MEBIBYTE;
/** Thread, ring, batches, and the row group that is being encoded. */
const LANE_BYTES = 64 * MEBIBYTE;
/** Of the rest DuckDB is told less than there is: operators that spill take up to half more than it accounts for. */
const ENGINE_PART = 2 / 3;
const LEAST_LANE_BYTES = 192 * MEBIBYTE;

/** Thread, rings, batches and DuckDB of the rules of a stream, for each slice that is read at once. */
const RULES_BYTES = 64 * MEBIBYTE;
/** What that DuckDB is told, which has one batch at a time. */
export const RULES_MEMORY: number = 64 * MEBIBYTE;

/** The smallest budget, which one lane needs. */
export const LEAST_MEMORY: number = MAIN_BYTES + LEAST_LANE_BYTES;

/** Bytes of the wire that close a batch before it has its 2,048 rows. With less, rows of a few KB would go one by one. */
export const BATCH_BYTES: { least: number; usual: number; most: number } = {
  least: 64 << 10,
  usual: 8 * MEBIBYTE,
  // As columns, encoded and on its way a batch is there about three times: more would not fit the share of a lane.
  most: 16 * MEBIBYTE,
};

export function checkBatchBytes(bytes: number): void {
  const { least, most } = BATCH_BYTES;
  if (bytes >= least && bytes <= most) return;
  throw new ConfigError(`reading the size of a batch: ${bytes} bytes are not from ${least} to ${most}`, {
    code: 'config.batch_bytes',
    remedy: 'set `batch_bytes` or --batch-bytes to something from "64 KiB" to "16 MiB"; "8 MiB" is usual',
  });
}

/** `sourceBytes` is what {@link sourceMemory} takes. */
export function checkMemory(budget: number, sourceBytes: number = 0): void {
  const least = sourceBytes > 0 ? LEAST_MEMORY + LEAST_LANE_BYTES : LEAST_MEMORY;
  if (budget >= least) return;
  throw new ConfigError(
    `reading the memory budget: ${inMebibytes(budget)} is less than the ${inMebibytes(least)} that ${sourceBytes > 0 ? 'a run from a lake, a DuckDB file or files of Parquet' : 'a run'} needs`,
    {
      code: 'config.memory',
      remedy: `set \`memory\` or --memory to at least "${inMebibytes(least)}"`,
    },
  );
}

/** What a source with an engine of its own gets of the budget; the lanes have the other half. */
export function sourceMemory(budget: number): number {
  return Math.max(LEAST_LANE_BYTES, Math.floor((budget - MAIN_BYTES) / 2));
}

/** What the DuckDB of such a source may take of that by its own account. */
export function sourceEngineMemory(bytes: number): number {
  return Math.floor((bytes - LANE_BYTES) * ENGINE_PART);
}

/** How many lanes fit into a budget. */
export function lanesWithin(budget: number): number {
  return Math.max(1, Math.floor((budget - MAIN_BYTES) / LEAST_LANE_BYTES));
}

/** How many lanes fit when rules are applied to what each of them is given, and what is left for these lanes, as far as there is room. */
export function besideRules(budget: number, workers: number): { lanes: number; budget: number } {
  const most = Math.max(1, Math.floor((budget - MAIN_BYTES) / (LEAST_LANE_BYTES + RULES_BYTES)));
  const lanes = Math.min(workers, most);
  return { lanes, budget: Math.max(Math.min(budget, LEAST_MEMORY), budget - lanes * RULES_BYTES) };
}

/** What the DuckDB of each lane may take by its own account. */
export function engineMemory(budget: number, lanes: number = 1): number {
  const most = Math.max(budget, LEAST_MEMORY);
  return Math.floor(((most - MAIN_BYTES) / Math.min(lanes, lanesWithin(most)) - LANE_BYTES) * ENGINE_PART);
}

/** The budget with which the DuckDB of a single lane gets so much. */
export function budgetFor(engineBytes: number): number {
  return MAIN_BYTES + LANE_BYTES + Math.ceil(engineBytes / ENGINE_PART);
}

function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / MEBIBYTE)} MiB`;
}
