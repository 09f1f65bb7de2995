/** A whole table into an empty lake, against the same rows received and thrown away. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeast, atMost, type BenchContext, type BenchOutcome, rowsFor, type Target } from './context.ts';
import { createProject, postgresAt, type EngineProject, type EngineRun, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { count, MEGABYTE, peakMb, renderLines, renderTargets, round, usageFields } from './report.ts';
import { makeTable } from './server.ts';
import { median, summarizeUsage } from './statistics.ts';
import type { TableShape } from './tables.ts';
import { verify } from './verify.ts';

export interface ToLake {
  name: string;
  shape: TableShape;
  rows: number;
  /** The naive route is so slow that a part of the table must do; its rows per second count. */
  naiveRows: number;
  targets: { ratio?: number; peakMb?: number; naiveRatio?: number };
}

/** The naive route is far from its bound, so fewer runs of it are enough. */
const NAIVE_RUNS = 3;

interface Pair {
  limit: Usage;
  engine: EngineRun;
  naive: Usage | undefined;
}

export async function benchToLake(bench: ToLake, context: BenchContext): Promise<BenchOutcome> {
  const { shape } = bench;
  const { server, say, signal } = context;
  const rows = rowsFor(context, shape, bench.rows);
  const naiveRows = Math.min(rows, bench.naiveRows);
  say(`making ${shape.name}: ${count(rows)} rows × ${shape.columns.length} columns`);
  await makeTable(server, shape, rows, signal);
  if (!context.quick) {
    say('warming up');
    await runLimit(bench, context);
    await runFresh(bench, context);
  }
  let lake = '';
  const pairs: Pair[] = [];
  for (let i = 0; i < context.pairs; i++) {
    say(`pair ${i + 1} of ${context.pairs}`);
    const limit = await runLimit(bench, context);
    const fresh = await runFresh(bench, context);
    lake = fresh.project.lake;
    const naive = i < NAIVE_RUNS ? await runNaive(bench, context, naiveRows) : undefined;
    pairs.push({ limit, engine: fresh.run, naive });
  }
  say('comparing the lake with the source');
  const verified = await verify(server, shape, lake);
  await server.query(`DROP TABLE ${shape.name}`);
  return outcome({ bench, context, rows, naiveRows, pairs, verified });
}

function runLimit({ shape }: ToLake, { server, limit, signal }: BenchContext): Promise<Usage> {
  return measure(limit.command(server.url, shape.name), { server: server.pid, signal });
}

async function runFresh(
  { shape }: ToLake,
  { folder, server, signal }: BenchContext,
): Promise<{ project: EngineProject; run: EngineRun }> {
  const project = await createProject(join(folder, 'project'), {
    source: postgresAt(server.url),
    streams: { [`public.${shape.name}`]: 'true' },
  });
  return { project, run: await runEngine(project, { server: server.pid, signal }) };
}

async function runNaive(
  { shape }: ToLake,
  { folder, server, signal }: BenchContext,
  rows: number,
): Promise<Usage> {
  const file = join(folder, 'naive.parquet');
  const program = fileURLToPath(new URL('./naive.ts', import.meta.url));
  const args = [program, server.url, shape.name, String(rows), file];
  const usage = await measure(
    { program: process.execPath, args, output: false },
    { server: server.pid, signal },
  );
  if ((await stat(file)).size === 0) throw new Error('the naive route wrote nothing');
  return usage;
}

interface Measured {
  bench: ToLake;
  context: BenchContext;
  rows: number;
  naiveRows: number;
  pairs: Pair[];
  verified: number;
}

function outcome({ bench, context, rows, naiveRows, pairs, verified }: Measured): BenchOutcome {
  const engine = summarizeUsage(pairs.map((pair) => pair.engine));
  const limit = summarizeUsage(pairs.map((pair) => pair.limit));
  const naive = summarizeUsage(pairs.flatMap((pair) => pair.naive ?? []));
  const ratios = pairs.map((pair) => pair.engine.seconds / pair.limit.seconds);
  const naiveRatios = pairs.flatMap((pair) =>
    pair.naive ? [rows / pair.engine.seconds / (naiveRows / pair.naive.seconds)] : [],
  );
  const ratio = median(ratios);
  const naiveRatio = median(naiveRatios);
  const { wireBytes, writtenBytes } = pairs[0]!.engine;
  const targets = context.quick ? [] : findTargets(bench, { ratio, naiveRatio, peak: engine.peakBytes });
  const text = [
    `${bench.name}: ${count(rows)} rows × ${bench.shape.columns.length} columns, ${mb(wireBytes)} MB on the wire, ${mb(writtenBytes)} MB of Parquet`,
    renderLines([
      { name: 'sluice', usage: engine, rows, wireBytes },
      { name: `limit: ${context.limit.name}, thrown away`, usage: limit, rows, wireBytes },
      {
        name: `naive, ${count(naiveRows)} rows`,
        usage: naive,
        rows: naiveRows,
        wireBytes: (wireBytes / rows) * naiveRows,
      },
    ]),
    `  ${ratio.toFixed(2)} × the limit (pairs: ${ratios.map((each) => each.toFixed(2)).join(' ')}), ${naiveRatio.toFixed(1)} × as fast as the naive route`,
    `  ${verified} figures of lake and source compared, all equal`,
    ...(targets.length > 0 ? [renderTargets(targets)] : []),
  ];
  return {
    text: text.join('\n'),
    result: {
      bench: bench.name,
      rows,
      seconds: round(engine.seconds, 3),
      limit_seconds: round(limit.seconds, 3),
      ratio: round(ratio, 3),
      naive_ratio: round(naiveRatio, 2),
      peak_rss_mb: peakMb(engine),
      quick: context.quick,
      columns: bench.shape.columns.length,
      ratios: ratios.map((each) => round(each, 3)),
      rows_per_second: Math.round(rows / engine.seconds),
      mb_per_second: round(wireBytes / MEGABYTE / engine.seconds, 1),
      wire_mb: mb(wireBytes),
      written_mb: mb(writtenBytes),
      ...usageFields('', engine),
      ...usageFields('limit_', limit),
      naive_rows: naiveRows,
      naive_seconds: round(naive.seconds, 3),
      naive_rows_per_second: Math.round(naiveRows / naive.seconds),
      ...usageFields('naive_', naive),
      verified,
      targets,
    },
  };
}

function findTargets(
  { targets }: ToLake,
  found: { ratio: number; naiveRatio: number; peak: number | undefined },
): Target[] {
  return [
    ...(targets.ratio === undefined ? [] : atMost('ratio to the limit', found.ratio, targets.ratio)),
    ...(targets.peakMb === undefined
      ? []
      : atMost('peak MB', found.peak === undefined ? undefined : found.peak / MEGABYTE, targets.peakMb)),
    ...(targets.naiveRatio === undefined
      ? []
      : atLeast('ratio to the naive route', found.naiveRatio, targets.naiveRatio)),
  ];
}

function mb(bytes: number): number {
  return Math.round(bytes / MEGABYTE);
}
