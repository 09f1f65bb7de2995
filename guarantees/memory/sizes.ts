/** The same work on 1, 10 and 30 times the rows, with the smallest budget, has to take the same memory. */
import { LEAST_MEMORY } from '../../src/core/memory.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { hasProc } from '../processes.ts';
import { peakOf } from './peak.ts';
import { createView, NEXT_PHASE, PHASE, type Width } from './tables.ts';

const MEBIBYTE = 1 << 20;
const SIZES = [1, 10, 30];
/** How much more the largest may take than the smallest. */
const SPREAD = 1.15;

export interface Work {
  name: string;
  tries: string;
  width?: Width;
  /** Rows of the smallest table: as many as the engine's buffers hold. */
  rows: number;
  /** Multiples of `rows`; 1, 10 and 30 unless the work takes too long on so many. */
  sizes?: readonly number[];
  stream: StreamOptions;
  /** Commands, and what happens to the source between them; `$table` is the table. */
  steps: readonly (readonly string[] | 'change')[];
}

export function atAllSizes(work: Work): Attack {
  return {
    name: work.name,
    part: 'memory',
    promise: 'fixed-memory',
    tries: work.tries,
    rounds: 1,
    brief: false,
    async run(arena) {
      if (!hasProc) return 'skipped: memory is measured by /proc, which is Linux’s';
      const peaks: number[] = [];
      const sizes = work.sizes ?? SIZES;
      for (const times of sizes) {
        arena.say(`${work.name}: ${(times * work.rows).toLocaleString('en')} rows`);
        peaks.push(await peakAt(arena, work, times));
      }
      return judge(peaks, sizes);
    },
  };
}

/** The greatest peak of all commands. */
async function peakAt(arena: Arena, work: Work, times: number): Promise<number> {
  const table = `rows${times}`;
  const view = createView(table, work.width ?? 'narrow', work.rows * times);
  const pair = await arena.open({ [`public.${table}`]: { table, ...work.stream } }, `${PHASE}; ${view}`);
  pair.memoryBytes = LEAST_MEMORY;
  let peak = 0;
  for (const step of work.steps) {
    if (step === 'change') await pair.from.query(NEXT_PHASE);
    else
      peak = Math.max(
        peak,
        await peakOf(
          pair,
          step.map((word) => word.replace('$table', table)),
        ),
      );
  }
  await expectSums(pair, table);
  return peak;
}

/** Ten million rows are compared by their count and sums. */
async function expectSums(pair: Pair, table: string): Promise<void> {
  const sums = (text: string): string =>
    `SELECT CAST(count(*) AS ${text}) AS n, CAST(sum(id) AS ${text}) AS ids, CAST(sum(amount) AS ${text}) AS amounts FROM ${table}`;
  const [source] = await pair.from.query(sums('text'));
  const [target] = await pair.to.query(table, sums('VARCHAR'));
  if (JSON.stringify(source) !== JSON.stringify(target))
    throw new Error(`${JSON.stringify(source)} in the source, ${JSON.stringify(target)} in the destination`);
}

function judge(peaks: readonly number[], sizes: readonly number[]): string {
  const list = peaks.map((peak) => Math.round(peak / MEBIBYTE)).join('/');
  const found = `${list} MiB for ${sizes.join('/')} times the rows, budget ${LEAST_MEMORY / MEBIBYTE} MiB`;
  if (Math.max(...peaks) > LEAST_MEMORY) throw new Error(`more than the budget: ${found}`);
  if (Math.max(...peaks) > SPREAD * Math.min(...peaks))
    throw new Error(`grows with the rows by more than 15 %: ${found}`);
  const round = (peak: number): number => Math.round(peak / MEBIBYTE / 10) * 10;
  return `works, ${peaks.map(round).join('/')} of ${LEAST_MEMORY / MEBIBYTE} MiB for ${sizes.join('/')} times the rows`;
}
